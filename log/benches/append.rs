//! CPU per record of appending and reading back: records of 250 bytes, 8 partitions, batches of 500 handed over.
//!
//! `cargo bench -p fieldline-log`; times are per million-record run divided by criterion's throughput.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Committed, Destination, Log, Polled, TopicPartition, TopicSpec};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const RECORDS: u64 = 200_000;
const HAND_OVER: u64 = 500;
const TOPIC: &str = "activity";

fn topic(log: &dyn Log) {
    let made = log.ensure_topic(&TopicSpec { name: TOPIC.into(), partitions: 8, retention: None, compacted: false });
    assert!(made.is_ok(), "{made:?}");
}

fn fill(log: &dyn Log) -> fieldline_log::Result<()> {
    let keys: Vec<[u8; 36]> = (0..1000u32).map(|n| std::array::from_fn(|i| (n as usize * 31 + i * 7) as u8)).collect();
    let value = [7u8; 214];
    let mut producer = log.producer()?;
    for n in 0..RECORDS {
        let key = &keys[(n % 1000) as usize];
        producer.append(TOPIC, Append { destination: Destination::ByKey, key, value: &value, append_time: None })?;
        if n % HAND_OVER == 0 {
            producer.acknowledged()?;
        }
    }
    producer.flush(Duration::from_secs(60))
}

fn drain(log: &dyn Log, group: &str) -> fieldline_log::Result<u64> {
    let mut consumer = log.consumer(group, &[TOPIC])?;
    let mut bytes = 0;
    loop {
        match consumer.poll(Duration::ZERO, 500)? {
            Polled::Assigned(partitions) => partitions.iter().try_for_each(|p| consumer.seek(p, 0))?,
            Polled::Records(batch) => bytes += batch.iter().map(|r| r.key.len() as u64 + u64::from(r.value[0])).sum::<u64>(),
            Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => return Ok(bytes),
        }
    }
}

fn fresh() -> (tempfile::TempDir, Arc<EmbeddedLog>) {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    topic(&*log);
    (folder, log)
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS));
    group.bench_function("append, embedded", |b| {
        b.iter_batched(fresh, |(folder, log)| (fill(&*log).is_ok(), log, folder), BatchSize::PerIteration)
    });
    let (_folder, log) = fresh();
    assert!(fill(&*log).is_ok());
    group.bench_function("read, embedded", |b| b.iter(|| black_box(drain(&*log, "reader").ok())));
    let memory = || {
        let log = MemoryLog::new(MemoryOptions::default());
        topic(&*log);
        log
    };
    group.bench_function("append, memory", |b| b.iter_batched(memory, |log| (fill(&*log).is_ok(), log), BatchSize::PerIteration));
    group.finish();

    let mut consumer = log.consumer("committer", &[TOPIC]).unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(consumer.poll(Duration::ZERO, 1), Ok(Polled::Assigned(_))));
    let note = "{\"definition\":1,\"definition_hash\":\"0123456789abcdef0123456789abcdef\",\"clock_us\":1700000000000000}";
    let position = |offset| (TopicPartition { topic: TOPIC.into(), partition: 0 }, Committed { offset, metadata: note.into() });
    let mut offset = 0;
    criterion.bench_function("commit, embedded", |b| {
        b.iter(|| {
            offset += 1;
            assert!(consumer.commit(&[position(offset)]).is_ok());
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);

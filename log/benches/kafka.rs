//! CPU and time per record through Kafka's client, against the safe crate's own poll and its bare producer.
//!
//! `cargo bench -p fieldline-log --bench kafka` starts a broker of its own; `FIELDLINE_BENCH_KAFKA=host:port` names one.
//! CPU is this process's alone, the client's threads included.

use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Append, Destination, Log, Polled, TopicSpec};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const RECORDS: u64 = 2_000_000;
const PARTITIONS: i32 = 8;
const HAND_OVER: u64 = 500;
const TOPIC: &str = "bench";

/// CPU seconds that this process has used, from the kernel's hundredths.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

fn measure(what: &str, run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let (started, used) = (Instant::now(), cpu()?);
    run()?;
    let (wall, used) = (started.elapsed().as_secs_f64(), cpu()? - used);
    let per_record = |seconds: f64| seconds / RECORDS as f64 * 1e6;
    println!("{what:<40} {:>6.2} µs CPU, {:>6.2} µs of time per record", per_record(used), per_record(wall));
    Ok(())
}

fn append(log: &KafkaLog) -> Result<(), Box<dyn Error>> {
    let keys: Vec<[u8; 36]> = (0..1000u32).map(|n| std::array::from_fn(|i| (n as usize * 31 + i * 7) as u8)).collect();
    let value = [7u8; 238];
    let mut producer = log.producer()?;
    for n in 0..RECORDS {
        let key = &keys[(n % 1000) as usize];
        producer.append(TOPIC, Append { destination: Destination::ByKey, key, value: &value, append_time: None })?;
        if n % HAND_OVER == 0 {
            producer.acknowledged()?;
        }
    }
    Ok(producer.flush(Duration::from_secs(120))?)
}

fn read(log: &KafkaLog) -> Result<(), Box<dyn Error>> {
    let mut consumer = log.consumer(&format!("bench-{}", std::process::id()), &[TOPIC])?;
    let mut records = 0;
    while records < RECORDS {
        match consumer.poll(Duration::from_millis(100), 2000)? {
            Polled::Assigned(partitions) => partitions.iter().try_for_each(|at| consumer.seek(at, 0))?,
            Polled::Records(batch) => {
                records += batch.len() as u64;
                for record in batch.iter() {
                    black_box((record.offset, record.append_time, record.value.len()));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a reader costs that takes one record at a time from the safe crate, and copies it as well.
fn read_bare(brokers: &str) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "bare").set("enable.auto.commit", "false").set("check.crcs", "true");
    let consumer: BaseConsumer = config.set("enable.auto.offset.store", "false").create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Offset(0))?;
    }
    consumer.assign(&list)?;
    let (mut records, mut buffer) = (0, Vec::with_capacity(1 << 20));
    while records < RECORDS {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message?;
            records += 1;
            if buffer.len() > 1 << 19 {
                buffer.clear();
            }
            buffer.extend_from_slice(message.key().unwrap_or_default());
            buffer.extend_from_slice(message.payload().unwrap_or_default());
            black_box((message.topic().len(), message.partition(), message.offset(), message.timestamp()));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let named = std::env::var("FIELDLINE_BENCH_KAFKA").ok();
    let started = match named {
        Some(_) => None,
        None => match Kafka::start_or_leave_out(KafkaOptions::default()) {
            Some(kafka) => Some(kafka),
            None => return Ok(()),
        },
    };
    let brokers = named.or_else(|| started.as_ref().map(Kafka::bootstrap)).unwrap_or_default();
    let log = KafkaLog::open(KafkaConfig { brokers: brokers.clone(), ..KafkaConfig::default() })?;
    log.ensure_topic(&TopicSpec { name: TOPIC.to_owned(), partitions: PARTITIONS, retention: None, compacted: false })?;
    measure("append, hand over every 500, flush", || append(&log))?;
    for _ in 0..2 {
        measure("read in batches, as the log", || read(&log))?;
        measure("read one by one, the safe crate's poll", || read_bare(&brokers))?;
    }
    Ok(())
}

//! What a record costs the processors, without the log: `cargo bench -p fieldline-processors --bench records`.
//!
//! Simulated technicians with plans, positions and light faults. `decode` reads the bytes of every record; `claim` reads it as the state
//! takes it too, its content hash included. The others feed claims to a partition: `backlog` with thousands of records in a second of
//! the log; `steady` with each where it happened, nearly always in a second of its own, over two days from nothing; `week` the
//! same on the ninth day, when as much leaves the window as comes. `rows` is `steady` and the encoding of its rows. `rebuild` reads the
//! bytes of nine days again, decoding included, until the state is as it was.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::partition::{Effects, Input, Partition, Position, Record, Settings};
use fieldline_producers::simulate::{Body, Simulator, SimulatorConfig};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of, validate};
use std::hint::black_box;

/// A record of the log before it is decoded.
struct Raw {
    append_time: Timestamp,
    payload: Vec<u8>,
}

fn simulate(technicians: u32, days: u32) -> Vec<Raw> {
    let config = SimulatorConfig { technicians, days, ..SimulatorConfig::default() };
    let codec = Codec::new();
    let simulator = Simulator::new(config).into_iter().flatten();
    let bodies = simulator.filter(|emission| emission.topic == Topic::Activity);
    let raw = bodies.map(|emission| {
        let mut payload = Vec::new();
        match emission.body {
            Body::Record(record) => codec.encode(&record, &mut payload),
            Body::Corrupt { payload: corrupt, .. } => payload = corrupt,
        }
        Raw { append_time: emission.at, payload }
    });
    raw.collect()
}

fn decode<'a>(codec: &Codec, raw: &'a Raw) -> Option<AnyRecord<'a>> {
    codec.decode(&raw.payload).ok().filter(|record| validate(Topic::Activity, record, raw.append_time).is_ok())
}

fn claim(codec: &Codec, definition: &Definition, raw: &Raw) -> Input {
    decode(codec, raw).map_or(Input::Nothing, |record| Input::read(&record, raw.append_time, definition))
}

fn claims(raw: &[Raw], append_time: impl Fn(&Raw, i64) -> Timestamp) -> Vec<Record> {
    let (codec, definition) = (Codec::new(), Definition::default());
    let numbered = raw.iter().zip(0_i64..);
    numbered.map(|(raw, offset)| Record { offset, append_time: append_time(raw, offset), input: claim(&codec, &definition, raw) }).collect()
}

/// The number of rows put out.
fn apply(partition: &mut Partition, records: &[Record], mut put_out: impl FnMut(&mut Effects)) -> usize {
    let (mut effects, mut rows) = (Effects::default(), 0);
    for record in records {
        if partition.apply(record, &mut effects).is_ok() {
            rows += effects.kpis.len();
            put_out(black_box(&mut effects));
        }
        effects.clear();
    }
    rows
}

fn fresh() -> Partition {
    Partition::new(Settings::single(Definition::default()))
}

fn rebuild(raw: &[Raw]) -> Partition {
    let (codec, definition, mut effects) = (Codec::new(), Definition::default(), Effects::default());
    let clock = raw.last().map_or(Timestamp(0), |last| last.append_time);
    let committed = Position { offset: raw.len() as i64, clock };
    let mut partition = Partition::rebuild(Settings::single(definition), committed);
    for (raw, offset) in raw.iter().zip(0..) {
        let record = Record { offset, append_time: raw.append_time, input: claim(&codec, &definition, raw) };
        black_box(partition.apply(&record, &mut effects).is_ok());
    }
    partition
}

fn records(criterion: &mut Criterion) {
    let (few, many) = (simulate(500, 9), simulate(4_000, 2));
    // The last of them come days late.
    let days_over = many[many.len() * 99 / 100].append_time;
    let backlog = claims(&many, |_, offset| days_over + offset * 20);
    let steady = claims(&many, |raw, _| raw.append_time);
    let nine_days = claims(&few, |raw, _| raw.append_time);
    let ninth_day = nine_days.len() * 8 / 9;
    let rows = apply(&mut fresh(), &steady, |_| {}) as f64 / steady.len() as f64;
    let rows_of_backlog = apply(&mut fresh(), &backlog, |_| {}) as f64 / backlog.len() as f64;
    println!("rows a record: {rows:.2} steady, {rows_of_backlog:.2} backlog; {} and {} records", many.len(), few.len());

    let (codec, definition) = (Codec::new(), Definition::default());
    let mut group = criterion.benchmark_group("records");
    group.sample_size(10);
    group.throughput(Throughput::Elements(many.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(|| many.iter().filter(|raw| decode(&codec, raw).is_some()).count()));
    group.bench_function("claim", |bencher| {
        bencher.iter(|| many.iter().for_each(|raw| _ = black_box(claim(&codec, &definition, raw))));
    });
    for (name, records) in [("backlog", &backlog), ("steady", &steady)] {
        group.bench_with_input(BenchmarkId::from_parameter(name), records, |bencher, records| {
            bencher.iter_batched_ref(fresh, |partition| apply(partition, records, |_| {}), BatchSize::PerIteration);
        });
    }
    group.bench_function("rows", |bencher| {
        let mut bytes = Vec::new();
        let mut encode = |effects: &mut Effects| {
            for kpi in effects.kpis.drain(..) {
                bytes.clear();
                let record = AnyRecord::Kpi(kpi);
                codec.encode(&record, &mut bytes);
                black_box((key_of(&record), &bytes));
            }
        };
        bencher.iter_batched_ref(fresh, |partition| apply(partition, &steady, &mut encode), BatchSize::PerIteration);
    });
    group.throughput(Throughput::Elements((nine_days.len() - ninth_day) as u64));
    group.bench_function("week", |bencher| {
        let eight_days = || {
            let mut partition = fresh();
            apply(&mut partition, &nine_days[..ninth_day], |_| {});
            partition
        };
        bencher.iter_batched_ref(eight_days, |partition| apply(partition, &nine_days[ninth_day..], |_| {}), BatchSize::PerIteration);
    });
    group.throughput(Throughput::Elements(few.len() as u64));
    group.bench_function("rebuild", |bencher| bencher.iter_with_large_drop(|| rebuild(&few)));
    group.finish();
}

criterion_group!(benches, records);
criterion_main!(benches);

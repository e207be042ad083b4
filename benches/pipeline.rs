//! The raw sink and the processors on real Kafka, beside what bounds them, measured in the same run: reading alone, reading and
//! decoding, inserting ready blocks alone; and beside what whoever puts out as many rows would need without any fold: reading, decoding
//! and appending ready ones.
//!
//! `cargo bench --bench pipeline` starts a broker and an engine of its own. CPU is this process's alone, the threads of Kafka's
//! client included; that of the engine stands beside it. CPU-seconds per million records are microseconds per record.
//! `cargo bench --bench pipeline -- steady` measures the processors in a steady state alone, `-- backlog` in a backlog: so are
//! two builds compared, in turns.

use anyhow::{Context, Result, ensure};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Append, Destination, Log, Polled, Record, TopicPartition, TopicSpec};
use fieldline_processors::{ProcessorConfig, StopToken};
use fieldline_processors_core::definition::Definition;
use fieldline_producers::simulate::{Body, Faults, Simulator, SimulatorConfig};
use fieldline_schemas::topics::key_in;
use fieldline_schemas::{Codec, Topic, validate};
use fieldline_sinks::engine::{Engine, EngineCommand, EngineConfig, install};
use fieldline_sinks::{ClickHouseTarget, Database, Deadlines, Engines, SinkConfig, SinkControl, migrate, raw_sink};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 12;
const RECORDS: usize = 1_000_000;
const TECHNICIANS: u32 = 20_000;
const DAYS: u32 = 2;
const BLOCK_ROWS: u64 = 10_000;
/// So many different rows are appended again and again.
const READY_ROWS: u64 = 100_000;
/// Records are stamped when the broker takes them: a backlog, many in each second of the log.
const BACKLOG: &str = "backlog.";
/// Records are stamped when they happen, as in a steady state: nearly every record comes in a second of its own for its technician.
const STEADY: &str = "steady.";

/// CPU seconds that a process has used, from the kernel's hundredths.
fn cpu(process: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

/// Of a million records.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

fn measure(what: &str, engine: &Engine, run: impl FnOnce() -> Result<u64>) -> Result<Cost> {
    let engine = engine.process_id().to_string();
    let (started, used, used_by_engine) = (Instant::now(), cpu("self")?, cpu(&engine)?);
    let records = run()? as f64 / 1e6;
    let cost = Cost { cpu: (cpu("self")? - used) / records, wall: started.elapsed().as_secs_f64() / records };
    let engine = (cpu(&engine)? - used_by_engine) / records;
    let rate = 1e3 / cost.wall;
    println!(
        "{what:<46} {rate:>6.0} thousand records/s {:>6.2} CPU-s per million {engine:>6.2} of the engine, {records:.2} million records",
        cost.cpu
    );
    Ok(cost)
}

fn log(brokers: &str, prefix: &str) -> Result<Arc<KafkaLog>> {
    let log = KafkaLog::open(KafkaConfig { brokers: brokers.to_owned(), event_time: prefix == STEADY, ..KafkaConfig::default() })?;
    for topic in Topic::ALL {
        let name = topic.full_name(prefix);
        log.ensure_topic(&TopicSpec { name, partitions: PARTITIONS, retention: None, compacted: false })?;
    }
    Ok(log)
}

/// Fills a log with simulated days: of a backlog the last ones, so that nothing is too late for the live window; of a steady state
/// the same weekdays a week earlier, since the broker takes no time of the future, and phones may be days late.
fn fill(log: &KafkaLog, prefix: &str) -> Result<()> {
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    let days_back = if prefix == STEADY { DAYS + 7 } else { DAYS };
    let first_day = now - chrono::Days::new(days_back.into());
    let config = SimulatorConfig { technicians: TECHNICIANS, days: DAYS, first_day, faults: Faults::light(), ..SimulatorConfig::default() };
    let (codec, mut producer, mut payload) = (Codec::new(), log.producer()?, Vec::new());
    let activities = Simulator::new(config)?.filter(|emission| emission.topic == Topic::Activity).take(RECORDS);
    for (number, emission) in activities.enumerate() {
        payload.clear();
        let (key, payload) = match &emission.body {
            Body::Record(record) => {
                codec.encode(record, &mut payload);
                (key_in(emission.topic, record), &payload)
            }
            Body::Corrupt { key, payload, .. } => (key.clone(), payload),
        };
        let append_time = (prefix == STEADY).then_some(emission.at);
        let append = Append { destination: Destination::ByKey, key: &key, value: payload, append_time };
        producer.append(&Topic::Activity.full_name(prefix), append)?;
        if number % 500 == 0 {
            producer.acknowledged()?;
        }
    }
    Ok(producer.flush(Duration::from_secs(120))?)
}

fn ends(log: &KafkaLog, prefix: &str) -> Result<Vec<(TopicPartition, i64)>> {
    let end = |partition| {
        let at = TopicPartition { topic: Topic::Activity.full_name(prefix), partition };
        let end = log.watermarks(&at)?.end;
        Ok((at, end))
    };
    (0..PARTITIONS).map(end).collect()
}

/// The records before these ends.
fn count(ends: &[(TopicPartition, i64)]) -> u64 {
    ends.iter().map(|(_, end)| *end as u64).sum()
}

/// Reads so many records of a topic, and hands each over.
fn read_topic(log: &KafkaLog, group: &str, topic: &str, total: u64, mut each: impl FnMut(&Record<'_>) -> Result<()>) -> Result<u64> {
    let mut consumer = log.consumer(group, &[topic])?;
    let mut records = 0;
    while records < total {
        match consumer.poll(Duration::from_millis(100), 4096)? {
            Polled::Assigned(partitions) => partitions.iter().try_for_each(|at| consumer.seek(at, 0))?,
            Polled::Records(batch) => {
                records += batch.len() as u64;
                batch.iter().try_for_each(|record| each(&record))?;
            }
            _ => {}
        }
    }
    Ok(records)
}

fn look(record: &Record<'_>) -> Result<()> {
    black_box((record.offset, record.append_time, record.value.len()));
    Ok(())
}

/// Decodes a record and validates it; some are corrupt on purpose.
fn decode(codec: &Codec, record: &Record<'_>) -> Result<()> {
    if let Ok(any) = codec.decode(record.value) {
        black_box(validate(Topic::Activity, &any, record.append_time).is_ok());
    }
    Ok(())
}

/// Reads the whole backlog, and hands each record over.
fn read(log: &KafkaLog, group: &str, each: impl FnMut(&Record<'_>) -> Result<()>) -> Result<u64> {
    read_topic(log, group, &Topic::Activity.full_name(BACKLOG), count(&ends(log, BACKLOG)?), each)
}

/// Keys and payloads of rows that the processors have put out.
fn ready_rows(log: &KafkaLog) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    read_topic(log, "rows", &Topic::Kpis.full_name(STEADY), READY_ROWS, |record| {
        rows.push((record.key.to_vec(), record.value.to_vec()));
        Ok(())
    })?;
    Ok(rows)
}

/// Reads and decodes everything, and appends ready rows: `a_record` of them for each record.
fn pass_on(log: &KafkaLog, ready: &[(Vec<u8>, Vec<u8>)], a_record: f64) -> Result<u64> {
    let (codec, mut producer) = (Codec::new(), log.producer()?);
    let target = Topic::Kpis.full_name(BACKLOG);
    let (mut ready, mut owed) = (ready.iter().cycle(), 0.0);
    let records = read(log, "pass-on", |record| {
        decode(&codec, record)?;
        owed += a_record;
        while owed >= 1.0 {
            owed -= 1.0;
            let Some((key, value)) = ready.next() else { break };
            producer.append(&target, Append { destination: Destination::ByKey, key, value, append_time: None })?;
        }
        if record.offset % 500 == 0 {
            producer.acknowledged()?;
        }
        Ok(())
    })?;
    producer.flush(Duration::from_secs(120))?;
    Ok(records)
}

fn sink(log: &Arc<KafkaLog>, target: &ClickHouseTarget) -> Result<u64> {
    let ends = ends(log, BACKLOG)?;
    let control = SinkControl::new();
    let config = SinkConfig { prefix: BACKLOG.to_owned(), ..SinkConfig::default() };
    let (of_thread, log_of, target) = (Arc::clone(&control), Arc::clone(log) as Arc<dyn Log>, target.clone());
    let thread = std::thread::spawn(move || raw_sink::run(&config, log_of, &target, of_thread));
    for (at, end) in &ends {
        while log.committed(&format!("{BACKLOG}{}", raw_sink::GROUP), at)?.map_or(0, |committed| committed.offset) < *end {
            ensure!(!thread.is_finished(), "the raw sink has ended");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    control.stop();
    thread.join().ok().context("the raw sink panicked")??;
    Ok(count(&ends))
}

/// The number of records, and of rows put out.
fn process(log: &Arc<KafkaLog>, prefix: &str) -> Result<(u64, u64)> {
    let ends = ends(log, prefix)?;
    let is_steady = prefix == STEADY;
    let config = ProcessorConfig::new(prefix, Definition::default());
    let config = ProcessorConfig { event_time: is_steady, tick_every: config.tick_every.filter(|_| !is_steady), ..config };
    let (progress, stop) = (config.progress.clone(), StopToken::default());
    let (of_thread, log_of) = (stop.clone(), Arc::clone(log) as Arc<dyn Log>);
    let thread = std::thread::spawn(move || fieldline_processors::run(config, log_of, of_thread));
    loop {
        let known = progress.snapshot();
        let is_through = |(at, end): &(TopicPartition, i64)| known.iter().any(|(known, p)| known == at && p.position >= *end);
        if ends.iter().all(is_through) {
            break;
        }
        ensure!(!thread.is_finished(), "the processors have ended: {:?}", thread.join());
        std::thread::sleep(Duration::from_millis(20));
    }
    let rows: u64 = progress.snapshot().values().map(|p| p.kpis).sum();
    stop.stop();
    thread.join().ok().context("the processors panicked")??;
    println!("{:<46} {rows:>6} rows put out", "");
    Ok((count(&ends), rows))
}

/// The same rows as ready blocks, into a table of the same shape.
fn insert(database: &Database) -> Result<u64> {
    let block = bytes::Bytes::from(database.query(&format!("SELECT * FROM technician_activity_log LIMIT {BLOCK_ROWS}"), "Native")?);
    let blocks = RECORDS as u64 / BLOCK_ROWS;
    for _ in 0..blocks {
        database.insert_native("bare", block.clone())?;
    }
    Ok(blocks * BLOCK_ROWS)
}

fn start_engine(folder: &Path) -> Result<Engine> {
    let given = std::env::var_os("FIELDLINE_ENGINE").map(PathBuf::from);
    let library = install::install(given.as_deref(), &mut |_| {})?;
    let program = env!("CARGO_BIN_EXE_fieldline").into();
    let command = EngineCommand { program, arguments: vec!["engine-serve".into()], environment: Vec::new() };
    Ok(Engine::start(EngineConfig::new(library, folder.to_owned(), command))?)
}

fn main() -> Result<()> {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions::default()) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let engine = start_engine(folder.path())?;
    let target = ClickHouseTarget::embedded(&engine.endpoint(), "bench");
    migrate(&target, Engines::Single, Deadlines::default())?;
    let database = Database::open(&target, Deadlines::default())?;
    let (backlog, steady) = (log(&kafka.bootstrap(), BACKLOG)?, log(&kafka.bootstrap(), STEADY)?);
    for (log, prefix, part) in [(&backlog, BACKLOG, "backlog"), (&steady, STEADY, "steady")] {
        if only.as_deref().is_none_or(|only| only == part) {
            fill(log, prefix)?;
        }
    }
    let processors = |what: &str, log: &Arc<KafkaLog>, prefix: &str| {
        let mut rows_a_record = 0.0;
        let cost = measure(what, &engine, || {
            let (records, rows) = process(log, prefix)?;
            rows_a_record = rows as f64 / records as f64;
            Ok(records)
        })?;
        anyhow::Ok((cost, rows_a_record))
    };
    let behind = || processors("processors, a backlog", &backlog, BACKLOG);
    let live = || processors("processors, a steady state", &steady, STEADY);
    match only.as_deref() {
        None => {}
        Some("backlog") => return behind().map(drop),
        Some("steady") => return live().map(drop),
        Some(other) => anyhow::bail!("no part of this bench is named {other:?}: backlog, steady"),
    }

    let codec = Codec::new();
    measure("(warming up)", &engine, || read(&backlog, "warm", look))?;
    let consume = measure("read", &engine, || read(&backlog, "bare", look))?;
    let decode = measure("read and decode", &engine, || read(&backlog, "decode", |record| decode(&codec, record)))?;
    let raw = measure("raw sink", &engine, || sink(&backlog, &target))?;
    database.execute("CREATE TABLE bare AS technician_activity_log")?;
    let insert = measure("insert ready blocks", &engine, || insert(&database))?;
    let ((behind, few_rows), (live, many_rows)) = (behind()?, live()?);
    let ready = ready_rows(&steady)?;
    let few = measure(&format!("read, decode, append {few_rows:.2} ready rows each"), &engine, || pass_on(&backlog, &ready, few_rows))?;
    let many = measure(&format!("read, decode, append {many_rows:.2} ready rows each"), &engine, || pass_on(&backlog, &ready, many_rows))?;

    let rate = |part: Cost, whole: Cost| part.wall / whole.wall;
    println!();
    println!("raw sink: {:.2} of the rate of reading and decoding, {:.2} of that of inserting", rate(decode, raw), rate(insert, raw));
    println!(
        "processors: {:.2} of the rate of reading and decoding in a backlog, {:.2} in a steady state",
        rate(decode, behind),
        rate(decode, live)
    );
    println!(
        "processors: {:.2} and {:.2} of the rate of reading, decoding and appending as many ready rows; {:.1} and {:.1} times its CPU",
        rate(few, behind),
        rate(many, live),
        behind.cpu / few.cpu,
        live.cpu / many.cpu
    );
    println!("decoding is {:.2} of the rate of reading alone", rate(consume, decode));
    println!(
        "CPU over reading and decoding: raw sink {:.1}, processors {:.1} and {:.1} times",
        raw.cpu / decode.cpu,
        behind.cpu / decode.cpu,
        live.cpu / decode.cpu
    );
    Ok(())
}

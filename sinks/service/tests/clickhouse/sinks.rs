//! Both sinks on a log in memory and the real engine.

use crate::common::TestEngine;
use crate::setup::{TestDatabase, activity, at, event, technician};
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Destination, Log, TopicPartition, TopicSpec};
use fieldline_schemas::events::{ActivityType, Tick};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::results::{Identity, Kpi, KpiRecord, Stamp};
use fieldline_schemas::{AnyRecord, Codec, Topic, Version, key_of};
use fieldline_sinks::sink::{SinkControl, SinkError};
use fieldline_sinks::writer::{GivenUp, WriterConfig};
use fieldline_sinks::{BatchLimits, ClickHouseTarget, SinkConfig, raw_sink, results_sink};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const WAIT_MAX: Duration = Duration::from_secs(20);
const PARTITIONS: i32 = 2;

pub struct Pipeline {
    pub log: Arc<dyn Log>,
    pub control: Arc<SinkControl>,
}

pub type Run = fn(&SinkConfig, Arc<dyn Log>, &ClickHouseTarget, Arc<SinkControl>) -> Result<(), SinkError>;

impl Pipeline {
    pub fn new() -> Self {
        let log: Arc<dyn Log> = MemoryLog::new(MemoryOptions { event_time: true, waits: true, clock: at(0) });
        for topic in Topic::ALL {
            log.ensure_topic(&TopicSpec { name: topic.full_name("fieldline."), partitions: PARTITIONS, retention: None, compacted: false })
                .unwrap();
        }
        Self { log, control: SinkControl::new() }
    }

    pub fn append(&self, topic: Topic, record: &AnyRecord<'_>) {
        let mut value = Vec::new();
        Codec::new().encode(record, &mut value);
        self.append_bytes(topic, &key_of(record), &value);
    }

    pub fn append_bytes(&self, topic: Topic, key: &[u8], value: &[u8]) {
        let mut producer = self.log.producer().unwrap();
        producer
            .append(&topic.full_name("fieldline."), Append { destination: Destination::ByKey, key, value, append_time: Some(at(1)) })
            .unwrap();
        producer.flush(WAIT_MAX).unwrap();
    }

    pub fn start(&self, run: Run, target: &ClickHouseTarget, config: &SinkConfig) -> JoinHandle<Result<(), SinkError>> {
        let (config, log, target, control) = (config.clone(), Arc::clone(&self.log), target.clone(), Arc::clone(&self.control));
        std::thread::spawn(move || run(&config, log, &target, control))
    }

    /// What the group has committed, summed over the partitions.
    pub fn committed(&self, group: &str, topic: Topic) -> i64 {
        let partition = |partition| TopicPartition { topic: topic.full_name("fieldline."), partition };
        let committed = |p| self.log.committed(&format!("fieldline.{group}"), &partition(p)).unwrap().map_or(0, |c| c.offset);
        (0..PARTITIONS).map(committed).sum()
    }

    #[track_caller]
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + WAIT_MAX;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.control);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn every_record_but_ticks_is_stored_and_poison_is_set_aside() {
    let test = TestDatabase::new("raw_sink");
    let pipeline = Pipeline::new();
    pipeline.control.hurry(true);
    for number in 0..100 {
        pipeline.append(Topic::Activity, &activity(number, i64::from(number), ActivityType::FuelStop).into());
    }
    pipeline.append(Topic::Activity, &AnyRecord::Tick(Tick { since: None }));
    pipeline.append_bytes(Topic::Activity, b"k", b"\xff no record");
    let mut ahead = activity(200, 26 * 60, ActivityType::FuelStop);
    ahead.common.id = event(200);
    pipeline.append(Topic::Activity, &ahead.into());
    let sink = pipeline.start(raw_sink::run, &test.target, &SinkConfig::default());
    pipeline.wait_until("all committed", || pipeline.committed(raw_sink::GROUP, Topic::Activity) == 103);
    test.check(
        "SELECT count(), uniqExact(partition, offset), min(received_at) FROM technician_activity_log",
        &["100\t100\t2026-03-02 08:01:00.000000"],
    );
    pipeline.control.stop();
    sink.join().unwrap().unwrap();

    // The dead letters are in the log before their batch was committed; the results sink brings them over.
    let second = Pipeline { log: Arc::clone(&pipeline.log), control: SinkControl::new() };
    second.control.hurry(true);
    let tombstone = Kpi::Tombstone(Identity::Shift { technician_contact_id: technician(1), shift_id: event(1) });
    let stamp = Stamp { version: Version(5), as_of: at(0), caused_by: None };
    second.append(Topic::Kpis, &AnyRecord::Kpi(KpiRecord { stamp, kpi: tombstone }));
    let sink = second.start(results_sink::run, &test.target, &SinkConfig::default());
    second.wait_until("both stored", || {
        second.committed(results_sink::GROUP, Topic::DeadLetters) == 2 && second.committed(results_sink::GROUP, Topic::Kpis) == 1
    });
    test.check(
        "SELECT topic, reason, stage FROM dead_letters ORDER BY reason",
        &["activity\tcreated_ahead\tvalidate", "activity\tunknown_framing\tdecode"],
    );
    test.check("SELECT withdrawn, version, published_at FROM shifts_history", &["true\t5\t2026-03-02 08:01:00.000000"]);
    test.check("SELECT count() FROM shift_results WHERE is_deleted", &["1"]);
    second.control.stop();
    sink.join().unwrap().unwrap();
}

#[test]
fn a_missing_table_stops_and_nothing_is_committed_or_skipped() {
    let test = TestDatabase::new("missing_table");
    test.database.execute("RENAME TABLE technician_activity_log TO elsewhere").unwrap();
    let pipeline = Pipeline::new();
    pipeline.control.hurry(true);
    pipeline.append(Topic::Activity, &activity(1, 0, ActivityType::FuelStop).into());
    let error = pipeline.start(raw_sink::run, &test.target, &SinkConfig::default()).join().unwrap().unwrap_err();
    let SinkError::Write(error) = error else { panic!("{error}") };
    assert_eq!(error.reason, GivenUp::Permanent);
    let text = error.to_string();
    assert!(text.contains("1 rows of fieldline.activity partition") && text.contains("into technician_activity_log"), "{text}");
    assert_eq!(pipeline.committed(raw_sink::GROUP, Topic::Activity), 0);

    // Somebody mends it: the same record is read again.
    test.database.execute("RENAME TABLE elsewhere TO technician_activity_log").unwrap();
    let sink = pipeline.start(raw_sink::run, &test.target, &SinkConfig::default());
    pipeline.wait_until("stored after all", || pipeline.committed(raw_sink::GROUP, Topic::Activity) == 1);
    test.check("SELECT count() FROM technician_activity_log", &["1"]);
    pipeline.control.stop();
    sink.join().unwrap().unwrap();
}

#[test]
fn bad_credentials_stop_at_once() {
    let mut target = TestDatabase::new("credentials").target;
    target.password = "wrong".to_owned();
    let pipeline = Pipeline::new();
    pipeline.control.hurry(true);
    pipeline.append(Topic::Activity, &activity(1, 0, ActivityType::FuelStop).into());
    let error = pipeline.start(raw_sink::run, &target, &SinkConfig::default()).join().unwrap().unwrap_err();
    assert!(matches!(&error, SinkError::Write(error) if error.reason == GivenUp::Permanent), "{error}");
}

#[test]
fn an_unreachable_server_is_tried_again_until_the_total_deadline_or_the_stop() {
    let nowhere = ClickHouseTarget { url: "http://127.0.0.1:9".into(), user: "u".into(), password: "p".into(), database: "d".into() };
    let pipeline = Pipeline::new();
    pipeline.control.hurry(true);
    pipeline.append(Topic::Activity, &activity(1, 0, ActivityType::FuelStop).into());
    let writer = WriterConfig { total: Duration::from_secs(1), ..WriterConfig::default() };
    let config = SinkConfig { writer, ..SinkConfig::default() };
    let error = pipeline.start(raw_sink::run, &nowhere, &config).join().unwrap().unwrap_err();
    assert!(matches!(&error, SinkError::Write(error) if error.reason == GivenUp::Deadline && error.attempts > 2), "{error}");
    assert_eq!(pipeline.committed(raw_sink::GROUP, Topic::Activity), 0);

    let sink = pipeline.start(raw_sink::run, &nowhere, &SinkConfig::default());
    let before = pipeline.control.retries.load(Ordering::Relaxed);
    pipeline.wait_until("a retry", || pipeline.control.retries.load(Ordering::Relaxed) > before);
    pipeline.control.stop();
    sink.join().unwrap().unwrap();
    assert_eq!(pipeline.committed(raw_sink::GROUP, Topic::Activity), 0);
}

#[test]
fn without_hurry_a_small_batch_waits_for_its_age() {
    let test = TestDatabase::new("age");
    let pipeline = Pipeline::new();
    let batch = BatchLimits { age_max: Duration::from_millis(600), ..BatchLimits::default() };
    let sink = pipeline.start(raw_sink::run, &test.target, &SinkConfig { batch, ..SinkConfig::default() });
    for number in 0..20 {
        pipeline.append(Topic::Activity, &activity(number, 0, ActivityType::FuelStop).into());
        std::thread::sleep(Duration::from_millis(10));
    }
    pipeline.wait_until("stored", || pipeline.committed(raw_sink::GROUP, Topic::Activity) == 20);
    assert!(pipeline.control.blocks.load(Ordering::Relaxed) <= 2, "{:?}", pipeline.control);
    pipeline.control.stop();
    sink.join().unwrap().unwrap();
}

#[test]
fn a_killed_engine_loses_and_doubles_nothing() {
    const RECORDS: u32 = 20_000;
    const KILLS: u32 = 3;
    let own = TestEngine::start();
    let test = TestDatabase::on(&own, "killed");
    let pipeline = Pipeline::new();
    let mut producer = pipeline.log.producer().unwrap();
    let codec = Codec::new();
    for number in 0..RECORDS {
        let mut record = activity(0, 0, ActivityType::FuelStop);
        record.common.id = EventId::from_bytes((u128::from(number) << 64).to_be_bytes());
        record.technician_contact_id = technician((number % 50) as u8);
        let record = AnyRecord::from(record);
        let mut value = Vec::new();
        codec.encode(&record, &mut value);
        let append = Append { destination: Destination::ByKey, key: &key_of(&record), value: &value, append_time: Some(at(1)) };
        producer.append("fieldline.activity", append).unwrap();
    }
    producer.flush(WAIT_MAX).unwrap();
    let batch = BatchLimits { rows_min: 100, rows_max: 200, ..BatchLimits::default() };
    let sink = pipeline.start(raw_sink::run, &test.target, &SinkConfig { batch, ..SinkConfig::default() });
    for kill in 1..=KILLS {
        let reached = i64::from(RECORDS * kill / (KILLS + 2));
        pipeline.wait_until("work to interrupt", || pipeline.committed(raw_sink::GROUP, Topic::Activity) >= reached);
        let child = Pid::from_raw(i32::try_from(own.engine.process_id()).unwrap()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
    }
    pipeline.wait_until("all stored", || pipeline.committed(raw_sink::GROUP, Topic::Activity) == i64::from(RECORDS));
    assert!(pipeline.control.retries.load(Ordering::Relaxed) > 0, "no kill has met an insert");
    let all = RECORDS.to_string();
    test.check("SELECT count() FROM technician_activity_log FINAL", &[&all]);
    test.check("SELECT uniqExact(partition, offset) FROM technician_activity_log", &[&all]);
    test.check("SELECT count() FROM technician_activity", &[&all]);
    pipeline.control.stop();
    sink.join().unwrap().unwrap();
}

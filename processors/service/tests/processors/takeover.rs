//! One process after another.

use crate::bench::{Bench, PARTITIONS, PREFIX, START, activity_partition, days};
use fieldline_log::memory::MemoryOptions;
use fieldline_log::{Committed, Destination, Log, TopicPartition};
use fieldline_processors::{Driver, Note, ProcessorConfig, ProcessorError, Share};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::results::KpiRecord;
use fieldline_schemas::time::{DAY_US, HOUR_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn rows(bench: &Bench) -> BTreeMap<Vec<u8>, KpiRecord> {
    let mut rows: BTreeMap<Vec<u8>, KpiRecord> = BTreeMap::new();
    for (_, _, record) in bench.read(Topic::Kpis) {
        let key = fieldline_schemas::key_of(&record);
        let AnyRecord::Kpi(kpi) = record else { panic!("{record:?}") };
        match rows.get(&key) {
            Some(known) if known.stamp.version == kpi.stamp.version => assert_eq!(*known, kpi, "the same version, another row"),
            Some(known) if known.stamp.version > kpi.stamp.version => {}
            _ => drop(rows.insert(key, kpi)),
        }
    }
    rows
}

/// Plays the records; the processors are killed and started again wherever `dies` says, sometimes with a commit before.
fn play(records: &[(Timestamp, AnyRecord<'_>)], dies: impl Fn(usize) -> bool, commits: impl Fn(usize) -> bool) -> Bench {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    for (n, (at, record)) in records.iter().enumerate() {
        driver.advance_to(*at).unwrap();
        bench.send(&[(*at, record.clone())]);
        if n % 3 == 0 {
            driver.drain().unwrap();
        }
        if commits(n) {
            driver.commit().unwrap();
        }
        if dies(n) {
            drop(driver);
            driver = Driver::new(bench.config(), bench.log()).unwrap();
        }
    }
    driver.advance_to(records[records.len() - 1].0 + 5 * DAY_US).unwrap();
    driver.commit().unwrap();
    bench
}

#[test]
fn kills_leave_no_trace_in_the_rows() {
    let records = days(4, 12);
    let straight = play(&records, |_| false, |_| false);
    let expected = rows(&straight);
    assert!(expected.len() > 90, "{}", expected.len());
    for (every, commit_every) in [(7, 1), (23, 2), (50, 11), (97, 1_000_000)] {
        let killed = play(&records, |n| n % every == 0, |n| n % commit_every == 0);
        assert_eq!(rows(&killed), expected, "killed at every {every}th record, committed at every {commit_every}th");
        for partition in 0..PARTITIONS {
            assert_eq!(killed.committed(partition), straight.committed(partition));
        }
    }
}

#[test]
fn a_commit_never_passes_an_unfinished_second_and_says_where_to_begin_again() {
    let records = days(1, 1);
    let bench = Bench::new(MemoryOptions::default());
    bench.send(&records);
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.commit().unwrap();
    let partition = crate::bench::home(crate::bench::technician(0));
    let committed = bench.committed(partition).unwrap();
    let last = records.len() as i64 - 1;
    assert_eq!(committed.offset, last, "the last record's second is not over");
    let note: Note = serde_json::from_str(&committed.metadata).unwrap();
    assert_eq!((note.definition, note.partitions, note.released_through), (Definition::default().number, PARTITIONS, None));
    assert_eq!(note.clock_us, records[records.len() - 2].0.0);
    for other in (0..PARTITIONS).filter(|other| *other != partition) {
        assert_eq!(bench.committed(other), None);
    }
}

/// Starts the processors over a log on which somebody committed, with a changed note.
fn start_after(change: impl Fn(&mut Note, &mut i64), config: impl Fn(ProcessorConfig) -> ProcessorConfig) -> Result<(), ProcessorError> {
    let bench = Bench::new(MemoryOptions::default());
    bench.send(&days(1, 1));
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.commit().unwrap();
    drop(driver);
    let at = activity_partition(crate::bench::home(crate::bench::technician(0)));
    let committed = bench.committed(at.partition).unwrap();
    let mut note: Note = serde_json::from_str(&committed.metadata).unwrap();
    let mut offset = committed.offset;
    change(&mut note, &mut offset);
    let mut consumer = bench.log.consumer(&bench.config().group(Share::Technicians), &[&at.topic]).unwrap();
    consumer.poll(std::time::Duration::ZERO, 1).unwrap();
    let metadata = serde_json::to_string(&note).unwrap();
    consumer.commit(&[(at, Committed { offset, metadata })]).unwrap();
    drop(consumer);
    Driver::new(config(bench.config()), Arc::clone(&bench.log) as Arc<dyn Log>).map(|_| ())
}

#[test]
fn a_successor_refuses_what_it_can_not_continue_and_says_what_to_do() {
    type Change = fn(&mut Note, &mut i64);
    let cases: [(Change, &str); 6] = [
        (|note, _| note.definition += 1, "set definition.number to 3 or higher"),
        (|note, _| note.definition_hash = "0".into(), "Set definition.number to 2 or higher"),
        (|note, _| note.topic_id = "0".into(), "was made again"),
        (|note, _| note.partitions = 5, "restore the count"),
        (|_, offset| *offset = 1_000, "no longer holds the committed offset 1000"),
        (|note, _| note.clock_us = 0, ""),
    ];
    for (change, words) in cases {
        match start_after(change, |config| config) {
            Ok(()) => assert_eq!(words, ""),
            Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{error} does not say {words:?}"),
        }
    }
    let finality = |number| {
        move |config| ProcessorConfig { definition: Definition { number, finality_us: HOUR_US, ..Definition::default() }, ..config }
    };
    let number = Definition::default().number;
    assert!(matches!(start_after(|_, _| (), finality(number)), Err(ProcessorError::DefinitionDiffers { .. })));
    assert!(start_after(|_, _| (), finality(number + 1)).is_ok());
}

#[test]
fn a_retention_that_would_not_let_a_successor_rebuild_is_refused() {
    let log = fieldline_log::memory::MemoryLog::new(MemoryOptions::default());
    for (topic, hours) in [(Topic::Activity, 203), (Topic::Calls, 1), (Topic::Operations, 1), (Topic::AlertEvents, 1)] {
        let retention = Some(std::time::Duration::from_secs(hours * 3600));
        log.ensure_topic(&fieldline_log::TopicSpec { name: topic.full_name("x."), partitions: 1, retention, compacted: false }).unwrap();
    }
    let error = Driver::new(ProcessorConfig::new("x.", Definition::default()), log).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("topic x.activity keeps records for 203 h, and 204 h"), "{error}");
}

/// Until 2026-11-25 one group read all topics: what it committed of calls is where the group of its own begins, and is that
/// group's own from then on, also where no record comes any more.
#[test]
fn calls_go_on_where_the_group_of_all_topics_left_them() {
    for left_at in [2, 3] {
        let bench = Bench::new(MemoryOptions::default());
        let at = TopicPartition { topic: Topic::Calls.full_name(PREFIX), partition: 1 };
        for second in 0..3 {
            let time = Some(Timestamp(START.0 + second * SECOND_US));
            bench.send_to(Topic::Calls, Destination::Partition(at.partition), time, b"", b"no record");
        }
        let topic_id = bench.log.describe_topic(&at.topic).unwrap().unwrap().topic_id;
        let note = Note {
            definition: Definition::default().number,
            definition_hash: Definition::default().hash(),
            clock_us: START.0,
            topic_id: format!("{:032x}", u128::from_be_bytes(topic_id)),
            partitions: PARTITIONS,
            released_through: None,
            flags_hash: None,
            leans_on_us: None,
        };
        let mut before = bench.log.consumer("test.processors", &[&at.topic]).unwrap();
        before.poll(std::time::Duration::ZERO, 1).unwrap();
        let left = Committed { offset: left_at, metadata: serde_json::to_string(&note).unwrap() };
        before.commit(&[(at.clone(), left.clone())]).unwrap();
        drop(before);

        let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
        driver.commit().unwrap();
        assert_eq!(bench.read(Topic::DeadLetters).len() as i64, 3 - left_at, "what was handled before is not handled again");
        let own = || bench.log.committed("test.event-processors", &at).unwrap().map(|committed| committed.offset);
        assert_eq!(own(), Some(3));
        drop(driver);
        // From now on the old group means nothing.
        let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
        driver.commit().unwrap();
        assert_eq!((bench.read(Topic::DeadLetters).len() as i64, own()), (3 - left_at, Some(3)));
        assert_eq!(bench.log.committed("test.processors", &at).unwrap(), Some(left));
    }
}

//! Threads, and a log whose time is the wall clock's.

use crate::bench::{Bench, PARTITIONS, activity, encode};
use fieldline_log::memory::MemoryOptions;
use fieldline_log::{Destination, Log};
use fieldline_processors::{ProcessorConfig, StopToken, run};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{Timestamp, Topic, key_of};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

/// Waits, at most ten seconds, until something holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn workers_share_partitions_ticks_finish_seconds_and_stop_commits() {
    let bench = Bench::new(MemoryOptions { event_time: false, waits: true, clock: now() });
    let config = ProcessorConfig {
        workers: 2,
        tick_every: Some(Duration::from_millis(50)),
        commit_every: Duration::from_millis(50),
        ..bench.config()
    };
    let (progress, stop) = (config.progress.clone(), StopToken::default());
    let (log, token) = (bench.log(), stop.clone());
    let processors = std::thread::spawn(move || run(config, log, token));
    eventually("no partition is owned", || progress.snapshot().len() == 3 * PARTITIONS as usize);
    for who in 0..8 {
        let record = activity(who, 0, now(), ActivityType::ShiftStart);
        bench.send_to(Topic::Activity, Destination::ByKey, None, &key_of(&record), &encode(&record));
    }
    let advance = || bench.log.set_clock(now() + SECOND_US);
    eventually("a tick does not finish the second", || {
        advance();
        bench.read(Topic::Kpis).len() == 8
    });
    eventually("nothing is committed", || {
        advance();
        (0..PARTITIONS).all(|partition| bench.committed(partition).is_some())
    });
    stop.stop();
    processors.join().unwrap().unwrap();
    for (at, progress) in progress.snapshot() {
        if at.topic.ends_with("activity") {
            let committed = bench.log.committed("test.processors", &at).unwrap().unwrap();
            assert_eq!(Some(committed.offset), progress.committed);
        }
    }
}

#[test]
fn a_worker_that_can_not_go_on_ends_the_run_with_the_reason() {
    let bench = Bench::new(MemoryOptions { event_time: false, waits: true, clock: now() });
    let at = crate::bench::activity_partition(0);
    let mut consumer = bench.log.consumer("test.processors", &[&at.topic]).unwrap();
    consumer.poll(Duration::ZERO, 1).unwrap();
    consumer.commit(&[(at, fieldline_log::Committed { offset: 0, metadata: "no JSON".into() })]).unwrap();
    drop(consumer);
    let config = ProcessorConfig { workers: 3, ..bench.config() };
    let error = run(config, Arc::clone(&bench.log) as Arc<dyn Log>, StopToken::default()).unwrap_err();
    assert_eq!(error.to_string(), "the note beside the committed offset of test.activity partition 0 can not be read");
}

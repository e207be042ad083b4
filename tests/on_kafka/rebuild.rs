//! How long processors take until they are ready where the state of a large organisation is to be rebuilt from the log.
//!
//! Only with FIELDLINE_LONG=1: 100,000 technicians with 40 events on each of 8 days are 32 million records, some 7 GB on the
//! broker's disk. FIELDLINE_REBUILD_TECHNICIANS makes it smaller.

use super::crowd::Crowd;
use super::{Deployment, Observed, shared_kafka};
use crate::support::folder::wait_until;
use crate::support::is_long;
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Committed, Log, Polled, TopicPartition};
use serde_json::Value;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PARTITIONS: i32 = 12;
const PROCESSES: usize = 2;
const TECHNICIANS: u32 = 100_000;
/// Enough of them that every partition has some.
const FIRST: Crowd = Crowd { technicians: 400, days: 1 };

/// A processor that has committed is killed. The commits are then brought to the end of the log, with the same notes: nothing of a
/// successor's rebuild depends on who did the work in between, which would take these two cores an hour in this order of records.
#[test]
fn a_state_is_rebuilt_after_a_kill() {
    if !is_long() {
        _ = writeln!(std::io::stderr(), "left out: figures of a rebuild (FIELDLINE_LONG is not set)");
        return;
    }
    let Some(kafka) = shared_kafka() else { return };
    let technicians = std::env::var("FIELDLINE_REBUILD_TECHNICIANS").map_or(TECHNICIANS, |number| number.parse().unwrap());
    let crowd = Crowd { technicians, days: 8 };
    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS as u32);
    let log = KafkaLog::open(KafkaConfig { brokers: kafka.bootstrap(), ..KafkaConfig::default() }).unwrap();
    let group = format!("{}processors", deployment.prefix());
    let at = |partition| TopicPartition { topic: format!("{}activity", deployment.prefix()), partition };

    let killed = deployment.start("processors");
    FIRST.queue(&kafka.bootstrap(), deployment.prefix());
    wait_until("it has committed in every partition", || (0..PARTITIONS).all(|n| log.committed(&group, &at(n)).unwrap().is_some()));
    let began = Instant::now();
    killed.kill_all();
    crowd.queue(&kafka.bootstrap(), deployment.prefix());
    println!("{} records appended in {:?}", crowd.records(), began.elapsed());
    let ends: Vec<(TopicPartition, i64)> = (0..PARTITIONS).map(|n| (at(n), log.watermarks(&at(n)).unwrap().end)).collect();
    bring_commits_to(&log, &group, &ends);

    let began = Instant::now();
    let successors: Vec<Observed> = (0..PROCESSES).map(|_| deployment.start_observed("processors")).collect();
    wait_until("they have all partitions", || {
        successors.iter().map(|process| process.owned("processors", &at(0).topic).len()).sum::<usize>() == PARTITIONS as usize
    });
    let taken_after = began.elapsed();
    wait_until("the state is rebuilt", || successors.iter().all(Observed::is_ready));
    let ready_after = began.elapsed();

    let records: i64 = ends.iter().map(|(_, end)| end).sum();
    let rate = records as f64 / ready_after.as_secs_f64();
    println!(
        "{records} records of {technicians} technicians: {PROCESSES} processes ready {ready_after:?} after their start, all partitions \
         theirs after {taken_after:?} ({rate:.0} records/s)"
    );
    let mut known = 0;
    for process in &successors {
        let page = process.get("/metrics");
        let technicians = page.lines().filter(|line| line.starts_with("fieldline_technicians{"));
        known += technicians.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>();
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.process.id())).unwrap();
        println!("process {}: {}", process.process.id(), status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
        let said = process.process.said("stderr");
        let taken = said.lines().filter(|line| line.contains("partition taken over") && line.contains("activity"));
        // From the first record on: nothing of the crowd lies before the live window.
        assert!(taken.clone().count() > 0 && taken.clone().all(|line| line.contains("from=0 ")), "{said}");
    }
    assert_eq!(known, u64::from(technicians.max(FIRST.technicians)), "the state holds every technician");
}

/// As the processors would have committed at the end of each partition.
fn bring_commits_to(log: &KafkaLog, group: &str, ends: &[(TopicPartition, i64)]) {
    let clock_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let mut commits = Vec::new();
    for (at, end) in ends {
        let left = log.committed(group, at).unwrap().unwrap();
        let mut note: Value = serde_json::from_str(&left.metadata).unwrap();
        note["clock_us"] = clock_us.into();
        commits.push((at.clone(), Committed { offset: *end, metadata: note.to_string() }));
    }
    let mut consumer = log.consumer(group, &[&ends[0].0.topic]).unwrap();
    let mut owned = 0;
    wait_until("the killed one is missed", || {
        if let Polled::Assigned(partitions) = consumer.poll(Duration::from_millis(50), 1).unwrap() {
            owned += partitions.len();
        }
        owned == ends.len()
    });
    consumer.commit(&commits).unwrap();
}

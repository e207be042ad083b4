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
use fieldline_schemas::Timestamp;
use serde_json::Value;
use std::io::Write as _;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 12;
const PROCESSES: usize = 2;
const TECHNICIANS: u32 = 100_000;
/// Kafka's own tool.
const CONFIGS: &str = "kafka.admin.ConfigCommand";
/// Enough of them that every partition has some.
const FIRST: Crowd = Crowd { technicians: 400, days: 1 };

/// The log of an organisation, each record appended when it would have come, with the commits at its end of somebody who was killed.
/// The commits are made with the note of a processor of other topics: nothing of a successor's rebuild depends on who did the work
/// before, which would take these two cores an hour in this order of records.
#[test]
fn a_state_is_rebuilt_after_a_kill() {
    if !is_long() {
        _ = writeln!(std::io::stderr(), "left out: figures of a rebuild (FIELDLINE_LONG is not set)");
        return;
    }
    let Some(kafka) = shared_kafka() else { return };
    let technicians = std::env::var("FIELDLINE_REBUILD_TECHNICIANS").map_or(TECHNICIANS, |number| number.parse().unwrap());
    let crowd = Crowd { technicians, days: 8 };
    let log = KafkaLog::open(KafkaConfig { brokers: kafka.bootstrap(), ..KafkaConfig::default() }).unwrap();
    let note = note_of_a_processor(&kafka.bootstrap(), &log);
    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS as u32);
    let activity = format!("{}activity", deployment.prefix());
    let group = format!("{}processors", deployment.prefix());
    let at = |partition| TopicPartition { topic: activity.clone(), partition };
    let stamp = |time: &str| {
        let config = format!("message.timestamp.type={time}");
        kafka.tool(CONFIGS, &["--alter", "--entity-type", "topics", "--entity-name", &activity, "--add-config", &config]);
    };

    let began = Instant::now();
    stamp("CreateTime");
    let last_append = crowd.queue_over_days(&kafka.bootstrap(), deployment.prefix());
    stamp("LogAppendTime");
    println!("{} records appended in {:?}", crowd.records(), began.elapsed());
    let ends: Vec<(TopicPartition, i64)> = (0..PARTITIONS).map(|n| (at(n), log.watermarks(&at(n)).unwrap().end)).collect();
    commit(&log, &group, &ends, note, last_append);

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
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        println!("process {}: {peak}, {:?} of CPU time", process.process.id(), cpu_time(process.process.id()));
        let said = process.process.said("stderr");
        let taken = said.lines().filter(|line| line.contains("partition taken over") && line.contains("activity"));
        // From the first record on: nothing of the crowd lies before the live window.
        assert!(taken.clone().count() > 0 && taken.clone().all(|line| line.contains("from=0 ")), "{said}");
    }
    assert_eq!(known, u64::from(technicians), "the state holds every technician");
}

/// What a processor notes that has committed in topics like these.
fn note_of_a_processor(brokers: &str, log: &KafkaLog) -> Value {
    let deployment = Deployment::new(brokers, PARTITIONS as u32);
    let at = TopicPartition { topic: format!("{}activity", deployment.prefix()), partition: 0 };
    let group = format!("{}processors", deployment.prefix());
    let killed = deployment.start("processors");
    FIRST.queue(brokers, deployment.prefix());
    wait_until("it has committed", || log.committed(&group, &at).unwrap().is_some());
    killed.kill_all();
    serde_json::from_str(&log.committed(&group, &at).unwrap().unwrap().metadata).unwrap()
}

/// As the processors would have committed at the end of each partition, when the clock stood at the last append.
fn commit(log: &KafkaLog, group: &str, ends: &[(TopicPartition, i64)], mut note: Value, last_append: Timestamp) {
    let topic = &ends[0].0.topic;
    let topic_id = log.describe_topic(topic).unwrap().unwrap().topic_id;
    note["topic_id"] = format!("{:032x}", u128::from_be_bytes(topic_id)).into();
    note["clock_us"] = last_append.0.into();
    let commits: Vec<(TopicPartition, Committed)> =
        ends.iter().map(|(at, end)| (at.clone(), Committed { offset: *end, metadata: note.to_string() })).collect();
    let mut consumer = log.consumer(group, &[topic]).unwrap();
    let mut owned = 0;
    wait_until("the partitions are owned", || {
        if let Polled::Assigned(partitions) = consumer.poll(Duration::from_millis(50), 1).unwrap() {
            owned += partitions.len();
        }
        owned == ends.len()
    });
    consumer.commit(&commits).unwrap();
}

/// What a process has used of the cores: user and system time, which Linux counts in hundredths of a second.
fn cpu_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let hundredths: u64 = after_name.split_whitespace().skip(11).take(2).map(|text| text.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * hundredths)
}

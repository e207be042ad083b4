//! Figures of taking over: how long a partition stands still when a processor joins or dies, and how soon rows
//! follow. Only with FIELDLINE_LONG=1: they take minutes, and their limits are wide.

use super::{Deployment, SESSION_MS, shared_kafka};
use crate::support::folder::Running;
use crate::support::is_long;
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Log, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 12;
/// How long everything is watched after a change.
const WATCHED: Duration = Duration::from_secs(25);
/// Beyond the session timeout, a rebalance and a rebuild of what these tests publish.
const STILL_MAX: Duration = Duration::from_millis(SESSION_MS + 20_000);

fn left_out(what: &str) -> bool {
    if !is_long() {
        _ = writeln!(std::io::stderr(), "left out: {what} (FIELDLINE_LONG is not set)");
    }
    !is_long()
}

/// Partitions of `activity` that a process says to have taken over, after the first `bytes` of what it said.
fn taken_over(process: &Running, bytes: usize) -> BTreeSet<i32> {
    let said = process.said("stderr");
    let activity = said[bytes..].lines().filter(|line| line.contains("partition taken over") && line.contains("activity"));
    let number = |line: &str| line.split("partition=").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    activity.filter_map(number).collect()
}

/// Watches for a while: the longest time that each partition's commits stood still, and when rows of the `moved` ones came.
fn watch(deployment: &Deployment, log: &KafkaLog, moved: &dyn Fn() -> BTreeSet<i32>) -> (BTreeMap<i32, Duration>, Option<Duration>) {
    let group = format!("{}processors", deployment.prefix());
    let at = |partition| TopicPartition { topic: format!("{}activity", deployment.prefix()), partition };
    let began = Instant::now();
    let since = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).format("%Y-%m-%d %H:%M:%S").to_string();
    let mut seen: BTreeMap<i32, (i64, Instant)> = BTreeMap::new();
    let mut longest: BTreeMap<i32, Duration> = BTreeMap::new();
    let mut first_row = None;
    while began.elapsed() < WATCHED {
        for partition in 0..PARTITIONS {
            let committed = log.committed(&group, &at(partition)).unwrap().map_or(0, |committed| committed.offset);
            let (last, when) = seen.entry(partition).or_insert((committed, Instant::now()));
            let still = longest.entry(partition).or_default();
            *still = (*still).max(when.elapsed());
            if *last != committed {
                (*last, *when) = (committed, Instant::now());
            }
        }
        let moved = moved();
        if first_row.is_none() && !moved.is_empty() {
            let list = moved.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
            let rows = deployment.folder.number(&format!(
                "SELECT count() FROM shift_results_history WHERE as_of > toDateTime64('{since}', 6, 'UTC') + INTERVAL 1 SECOND \
                 AND bitAnd(kafkaMurmurHash(toString(technician_contact_id)), 0x7fffffff) % {PARTITIONS} IN ({list})"
            ));
            first_row = (rows > 0).then(|| began.elapsed());
        }
    }
    (longest, first_row)
}

fn tell(what: &str, moved: &BTreeSet<i32>, longest: &BTreeMap<i32, Duration>, first_row: Option<Duration>) {
    let of = |is_moved: bool| longest.iter().filter(|(partition, _)| moved.contains(partition) == is_moved).map(|(_, still)| *still).max();
    println!(
        "{what}: {} partitions moved and stood still for at most {:?}, the others {:?}; first row {first_row:?}",
        moved.len(),
        of(true),
        of(false)
    );
    assert!(longest.values().all(|still| *still < STILL_MAX), "{longest:?}");
    assert!(first_row.is_some_and(|first| first < STILL_MAX));
}

#[test]
fn partitions_move_to_a_third_processor_and_from_one_that_is_killed() {
    if left_out("figures of taking over") {
        return;
    }
    let Some(kafka) = shared_kafka() else { return };
    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS as u32);
    let log: Arc<KafkaLog> = KafkaLog::open(KafkaConfig { brokers: kafka.bootstrap(), ..KafkaConfig::default() }).unwrap();
    let telling = |role: &str| {
        let mut process = deployment.spawn(&["--log", "info", "run", "--role", role]);
        process.wait_until_said("fieldline runs on");
        process
    };
    let processors = [telling("processors"), telling("processors")];
    let _sinks = [deployment.start("sinks"), deployment.start("sinks")];
    // A day begins with everybody's plans: of few enough people activity follows within the seconds below.
    let _feeder = deployment.spawn(&["simulate", "--publish", "--technicians", "5000", "--days", "2", "--rate", "3000"]);
    std::thread::sleep(Duration::from_secs(15));

    let third = telling("processors");
    let (longest, first_row) = watch(&deployment, &log, &|| taken_over(&third, 0));
    tell("a third processor", &taken_over(&third, 0), &longest, first_row);

    let others = processors.each_ref().map(|process| (process, process.said("stderr").len()));
    third.kill_all();
    let gained = || others.iter().flat_map(|(process, bytes)| taken_over(process, *bytes)).collect();
    let (longest, first_row) = watch(&deployment, &log, &gained);
    tell("one of three killed", &gained(), &longest, first_row);
}

//! Figures: how long a page takes, from a button to a desk, when nothing else goes on and while a backlog is worked through that
//! stood there whole before anybody worked on it; by the lane, and beside it by `activity` alone.
//!
//! The same twice: bulk work yields to alerts, as it does by default, and does not. With FIELDLINE_LONG=1 a thousand pages each,
//! beside ten million events.

use super::alerts::{FLUSH_WAIT_MAX, Watched};
use super::crowd::Crowd;
use super::shared_kafka;
use crate::support::folder::{Running, wait_until};
use crate::support::is_long;
use fieldline_log::{Append, Destination, Log, TopicPartition};
use fieldline_schemas::events::TechnicianActivity;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{AnyRecord, Codec, Topic, key_of};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

const PARTITIONS: i32 = 8;
/// A button somewhere.
const PRESSED_EVERY: Duration = Duration::from_millis(10);
/// Pages by `activity` alone beside a backlog: each waits until all that stood before it is worked through.
const BEHIND_BACKLOG: usize = 20;
/// What shows that work on the backlog has begun.
const BEGUN_RECORDS: i64 = 5_000;

#[test]
fn how_long_a_page_takes() {
    let Some(kafka) = shared_kafka() else { return };
    for (what, bulk_nice) in [("bulk yields", "10"), ("bulk does not yield", "0")] {
        let mut watched = Watched::new(&kafka.bootstrap());
        watched.deployment.settings.extend(["--set".to_owned(), format!("bulk_nice={bulk_nice}")]);
        // The engine too: it was started without the setting.
        watched.deployment.restart_engine();
        measure(what, &kafka.bootstrap(), &mut watched);
    }
}

fn measure(what: &str, brokers: &str, watched: &mut Watched) {
    let count = if is_long() { 1_000 } else { 100 };
    let crowd = Crowd { technicians: if is_long() { 31_250 } else { 3_125 }, days: 8 };
    let roles = start(watched);
    // Connections are made, pages of code are read.
    press(watched, 20, &lane);
    tell(&format!("{what}, idle, by the lane"), &press(watched, count, &lane));
    tell(&format!("{what}, idle, by activity alone"), &press(watched, count, &activity));
    stop(roles);

    crowd.queue(brokers, watched.deployment.prefix());
    let queued = queued(watched);
    let _roles = start(watched);
    wait_until("the backlog is being worked on", || queued - self::queued(watched) > BEGUN_RECORDS);
    let took = press(watched, count, &lane);
    let left = self::queued(watched);
    tell(&format!("{what}, beside a backlog, by the lane"), &took);
    tell(&format!("{what}, beside a backlog, by activity alone"), &press(watched, BEHIND_BACKLOG, &activity));
    println!("{what}: {queued} records were queued for processors and raw sink, {left} of them when the last page had come");
    assert!(left > 0, "the backlog was gone before the last page had come: the figures are not beside one");
}

fn start(watched: &Watched) -> [Running; 2] {
    ["processors", "sinks"].map(|role| watched.deployment.start(role))
}

fn stop(roles: [Running; 2]) {
    for role in roles {
        role.signal(Signal::TERM);
        let left = role.finish();
        assert_eq!(left.code, Some(0), "{left:?}");
    }
}

/// Records that the processors and the raw sink have not committed, of every topic of events.
fn queued(watched: &Watched) -> i64 {
    let prefix = watched.deployment.prefix();
    let mut queued = 0;
    for (group, topics) in [
        ("processors", &[Topic::Activity][..]),
        ("event-processors", &[Topic::Calls, Topic::Operations]),
        ("raw-sink", &[Topic::Activity, Topic::Calls, Topic::Operations]),
    ] {
        for (topic, partition) in topics.iter().flat_map(|topic| (0..PARTITIONS).map(move |partition| (topic, partition))) {
            let at = TopicPartition { topic: topic.full_name(prefix), partition };
            let committed = watched.log.committed(&format!("{prefix}{group}"), &at).unwrap().map_or(0, |committed| committed.offset);
            queued += watched.log.watermarks(&at).unwrap().end - committed;
        }
    }
    queued
}

/// The way that a publisher takes: `activity` and the lane.
fn lane(watched: &mut Watched, activity: TechnicianActivity<'_>) {
    watched.publisher.publish_activity(activity).unwrap();
    watched.publisher.acknowledged().unwrap();
}

/// As if there were no lane.
fn activity(watched: &mut Watched, activity: TechnicianActivity<'_>) {
    let record = AnyRecord::from(activity);
    let mut payload = Vec::new();
    Codec::new().encode(&record, &mut payload);
    let append = Append { destination: Destination::ByKey, key: &key_of(&record), value: &payload, append_time: None };
    let topic = Topic::Activity.full_name(watched.deployment.prefix());
    watched.side_door.append(&topic, append).unwrap();
    watched.side_door.acknowledged().unwrap();
}

/// Presses `count` buttons of as many people and waits until the desk knows of all: how long each took.
fn press(watched: &mut Watched, count: usize, way: &dyn Fn(&mut Watched, TechnicianActivity<'_>)) -> Vec<Duration> {
    let mut pressed = BTreeMap::new();
    for _ in 0..count {
        let (alert_id, activity) = watched.emergency_stop(TechnicianId(Uuid::now_v7()));
        pressed.insert(alert_id, SystemTime::now());
        way(watched, activity);
        std::thread::sleep(PRESSED_EVERY);
    }
    watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
    watched.side_door.flush(FLUSH_WAIT_MAX).unwrap();
    wait_until("the desk knows of every emergency", || watched.told_of(&pressed) == count);
    let mut first: BTreeMap<String, SystemTime> = BTreeMap::new();
    for told in watched.desk.told() {
        first.entry(told.alert_id().to_owned()).or_insert(told.at);
    }
    let mut took: Vec<_> = pressed.iter().map(|(id, at)| first[id].duration_since(*at).unwrap_or_default()).collect();
    took.sort();
    took
}

fn tell(what: &str, took: &[Duration]) {
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{what}: {} emergencies, press to desk p50 {:?}, p99 {:?}, max {:?}", took.len(), at(0.5), at(0.99), at(1.0));
}

//! What the log holds, read with its own reader after the pipeline has stopped: the broker's side of conservation.

use super::folder::Folder;
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::{Log, Polled, TopicPartition};
use fieldline_schemas::Topic;
use fieldline_schemas::wire::{AnyRecord, Codec};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PREFIX: &str = "fieldline.";
const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
const IDLE_POLLS_MAX: u32 = 3;

/// Topics of events, and where their rows are.
const TABLES: [(Topic, &[&str]); 4] = [
    (Topic::Activity, &["technician_activity_log", "technician_facts_log"]),
    (Topic::Calls, &["communication_call_details_log"]),
    (Topic::Operations, &["operational_event_log"]),
    (Topic::Contacts, &["contacts_log", "silences_log"]),
];

/// Groups, and what each has to work through.
const GROUPS: [(&str, &[Topic]); 5] = [
    ("processors", &[Topic::Activity]),
    ("event-processors", &[Topic::Calls, Topic::Operations]),
    ("raw-sink", &[Topic::Activity, Topic::Calls, Topic::Operations, Topic::Contacts]),
    ("history", &[Topic::Recompute]),
    ("results-sink", &[Topic::Kpis, Topic::DeadLetters]),
];

fn open(folder: &Folder) -> std::sync::Arc<EmbeddedLog> {
    let options = EmbeddedOptions { event_time: true, keep_all: true, ..EmbeddedOptions::default() };
    EmbeddedLog::open(&folder.path().join("log"), options).unwrap()
}

/// I1 and I2: of every partition of events, what the tables and the dead letters hold is what was appended, ticks aside;
/// every offset once. Returns the number of records.
pub fn assert_conserved(folder: &Folder) -> usize {
    let log = open(folder);
    let mut appended: BTreeMap<(String, i32), BTreeSet<i64>> = BTreeMap::new();
    for (topic, _) in TABLES {
        for (partition, offsets) in records(&*log, topic) {
            appended.insert((topic.full_name(PREFIX), partition), offsets);
        }
    }
    drop(log);
    let mut stored: BTreeMap<(String, i32), BTreeSet<i64>> = BTreeMap::new();
    for (topic, tables) in TABLES {
        let name = topic.full_name(PREFIX);
        let mut parts: Vec<String> = tables.iter().map(|table| format!("SELECT partition, offset FROM {table} FINAL")).collect();
        parts.push(format!("SELECT partition, offset FROM dead_letters WHERE topic = '{}'", topic.card().name));
        for row in folder.rows(&parts.join(" UNION ALL ")) {
            let (partition, offset): (i32, i64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
            let is_new = stored.entry((name.clone(), partition)).or_default().insert(offset);
            assert!(is_new, "{name} partition {partition} offset {offset} is stored twice");
        }
    }
    appended.retain(|_, offsets| !offsets.is_empty());
    for (place, offsets) in &appended {
        let none = BTreeSet::new();
        let rows = stored.get(place).unwrap_or(&none);
        let lost: Vec<_> = offsets.difference(rows).take(10).collect();
        let invented: Vec<_> = rows.difference(offsets).take(10).collect();
        assert!(lost.is_empty() && invented.is_empty(), "{place:?}: lost {lost:?}, invented {invented:?}");
    }
    assert_eq!(appended.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    appended.values().map(BTreeSet::len).sum()
}

/// Records, ticks aside, that some stage has not worked through.
pub fn pending(folder: &Folder) -> usize {
    if !folder.path().join("log").exists() {
        return 0;
    }
    let log = open(folder);
    let mut pending = 0;
    for (group, topics) in GROUPS {
        for topic in topics {
            for (partition, offsets) in records(&*log, *topic) {
                let at = TopicPartition { topic: topic.full_name(PREFIX), partition };
                let committed = log.committed(&format!("{PREFIX}{group}"), &at).unwrap().map_or(0, |committed| committed.offset);
                pending += offsets.range(committed..).count();
            }
        }
    }
    pending
}

/// Offsets of a topic's records, ticks aside, by partition.
fn records(log: &dyn Log, topic: Topic) -> BTreeMap<i32, BTreeSet<i64>> {
    let mut found: BTreeMap<i32, BTreeSet<i64>> = BTreeMap::new();
    let name = topic.full_name(PREFIX);
    if log.describe_topic(&name).unwrap().is_none() {
        return found;
    }
    let codec = Codec::new();
    let mut consumer = log.consumer("a test that reads everything", &[&name]).unwrap();
    let mut idle_polls = 0;
    while idle_polls < IDLE_POLLS_MAX {
        match consumer.poll(POLL_WAIT_MAX, 10_000).unwrap() {
            Polled::Assigned(partitions) => {
                for at in partitions {
                    let begin = consumer.watermarks(&at).unwrap().begin;
                    consumer.seek(&at, begin).unwrap();
                }
            }
            Polled::Revoked(_) | Polled::Lost(_) => {}
            Polled::Records(batch) => {
                idle_polls = 0;
                let offsets = found.entry(batch.partition.partition).or_default();
                let not_ticks = batch.iter().filter(|record| !matches!(codec.decode(record.value), Ok(AnyRecord::Tick(_))));
                offsets.extend(not_ticks.map(|record| record.offset));
            }
            Polled::Idle => idle_polls += 1,
        }
    }
    found
}

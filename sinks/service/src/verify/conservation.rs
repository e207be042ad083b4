//! Conservation: every record that the log still holds is in a log table or among the dead letters, ticks aside.

use super::VerifyError;
use super::report::Findings;
use crate::clickhouse::{ClickHouseTarget, Database, Deadlines};
use fieldline_log::{Error as LogError, Log, TopicPartition, read_topic};
use fieldline_registry::Registry;
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use serde::Serialize;
use std::collections::BTreeMap;

/// The group that reads the log here, with a number of its own: two at once must not share the partitions.
const GROUP: &str = "verify";
/// The groups whose work must be done before results can be judged, and what they read.
const STAGES: [(&str, &[Topic]); 5] = [
    ("processors", &[Topic::Activity]),
    ("event-processors", &[Topic::Calls, Topic::Operations]),
    (crate::raw_sink::GROUP, &crate::raw_sink::TOPICS),
    (crate::history::GROUP, &[Topic::Recompute]),
    (crate::results_sink::GROUP, &[Topic::Kpis, Topic::Alerts, Topic::Deliveries, Topic::DeadLetters]),
];
/// Where rows of a topic's records are; of `alert_events` of the actions alone.
const TABLES: [(Topic, &[&str]); 5] = [
    (Topic::Activity, &["technician_activity_log", "technician_facts_log"]),
    (Topic::Calls, &["communication_call_details_log"]),
    (Topic::Operations, &["operational_event_log"]),
    (Topic::Contacts, &["contacts_log", "silences_log"]),
    (Topic::AlertEvents, &["alert_actions_log"]),
];

/// A record's place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// What became of the records that the log still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conservation {
    /// Records of events, ticks aside.
    pub records: u64,
    pub ticks: u64,
    /// Records that a stage has not worked through yet: results can not be judged before.
    pub pending: BTreeMap<String, u64>,
    /// Records that are in no table.
    pub missing: Findings<Place>,
}

/// Compares the log with the tables.
pub fn conservation(
    log: &dyn Log,
    schemas: &Registry,
    prefix: &str,
    clickhouse: &ClickHouseTarget,
    deadlines: Deadlines,
) -> Result<Conservation, VerifyError> {
    let database = Database::open(clickhouse, deadlines)?;
    let mut found = Conservation::default();
    // Each topic is read once: several stages work on the same one.
    let mut topics = BTreeMap::new();
    for (topic, tables) in TABLES {
        let partitions = records(log, schemas, prefix, topic, &mut found.ticks)?;
        for (at, offsets) in &partitions {
            found.records += offsets.len() as u64;
            let stored = stored(&database, topic, at.partition, tables)?;
            for offset in offsets.iter().copied().filter(|offset| stored.binary_search(offset).is_err()) {
                found.missing.add(|| Place { topic: at.topic.clone(), partition: at.partition, offset });
            }
        }
        topics.insert(topic, partitions);
    }
    for topic in [Topic::Recompute, Topic::Kpis, Topic::Alerts, Topic::Deliveries, Topic::DeadLetters] {
        topics.insert(topic, records(log, schemas, prefix, topic, &mut 0)?);
    }
    for (group, read) in STAGES {
        let mut pending = 0;
        for (at, offsets) in read.iter().filter_map(|topic| topics.get(topic)).flatten() {
            let committed = log.committed(&format!("{prefix}{group}"), at).map_err(reading(at))?;
            let from = committed.map_or(0, |committed| committed.offset);
            pending += offsets.iter().filter(|offset| **offset >= from).count() as u64;
        }
        if pending > 0 {
            found.pending.insert(group.to_owned(), pending);
        }
    }
    Ok(found)
}

fn reading(at: &TopicPartition) -> impl FnOnce(LogError) -> VerifyError {
    let (topic, partition) = (at.topic.clone(), at.partition);
    move |source| VerifyError::Log { topic, partition, source }
}

/// Offsets of everything in the topic that is neither a tick nor the pipeline's own word on an alert, by partition, in order.
fn records(
    log: &dyn Log,
    schemas: &Registry,
    prefix: &str,
    topic: Topic,
    ticks: &mut u64,
) -> Result<BTreeMap<TopicPartition, Vec<i64>>, VerifyError> {
    let name = topic.full_name(prefix);
    let mut found: BTreeMap<TopicPartition, Vec<i64>> = BTreeMap::new();
    let codec = schemas.codec();
    let partitions = read_topic(log, &format!("{prefix}{GROUP}-{}", uuid::Uuid::new_v4()), &name, &mut |batch| {
        schemas.learn_patiently(batch);
        let offsets = found.entry(batch.partition.clone()).or_default();
        for record in batch.iter() {
            match codec.decode(record.value) {
                Ok(AnyRecord::Tick(_)) => *ticks += 1,
                Ok(AnyRecord::Flag(_) | AnyRecord::Delivery(_)) if topic == Topic::AlertEvents => {}
                // What can not be read is a record too: it must be among the dead letters.
                _ => offsets.push(record.offset),
            }
        }
    });
    partitions.map_err(reading(&TopicPartition { topic: name, partition: -1 }))?;
    Ok(found)
}

/// Offsets of the partition's records in the tables and among the dead letters, in order.
fn stored(database: &Database, topic: Topic, partition: i32, tables: &[&str]) -> Result<Vec<i64>, VerifyError> {
    let mut parts: Vec<String> = tables.iter().map(|table| format!("SELECT offset FROM {table} WHERE partition = {partition}")).collect();
    let dead_letters = format!("source_topic = '{}' AND source_partition = {partition}", topic.name());
    parts.push(format!("SELECT source_offset AS offset FROM dead_letters_log WHERE {dead_letters}"));
    let bytes = database.query(&format!("SELECT DISTINCT offset FROM ({}) ORDER BY offset", parts.join(" UNION ALL ")), "RowBinary")?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
}

//! Reading back what was appended, through the log's own interface.

use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Log, Polled};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic};
use std::sync::Arc;
use std::time::Duration;

pub struct Read {
    pub partition: i32,
    pub key: String,
    pub record: AnyRecord<'static>,
    pub append_time: Timestamp,
}

pub fn memory_log() -> Arc<MemoryLog> {
    MemoryLog::new(MemoryOptions::default())
}

/// Every record of a topic, partition by partition.
pub fn records_of(log: &Arc<MemoryLog>, topic: Topic) -> Vec<Read> {
    let name = topic.full_name("fieldline.");
    let mut consumer = log.consumer(&format!("test-{}", topic.name()), &[&name]).unwrap();
    let codec = Codec::new();
    let mut read = Vec::new();
    loop {
        match consumer.poll(Duration::ZERO, 10_000).unwrap() {
            Polled::Assigned(partitions) => partitions.iter().for_each(|p| consumer.seek(p, 0).unwrap()),
            Polled::Records(batch) => read.extend(batch.iter().map(|r| Read {
                partition: batch.partition.partition,
                key: String::from_utf8(r.key.to_vec()).unwrap(),
                record: codec.decode(r.value).unwrap().into_owned(),
                append_time: r.append_time,
            })),
            Polled::Revoked(_) | Polled::Lost(_) => {}
            Polled::Idle => break,
        }
    }
    read.sort_by_key(|r| r.partition);
    read
}

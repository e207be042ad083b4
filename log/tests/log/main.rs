//! The two logs against their promises: the traits' (conformance, model) and those about files (files, crash).
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod conformance;
mod crash;
mod files;
mod model;

use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::{Append, Consumer, Destination, Log, Polled, TopicPartition, TopicSpec};
use fieldline_schemas::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "t";
const DEADLINE: Duration = Duration::from_secs(20);

fn at(partition: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC.into(), partition }
}

fn open(folder: &Path, options: EmbeddedOptions) -> Arc<EmbeddedLog> {
    EmbeddedLog::open(folder, options).unwrap()
}

fn make_topic(log: &dyn Log, partitions: i32, retention: Option<Duration>) {
    log.ensure_topic(&TopicSpec { name: TOPIC.into(), partitions, retention, compacted: false }).unwrap();
}

/// One batch of these values to one partition, acknowledged.
fn append(log: &dyn Log, partition: i32, values: &[&[u8]], append_time: Option<Timestamp>) {
    let mut producer = log.producer().unwrap();
    for value in values {
        let destination = Destination::Partition(partition);
        producer.append(TOPIC, Append { destination, key: b"", value, append_time }).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

/// Offsets and values of a partition, from its begin on.
fn read(log: &dyn Log, partition: i32) -> Vec<(i64, Vec<u8>)> {
    try_read(log, partition).unwrap()
}

fn try_read(log: &dyn Log, partition: i32) -> fieldline_log::Result<Vec<(i64, Vec<u8>)>> {
    let mut consumer = log.consumer("reader", &[TOPIC])?;
    let mut found = Vec::new();
    loop {
        match consumer.poll(Duration::ZERO, 1000)? {
            Polled::Assigned(_) => start_at_begin(&mut *consumer, partition)?,
            Polled::Records(batch) => found.extend(batch.iter().map(|r| (r.offset, r.value.to_vec()))),
            Polled::Idle => return Ok(found),
            Polled::Revoked(_) | Polled::Lost(_) => unreachable!("there is one member"),
        }
    }
}

fn start_at_begin(consumer: &mut dyn Consumer, partition: i32) -> fieldline_log::Result<()> {
    let begin = consumer.watermarks(&at(partition))?.begin;
    consumer.seek(&at(partition), begin)
}

/// The folder as a kill would leave it: copied while the log is open.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

//! The log, as Apache Kafka promises it and no more: topics of partitions, each a totally ordered sequence of
//! records with a broker's append time; consumer groups that own whole partitions; committed offsets with metadata.
//!
//! The traits are synchronous and work in batches: a consumer belongs to one thread, which owns its partitions.

mod batch;
mod broker;
pub mod conformance;
pub mod crash;
pub mod embedded;
mod error;
mod frame;
pub mod kafka;
pub mod limits;
pub mod memory;
mod reading;
mod whole;

pub use batch::{Batch, BatchBuilder, Record};
pub use error::{Error, Result};
pub use reading::{Reading, Readings};
pub use whole::read_topic;

use fieldline_schemas::Timestamp;
use std::time::Duration;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

/// How a topic is made. Partition counts are fixed at creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    /// `None`: records are kept for ever.
    pub retention: Option<Duration>,
    /// Of one key only the newest record need be kept. A log may keep them all; the embedded one does.
    pub compacted: bool,
}

/// What is known of an existing topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    pub name: String,
    /// Differs when a topic was deleted and made again.
    pub topic_id: [u8; 16],
    pub partitions: i32,
    pub retention: Option<Duration>,
}

/// The offsets between which records can be read: `begin` is the first retained, `end` one past the last appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    pub begin: i64,
    pub end: i64,
}

/// A committed position: the next offset to read, and a note of at most 4 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub metadata: String,
}

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Kafka's murmur2 of the key, modulo the partition count.
    ByKey,
    Partition(i32),
}

impl Destination {
    /// Of an alert's records: they share the partition of its subject; an id without one goes by its key.
    pub fn of_alert(alert_id: &str, partitions: i32) -> Self {
        let by_subject = |subject: &str| Self::Partition(partition_for_key(subject.as_bytes(), partitions));
        fieldline_schemas::subject_of(alert_id).map_or(Self::ByKey, by_subject)
    }
}

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    pub destination: Destination,
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// `None`: the broker's clock. `Some`: event time stands for append time (time-lapse, replay as if live);
    /// only where the log was opened for it.
    pub append_time: Option<Timestamp>,
}

/// A cluster, or the embedded log of a data folder. Cheap to clone behind an `Arc`; used from any thread.
pub trait Log: Send + Sync {
    /// Makes the topic if it is absent; refuses a different partition count.
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription>;
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>>;
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks>;
    /// What any group has committed; for watching other stages' frontiers.
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>>;
    fn producer(&self) -> Result<Box<dyn Producer>>;
    /// One that never waits for more records to send along: for few records that are urgent. It is ready for those topics when
    /// this returns, and stays so through silence, as far as that is possible: the first record must not be a slow one.
    fn prompt_producer(&self, _topics: &[&str]) -> Result<Box<dyn Producer>> {
        self.producer()
    }
    /// Joins `group` and subscribes to `topics`.
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>>;
}

/// Counts appends of one producer; acknowledgements are reported as the contiguous frontier of these numbers.
pub type AppendNumber = u64;

/// Appends records. Order of one producer into one partition is kept, retries do not double within a session.
pub trait Producer: Send {
    /// Takes a record and returns its number (1, 2, 3, …). Blocks, within bounds, while too much is in flight.
    fn append(&mut self, topic: &str, record: Append<'_>) -> Result<AppendNumber>;
    /// Hands over what is taken and returns without waiting for acknowledgements: the highest number such that it and
    /// all before it are acknowledged (durable as configured). An append that failed for good is an error here.
    fn acknowledged(&mut self) -> Result<AppendNumber>;
    /// Waits until everything taken is acknowledged, at most `deadline`.
    fn flush(&mut self, deadline: Duration) -> Result<()>;
}

/// What a poll brings, in the order in which it must be handled.
#[derive(Debug)]
pub enum Polled {
    /// These partitions are owned from now on. Nothing is read until `seek` or `resume_from_committed` names a start.
    Assigned(Vec<TopicPartition>),
    /// Finish and commit what is in hand for these; ownership ends with the next call of `poll`.
    Revoked(Vec<TopicPartition>),
    /// These belong to others already: the group missed this member for too long. Nothing can be committed for them any
    /// more; drop what is in hand, whoever has them now does it again. A log of one process never says so.
    Lost(Vec<TopicPartition>),
    /// Records of one partition, in offset order. Offsets may have gaps.
    Records(Batch),
    /// Nothing within the wait.
    Idle,
}

/// A member of a consumer group.
pub trait Consumer: Send {
    /// Waits at most `wait` for something to happen. A batch holds at most `records_max` records.
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled>;
    /// Reads an owned partition from `offset` on.
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()>;
    /// The position last committed by this group.
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>>;
    /// Stores positions durably; refused for a partition that is not owned, all of them for one. `OwnershipLost`: the
    /// group has gone on, nothing was stored, and the next poll tells what is lost.
    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()>;
    /// The first offset, in offset order, whose append time is at or after `time`; the end if there is none. Where
    /// records name their own append times these may go back: then later records may be older than `time`, as in Kafka.
    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64>;
    /// As last heard: on a cluster the end may be behind by a moment and the begin by a minute. Right after an assignment
    /// both are asked for.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks>;
    /// The end of an owned partition as last heard of: asks nobody, so it may be called for every batch.
    fn end_heard(&mut self, partition: &TopicPartition) -> Result<i64> {
        Ok(self.watermarks(partition)?.end)
    }
    fn pause(&mut self, partition: &TopicPartition) -> Result<()>;
    fn resume(&mut self, partition: &TopicPartition) -> Result<()>;

    /// Reads an owned partition on from what the group has committed, or from the first retained record where it has
    /// committed nothing, and tells that offset. A committed offset that the log no longer has is an error: going on
    /// elsewhere would lose records without a word.
    fn resume_from_committed(&mut self, partition: &TopicPartition) -> Result<i64> {
        let Watermarks { begin, end } = self.watermarks(partition)?;
        let offset = self.committed(partition)?.map_or(begin, |committed| committed.offset);
        if offset < begin || offset > end {
            return Err(Error::OffsetOutOfRange { topic: partition.topic.clone(), partition: partition.partition, offset, begin, end });
        }
        self.seek(partition, offset)?;
        Ok(offset)
    }
}

/// Kafka's default partitioner: murmur2 of the key, sign bit cleared, modulo the partition count.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) as i32 % partitions
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h: u32 = 0x9747_b28c ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ h >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Apache Kafka's own UtilsTest.
    #[test]
    fn murmur2_is_kafkas() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }
}

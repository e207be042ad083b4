//! What the two logs differ in: where batches and committed offsets are kept.

use super::wake::Watchers;
use crate::frame::PendingBatch;
use crate::{Batch, Committed, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use fieldline_schemas::Timestamp;
use std::fs::File;
use std::sync::Arc;

/// Where a reader stands in its segment, so that reading on needs no search. Only a hint: it may be lost.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) next_offset: i64,
    pub(crate) segment_base: i64,
    pub(crate) at: u64,
    pub(crate) file: Option<File>,
}

/// One partition.
pub(crate) trait PartitionStorage: Send + Sync {
    /// Appends all of the batch or nothing, wakes the watchers, and tells the end after it.
    fn append(&self, batch: &mut PendingBatch) -> Result<i64>;
    /// Records below this offset survive what the log promises to survive, and can be read.
    fn acknowledged_end(&self) -> Result<i64>;
    /// Records from `from` on, as many as one read brings; `None` at the end.
    fn read(&self, from: i64, cursor: &mut Cursor) -> Result<Option<Batch>>;
    fn watermarks(&self) -> Watermarks;
    /// The highest offset a reader may wait at: the end, or above it after a tail was lost.
    fn seek_end(&self) -> i64;
    fn offset_for_time(&self, time: Timestamp) -> Result<i64>;
    fn watchers(&self) -> &Watchers;
}

/// A topic as the broker holds it.
pub(crate) struct Topic {
    pub(crate) description: TopicDescription,
    pub(crate) partitions: Vec<Arc<dyn PartitionStorage>>,
}

/// All of a log but its groups.
pub(crate) trait Storage: Send + Sync {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic>;
    fn store_commits(&self, group: &str, positions: &[(TopicPartition, Committed)]) -> Result<()>;
    fn committed(&self, group: &str, partition: &TopicPartition) -> Option<Committed>;
    /// Whether records may name their append time.
    fn event_time(&self) -> bool;
    /// Whether a poll with nothing to bring really waits.
    fn waits(&self) -> bool;
}

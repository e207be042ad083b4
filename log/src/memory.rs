//! The log in memory, for tests and simulation: the same semantics, a clock that the test sets, no threads.

use crate::broker::Broker;
use crate::broker::storage::{Cursor, PartitionStorage, Storage, Topic};
use crate::broker::wake::{Watchers, lock};
use crate::frame::{self, Header, PendingBatch};
use crate::{Batch, Committed, Consumer, Error, Log, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use bytes::Bytes;
use fieldline_schemas::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How a `MemoryLog` behaves.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions {
    /// Whether a record may name its append time.
    pub event_time: bool,
    /// Whether a poll with nothing to bring waits in real time. `false` for simulations in one thread.
    pub waits: bool,
    /// What the broker's clock shows until it is set.
    pub clock: Timestamp,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { event_time: true, waits: false, clock: Timestamp(0) }
    }
}

/// A log that lives as long as its last handle.
pub struct MemoryLog {
    clocks: Arc<Clocks>,
    broker: Arc<Broker>,
}

/// The broker's clock, and the log's own: the highest append time seen, by which retention goes.
struct Clocks {
    broker: AtomicI64,
    log: AtomicI64,
}

impl MemoryLog {
    pub fn new(options: MemoryOptions) -> Arc<Self> {
        let clocks = Arc::new(Clocks { broker: AtomicI64::new(options.clock.0), log: AtomicI64::new(i64::MIN) });
        let storage = MemoryStorage { options, clocks: Arc::clone(&clocks), topics_made: AtomicU64::new(0), committed: Mutex::default() };
        Arc::new(Self { clocks, broker: Broker::new(Arc::new(storage), Vec::new()) })
    }

    /// Sets the broker's clock, forward or back; append times never go back by it.
    pub fn set_clock(&self, now: Timestamp) {
        self.clocks.broker.store(now.0, Ordering::Relaxed);
    }

    pub fn clock(&self) -> Timestamp {
        Timestamp(self.clocks.broker.load(Ordering::Relaxed))
    }
}

impl Log for MemoryLog {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        self.broker.ensure_topic(spec)
    }
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        Ok(self.broker.describe_topic(topic))
    }
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        self.broker.watermarks(partition)
    }
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.broker.committed(group, partition)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(self.broker.producer())
    }
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        self.broker.consumer(group, topics)
    }
}

struct MemoryStorage {
    options: MemoryOptions,
    clocks: Arc<Clocks>,
    topics_made: AtomicU64,
    committed: Mutex<BTreeMap<(String, TopicPartition), Committed>>,
}

impl Storage for MemoryStorage {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic> {
        // Numbered rather than random, so that a simulation repeats.
        let number = self.topics_made.fetch_add(1, Ordering::Relaxed) + 1;
        let topic_id = u128::from(number).to_be_bytes();
        let description = TopicDescription { name: spec.name.clone(), topic_id, partitions: spec.partitions, retention: spec.retention };
        let partition = |partition| {
            let storage: Arc<dyn PartitionStorage> = Arc::new(MemoryPartition {
                partition: TopicPartition { topic: spec.name.clone(), partition },
                retention_us: spec.retention.map(|r| i64::try_from(r.as_micros()).unwrap_or(i64::MAX)),
                clocks: Arc::clone(&self.clocks),
                watchers: Watchers::default(),
                state: Mutex::new(State { batches: VecDeque::new(), begin: 0, end: 0, last_time: Timestamp::MIN }),
            });
            storage
        };
        Ok(Topic { description, partitions: (0..spec.partitions).map(partition).collect() })
    }

    fn store_commits(&self, group: &str, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        let mut committed = lock(&self.committed);
        for (partition, position) in positions {
            committed.insert((group.to_owned(), partition.clone()), position.clone());
        }
        Ok(())
    }

    fn committed(&self, group: &str, partition: &TopicPartition) -> Option<Committed> {
        lock(&self.committed).get(&(group.to_owned(), partition.clone())).cloned()
    }

    fn event_time(&self) -> bool {
        self.options.event_time
    }

    fn waits(&self) -> bool {
        self.options.waits
    }
}

struct State {
    batches: VecDeque<Batch>,
    begin: i64,
    end: i64,
    last_time: Timestamp,
}

struct MemoryPartition {
    partition: TopicPartition,
    retention_us: Option<i64>,
    clocks: Arc<Clocks>,
    watchers: Watchers,
    state: Mutex<State>,
}

impl MemoryPartition {
    /// Batches stand for segments: the oldest goes when all of it is older than the retention, the last one stays.
    fn expire(&self, state: &mut State) {
        let Some(retention_us) = self.retention_us else { return };
        let horizon = Timestamp(self.clocks.log.load(Ordering::Relaxed)) - retention_us;
        while state.batches.len() > 1 && state.batches[0].iter().all(|r| r.append_time < horizon) {
            state.batches.pop_front();
            state.begin = state.batches[0].first_offset().unwrap_or(state.end);
        }
    }
}

impl PartitionStorage for MemoryPartition {
    fn append(&self, batch: &mut PendingBatch) -> Result<i64> {
        let mut state = lock(&self.state);
        let broker_time = Timestamp(self.clocks.broker.load(Ordering::Relaxed)).max(state.last_time);
        let bytes = Bytes::copy_from_slice(batch.seal(state.end, broker_time));
        let broken = || Error::Other(format!("{} partition {}: a batch was built wrong", self.partition.topic, self.partition.partition));
        let header = Header::check(&bytes).ok_or_else(broken)?;
        let mut entries = Vec::with_capacity(header.count as usize);
        frame::entries(&bytes, 0, &header, i64::MIN, i64::MAX, &mut entries).ok_or_else(broken)?;
        state.batches.push_back(Batch::from_parts(self.partition.clone(), bytes, entries));
        state.end = header.next_offset();
        state.last_time = state.last_time.max(header.max_time);
        self.clocks.log.fetch_max(header.max_time.0, Ordering::Relaxed);
        self.expire(&mut state);
        let end = state.end;
        drop(state);
        self.watchers.raise();
        Ok(end)
    }

    fn acknowledged_end(&self) -> Result<i64> {
        Ok(lock(&self.state).end)
    }

    fn read(&self, from: i64, _: &mut Cursor) -> Result<Option<Batch>> {
        let state = lock(&self.state);
        if from < state.begin || from > state.end {
            let (topic, partition) = (self.partition.topic.clone(), self.partition.partition);
            return Err(Error::OffsetOutOfRange { topic, partition, offset: from, begin: state.begin, end: state.end });
        }
        let index = state.batches.partition_point(|b| b.next_offset() <= Some(from));
        let Some(batch) = state.batches.get(index) else { return Ok(None) };
        let mut batch = batch.clone();
        let skipped = batch.iter().take_while(|r| r.offset < from).count();
        batch.split_front(skipped);
        Ok(Some(batch))
    }

    fn watermarks(&self) -> Watermarks {
        let state = lock(&self.state);
        Watermarks { begin: state.begin, end: state.end }
    }

    fn seek_end(&self) -> i64 {
        lock(&self.state).end
    }

    fn offset_for_time(&self, time: Timestamp) -> Result<i64> {
        let state = lock(&self.state);
        let found = state.batches.iter().flat_map(Batch::iter).find(|r| r.append_time >= time).map(|r| r.offset);
        Ok(found.unwrap_or(state.end))
    }

    fn watchers(&self) -> &Watchers {
        &self.watchers
    }
}

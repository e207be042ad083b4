//! The embedded log: a folder of segment files that one process owns.
//!
//! ```text
//! lock                              who holds the folder
//! registry.redb                     topics, reservations, holes, snapshots of committed offsets
//! commits.journal                   committed offsets since the last snapshot
//! topics/<topic>/<partition>/<first offset>.log    batches back to back (frame.rs)
//!                            …             .index  what is known of a closed segment
//! ```
//! Acknowledged means: with the operating system (kill -9 takes nothing), or on the disk, as `Sync` says.

mod commits;
mod hold;
mod options;
mod partition;
mod recover;
mod registry;
mod segment;
mod sync;

pub use options::{EmbeddedOptions, Sync};
pub use recover::Recovered;
pub use registry::Hole;

use crate::broker::Broker;
use crate::broker::storage::{PartitionStorage, Storage, Topic};
use crate::broker::wake::lock;
use crate::{Committed, Consumer, Error, Log, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use commits::Commits;
use fieldline_schemas::Timestamp;
use hold::Hold;
use partition::PartitionLog;
use registry::Registry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use sync::Syncer;

/// How far the log's clock moves between looks for expired segments.
const EXPIRY_STEP_US: i64 = 60_000_000;

/// What all partitions of an open log share.
pub(crate) struct Shared {
    options: EmbeddedOptions,
    registry: Registry,
    syncer: Arc<Syncer>,
    /// The highest append time of the log, by which retention goes.
    clock_us: AtomicI64,
    expired_at_us: AtomicI64,
    partitions: Mutex<Vec<Arc<PartitionLog>>>,
    _hold: Hold,
}

impl Shared {
    fn syncs(&self) -> bool {
        self.options.sync != Sync::None
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn clock(&self) -> Timestamp {
        Timestamp(self.clock_us.load(Ordering::Relaxed))
    }

    fn advance_clock(&self, time: Timestamp) {
        self.clock_us.fetch_max(time.0, Ordering::Relaxed);
    }

    fn expire_if_due(&self) {
        if self.options.keep_all {
            return;
        }
        let (clock, last) = (self.clock_us.load(Ordering::Relaxed), self.expired_at_us.load(Ordering::Relaxed));
        if clock.saturating_sub(last) < EXPIRY_STEP_US {
            return;
        }
        if self.expired_at_us.compare_exchange(last, clock, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            for partition in lock(&self.partitions).iter() {
                partition.expire();
            }
        }
    }
}

/// The log of a data folder. It is closed when the last of its handles, producers and consumers is dropped.
pub struct EmbeddedLog {
    recovered: Vec<Recovered>,
    shared: Arc<Shared>,
    broker: Arc<Broker>,
}

impl EmbeddedLog {
    /// Opens the log of a folder, or makes one. Refused while another process holds it.
    pub fn open(folder: &Path, options: EmbeddedOptions) -> Result<Arc<Self>> {
        std::fs::create_dir_all(folder).map_err(Error::io("could not make the folder", folder))?;
        let hold = Hold::take(folder)?;
        let registry = Registry::open(folder)?;
        let commits = Commits::open(folder, &registry, options.sync != Sync::None)?;
        let (topics, holes) = (registry.topics()?, registry.holes()?);
        let shared = Arc::new(Shared {
            options,
            registry,
            syncer: Arc::default(),
            clock_us: AtomicI64::new(i64::MIN),
            expired_at_us: AtomicI64::new(i64::MIN),
            partitions: Mutex::default(),
            _hold: hold,
        });
        let mut storage =
            EmbeddedStorage { folder: folder.to_owned(), shared: Arc::clone(&shared), commits: Mutex::new(commits), sync_thread: None };
        let mut recovered = Vec::new();
        let mut opened = Vec::with_capacity(topics.len());
        for description in topics {
            opened.push(storage.open_topic(description, &holes, &mut recovered)?);
        }
        shared.registry.recovered()?;
        shared.expire_if_due();
        if let Sync::Group(interval) = options.sync {
            let syncer = Arc::clone(&shared.syncer);
            let thread = std::thread::Builder::new().name("log-sync".to_owned()).spawn(move || syncer.run(interval));
            storage.sync_thread = Some(thread.map_err(Error::io("could not start the sync thread", folder))?);
        }
        Ok(Arc::new(Self { recovered, shared, broker: Broker::new(Arc::new(storage), opened) }))
    }

    /// What had to be cut, and the holes that this start made; empty after a clean stop or a mere kill.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// The latest append time of any record; `None` where there is none yet.
    pub fn clock(&self) -> Option<Timestamp> {
        Some(self.shared.clock()).filter(|clock| *clock > Timestamp::MIN)
    }

    /// All holes ever recorded, for whoever counts offsets against rows.
    pub fn holes(&self) -> Result<Vec<Hole>> {
        self.shared.registry.holes()
    }
}

impl Log for EmbeddedLog {
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

struct EmbeddedStorage {
    folder: PathBuf,
    shared: Arc<Shared>,
    commits: Mutex<Commits>,
    sync_thread: Option<JoinHandle<()>>,
}

impl EmbeddedStorage {
    fn open_topic(&self, description: TopicDescription, holes: &[Hole], recovered: &mut Vec<Recovered>) -> Result<Topic> {
        let retention_us = description.retention.map(|r| i64::try_from(r.as_micros()).unwrap_or(i64::MAX));
        let mut partitions: Vec<Arc<dyn PartitionStorage>> = Vec::new();
        for number in 0..description.partitions {
            let partition = TopicPartition { topic: description.name.clone(), partition: number };
            let folder = self.folder.join("topics").join(&description.name).join(number.to_string());
            let (log, found) = recover::open_partition(partition, folder, retention_us, holes, &self.shared)?;
            recovered.extend(found);
            log.set_unread_from(lock(&self.commits).lowest(&log.partition));
            lock(&self.shared.partitions).push(Arc::clone(&log));
            partitions.push(log);
        }
        Ok(Topic { description, partitions })
    }

    fn close(&mut self) -> Result<()> {
        self.shared.syncer.stop();
        if let Some(thread) = self.sync_thread.take() {
            // It has no panics of its own; a round cut short only means that nothing more is acknowledged.
            let _ = thread.join();
        }
        // Emptied, because partitions and what they share refer to each other.
        let partitions = std::mem::take(&mut *lock(&self.shared.partitions));
        let ends: Vec<_> = partitions.iter().filter_map(|p| p.close().map(|end| (p.partition.clone(), end))).collect();
        lock(&self.commits).fold_into(&self.shared.registry)?;
        if ends.is_empty() { Ok(()) } else { self.shared.registry.close(&ends) }
    }
}

impl Storage for EmbeddedStorage {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic> {
        let topic_id = uuid::Uuid::new_v4().into_bytes();
        let description = TopicDescription { name: spec.name.clone(), topic_id, partitions: spec.partitions, retention: spec.retention };
        self.shared.registry.add_topic(&description)?;
        self.open_topic(description, &[], &mut Vec::new())
    }

    fn store_commits(&self, group: &str, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        let mut commits = lock(&self.commits);
        commits.store(group, positions, &self.shared.registry)?;
        for log in lock(&self.shared.partitions).iter() {
            if positions.iter().any(|(partition, _)| *partition == log.partition) {
                log.set_unread_from(commits.lowest(&log.partition));
            }
        }
        Ok(())
    }

    fn committed(&self, group: &str, partition: &TopicPartition) -> Option<Committed> {
        lock(&self.commits).get(group, partition)
    }

    fn event_time(&self) -> bool {
        self.shared.options.event_time
    }

    fn waits(&self) -> bool {
        true
    }
}

impl Drop for EmbeddedStorage {
    fn drop(&mut self) {
        // What cannot be written down now is found by a scan at the next start, as after a kill.
        let _ = self.close();
    }
}

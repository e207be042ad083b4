//! A log that behaves wrongly on purpose, as a faulty stage would make it look from outside, and a broker that watches.

use fieldline_log::{
    Append, AppendNumber, Batch, BatchBuilder, Committed, Consumer, Error, Log, Polled, Producer, Result, TopicDescription, TopicPartition,
    TopicSpec, Watermarks, partition_for_key,
};
use fieldline_schemas::results::{Identity, Kpi, KpiRecord};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Version, key_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Offsets are committed when records are polled.
    CommitBeforeAck,
    /// The highest acknowledgement counts, not the contiguous frontier.
    CommitOverGap,
    /// A revocation is not heard, and what was read before it is worked through after it.
    PublishAfterRevoke,
    /// The highest version of a row is written as the lowest.
    LowestVersionWins,
    /// Nobody moves the time of a silent partition.
    TickSkipped,
    /// A row that is no longer derived stays.
    TombstoneLost,
    /// Of two copies of a record the first one is taken for the duplicate of the second.
    FirstDuplicateLost { partition: i32, offset: i64 },
    /// The past is read again as if nobody had published it, under versions that are too high.
    ReplayPutsOut,
}

/// What goes wrong around a stage that may itself be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// This output (1, 2, …) is still under way when the process dies.
    pub withheld: Option<u64>,
    /// A batch of each partition is always read ahead, as Kafka's client does; each poll takes a moment.
    pub reads_ahead: bool,
}

/// Offsets of the wrong positions of `ReplayPutsOut`.
const SHIFT: i64 = 1 << 20;
/// Polls after the withheld output until the process dies: long enough for commits.
const POLLS_BEFORE_DEATH: u64 = 60;
/// How long a poll takes that reads ahead.
const POLL_TAKES: Duration = Duration::from_millis(3);

/// What a process does, and what the broker sees of it.
pub struct Tap {
    log: Arc<dyn Log>,
    mutation: Option<Mutation>,
    fault: Fault,
    killed: AtomicBool,
    /// How often the mutation was at work.
    pub fired: AtomicU64,
    pub polls: AtomicU64,
    /// Results put out.
    pub outputs: AtomicU64,
    gap_at_poll: AtomicU64,
    owned: Mutex<BTreeSet<TopicPartition>>,
    /// Outputs about technicians whose partition the process did not own when it appended them.
    pub unowned_outputs: AtomicU64,
}

impl Tap {
    pub fn new(log: Arc<dyn Log>, mutation: Option<Mutation>, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            log,
            mutation,
            fault,
            killed: AtomicBool::new(false),
            fired: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            outputs: AtomicU64::new(0),
            gap_at_poll: AtomicU64::new(0),
            owned: Mutex::default(),
            unowned_outputs: AtomicU64::new(0),
        })
    }

    pub fn log(self: &Arc<Self>) -> Arc<dyn Log> {
        Arc::new(TappedLog(Arc::clone(self)))
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn fire(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }

    fn alive(&self) -> Result<()> {
        if self.killed.load(Ordering::Relaxed) { Err(Error::Other("the process is dead".into())) } else { Ok(()) }
    }

    /// Dies when it had time to commit after its gap.
    fn poll_once(&self) -> Result<()> {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        let gap_at = self.gap_at_poll.load(Ordering::Relaxed);
        if gap_at > 0 && polls > gap_at + POLLS_BEFORE_DEATH {
            self.killed.store(true, Ordering::Relaxed);
        }
        self.alive()
    }
}

struct TappedLog(Arc<Tap>);

impl Log for TappedLog {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        self.0.log.ensure_topic(spec)
    }
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.0.log.describe_topic(topic)
    }
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        self.0.log.watermarks(partition)
    }
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.0.log.committed(group, partition)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        let (inner, tap) = (self.0.log.producer()?, Arc::clone(&self.0));
        Ok(Box::new(TappedProducer { inner, tap, codec: Codec::new(), number: 0, gap: None }))
    }
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        let (inner, tap) = (self.0.log.consumer(group, topics)?, Arc::clone(&self.0));
        Ok(Box::new(TappedConsumer { inner, tap, codec: Codec::new(), ahead: BTreeMap::new(), leaving: Vec::new() }))
    }
}

struct TappedProducer {
    inner: Box<dyn Producer>,
    tap: Arc<Tap>,
    codec: Codec,
    number: AppendNumber,
    /// The number of the withheld output.
    gap: Option<AppendNumber>,
}

impl TappedProducer {
    /// The partition of `activity` that an output is about.
    fn home(&self, topic: &str, value: &[u8]) -> Option<TopicPartition> {
        let prefix = topic.strip_suffix("kpis")?;
        let Ok(AnyRecord::Kpi(record)) = self.codec.decode(value) else { return None };
        let activity = format!("{prefix}activity");
        let partitions = self.tap.log.describe_topic(&activity).ok()??.partitions;
        let technician = technician_of(&record).to_string();
        Some(TopicPartition { topic: activity, partition: partition_for_key(technician.as_bytes(), partitions) })
    }
}

impl Producer for TappedProducer {
    fn append(&mut self, topic: &str, record: Append<'_>) -> Result<AppendNumber> {
        self.tap.alive()?;
        self.number += 1;
        if topic.ends_with("activity") && self.tap.is(Mutation::TickSkipped) {
            self.tap.fire();
            return Ok(self.number);
        }
        if let Some(home) = self.home(topic, record.value) {
            if !self.tap.owned.lock().unwrap().contains(&home) {
                self.tap.unowned_outputs.fetch_add(1, Ordering::Relaxed);
            }
            let output = self.tap.outputs.fetch_add(1, Ordering::Relaxed) + 1;
            if self.tap.fault.withheld == Some(output) {
                self.gap = Some(self.number);
                self.tap.gap_at_poll.store(self.tap.polls.load(Ordering::Relaxed), Ordering::Relaxed);
                return Ok(self.number);
            }
        }
        self.inner.append(topic, record)?;
        Ok(self.number)
    }

    fn acknowledged(&mut self) -> Result<AppendNumber> {
        self.tap.alive()?;
        self.inner.flush(Duration::from_secs(5))?;
        match self.gap {
            Some(_) if self.tap.is(Mutation::CommitOverGap) => {
                self.tap.fire();
                Ok(self.number)
            }
            Some(gap) => Ok(gap - 1),
            None => Ok(self.number),
        }
    }

    fn flush(&mut self, deadline: Duration) -> Result<()> {
        self.tap.alive()?;
        self.inner.flush(deadline)?;
        if self.gap.is_some() { Err(Error::Deadline(deadline)) } else { Ok(()) }
    }
}

struct TappedConsumer {
    inner: Box<dyn Consumer>,
    tap: Arc<Tap>,
    codec: Codec,
    /// Read, and not handed out yet.
    ahead: BTreeMap<TopicPartition, Batch>,
    /// Given up with the next poll.
    leaving: Vec<TopicPartition>,
}

impl TappedConsumer {
    fn give_up(&mut self, partitions: &[TopicPartition]) {
        self.tap.owned.lock().unwrap().retain(|owned| !partitions.contains(owned));
    }

    /// The batch as the faulty stage takes it.
    fn mutated(&mut self, batch: Batch) -> Batch {
        let (tap, codec) = (&self.tap, &self.codec);
        let mut builder = BatchBuilder::new(batch.partition.clone());
        let mut bytes = Vec::new();
        for record in batch.iter() {
            let mut offset = record.offset;
            match tap.mutation {
                Some(Mutation::FirstDuplicateLost { partition, offset: first })
                    if batch.partition.topic.ends_with("activity") && (batch.partition.partition, offset) == (partition, first) =>
                {
                    tap.fire();
                    continue;
                }
                Some(Mutation::ReplayPutsOut) if batch.partition.topic.ends_with("activity") => {
                    tap.fire();
                    offset += SHIFT;
                }
                Some(Mutation::TombstoneLost | Mutation::LowestVersionWins) => {
                    if let Ok(AnyRecord::Kpi(mut kpi)) = codec.decode(record.value) {
                        if tap.is(Mutation::TombstoneLost) && matches!(kpi.kpi, Kpi::Tombstone(_)) {
                            tap.fire();
                            continue;
                        }
                        if tap.is(Mutation::LowestVersionWins) {
                            tap.fire();
                            let Version(version) = kpi.stamp.version;
                            // Definition and epoch stay.
                            kpi.stamp.version = Version(version ^ ((1 << 48) - 1));
                            let mutated = AnyRecord::Kpi(kpi);
                            bytes.clear();
                            codec.encode(&mutated, &mut bytes);
                            builder.push(offset, record.append_time, &key_of(&mutated), &bytes);
                            continue;
                        }
                    }
                }
                _ => {}
            }
            builder.push(offset, record.append_time, record.key, record.value);
        }
        builder.finish()
    }

    fn ahead(&mut self, records_max: usize) -> Result<Polled> {
        std::thread::sleep(POLL_TAKES);
        Ok(match self.next(Duration::ZERO, records_max)? {
            Polled::Records(batch) => self.ahead.insert(batch.partition.clone(), batch).map_or(Polled::Idle, Polled::Records),
            Polled::Idle => self.ahead.pop_first().map_or(Polled::Idle, |(_, batch)| Polled::Records(batch)),
            Polled::Revoked(gone) => {
                // What was read ahead of a partition that goes is dropped.
                let dropped: Vec<Batch> = gone.iter().filter_map(|at| self.ahead.remove(at)).collect();
                match dropped.into_iter().next() {
                    Some(held) if self.tap.is(Mutation::PublishAfterRevoke) => {
                        // Ownership ends; the stage hears nothing of it.
                        self.tap.fire();
                        let leaving = std::mem::take(&mut self.leaving);
                        self.give_up(&leaving);
                        Polled::Records(held)
                    }
                    _ => Polled::Revoked(gone),
                }
            }
            other => other,
        })
    }

    fn next(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        let leaving = std::mem::take(&mut self.leaving);
        self.give_up(&leaving);
        let polled = self.inner.poll(wait, records_max)?;
        match &polled {
            Polled::Assigned(partitions) => self.tap.owned.lock().unwrap().extend(partitions.iter().cloned()),
            Polled::Revoked(partitions) => self.leaving.clone_from(partitions),
            Polled::Lost(partitions) => self.give_up(&partitions.clone()),
            Polled::Records(_) | Polled::Idle => {}
        }
        Ok(polled)
    }
}

impl Consumer for TappedConsumer {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        self.tap.poll_once()?;
        let polled = if self.tap.fault.reads_ahead { self.ahead(records_max)? } else { self.next(wait, records_max)? };
        let Polled::Records(batch) = polled else { return Ok(polled) };
        if self.tap.is(Mutation::CommitBeforeAck)
            && let Some(offset) = batch.next_offset()
        {
            self.tap.fire();
            self.inner.commit(&[(batch.partition.clone(), Committed { offset, metadata: String::new() })])?;
        }
        let batch = self.mutated(batch);
        Ok(if batch.is_empty() { Polled::Idle } else { Polled::Records(batch) })
    }

    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        self.tap.alive()?;
        let shift = if self.tap.is(Mutation::ReplayPutsOut) { SHIFT } else { 0 };
        let straight = |(at, committed): &(TopicPartition, Committed)| {
            let shift = if at.topic.ends_with("activity") { shift } else { 0 };
            (at.clone(), Committed { offset: committed.offset - shift, metadata: committed.metadata.clone() })
        };
        self.inner.commit(&positions.iter().map(straight).collect::<Vec<_>>())
    }

    fn committed(&mut self, at: &TopicPartition) -> Result<Option<Committed>> {
        if self.tap.is(Mutation::ReplayPutsOut) && at.topic.ends_with("activity") { Ok(None) } else { self.inner.committed(at) }
    }
    fn seek(&mut self, at: &TopicPartition, offset: i64) -> Result<()> {
        self.inner.seek(at, offset)
    }
    fn offset_for_time(&mut self, at: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.inner.offset_for_time(at, time)
    }
    fn watermarks(&mut self, at: &TopicPartition) -> Result<Watermarks> {
        self.inner.watermarks(at)
    }
    fn pause(&mut self, at: &TopicPartition) -> Result<()> {
        self.inner.pause(at)
    }
    fn resume(&mut self, at: &TopicPartition) -> Result<()> {
        self.inner.resume(at)
    }
}

fn technician_of(record: &KpiRecord) -> fieldline_schemas::ids::TechnicianId {
    match &record.kpi {
        Kpi::Shift(shift) => shift.technician_contact_id,
        Kpi::Episode(episode) => episode.technician_contact_id,
        Kpi::Tombstone(Identity::Shift { technician_contact_id, .. } | Identity::Episode { technician_contact_id, .. }) => {
            *technician_contact_id
        }
    }
}

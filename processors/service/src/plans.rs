//! Plans that wait: `plans` is read whole by whoever owns technicians, and each revision is appended to its technician's log
//! when that log's clock has come to its day.
//!
//! ```text
//! plans ─► PlanQueue of each owned partition of activity ─► the same bytes ─► activity
//! ```
//! Both topics have as many partitions and lie by technician. The group is this reader's own and commits nothing: what was
//! released is in the note beside the offset of `activity`.

use crate::error::ProcessorError;
use crate::note::Note;
use fieldline_log::{Batch, Consumer, Log, Polled, TopicPartition};
use fieldline_processors_core::plans::{PlanQueue, Revision};
use fieldline_registry::Registry;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::HOUR_US;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of, validate};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often `plans` is looked at; a plan that comes on its day goes to the technician's log by its publisher, at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const POLL_RECORDS_MAX: usize = 4096;
/// After so long without a record there are no more; longer than any fetch from a broker that answers.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Ids that nobody can amend any more are forgotten now and then, by the log's clock.
const PRUNED_EVERY_US: i64 = HOUR_US;

/// The plans of the partitions that a worker owns.
pub(crate) struct Plans {
    consumer: Box<dyn Consumer>,
    decoder: Codec,
    schemas: Registry,
    topic: String,
    /// Whether every look is taken, as where somebody else moves the time.
    is_driven: bool,
    looked_at: Option<Instant>,
    /// Since when looks bring nothing.
    idle_since: Option<Instant>,
    assigned: Vec<i32>,
    queues: BTreeMap<i32, Waiting>,
}

struct Waiting {
    queue: PlanQueue,
    pruned_at: Timestamp,
    /// One past the last record when the partition was taken over: before all of it is read nothing is released.
    whole_at: i64,
    position: i64,
}

impl Plans {
    /// `None` where there is no such topic.
    pub fn open(prefix: &str, schemas: &Registry, is_driven: bool, log: &dyn Log) -> Result<Option<Self>, ProcessorError> {
        static READERS: AtomicU64 = AtomicU64::new(0);
        let topic = Topic::Plans.full_name(prefix);
        let described =
            log.describe_topic(&topic).map_err(|source| ProcessorError::Group { doing: "describing the topic of plans", source })?;
        if described.is_none() {
            return Ok(None);
        }
        // Of no other reader, as a group shares its partitions, and each reader needs all of them.
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let group = format!("{prefix}plans-{}-{started}-{}", std::process::id(), READERS.fetch_add(1, Ordering::Relaxed));
        let consumer = log.consumer(&group, &[&topic]);
        let consumer = consumer.map_err(|source| ProcessorError::Group { doing: "joining a group of plans", source })?;
        Ok(Some(Self {
            consumer,
            decoder: schemas.codec(),
            schemas: schemas.clone(),
            topic,
            is_driven,
            looked_at: None,
            idle_since: None,
            assigned: Vec::new(),
            queues: BTreeMap::new(),
        }))
    }

    /// Reads the plans of a partition of `activity` from their beginning.
    pub fn follow(&mut self, partition: i32, note: &Note) -> Result<(), ProcessorError> {
        let queue = PlanQueue::new(note.released_through.map(Timestamp));
        self.queues.insert(partition, Waiting { queue, pruned_at: Timestamp::MIN, whole_at: i64::MAX, position: 0 });
        if self.assigned.contains(&partition) {
            self.begin(partition)?;
        }
        Ok(())
    }

    pub fn forget(&mut self, partition: i32) {
        self.queues.remove(&partition);
    }

    fn begin(&mut self, partition: i32) -> Result<(), ProcessorError> {
        let at = TopicPartition { topic: self.topic.clone(), partition };
        let watermarks = self.consumer.watermarks(&at).map_err(ProcessorError::log("asking for the watermarks of", &at))?;
        self.consumer.seek(&at, watermarks.begin).map_err(ProcessorError::log("seeking in", &at))?;
        self.idle_since = None;
        if let Some(waiting) = self.queues.get_mut(&partition) {
            (waiting.position, waiting.whole_at) = (watermarks.begin, watermarks.end);
        }
        Ok(())
    }

    /// Takes in what has come, and never waits; whether anything has.
    pub fn look(&mut self) -> Result<bool, ProcessorError> {
        if !self.is_driven && self.idle_since.is_some() && self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(false);
        }
        let idle_since = self.idle_since.take();
        self.looked_at = Some(Instant::now());
        let polled = self.consumer.poll(Duration::ZERO, POLL_RECORDS_MAX);
        match polled.map_err(|source| ProcessorError::Group { doing: "polling for plans", source })? {
            Polled::Assigned(partitions) => {
                for at in partitions {
                    self.assigned.push(at.partition);
                    self.begin(at.partition)?;
                }
            }
            // Nobody else is in this group, so a partition comes back, and is then read from its beginning.
            Polled::Revoked(partitions) | Polled::Lost(partitions) => {
                self.assigned.retain(|assigned| partitions.iter().all(|at| at.partition != *assigned));
            }
            Polled::Records(batch) => {
                let admitted = self.schemas.admits(&batch, self.consumer.as_mut());
                if admitted.map_err(ProcessorError::log("putting back records of", &batch.partition))? {
                    self.take(&batch);
                }
            }
            Polled::Idle => {
                self.idle_since = idle_since.or(self.looked_at);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, batch: &Batch) {
        let Some(waiting) = self.queues.get_mut(&batch.partition.partition) else { return };
        for record in batch.iter() {
            waiting.position = record.offset + 1;
            let decoded = self.decoder.decode(record.value);
            let checked = decoded.and_then(|any| validate(Topic::Plans, &any, record.append_time).map(|()| any));
            let any = match checked {
                Ok(any) => any,
                Err(rejection) => {
                    tracing::error!(
                        topic = batch.partition.topic,
                        partition = batch.partition.partition,
                        offset = record.offset,
                        reason = rejection.reason.symbol(),
                        "a record of plans can not be understood and is released to nobody; whoever wrote it must send the plan again"
                    );
                    continue;
                }
            };
            let (id, revision, starts_at): (EventId, u32, Timestamp) = match &any {
                AnyRecord::ShiftPlan(plan) => (plan.id, plan.revision, plan.planned_start),
                AnyRecord::VisitPlan(plan) => (plan.id, plan.revision, plan.window_start),
                _ => continue,
            };
            let (key, payload) = (key_of(&any), record.value.to_vec());
            waiting.queue.take(Revision { id, revision, starts_at, received_at: record.append_time, key, payload });
        }
    }

    /// What is due in a partition by its clock. Nothing before all of its plans are read: of two revisions the later one may be
    /// due first.
    pub fn release(&mut self, partition: i32, clock: Timestamp) -> Vec<Revision> {
        let is_silent = self.is_silent();
        let Some(waiting) = self.queues.get_mut(&partition).filter(|waiting| waiting.is_whole() || is_silent) else { return Vec::new() };
        if clock.since(waiting.pruned_at.max(Timestamp(0))) > PRUNED_EVERY_US {
            waiting.pruned_at = clock;
            waiting.queue.prune(clock);
        }
        waiting.queue.release(clock)
    }

    /// Whether there are plans of the partition, and everything that had come was taken in by the last look.
    pub fn is_caught_up(&self, partition: i32) -> bool {
        let is_whole = |waiting: &Waiting| waiting.position > 0 && (waiting.is_whole() || self.is_silent());
        self.idle_since.is_some() && self.queues.get(&partition).is_some_and(is_whole)
    }

    /// The next instant at which something is to be released.
    pub fn next_due(&self, partition: i32) -> Option<Timestamp> {
        self.queues.get(&partition)?.queue.next_due()
    }

    /// Where the last records were compacted away, their offsets never come.
    fn is_silent(&self) -> bool {
        self.idle_since.is_some_and(|since| since.elapsed() > SILENCE_MAX)
    }
}

impl Waiting {
    fn is_whole(&self) -> bool {
        self.position >= self.whole_at
    }
}

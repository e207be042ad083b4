//! A member of a stage's own group: what it owns, where each partition stands, what may be committed.
//!
//! ```text
//! assigned ─► open: where to begin ─► records ─► take ─► outputs, handed over at once ─► acknowledged ─► committed
//! ```
//! The stages of alerts share it. Records before `live_from` rebuild a state and put nothing out.

use crate::error::ProcessorError;
use crate::ledger::Ledger;
use crate::note::topic_id_text;
use crate::outlet::Outlet;
use crate::worker::Turn;
use fieldline_log::{
    AppendNumber, Batch, Committed, Consumer, Error as LogError, Log, Polled, Reading, Readings, Record, TopicPartition, Watermarks,
};
use fieldline_processors_core::partition::Position;
use fieldline_registry::Registry;
use fieldline_schemas::{Timestamp, Topic};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What every stage of alerts needs to know.
#[derive(Clone, Debug)]
pub struct StageConfig {
    /// Before every topic and group name: `fieldline.`.
    pub prefix: String,
    /// A partition on which a timer falls due and nothing moves gets a tick, and another one each time that this has passed.
    /// `None`: somebody else moves the time.
    pub tick_every: Option<Duration>,
    /// Outputs carry the clock of their partition as append time: on a log of event time (time-lapse).
    pub event_time: bool,
    /// Positions are committed in the first pause after so long, and without a pause after ten times as long.
    pub commit_every: Duration,
    /// The longest wait for records in one poll; whatever arrives ends it.
    pub poll_wait: Duration,
    /// The longest wait for acknowledgements when a partition is given up.
    pub flush_wait: Duration,
    /// The ids that records are written with, and whom to ask for those that are read.
    pub schemas: Registry,
    /// How far it is in each partition, for whoever watches.
    pub readings: Arc<Readings>,
}

impl StageConfig {
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            tick_every: Some(Duration::from_secs(1)),
            event_time: false,
            commit_every: Duration::from_secs(1),
            poll_wait: Duration::from_millis(100),
            flush_wait: Duration::from_secs(30),
            schemas: Registry::default(),
            readings: Arc::default(),
        }
    }
}

/// Records of one poll: few, so that the first one's output does not wait for the last one's.
const POLL_RECORDS_MAX: usize = 256;

/// Without a pause between the records a commit is put off for as many times `commit_every`.
const COMMIT_PUT_OFF_MAX: u32 = 10;

/// What is done with the records of a topic.
pub(crate) trait Stage {
    /// What is known of one partition.
    type State;
    const TOPIC: Topic;
    const GROUP: &'static str;
    /// A topic of passing records that is read beside it: from its end, and nothing of it is remembered.
    const BESIDE: Option<Topic> = None;
    /// Whether a new owner reads a partition from its beginning, rather than from where its predecessor stopped.
    const IS_REBUILT: bool;

    fn begin(&self) -> Self::State;
    /// Takes a record; the last append that follows from it. Where it `is_live` not, it was taken before and nothing follows.
    fn take(
        &self,
        state: &mut Self::State,
        at: &TopicPartition,
        record: &Record<'_>,
        is_live: bool,
        outlet: &mut Outlet,
    ) -> Result<Option<AppendNumber>, ProcessorError>;
    /// The next instant at which time alone changes something.
    fn next_due(state: &Self::State) -> Option<Timestamp>;
}

/// Stands beside a committed offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    topic_id: String,
    partitions: i32,
    /// The clock of the partition before the record at the committed offset, microseconds since 1970.
    clock_us: i64,
}

/// An owned partition.
pub(crate) struct Post<S> {
    pub at: TopicPartition,
    pub state: S,
    pub clock: Option<Timestamp>,
    ledger: Ledger,
    live_from: i64,
    position: i64,
    committed: Option<i64>,
    /// When the log's time last moved here, and when a tick was last appended, by the wall clock.
    moved_at: Instant,
    ticked_at: Instant,
    note: Note,
}

pub(crate) struct Member<S: Stage> {
    stage: S,
    config: StageConfig,
    log: Arc<dyn Log>,
    consumer: Box<dyn Consumer>,
    pub outlet: Outlet,
    pub posts: Vec<Post<S::State>>,
    committed_at: Instant,
}

impl<S: Stage> Member<S> {
    pub fn join(stage: S, config: StageConfig, log: Arc<dyn Log>) -> Result<Self, ProcessorError> {
        let outlet = Outlet::open(log.as_ref(), &config.prefix, config.schemas.codec(), config.event_time)?;
        let group = format!("{}{}", config.prefix, S::GROUP);
        let topics: Vec<String> = [Some(S::TOPIC), S::BESIDE].into_iter().flatten().map(|topic| topic.full_name(&config.prefix)).collect();
        let consumer = log.consumer(&group, &topics.iter().map(String::as_str).collect::<Vec<_>>());
        let consumer = consumer.map_err(|source| ProcessorError::Group { doing: "joining a group of alerts", source })?;
        Ok(Self { stage, config, log, consumer, outlet, posts: Vec::new(), committed_at: Instant::now() })
    }

    /// Handles whatever comes next, waiting at most `wait` for it.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, ProcessorError> {
        let polled = self.consumer.poll(wait, POLL_RECORDS_MAX);
        let turn = match polled.map_err(|source| ProcessorError::Group { doing: "polling for alerts", source })? {
            Polled::Assigned(partitions) => {
                for at in partitions {
                    let post = self.open(at)?;
                    self.posts.push(post);
                }
                self.posts.sort_by(|a, b| a.at.cmp(&b.at));
                Turn::Ownership
            }
            Polled::Revoked(partitions) => {
                self.flush()?;
                self.commit()?;
                self.forget(&partitions);
                Turn::Ownership
            }
            Polled::Lost(partitions) => {
                // Whoever has them now goes on from the last commit, and puts out again what was put out beyond it.
                self.forget(&partitions);
                Turn::Ownership
            }
            Polled::Records(batch) => {
                let admitted = self.config.schemas.admits(&batch, self.consumer.as_mut());
                match admitted.map_err(ProcessorError::log("putting back records of", &batch.partition))? {
                    true => {
                        self.handle(&batch)?;
                        Turn::Records(batch.len())
                    }
                    false => Turn::Waiting,
                }
            }
            Polled::Idle => Turn::Idle,
        };
        self.settle()?;
        // A commit waits for its answer, and whatever comes meanwhile waits too: so where nothing comes, as long as that is possible.
        let (uncommitted, every) = (self.committed_at.elapsed(), self.config.commit_every);
        if uncommitted >= every && (turn == Turn::Idle || uncommitted >= every * COMMIT_PUT_OFF_MAX) {
            self.commit()?;
        }
        Ok(turn)
    }

    fn open(&mut self, at: TopicPartition) -> Result<Post<S::State>, ProcessorError> {
        let description = self.log.describe_topic(&at.topic).map_err(ProcessorError::log("describing", &at))?;
        let description = description.ok_or_else(|| ProcessorError::UnknownTopic { topic: at.topic.clone() })?;
        let watermarks = self.consumer.watermarks(&at).map_err(ProcessorError::log("asking for the watermarks of", &at))?;
        let Watermarks { begin, end } = watermarks;
        let is_beside = S::BESIDE.is_some_and(|beside| beside.full_name(&self.config.prefix) == at.topic);
        let mut committed = || self.consumer.committed(&at).map_err(ProcessorError::log("asking for the committed offset of", &at));
        let left = if is_beside { None } else { committed()? };
        let note = Note { topic_id: topic_id_text(&description.topic_id), partitions: description.partitions, clock_us: 0 };
        if let Some(Committed { offset, metadata }) = &left {
            if *offset < begin || *offset > end {
                return Err(ProcessorError::CommittedLost { at, committed: *offset, begin, end });
            }
            let theirs: Note = serde_json::from_str(metadata).map_err(|source| ProcessorError::Note { at: at.clone(), source })?;
            if theirs.topic_id != note.topic_id {
                return Err(ProcessorError::TopicRecreated { topic: at.topic });
            }
            if theirs.partitions != note.partitions {
                let (committed, found) = (theirs.partitions, note.partitions);
                return Err(ProcessorError::PartitionsChanged { topic: at.topic, committed, found });
            }
        }
        let committed = left.map(|left| left.offset);
        let is_rebuilt = S::IS_REBUILT && !is_beside;
        let live_from = committed.unwrap_or(if is_beside { end } else { begin });
        let start = if is_rebuilt { begin } else { live_from };
        if is_rebuilt && begin > 0 {
            tracing::error!(
                topic = at.topic,
                partition = at.partition,
                begin,
                "the first records are gone: an alert that was opened there and is not resolved is forgotten. Keep this topic for ever"
            );
        }
        self.consumer.seek(&at, start).map_err(ProcessorError::log("seeking in", &at))?;
        tracing::info!(topic = at.topic, partition = at.partition, from = start, live_from, "partition taken over");
        self.config.readings.set(&at, Reading { next: start, end, append_time: None });
        let now = Instant::now();
        Ok(Post {
            at,
            state: self.stage.begin(),
            clock: None,
            ledger: Ledger::default(),
            live_from,
            position: start,
            committed,
            moved_at: now,
            ticked_at: now,
            note,
        })
    }

    fn handle(&mut self, batch: &Batch) -> Result<(), ProcessorError> {
        let Some(post) = self.posts.iter_mut().find(|post| post.at == batch.partition) else { return Ok(()) };
        for record in batch.iter() {
            let is_live = record.offset >= post.live_from;
            if let Some(number) = self.stage.take(&mut post.state, &post.at, &record, is_live, &mut self.outlet)? {
                post.ledger.appended(record.offset, number);
            }
            if post.clock.is_none_or(|clock| record.append_time > clock) {
                post.clock = Some(record.append_time);
                post.moved_at = Instant::now();
            }
            post.position = record.offset + 1;
        }
        if let Some(clock) = post.clock {
            post.ledger.finished(Position { offset: post.position, clock });
        }
        let end = self.consumer.end_heard(&post.at).map_err(ProcessorError::log("asking for the end of", &post.at))?;
        self.config.readings.set(&post.at, Reading { next: post.position, end, append_time: post.clock });
        Ok(())
    }

    /// Hands over what is taken, and notes what is acknowledged.
    fn settle(&mut self) -> Result<(), ProcessorError> {
        let acknowledged = self.outlet.acknowledged()?;
        self.posts.iter_mut().for_each(|post| post.ledger.acknowledged(acknowledged));
        Ok(())
    }

    /// Waits until everything put out is acknowledged.
    pub fn flush(&mut self) -> Result<(), ProcessorError> {
        self.outlet.flush(self.config.flush_wait)?;
        self.settle()
    }

    /// Commits what may be committed.
    pub fn commit(&mut self) -> Result<(), ProcessorError> {
        self.committed_at = Instant::now();
        let mut positions = Vec::new();
        for post in &mut self.posts {
            let Some(Position { offset, clock }) = post.ledger.take_frontier() else { continue };
            // A state that is being rebuilt stands behind what is committed already.
            if post.committed.is_some_and(|committed| offset <= committed) {
                continue;
            }
            post.committed = Some(offset);
            post.note.clock_us = clock.0;
            let metadata = serde_json::to_string(&post.note).map_err(|source| ProcessorError::Note { at: post.at.clone(), source })?;
            positions.push((post.at.clone(), Committed { offset, metadata }));
        }
        if positions.is_empty() {
            return Ok(());
        }
        match self.consumer.commit(&positions) {
            // The next poll tells which partitions are lost; their posts go then.
            Ok(()) | Err(LogError::OwnershipLost { .. }) => Ok(()),
            Err(source) => Err(ProcessorError::Group { doing: "committing offsets of a stage of alerts", source }),
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.posts.retain(|post| !partitions.contains(&post.at));
        partitions.iter().for_each(|at| self.config.readings.remove(at));
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        self.posts.iter().filter_map(|post| S::next_due(&post.state)).min()
    }

    /// Appends a tick, at `instant`, to every partition on which something is due then.
    pub fn tick_due(&mut self, instant: Timestamp) -> Result<(), ProcessorError> {
        for post in &self.posts {
            if S::next_due(&post.state).is_some_and(|due| due <= instant) {
                self.outlet.tick(&post.at, fieldline_schemas::events::Tick { since: post.clock }, Some(instant))?;
            }
        }
        self.flush()
    }

    /// Appends a tick wherever a timer has fallen due by now, as far as this machine can tell, and no record has come since: by
    /// the wall clock only the time that has passed is measured, never the hour.
    pub fn tick_silent(&mut self, now: Instant) -> Result<(), ProcessorError> {
        let Some(tick_every) = self.config.tick_every else { return Ok(()) };
        for post in &mut self.posts {
            let (Some(due), Some(clock)) = (S::next_due(&post.state), post.clock) else { continue };
            let left = Duration::from_micros(u64::try_from(due.since(clock)).unwrap_or(0));
            if post.position >= post.live_from
                && now.duration_since(post.moved_at) >= left
                && now.duration_since(post.ticked_at) >= tick_every
            {
                post.ticked_at = now;
                self.outlet.tick(&post.at, fieldline_schemas::events::Tick { since: None }, None)?;
            }
        }
        Ok(())
    }

    /// Works until `is_stopped`; everything acknowledged is committed at the end.
    pub fn run(mut self, is_stopped: impl Fn() -> bool) -> Result<(), ProcessorError> {
        while !is_stopped() {
            self.turn(self.config.poll_wait)?;
            self.tick_silent(Instant::now())?;
        }
        self.flush()?;
        self.commit()
    }
}

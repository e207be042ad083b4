//! What both sinks do: read, encode, insert, commit what is durable.
//!
//! ```text
//! consumer ── records ──► encoder ── blocks ──► inserter thread ──► ClickHouse
//!     ▲                      └── poison ──► topic dead_letters         │
//!     └───────── commit of the contiguous frontier ◄── acknowledged ───┘
//! ```
//! Blocks are encoded while one insert is on its way; a batch's offsets are committed only after every block of it, every
//! batch before it and every dead letter of it are acknowledged.

mod control;
mod encoder;
mod inserter;

use crate::clickhouse::ClickHouseTarget;
use crate::writer::{GivenUp, Origin, WriteError};
pub use control::{BatchLimits, SinkConfig, SinkControl};
pub(crate) use encoder::{Buffer, Encoder, Taken};
use fieldline_log::{
    Append, Batch, Committed, Consumer, Destination, Error as LogError, Log, Polled, Producer, Reading, TopicPartition, crash,
};
use fieldline_schemas::Rejection;
use fieldline_schemas::events::DeadLetter;
use fieldline_schemas::topics::{self, Topic};
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks_rows::Position;
use inserter::{Inserter, Job};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Batches that are encoded and not yet acknowledged, the one being inserted included.
const BATCHES_IN_FLIGHT_MAX: usize = 2;
/// How long a poll waits for records.
const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
/// Records taken from the log at once.
const POLL_RECORDS_MAX: usize = 10_000;
/// How long the dead letters of a batch may take to be acknowledged.
const DEAD_LETTERS_WAIT_MAX: Duration = Duration::from_secs(30);

/// Why a sink ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    #[error("{doing}: {source}")]
    Log { doing: String, source: LogError },
    #[error(transparent)]
    Write(Box<WriteError>),
    #[error("starting the sink's inserter: {0}")]
    Start(String),
    #[error(
        "group {group} has committed offset {committed} of {topic} partition {partition}, the log holds {begin} to {end}: \
         records were lost, or the topic was made anew; decide from where to go on and commit that"
    )]
    Lost { group: String, topic: String, partition: i32, committed: i64, begin: i64, end: i64 },
    #[error("{topic} partition {partition} offset {offset}: {rejection}; this topic has no dead letters")]
    Unreadable { topic: String, partition: i32, offset: i64, rejection: Rejection },
}

impl From<WriteError> for SinkError {
    fn from(error: WriteError) -> Self {
        Self::Write(Box::new(error))
    }
}

/// A sink at work.
pub(crate) struct Sink<'a, E> {
    group: String,
    config: &'a SinkConfig,
    control: Arc<SinkControl>,
    log: Arc<dyn Log>,
    consumer: Box<dyn Consumer>,
    producer: Option<Box<dyn Producer>>,
    codec: Codec,
    encoder: E,
    inserter: Inserter,
    /// Offsets read into the open batch.
    open: BTreeMap<TopicPartition, std::ops::Range<i64>>,
    opened_at: Option<Instant>,
    /// Offsets of batches that the inserter has, oldest first.
    in_flight: VecDeque<BTreeMap<TopicPartition, std::ops::Range<i64>>>,
    unflushed_letters: bool,
    bytes: Vec<u8>,
}

impl<'a, E: Encoder> Sink<'a, E> {
    pub fn start(
        group: &str,
        topics: &[Topic],
        config: &'a SinkConfig,
        log: Arc<dyn Log>,
        target: &ClickHouseTarget,
        control: Arc<SinkControl>,
        encoder: E,
    ) -> Result<Self, SinkError> {
        let group = format!("{}{group}", config.prefix);
        let names: Vec<_> = topics.iter().map(|topic| topic.full_name(&config.prefix)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let consumer = log.consumer(&group, &names).map_err(doing(|| format!("joining group {group}")))?;
        let inserter = Inserter::start(target, config.writer, Arc::clone(&control))?;
        Ok(Self {
            group,
            config,
            control,
            log,
            consumer,
            producer: None,
            codec: config.schemas.codec(),
            encoder,
            inserter,
            open: BTreeMap::new(),
            opened_at: None,
            in_flight: VecDeque::new(),
            unflushed_letters: false,
            bytes: Vec::new(),
        })
    }

    /// Works until it is asked to stop.
    pub fn run(mut self) -> Result<(), SinkError> {
        loop {
            self.collect(Duration::ZERO)?;
            if self.control.is_stopping() {
                return match self.drain() {
                    // What was not acknowledged is not committed, and read again at the next start.
                    Err(SinkError::Write(error)) if error.reason == GivenUp::Stopped => Ok(()),
                    result => result,
                };
            }
            if self.is_full() && self.in_flight.len() == BATCHES_IN_FLIGHT_MAX {
                self.collect(POLL_WAIT_MAX)?;
                continue;
            }
            if self.is_due() {
                self.dispatch()?;
            }
            match self.consumer.poll(POLL_WAIT_MAX, POLL_RECORDS_MAX).map_err(doing(|| format!("polling as {}", self.group)))? {
                Polled::Assigned(partitions) => self.assigned(&partitions)?,
                Polled::Revoked(partitions) => {
                    self.drain()?;
                    partitions.iter().for_each(|at| self.control.readings.remove(at));
                }
                Polled::Lost(partitions) => {
                    self.forget(&partitions);
                    partitions.iter().for_each(|at| self.control.readings.remove(at));
                }
                Polled::Records(batch) => self.take(&batch)?,
                Polled::Idle if self.control.is_hurrying() => {
                    if self.in_flight.len() < BATCHES_IN_FLIGHT_MAX {
                        self.dispatch()?;
                    }
                    self.collect(POLL_WAIT_MAX)?;
                }
                Polled::Idle => {}
            }
        }
    }

    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<(), SinkError> {
        for partition in partitions {
            let begin_doing = || format!("resuming {} partition {} as {}", partition.topic, partition.partition, self.group);
            let watermarks = self.consumer.watermarks(partition).map_err(doing(begin_doing))?;
            let start = match self.consumer.committed(partition).map_err(doing(begin_doing))? {
                None => watermarks.begin,
                Some(committed) if (watermarks.begin..=watermarks.end).contains(&committed.offset) => committed.offset,
                Some(committed) => {
                    return Err(SinkError::Lost {
                        group: self.group.clone(),
                        topic: partition.topic.clone(),
                        partition: partition.partition,
                        committed: committed.offset,
                        begin: watermarks.begin,
                        end: watermarks.end,
                    });
                }
            };
            self.consumer.seek(partition, start).map_err(doing(begin_doing))?;
        }
        Ok(())
    }

    fn take(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let partition = &batch.partition;
        let admitted = self.config.schemas.admits(batch, self.consumer.as_mut());
        if !admitted.map_err(doing(|| format!("putting back records of {} partition {}", partition.topic, partition.partition)))? {
            return Ok(());
        }
        let Some(topic) = partition.topic.strip_prefix(&self.config.prefix).and_then(Topic::from_name) else {
            return Err(SinkError::Log { doing: "reading".to_owned(), source: LogError::UnknownTopic(partition.topic.clone()) });
        };
        crash::point("sinks-polled");
        for record in batch.iter() {
            let position = Position { partition: partition.partition, offset: record.offset, received_at: record.append_time };
            if let Taken::Poison { rejection, stage } = self.encoder.take(topic, position, record.value) {
                if topic.card().dead_letters.is_none() {
                    let (topic, partition, offset) = (partition.topic.clone(), partition.partition, record.offset);
                    return Err(SinkError::Unreadable { topic, partition, offset, rejection });
                }
                self.set_aside(topic, position, record.key, record.value, &rejection, stage)?;
            }
            let range = self.open.entry(partition.clone()).or_insert(record.offset..record.offset);
            range.end = record.offset + 1;
        }
        self.control.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if let Some(last) = batch.iter().last() {
            let end = self.consumer.end_heard(partition).map_err(doing(|| format!("asking for the end of {}", partition.topic)))?;
            let reading = Reading { next: last.offset + 1, end, append_time: Some(last.append_time) };
            self.control.readings.set(partition, reading);
        }
        if self.opened_at.is_none() && !self.open.is_empty() {
            self.opened_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Appends a record that is not understood to the dead letters, whole.
    fn set_aside(
        &mut self,
        topic: Topic,
        position: Position,
        key: &[u8],
        payload: &[u8],
        rejection: &Rejection,
        stage: &str,
    ) -> Result<(), SinkError> {
        let letter = AnyRecord::DeadLetter(DeadLetter {
            topic: topic.name().into(),
            partition: position.partition,
            offset: position.offset,
            received_at: position.received_at,
            reason: rejection.reason,
            detail: rejection.detail.as_str().into(),
            stage: stage.into(),
            key: key.into(),
            payload: payload.into(),
        });
        self.bytes.clear();
        self.codec.encode(&letter, &mut self.bytes);
        let what = || format!("setting aside {} partition {} offset {}", topic.name(), position.partition, position.offset);
        let producer = match &mut self.producer {
            Some(producer) => producer,
            none => none.insert(self.log.producer().map_err(doing(what))?),
        };
        let append = Append { destination: Destination::ByKey, key: &topics::key_of(&letter), value: &self.bytes, append_time: None };
        producer.append(&Topic::DeadLetters.full_name(&self.config.prefix), append).map_err(doing(what))?;
        self.unflushed_letters = true;
        self.control.dead_letters.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn is_full(&mut self) -> bool {
        self.encoder.rows() >= self.config.batch.rows_max || self.encoder.size_bytes() >= self.config.batch.bytes_max
    }

    fn is_due(&mut self) -> bool {
        let old = self.opened_at.is_some_and(|at| at.elapsed() >= self.config.batch.age_max);
        let free = self.in_flight.is_empty() && self.encoder.rows() >= self.config.batch.rows_min;
        (old || free || self.is_full()) && self.in_flight.len() < BATCHES_IN_FLIGHT_MAX
    }

    /// Hands the open batch to the inserter.
    fn dispatch(&mut self) -> Result<(), SinkError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let origin = Origin(std::mem::take(&mut self.open));
        self.opened_at = None;
        self.in_flight.push_back(origin.0.clone());
        let job = Job { blocks: self.encoder.blocks(), origin };
        // The channel has room for all that may be in flight; it is closed only after an error, which is in `done`.
        match self.inserter.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => Ok(()),
            _ => self.collect(POLL_WAIT_MAX),
        }
    }

    /// Commits the batches that are acknowledged, waiting at most `wait` for the oldest.
    fn collect(&mut self, wait: Duration) -> Result<(), SinkError> {
        let mut frontier: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        while !self.in_flight.is_empty() {
            let wait = if frontier.is_empty() { wait } else { Duration::ZERO };
            match self.inserter.done.recv_timeout(wait) {
                Ok(answer) => {
                    answer?;
                    let ranges = self.in_flight.pop_front().unwrap_or_default();
                    frontier.extend(ranges.into_iter().map(|(partition, offsets)| (partition, offsets.end)));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(SinkError::Start("it has ended".to_owned())),
            }
        }
        if frontier.is_empty() {
            return Ok(());
        }
        if let Some(producer) = self.producer.as_mut().filter(|_| self.unflushed_letters) {
            producer.flush(DEAD_LETTERS_WAIT_MAX).map_err(doing(|| "waiting for the dead letters to be acknowledged".to_owned()))?;
            self.unflushed_letters = false;
        }
        let positions: Vec<_> =
            frontier.into_iter().map(|(partition, offset)| (partition, Committed { offset, metadata: String::new() })).collect();
        crash::point("sinks-inserted");
        match self.consumer.commit(&positions) {
            // The next poll tells which partitions are lost. Their rows are in the table, and come again with the same offsets.
            Err(LogError::OwnershipLost { .. }) => return Ok(()),
            result => result.map_err(doing(|| format!("committing as {}", self.group)))?,
        }
        self.control.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Nothing of these partitions can be committed any more: others have them. Rows that are on their way stay.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        for ranges in self.in_flight.iter_mut().chain([&mut self.open]) {
            ranges.retain(|partition, _| !partitions.contains(partition));
        }
    }

    /// Inserts and commits everything that was read.
    fn drain(&mut self) -> Result<(), SinkError> {
        while !self.in_flight.is_empty() {
            self.collect(POLL_WAIT_MAX)?;
        }
        self.dispatch()?;
        while !self.in_flight.is_empty() {
            self.collect(POLL_WAIT_MAX)?;
        }
        Ok(())
    }
}

fn doing(what: impl FnOnce() -> String) -> impl FnOnce(LogError) -> SinkError {
    move |source| SinkError::Log { doing: what(), source }
}

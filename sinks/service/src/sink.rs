//! What both sinks do: read, encode, insert, commit what is durable.
//!
//! ```text
//! consumer ── records ──► encoder ── blocks ──► inserter thread ──► ClickHouse
//!     ▲                      └── poison ──► topic dead_letters         │
//!     └───────── commit of the contiguous frontier ◄── acknowledged ───┘
//! ```
//! Blocks are encoded while one insert is on its way; a batch's offsets are committed only after every block of it, every
//! batch before it and every dead letter of it are acknowledged.

use crate::clickhouse::{Answer, ClickHouseTarget, runtime};
use crate::histogram::Histogram;
use crate::writer::{Block, GivenUp, Origin, WriteError, Writer, WriterConfig};
use fieldline_log::{
    Append, Batch, Committed, Consumer, Destination, Error as LogError, Log, Polled, Producer, Reading, Readings, TopicPartition, crash,
};
use fieldline_registry::Registry;
use fieldline_schemas::Rejection;
use fieldline_schemas::events::DeadLetter;
use fieldline_schemas::topics::{self, Topic};
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks_rows::Position;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches that are encoded and not yet acknowledged, the one being inserted included.
const BATCHES_IN_FLIGHT_MAX: usize = 2;
/// How long a poll waits for records.
const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
/// Records taken from the log at once.
const POLL_RECORDS_MAX: usize = 10_000;
/// How long the dead letters of a batch may take to be acknowledged.
const DEAD_LETTERS_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a sink that stops still waits for an insert that is on its way.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// A batch of this many rows goes out as soon as the inserter is free.
    pub rows_min: usize,
    /// A batch goes out when its first record has waited this long, however small it is.
    pub age_max: Duration,
    /// While the inserter is busy a batch grows up to this many rows or bytes; then reading waits.
    pub rows_max: usize,
    pub bytes_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { rows_min: 10_000, age_max: Duration::from_secs(1), rows_max: 100_000, bytes_max: 64 << 20 }
    }
}

/// Settings of a sink.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub batch: BatchLimits,
    pub writer: WriterConfig,
    /// The ids that records are written with, and whom to ask for those that are read.
    pub schemas: Registry,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            prefix: topics::PREFIX_DEFAULT.to_owned(),
            batch: BatchLimits::default(),
            writer: WriterConfig::default(),
            schemas: Registry::default(),
        }
    }
}

/// Shared with a running sink: asks it to stop or to hurry, and shows how far it is.
#[derive(Debug)]
pub struct SinkControl {
    stop: AtomicBool,
    hurry: AtomicBool,
    pub records: AtomicU64,
    pub rows: AtomicU64,
    pub blocks: AtomicU64,
    pub dead_letters: AtomicU64,
    pub retries: AtomicU64,
    pub commits: AtomicU64,
    /// Rows of each insert.
    pub insert_rows: Histogram<8>,
    /// Seconds from an insert's first attempt to its acknowledgement, or to its being given up.
    pub insert_seconds: Histogram<10>,
    /// How far it is in each partition that it owns.
    pub readings: Readings,
}

impl Default for SinkControl {
    fn default() -> Self {
        Self {
            stop: AtomicBool::default(),
            hurry: AtomicBool::default(),
            records: AtomicU64::default(),
            rows: AtomicU64::default(),
            blocks: AtomicU64::default(),
            dead_letters: AtomicU64::default(),
            retries: AtomicU64::default(),
            commits: AtomicU64::default(),
            insert_rows: Histogram::new([10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0]),
            insert_seconds: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]),
            readings: Readings::default(),
        }
    }
}

impl SinkControl {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
    /// Asks the sink to insert what it has, commit and return. What cannot be inserted soon is read again next time.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
    /// While set, what has been read goes out as soon as the topics have nothing more: for `import`, which waits for it.
    pub fn hurry(&self, hurry: bool) {
        self.hurry.store(hurry, Ordering::Relaxed);
    }
    fn is_hurrying(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }
}

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

/// What a record turned into.
pub(crate) enum Taken {
    /// Rows, or nothing to store (a tick).
    Stored,
    /// It is not understood.
    Poison { rejection: Rejection, stage: &'static str },
}

/// Turns records into rows and rows into blocks.
pub(crate) trait Encoder {
    fn take(&mut self, topic: Topic, position: Position, value: &[u8]) -> Taken;
    fn rows(&self) -> usize;
    fn size_bytes(&self) -> usize;
    /// The rows as blocks; empty afterwards.
    fn blocks(&mut self) -> Vec<Block>;
}

/// Blocks of one batch, and where they came from.
struct Job {
    origin: Origin,
    blocks: Vec<Block>,
}

/// The thread that inserts.
struct Inserter {
    jobs: Option<mpsc::SyncSender<Job>>,
    done: mpsc::Receiver<Result<(), WriteError>>,
    thread: Option<JoinHandle<()>>,
}

impl Inserter {
    fn start(target: &ClickHouseTarget, config: WriterConfig, control: Arc<SinkControl>) -> Result<Self, SinkError> {
        let (jobs, next_job) = mpsc::sync_channel::<Job>(BATCHES_IN_FLIGHT_MAX);
        let (answers, done) = mpsc::channel();
        let runtime = runtime().map_err(|answer| SinkError::Start(answer.to_string()))?;
        let target = target.clone();
        let work = move || {
            // The connections live on this thread's runtime.
            let writer = runtime.block_on(async { Writer::new(&target, config) });
            for job in next_job {
                let answer = runtime.block_on(insert(&writer, job, &control));
                let failed = answer.is_err();
                if answers.send(answer).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("inserter".to_owned()).spawn(work);
        let thread = thread.map_err(|error| SinkError::Start(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }
}

impl Drop for Inserter {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends with its job, which has deadlines; a panic there has been seen as a closed channel.
            let _ = thread.join();
        }
    }
}

async fn insert(writer: &Writer, job: Job, control: &SinkControl) -> Result<(), WriteError> {
    for block in &job.blocks {
        let retried = || {
            control.retries.fetch_add(1, Ordering::Relaxed);
        };
        let began = Instant::now();
        let insert = writer.insert(block, &job.origin, retried, || control.is_stopping());
        tokio::select! {
            result = insert => {
                // Failure is measured like success.
                control.insert_seconds.observe(began.elapsed().as_secs_f64());
                result?;
            }
            () = stopped_for(control, STOP_WAIT_MAX) => {
                let (table, rows, origin) = (block.table, block.rows, job.origin);
                return Err(WriteError { table, rows, origin, attempts: 1, reason: GivenUp::Stopped, answer: Answer::TimedOut(STOP_WAIT_MAX) });
            }
        }
        control.rows.fetch_add(block.rows as u64, Ordering::Relaxed);
        control.blocks.fetch_add(1, Ordering::Relaxed);
        control.insert_rows.observe(block.rows as f64);
    }
    Ok(())
}

/// Returns when the sink has been stopping for `wait`.
async fn stopped_for(control: &SinkControl, wait: Duration) {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    while !control.is_stopping() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(wait).await;
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

    fn is_full(&self) -> bool {
        self.encoder.rows() >= self.config.batch.rows_max || self.encoder.size_bytes() >= self.config.batch.bytes_max
    }

    fn is_due(&self) -> bool {
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

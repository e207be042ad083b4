//! History: computes the past again where the live window does not reach.
//!
//! ```text
//! recompute ─► windows ─► wait for the sinks ─► log tables ─► fold ─► kpis (step 255) ─► commit
//! ```
//! * `windows`: which requests are computed together, by log time. `job`: what is read and published of one technician.
//! * `frontier`: waits until the tables hold everything that a computation needs.
//! * `query`, `log_rows`: the database. `compute`: many technicians per query. `note`: what is committed beside an offset.
//!
//! Serves very late events, amendments of old ones, imports of years, and a new definition. Requests are committed only
//! when their rows are acknowledged, so a successor computes them again and puts out the same rows.

mod compute;
mod error;
mod frontier;
mod job;
pub(crate) mod log_rows;
mod note;
pub(crate) mod query;
mod windows;

use crate::clickhouse::{ClickHouseTarget, Database};
use crate::sink::SinkControl;
use crate::writer::{GivenUp, WriterConfig};
use compute::Computer;
pub use error::HistoryError;
use fieldline_log::{Append, Batch, Committed, Consumer, Destination, Log, Polled, Producer, TopicPartition};
use fieldline_processors_core::definition::Definition;
use fieldline_registry::Registry;
use fieldline_schemas::events::{DeadLetter, DeadLetterReason, RecomputeRequest, Tick};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{AnyRecord, Codec, Rejection, Timestamp, Topic, Version, key_of, validate};
use frontier::{Stopped, wait_for};
use job::{Job, Truth};
pub use job::{READ_AFTER_US, READ_BEFORE_US, Span};
use note::Note;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use windows::{Merged, Position, QUIET_US, Windows};

/// Group name without prefix.
pub const GROUP: &str = "history";
/// The groups that must be past a request before the tables are read.
const PROCESSORS: &str = "processors";
/// How long a poll waits for requests.
const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
/// Requests taken from the log at once.
const POLL_RECORDS_MAX: usize = 1_000;
/// Polls that bring requests before closed windows are computed all the same.
const POLLS_MAX: u32 = 100;
/// How long published rows may take to be acknowledged.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);

/// Settings of the history worker.
#[derive(Clone, Debug)]
pub struct HistoryConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub epoch: u8,
    pub definition: Definition,
    /// How patient it is with the database.
    pub patience: WriterConfig,
    /// A partition with requests in it gets a tick after so long without a record.
    pub tick_every: Duration,
    /// The log takes append times from its writers: ticks come at once, and rows carry the clock of their request.
    pub event_time: bool,
    /// The ids that records are written with, and whom to ask for those that are read.
    pub schemas: Registry,
}

impl HistoryConfig {
    pub fn new(prefix: &str, definition: Definition) -> Self {
        Self {
            prefix: prefix.to_owned(),
            epoch: 0,
            definition,
            patience: WriterConfig::default(),
            tick_every: Duration::from_secs(1),
            event_time: false,
            schemas: Registry::default(),
        }
    }
}

/// One owned partition of `recompute`.
struct Station {
    at: TopicPartition,
    windows: Windows,
    committed: Option<i64>,
    /// When its last record came.
    moved_at: Instant,
}

/// Runs the worker on the calling thread until `control` asks it to stop.
pub fn run(
    config: &HistoryConfig,
    log: Arc<dyn Log>,
    clickhouse: &ClickHouseTarget,
    control: Arc<SinkControl>,
) -> Result<(), HistoryError> {
    let mut worker = Worker::new(config, log, clickhouse, control)?;
    while !worker.control.is_stopping() {
        worker.turn(POLL_WAIT_MAX)?;
    }
    Ok(())
}

/// The worker, turn by turn.
pub struct Worker<'a> {
    config: &'a HistoryConfig,
    log: Arc<dyn Log>,
    control: Arc<SinkControl>,
    database: Database,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    codec: Codec,
    stations: Vec<Station>,
    /// Polls in a row that brought records.
    polls: u32,
    bytes: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub fn new(
        config: &'a HistoryConfig,
        log: Arc<dyn Log>,
        clickhouse: &ClickHouseTarget,
        control: Arc<SinkControl>,
    ) -> Result<Self, HistoryError> {
        let database = Database::open(clickhouse, config.patience.deadlines).map_err(HistoryError::Open)?;
        let group = format!("{}{GROUP}", config.prefix);
        let topic = Topic::Recompute.full_name(&config.prefix);
        let consumer = log.consumer(&group, &[&topic]).map_err(HistoryError::log(|| format!("joining group {group}")))?;
        let producer = log.producer().map_err(HistoryError::log(|| "opening a producer for history"))?;
        let (codec, stations, bytes) = (config.schemas.codec(), Vec::new(), Vec::new());
        Ok(Self { config, log, control, database, consumer, producer, codec, stations, polls: 0, bytes })
    }

    /// Handles whatever comes next, waiting at most `wait` for it.
    pub fn turn(&mut self, wait: Duration) -> Result<(), HistoryError> {
        let polled = self.consumer.poll(wait, POLL_RECORDS_MAX).map_err(HistoryError::log(|| "polling for recompute requests"))?;
        let mut is_idle = false;
        match polled {
            Polled::Assigned(partitions) => {
                for at in partitions {
                    let station = self.open(at)?;
                    self.stations.push(station);
                }
            }
            // Nothing is in hand between turns: what is not computed was not committed, and the next owner gathers it again.
            Polled::Revoked(partitions) | Polled::Lost(partitions) => self.stations.retain(|station| !partitions.contains(&station.at)),
            Polled::Records(batch) => self.take(&batch)?,
            Polled::Idle => is_idle = true,
        }
        self.polls = if is_idle { 0 } else { self.polls + 1 };
        if (is_idle || self.polls > POLLS_MAX) && self.stations.iter().any(|station| station.windows.has_closed()) {
            self.polls = 0;
            if self.compute()? == Err(Stopped) {
                return Ok(());
            }
        }
        if is_idle {
            self.commit()?;
            self.tick()?;
        }
        Ok(())
    }

    fn open(&mut self, at: TopicPartition) -> Result<Station, HistoryError> {
        let doing = || format!("taking over {} partition {}", at.topic, at.partition);
        let committed = self.consumer.committed(&at).map_err(HistoryError::log(doing))?;
        let offset = self.consumer.resume_from_committed(&at).map_err(HistoryError::log(doing))?;
        let clock = Note::clock_of(committed.as_ref(), &at, &self.config.definition)?;
        let windows = Windows::new(Position { offset, clock });
        Ok(Station { at, windows, committed: committed.map(|committed| committed.offset), moved_at: Instant::now() })
    }

    fn take(&mut self, batch: &Batch) -> Result<(), HistoryError> {
        let Some(index) = self.stations.iter().position(|station| station.at == batch.partition) else { return Ok(()) };
        if !self.config.schemas.admits(batch, self.consumer.as_mut()).map_err(HistoryError::log(|| "putting back recompute requests"))? {
            return Ok(());
        }
        for record in batch.iter() {
            let request = match self.request(record.value, record.append_time) {
                Ok(request) => request,
                Err((stage, rejection)) => {
                    self.set_aside(&batch.partition, &record, stage, &rejection)?;
                    None
                }
            };
            self.stations[index].windows.record(record.offset, record.append_time, request);
        }
        self.stations[index].moved_at = Instant::now();
        self.control.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The request of a record; `None` for a tick.
    fn request(&self, value: &[u8], append_time: Timestamp) -> Result<Option<RecomputeRequest>, (&'static str, Rejection)> {
        let record = self.codec.decode(value).map_err(|rejection| ("decode", rejection))?;
        validate(Topic::Recompute, &record, append_time).map_err(|rejection| ("validate", rejection))?;
        match record {
            AnyRecord::RecomputeRequest(request) => Ok(Some(request)),
            AnyRecord::Tick(_) => Ok(None),
            other => {
                Err(("validate", Rejection::new(DeadLetterReason::WrongKind, format!("a {} has no business here", other.kind().name()))))
            }
        }
    }

    fn set_aside(
        &mut self,
        at: &TopicPartition,
        record: &fieldline_log::Record<'_>,
        stage: &str,
        rejection: &Rejection,
    ) -> Result<(), HistoryError> {
        self.control.dead_letters.fetch_add(1, Ordering::Relaxed);
        let letter = AnyRecord::DeadLetter(DeadLetter {
            topic: Topic::Recompute.name().into(),
            partition: at.partition,
            offset: record.offset,
            received_at: record.append_time,
            reason: rejection.reason,
            detail: rejection.detail.as_str().into(),
            stage: stage.into(),
            key: record.key.into(),
            payload: record.value.into(),
        });
        let append_time = self.config.event_time.then_some(record.append_time);
        self.append(Topic::DeadLetters, Destination::ByKey, &letter, append_time)?;
        self.flush()
    }

    /// Computes every closed window, in order of the windows; those of one turn share the waiting.
    fn compute(&mut self) -> Result<Result<(), Stopped>, HistoryError> {
        // A technician lies in one partition, so windows one after the other keep the order of its requests.
        loop {
            let mut merged: BTreeMap<(TechnicianId, i32), Merged> = BTreeMap::new();
            for window in self.stations.iter().filter_map(|station| station.windows.closed().next()) {
                merged.extend(window.merged.iter().map(|(key, merged)| (*key, merged.clone())));
            }
            if merged.is_empty() {
                return Ok(Ok(()));
            }
            if self.wait_for_tables(&merged)? == Err(Stopped) {
                return Ok(Err(Stopped));
            }
            let log_clock = self.stations.iter().filter_map(|station| station.windows.clock()).max();
            let jobs = merged.into_iter().map(|((technician, _), merged)| self.job(technician, merged)).collect::<Result<Vec<_>, _>>()?;
            let outcome = self.publish(jobs, log_clock.filter(|_| self.config.event_time));
            if let Err(HistoryError::Read { reason: GivenUp::Stopped, .. }) = outcome {
                return Ok(Err(Stopped));
            }
            outcome?;
            self.stations.iter_mut().for_each(|station| station.windows.finish_first());
            self.commit()?;
        }
    }

    fn job(&self, technician: TechnicianId, merged: Merged) -> Result<Job, HistoryError> {
        let Merged { partition, offset, clock, from, to, event_ids, caused_by } = merged;
        let number = self.config.definition.number;
        let version = u64::try_from(offset).ok();
        let version = version.and_then(|offset| Version::pack(self.config.epoch, number, offset, Version::STEP_RECOMPUTE));
        let version = version.ok_or(HistoryError::Version { partition, offset })?;
        Ok(Job::new(technician, Truth { partition, offset, version, clock, caused_by }, Span { from, to }, event_ids))
    }

    /// Waits until the log tables hold every record up to the requests, and the result tables every row that was put out
    /// up to there, ours included.
    fn wait_for_tables(&self, merged: &BTreeMap<(TechnicianId, i32), Merged>) -> Result<Result<(), Stopped>, HistoryError> {
        let prefix = &self.config.prefix;
        let mut through: BTreeMap<i32, i64> = BTreeMap::new();
        for request in merged.values() {
            let offset = through.entry(request.partition).or_insert(request.offset);
            *offset = (*offset).max(request.offset);
        }
        let activity = Topic::Activity.full_name(prefix);
        let at = |partition| TopicPartition { topic: activity.clone(), partition };
        let positions: Vec<_> = through.into_iter().map(|(partition, offset)| (at(partition), offset + 1)).collect();
        for group in [PROCESSORS, crate::raw_sink::GROUP] {
            if wait_for(&*self.log, &self.control, &format!("{prefix}{group}"), &positions)? == Err(Stopped) {
                return Ok(Err(Stopped));
            }
        }
        let kpis = Topic::Kpis.full_name(prefix);
        let doing = || format!("asking for the ends of {kpis}");
        let topic = self.log.describe_topic(&kpis).map_err(HistoryError::log(doing))?;
        let partitions = topic.ok_or_else(|| HistoryError::NoTopic(kpis.clone()))?.partitions;
        let mut ends = Vec::new();
        for partition in 0..partitions {
            let at = TopicPartition { topic: kpis.clone(), partition };
            let end = self.log.watermarks(&at).map_err(HistoryError::log(doing))?.end;
            ends.push((at, end));
        }
        wait_for(&*self.log, &self.control, &format!("{prefix}{}", crate::results_sink::GROUP), &ends)
    }

    /// Computes the jobs and puts their rows out, acknowledged.
    fn publish(&mut self, jobs: Vec<Job>, append_time: Option<Timestamp>) -> Result<(), HistoryError> {
        let Self { config, control, database, producer, codec, bytes, .. } = self;
        let kpis = Topic::Kpis.full_name(&config.prefix);
        let computer = Computer { database, patience: config.patience, definition: config.definition, codec, control };
        let mut rows = 0;
        let technicians = jobs.len();
        let began = Instant::now();
        computer.run(jobs, &mut |records| {
            for record in records {
                rows += 1;
                let record = AnyRecord::Kpi(record);
                bytes.clear();
                codec.encode(&record, bytes);
                let append = Append { destination: Destination::ByKey, key: &key_of(&record), value: bytes, append_time };
                producer.append(&kpis, append).map_err(HistoryError::log(|| "publishing recomputed rows"))?;
            }
            Ok(())
        })?;
        control.rows.fetch_add(rows, Ordering::Relaxed);
        self.flush()?;
        tracing::debug!(technicians, rows, seconds = began.elapsed().as_secs_f64(), "history computed");
        Ok(())
    }

    fn append(
        &mut self,
        topic: Topic,
        destination: Destination,
        record: &AnyRecord<'_>,
        append_time: Option<Timestamp>,
    ) -> Result<(), HistoryError> {
        self.bytes.clear();
        self.codec.encode(record, &mut self.bytes);
        let name = topic.full_name(&self.config.prefix);
        let append = Append { destination, key: &key_of(record), value: &self.bytes, append_time };
        self.producer.append(&name, append).map_err(HistoryError::log(|| format!("appending to {name}")))?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), HistoryError> {
        self.producer.flush(FLUSH_WAIT_MAX).map_err(HistoryError::log(|| "waiting for the acknowledgement of recomputed rows"))
    }

    fn commit(&mut self) -> Result<(), HistoryError> {
        let mut positions = Vec::new();
        for station in &mut self.stations {
            let Position { offset, clock } = station.windows.frontier();
            if station.committed.is_some_and(|committed| committed < offset) || station.committed.is_none() && offset > 0 {
                station.committed = Some(offset);
                let metadata = Note::new(clock, &self.config.definition).text();
                positions.push((station.at.clone(), Committed { offset, metadata }));
            }
        }
        if !positions.is_empty() {
            fieldline_log::crash::point("history-acknowledged");
            match self.consumer.commit(&positions) {
                // The next poll tells which partitions are lost; their stations go then.
                Err(fieldline_log::Error::OwnershipLost { .. }) => {}
                result => result.map_err(HistoryError::log(|| "committing recompute requests"))?,
            }
            self.control.commits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Moves the clock where requests wait for it.
    fn tick(&mut self) -> Result<(), HistoryError> {
        let event_time = self.config.event_time;
        let mut due = Vec::new();
        for station in self.stations.iter_mut().filter(|station| station.windows.is_waiting()) {
            if event_time || station.moved_at.elapsed() >= self.config.tick_every {
                station.moved_at = Instant::now();
                due.push((station.at.partition, station.windows.clock().filter(|_| event_time).map(|clock| clock + QUIET_US)));
            }
        }
        for (partition, append_time) in &due {
            self.append(Topic::Recompute, Destination::Partition(*partition), &AnyRecord::Tick(Tick { since: None }), *append_time)?;
        }
        if !due.is_empty() {
            self.flush()?;
        }
        Ok(())
    }
}

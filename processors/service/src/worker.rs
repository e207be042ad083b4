//! A member of the group: reads its partitions, hands records to their state, puts out what follows.

use crate::config::{ProcessorConfig, Share};
use crate::error::ProcessorError;
use crate::events::{self, Found};
use crate::outlet::dead_letter;
use crate::plans::Plans;
use crate::station::{Station, Work};
use fieldline_log::{Append, AppendNumber, Batch, Consumer, Destination, Error as LogError, Log, Polled, Producer, TopicPartition, crash};
use fieldline_processors_core::partition::{Effects, Input, Position, Record};
use fieldline_schemas::alerts::FlagCode;
use fieldline_schemas::events::Tick;
use fieldline_schemas::results::Stamp;
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{AnyRecord, Codec, Rejection, Timestamp, Topic, put_key, validate};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one turn brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Records(usize),
    Ownership,
    /// Records are there, and wait for a schema that the registry has not told yet; or plans were read.
    Waiting,
    Idle,
}

/// Appends what the processors put out.
pub(crate) struct Output {
    producer: Box<dyn Producer>,
    codec: Codec,
    bytes: Vec<u8>,
    key: Vec<u8>,
    kpis: String,
    recompute: String,
    dead_letters: String,
    alert_events: String,
    activity: String,
    /// Of `alert_events`; flags of technicians go where their log is.
    pub alert_partitions: i32,
    event_time: bool,
}

/// One thread's part of the partitions of a share.
pub struct Worker {
    config: ProcessorConfig,
    share: Share,
    log: Arc<dyn Log>,
    consumer: Box<dyn Consumer>,
    decoder: Codec,
    output: Output,
    pub stations: Vec<Station>,
    effects: Effects,
    found: Found,
    plans: Option<Plans>,
    /// Everything up to this append is acknowledged.
    acknowledged: AppendNumber,
    committed_at: Instant,
}

impl Worker {
    pub fn new(config: ProcessorConfig, share: Share, log: Arc<dyn Log>) -> Result<Self, ProcessorError> {
        let sources: Vec<String> = share.topics().iter().map(|topic| topic.full_name(&config.prefix)).collect();
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let consumer = log.consumer(&config.group(share), &sources);
        let consumer = consumer.map_err(|source| ProcessorError::Group { doing: "joining the group of the processors", source })?;
        let producer = log.producer().map_err(|source| ProcessorError::Group { doing: "opening a producer", source })?;
        let output = Output {
            producer,
            codec: config.schemas.codec(),
            bytes: Vec::new(),
            key: Vec::new(),
            kpis: Topic::Kpis.full_name(&config.prefix),
            recompute: Topic::Recompute.full_name(&config.prefix),
            dead_letters: Topic::DeadLetters.full_name(&config.prefix),
            alert_partitions: if share == Share::Events { alert_partitions(log.as_ref(), &config.prefix)? } else { 0 },
            alert_events: Topic::AlertEvents.full_name(&config.prefix),
            activity: Topic::Activity.full_name(&config.prefix),
            event_time: config.event_time,
        };
        let plans = match share {
            Share::Technicians => Plans::open(&config.prefix, &config.schemas, config.tick_every.is_none(), log.as_ref())?,
            Share::Events => None,
        };
        Ok(Self {
            decoder: config.schemas.codec(),
            plans,
            acknowledged: 0,
            config,
            share,
            log,
            consumer,
            output,
            stations: Vec::new(),
            effects: Effects::default(),
            found: Found::default(),
            committed_at: Instant::now(),
        })
    }

    /// Handles whatever comes next, waiting at most `wait` for it.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, ProcessorError> {
        let polled = self.consumer.poll(wait, self.config.poll_records_max);
        let polled = polled.map_err(|source| ProcessorError::Group { doing: "polling", source })?;
        let turn = match polled {
            Polled::Assigned(partitions) => {
                for at in partitions {
                    let station = Station::open(&self.config, self.share, self.log.as_ref(), self.consumer.as_mut(), at)?;
                    tracing::info!(
                        topic = station.at.topic,
                        partition = station.at.partition,
                        from = station.progress.position,
                        live_from = station.live_from,
                        "partition taken over"
                    );
                    self.config.progress.set(&station.at, station.progress);
                    if let Some(plans) = self.plans.as_mut().filter(|_| station.topic == Topic::Activity) {
                        plans.follow(station.at.partition, &station.note)?;
                    }
                    self.stations.push(station);
                }
                self.stations.sort_by(|a, b| a.at.cmp(&b.at));
                Turn::Ownership
            }
            Polled::Revoked(partitions) => {
                self.give_up(&partitions)?;
                Turn::Ownership
            }
            Polled::Lost(partitions) => {
                // Whoever has them now goes on from the last commit; what was put out beyond it is put out again by them.
                self.forget(&partitions);
                Turn::Ownership
            }
            Polled::Records(batch) => {
                let admitted = self.config.schemas.admits(&batch, self.consumer.as_mut());
                match admitted.map_err(ProcessorError::log("putting back records of", &batch.partition))? {
                    true => {
                        crash::point("processors-polled");
                        self.handle(&batch)?;
                        Turn::Records(batch.len())
                    }
                    false => Turn::Waiting,
                }
            }
            Polled::Idle => Turn::Idle,
        };
        let turn = if self.release_plans()? && turn == Turn::Idle { Turn::Waiting } else { turn };
        self.settle()?;
        if self.committed_at.elapsed() >= self.config.commit_every {
            self.commit()?;
        }
        Ok(turn)
    }

    fn handle(&mut self, batch: &Batch) -> Result<(), ProcessorError> {
        let Self { config, output, stations, effects, found, consumer, decoder, .. } = self;
        let Some(station) = stations.iter_mut().find(|station| station.at == batch.partition) else { return Ok(()) };
        let clock_before = station.clock;
        for record in batch.iter() {
            let decoded = decoder.decode(record.value).map_err(|rejection| ("decode", rejection));
            let checked = decoded.and_then(|any| match validate(station.topic, &any, record.append_time) {
                Ok(()) => Ok(any),
                Err(rejection) => Err(("validate", rejection)),
            });
            let is_live = record.offset >= station.live_from;
            let clock = station.clock.map_or(record.append_time, |clock| clock.max(record.append_time));
            let input = match &checked {
                Ok(any) => Input::read(any, record.append_time, &config.definition),
                Err((stage, rejection)) => {
                    if is_live {
                        let number = output.dead_letter(station, &record, stage, rejection, clock)?;
                        station.ledger.appended(record.offset, number);
                        station.progress.dead_letters += 1;
                    }
                    Input::Nothing
                }
            };
            if let Work::Technicians(partition) = &mut station.work {
                partition.apply(&Record { offset: record.offset, append_time: record.append_time, input }, effects)?;
                if !effects.is_empty() {
                    station.progress.kpis += effects.kpis.len() as u64;
                    station.progress.recompute_requests += effects.recompute.len() as u64;
                    station.progress.flags += effects.flags.len() as u64;
                    let number = output.put(effects, &station.at, &record, clock)?;
                    station.ledger.appended(record.offset, number);
                }
            } else {
                let any = checked.as_ref().ok();
                let taken = events::take(&mut station.work, &record, any, &config.sos, found);
                taken.map_err(|source| ProcessorError::Events { at: station.at.clone(), source })?;
                if !found.is_empty() {
                    station.progress.flags += found.flags() as u64;
                    let number = output.put_found(found, &station.at, &record, any, clock)?;
                    station.ledger.appended(record.offset, number);
                }
            }
            station.clock = Some(clock);
            station.progress.position = record.offset + 1;
        }
        crash::point("processors-handled");
        if station.clock > clock_before {
            station.moved_at = Instant::now();
        }
        station.progress.clock = station.clock;
        station.progress.rebuild = station.progress.rebuild.filter(|(_, to)| station.progress.position < *to);
        match &station.work {
            Work::Technicians(partition) => {
                if let Some(finished) = partition.finished() {
                    station.ledger.finished(finished);
                }
                station.progress.technicians = partition.technicians();
                station.progress.counters = partition.counters();
            }
            Work::Incidents(_) | Work::Queues(_) => {
                if let Some(clock) = station.clock {
                    station.ledger.finished(Position { offset: station.progress.position, clock });
                }
            }
        }
        station.progress.end = consumer.end_heard(&station.at).map_err(ProcessorError::log("asking for the end of", &station.at))?;
        config.progress.set(&station.at, station.progress);
        Ok(())
    }

    /// Appends the plans whose day has come by the clocks of their partitions; whether more of them may wait to be read.
    fn release_plans(&mut self) -> Result<bool, ProcessorError> {
        let Some(plans) = &mut self.plans else { return Ok(false) };
        let has_read = plans.look()?;
        for station in self.stations.iter_mut().filter(|station| station.topic == Topic::Activity) {
            let partition = station.at.partition;
            let Some(clock) = station.clock.filter(|_| station.progress.position >= station.live_from) else { continue };
            for revision in plans.release(partition, clock) {
                let (destination, append_time) = (Destination::Partition(partition), self.output.event_time.then_some(clock));
                let append = Append { destination, key: &revision.key, value: &revision.payload, append_time };
                let appended = self.output.producer.append(&station.at.topic, append);
                station.released = appended.map_err(ProcessorError::log("releasing a plan into", &station.at))?;
            }
            if plans.is_caught_up(partition) && self.acknowledged >= station.released {
                station.note.released_through = Some(clock.0);
            }
        }
        Ok(has_read)
    }

    /// The next instant at which a plan of the partition is to be released.
    pub fn plan_due(&self, station: &Station) -> Option<Timestamp> {
        let plans = self.plans.as_ref().filter(|_| station.topic == Topic::Activity);
        plans.and_then(|plans| plans.next_due(station.at.partition)).filter(|due| station.clock.is_none_or(|clock| *due > clock))
    }

    /// Hands over what is taken, and notes what is acknowledged.
    fn settle(&mut self) -> Result<(), ProcessorError> {
        let acknowledged = self.output.producer.acknowledged();
        let acknowledged = acknowledged.map_err(|source| ProcessorError::Group { doing: "appending results", source })?;
        self.acknowledged = acknowledged;
        self.stations.iter_mut().for_each(|station| station.ledger.acknowledged(acknowledged));
        Ok(())
    }

    /// Waits until everything put out is acknowledged.
    pub fn flush(&mut self) -> Result<(), ProcessorError> {
        let flushed = self.output.producer.flush(self.config.flush_wait);
        flushed.map_err(|source| ProcessorError::Group { doing: "waiting for the acknowledgement of results", source })?;
        self.settle()
    }

    /// Commits what may be committed.
    pub fn commit(&mut self) -> Result<(), ProcessorError> {
        self.committed_at = Instant::now();
        let mut positions = Vec::new();
        for station in &mut self.stations {
            if let Some(committed) = station.take_commit() {
                positions.push((station.at.clone(), committed));
                self.config.progress.set(&station.at, station.progress);
            }
        }
        if positions.is_empty() {
            return Ok(());
        }
        crash::point("processors-acknowledged");
        match self.consumer.commit(&positions) {
            // The next poll tells which partitions are lost; their stations go then.
            Ok(()) | Err(LogError::OwnershipLost { .. }) => Ok(()),
            Err(source) => Err(ProcessorError::Group { doing: "committing offsets of the processors", source }),
        }
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<(), ProcessorError> {
        self.flush()?;
        self.commit()?;
        self.forget(partitions);
        Ok(())
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        let gone = self.stations.extract_if(.., |station| partitions.contains(&station.at));
        for station in gone.filter(|station| station.topic == Topic::Activity) {
            if let Some(plans) = &mut self.plans {
                plans.forget(station.at.partition);
            }
        }
        partitions.iter().for_each(|at| self.config.progress.remove(at));
    }

    /// Appends a tick to a partition.
    pub fn tick(&mut self, at: &TopicPartition, tick: Tick, append_time: Option<Timestamp>) -> Result<AppendNumber, ProcessorError> {
        let output = &mut self.output;
        output.bytes.clear();
        output.codec.encode(&AnyRecord::Tick(tick), &mut output.bytes);
        let append = Append { destination: Destination::Partition(at.partition), key: b"", value: &output.bytes, append_time };
        output.producer.append(&at.topic, append).map_err(ProcessorError::log("appending a tick to", at))
    }
}

impl Output {
    /// Appends everything that a record caused; the number of the last append.
    fn put(
        &mut self,
        effects: &mut Effects,
        at: &TopicPartition,
        source: &fieldline_log::Record<'_>,
        clock: Timestamp,
    ) -> Result<AppendNumber, ProcessorError> {
        let mut number = 0;
        for flag in effects.flags.drain(..) {
            // The technician's alerts have the partition that the technician has. An emergency goes out at once.
            let waits = flag.caused_by.is_some() && flag.flag != FlagCode::S1;
            let due = out_at(flag.as_of, waits).min(clock);
            number = self.append_to(Topic::AlertEvents, Destination::Partition(at.partition), &AnyRecord::Flag(flag), due)?;
        }
        for kpi in effects.kpis.drain(..) {
            let Stamp { as_of, caused_by, .. } = kpi.stamp;
            let due = out_at(as_of, caused_by.is_some()).min(clock);
            number = self.append(Topic::Kpis, &AnyRecord::Kpi(kpi), due)?;
        }
        for request in effects.recompute.drain(..) {
            number = self.append(Topic::Recompute, &AnyRecord::RecomputeRequest(request), clock)?;
        }
        for misplaced in effects.misplaced.drain(..) {
            let append_time = self.event_time.then_some(source.append_time);
            let destination = Destination::Partition(misplaced.partition);
            let append = Append { destination, key: source.key, value: source.value, append_time };
            number = self.producer.append(&at.topic, append).map_err(ProcessorError::log("moving a record that lay in", at))?;
        }
        Ok(number)
    }

    fn dead_letter(
        &mut self,
        station: &Station,
        record: &fieldline_log::Record<'_>,
        stage: &str,
        rejection: &Rejection,
        clock: Timestamp,
    ) -> Result<AppendNumber, ProcessorError> {
        let letter = AnyRecord::DeadLetter(dead_letter(station.topic, station.at.partition, record, stage, rejection));
        self.append(Topic::DeadLetters, &letter, clock)
    }

    fn append(&mut self, topic: Topic, record: &AnyRecord<'_>, clock: Timestamp) -> Result<AppendNumber, ProcessorError> {
        self.append_to(topic, Destination::ByKey, record, clock)
    }

    pub fn append_to(
        &mut self,
        topic: Topic,
        destination: Destination,
        record: &AnyRecord<'_>,
        clock: Timestamp,
    ) -> Result<AppendNumber, ProcessorError> {
        self.bytes.clear();
        self.codec.encode(record, &mut self.bytes);
        self.key.clear();
        put_key(record, &mut self.key);
        let append_time = self.event_time.then_some(clock);
        let append = Append { destination, key: &self.key, value: &self.bytes, append_time };
        let name = match topic {
            Topic::Kpis => &self.kpis,
            Topic::Recompute => &self.recompute,
            Topic::AlertEvents => &self.alert_events,
            Topic::Activity => &self.activity,
            _ => &self.dead_letters,
        };
        self.producer.append(name, append).map_err(|source| ProcessorError::Group { doing: "appending a result", source })
    }
}

fn alert_partitions(log: &dyn Log, prefix: &str) -> Result<i32, ProcessorError> {
    let topic = Topic::AlertEvents.full_name(prefix);
    let described =
        log.describe_topic(&topic).map_err(|source| ProcessorError::Group { doing: "describing the topic of flags", source })?;
    described.map(|described| described.partitions).ok_or(ProcessorError::UnknownTopic { topic })
}

/// Where events move the time, an output appears when a clock that never stood still would have brought it out: at once, or
/// where it `waits` for the second to be over, then.
pub(crate) fn out_at(as_of: Timestamp, waits: bool) -> Timestamp {
    if waits { Timestamp((as_of.second() + 1) * SECOND_US) } else { as_of }
}

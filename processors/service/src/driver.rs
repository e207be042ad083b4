//! One thread that moves the log's time itself: history as if it were live, a working day in a minute.
//!
//! On a log whose append time is event time nothing happens by itself. The driver brings all partitions to the next
//! instant at which a timer is due, by a tick there; whoever appends records for an instant advances to it first. So two
//! runs over the same records give the same bytes.
//!
//! Where nobody looks at when a row went out, only at what it says, records may be appended many at a time, in order of
//! time, with one [`Driver::drain`] after them: timers fire between them all the same, and each row says as of when it is
//! true.

use crate::config::{ProcessorConfig, Share};
use crate::error::ProcessorError;
use crate::events;
use crate::lane::{self, LaneMember};
use crate::lifecycle::{self, LifecycleMember};
use crate::member::StageConfig;
use crate::station::Station;
use crate::worker::{Turn, Worker};
use fieldline_log::{Log, TopicPartition};
use fieldline_processors_core::lifecycle::Settings;
use fieldline_schemas::events::Tick;
use fieldline_schemas::{Timestamp, Topic};
use std::sync::Arc;
use std::time::Duration;

/// A poll that brings nothing this often in a row means that there is nothing.
const IDLE_TURNS: usize = 3;

/// The processors of all partitions, in the caller's thread, and the stages of alerts where they are wanted.
pub struct Driver {
    /// Of technicians.
    worker: Worker,
    events: Worker,
    alerts: Option<Alerts>,
}

/// From emergencies and flags to alerts.
struct Alerts {
    lane: LaneMember,
    lifecycle: LifecycleMember,
}

impl Driver {
    /// Takes over every partition and reads what is there.
    pub fn new(config: ProcessorConfig, log: Arc<dyn Log>) -> Result<Self, ProcessorError> {
        let config = ProcessorConfig { event_time: true, tick_every: None, ..config };
        Self::take_over(config, None, log)
    }

    fn take_over(config: ProcessorConfig, alerts: Option<Alerts>, log: Arc<dyn Log>) -> Result<Self, ProcessorError> {
        let worker = Worker::new(config.clone(), Share::Technicians, Arc::clone(&log))?;
        let mut driver = Self { worker, events: Worker::new(config, Share::Events, log)?, alerts };
        driver.drain()?;
        Ok(driver)
    }

    /// The same with the emergency lane and the life of alerts: each instant brings first what it changes of technicians, then
    /// emergencies, then alerts, and every alert goes out at the instant of its step.
    pub fn with_alerts(config: ProcessorConfig, settings: Settings, log: Arc<dyn Log>) -> Result<Self, ProcessorError> {
        let stage = StageConfig {
            event_time: true,
            tick_every: None,
            flush_wait: config.flush_wait,
            schemas: config.schemas.clone(),
            ..StageConfig::new(&config.prefix)
        };
        let alerts =
            Alerts { lane: lane::join(&stage, Arc::clone(&log))?, lifecycle: lifecycle::join(settings, &stage, Arc::clone(&log))? };
        let config = ProcessorConfig { event_time: true, tick_every: None, ..config };
        Self::take_over(config, Some(alerts), log)
    }

    /// Processes what was appended, and what follows from it; the number of records. Results are durable afterwards.
    pub fn drain(&mut self) -> Result<usize, ProcessorError> {
        let (mut records, mut idle) = (0, 0);
        while idle < IDLE_TURNS {
            let mut turns = vec![self.worker.turn(Duration::ZERO)?, self.events.turn(Duration::ZERO)?];
            if let Some(Alerts { lane, lifecycle }) = &mut self.alerts {
                turns.extend([lane.turn(Duration::ZERO)?, lifecycle.turn(Duration::ZERO)?]);
            }
            idle = if turns.iter().all(|turn| *turn == Turn::Idle) { idle + 1 } else { 0 };
            records += turns.iter().map(|turn| if let Turn::Records(count) = turn { *count } else { 0 }).sum::<usize>();
        }
        self.flush()?;
        Ok(records)
    }

    fn flush(&mut self) -> Result<(), ProcessorError> {
        self.worker.flush()?;
        self.events.flush()?;
        if let Some(Alerts { lane, lifecycle }) = &mut self.alerts {
            lane.flush()?;
            lifecycle.flush()?;
        }
        Ok(())
    }

    /// The next instant at which time alone changes something: a timer is due, or a second with records is over.
    pub fn next_due(&self) -> Option<Timestamp> {
        let alerts = self.alerts.as_ref().and_then(|alerts| alerts.lifecycle.next_due());
        self.stations().filter_map(|station| self.due(station)).chain(alerts).min()
    }

    /// Processes what was appended, then advances to the next such instant if it is at or before `until`. `None`: there is
    /// none.
    pub fn step(&mut self, until: Timestamp) -> Result<Option<Timestamp>, ProcessorError> {
        self.drain()?;
        let Some(due) = self.next_due().filter(|due| *due <= until) else { return Ok(None) };
        if let Some(alerts) = &mut self.alerts {
            alerts.lifecycle.tick_due(due)?;
        }
        let stations = self.partitions_where(|station| self.due(station) == Some(due));
        self.tick(due, stations)?;
        Ok(Some(due))
    }

    /// Lets every timer up to `instant` fire, and brings the clock of every partition there, so that each second before
    /// it is finished and put out.
    pub fn advance_to(&mut self, instant: Timestamp) -> Result<(), ProcessorError> {
        while self.step(instant)?.is_some() {}
        let is_behind = |station: &Station| station.clock.is_none_or(|clock| clock < instant);
        let behind = self.partitions_where(|station| station.topic == Topic::Activity && is_behind(station));
        self.tick(instant, behind)
    }

    /// Commits what is finished.
    pub fn commit(&mut self) -> Result<(), ProcessorError> {
        self.flush()?;
        if let Some(Alerts { lane, lifecycle }) = &mut self.alerts {
            lane.commit()?;
            lifecycle.commit()?;
        }
        self.events.commit()?;
        self.worker.commit()
    }

    fn stations(&self) -> impl Iterator<Item = &Station> {
        self.worker.stations.iter().chain(&self.events.stations)
    }

    fn due(&self, station: &Station) -> Option<Timestamp> {
        [events::next_due(&station.work), self.worker.plan_due(station)].into_iter().flatten().min()
    }

    /// Partitions with their clocks.
    fn partitions_where(&self, is_due: impl Fn(&Station) -> bool) -> Vec<(TopicPartition, Option<Timestamp>)> {
        let due = self.stations().filter(|station| is_due(station));
        due.map(|station| (station.at.clone(), station.clock)).collect()
    }

    fn tick(&mut self, instant: Timestamp, partitions: Vec<(TopicPartition, Option<Timestamp>)>) -> Result<(), ProcessorError> {
        for (at, since) in partitions {
            self.worker.tick(&at, Tick { since }, Some(instant))?;
        }
        self.worker.flush()?;
        self.drain()?;
        Ok(())
    }
}

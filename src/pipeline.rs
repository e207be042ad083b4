//! The stages that this process runs, each a thread: all of them on the embedded log, any of them on Kafka.
//!
//! ```text
//! publishers ─► log ─► processors ─► kpis, dead_letters ─► results sink ─► ClickHouse
//!                │         └──► recompute ─► history ──┘        ▲              │
//!                └──────────────► raw sink ─────────────────────┘◄─ log tables ┘
//!
//! emergency ─► lane ──────► alert_events ─► lifecycle ─► alerts
//! flags of the processors ──┘                   └─► activity (clearances)
//! alerts ─► delivery ─► receivers
//! watch ─► emergency ─► … ─► beats ─► watch
//! ```

mod watched;
mod watching;

use crate::config::Config;
use crate::engine::Database;
use crate::log::{self, Opened, Time};
use anyhow::{Context, Result, anyhow, bail};
use fieldline_log::{Append, Destination, Log, Producer, Readings, TopicPartition};
use fieldline_processors::{ProcessorConfig, Share, StageConfig, StopToken};
use fieldline_processors_core::definition::Definition;
use fieldline_registry::Registry;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::Tick;
use fieldline_schemas::time::{HOUR_US, MINUTE_US};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use fieldline_sinks::deliver::{self, DeliverConfig, DeliverControl, policy};
use fieldline_sinks::watch::WatchControl;
use fieldline_sinks::{BatchLimits, ClickHouseTarget, SinkConfig, SinkControl, history, raw_sink, results_sink};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a wait looks again: every look at Kafka is a request to a broker.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOK_EVERY_KAFKA: Duration = Duration::from_millis(100);
/// After so long without any progress, and each time again, a wait says who is behind.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Few records pass the stages of alerts, and a wait for them should not be long.
const ALERTS_COMMIT_EVERY: Duration = Duration::from_millis(200);

pub use watched::Watched;

/// One past the last record of each partition.
pub type Ends = BTreeMap<TopicPartition, i64>;

/// What a process does with the log, beside publishing to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Validates events and derives KPIs.
    Processors,
    /// Writes events and results to ClickHouse, computes the past again, and tells receivers of alerts.
    Sinks,
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Processors, Self::Sinks];
}

/// A running pipeline.
pub struct Pipeline {
    pub log: Arc<dyn Log>,
    /// The ids that records are written with, and whom to ask for others.
    pub schemas: Registry,
    /// How far the embedded log's time had come when it was opened.
    pub opened_at: Option<Timestamp>,
    /// Where the sinks write; `None` in a process without them.
    database: Option<Database>,
    pub processors: fieldline_processors::Progress,
    /// How far the stages of alerts are.
    lane: Arc<Readings>,
    lifecycle: Arc<Readings>,
    config: Config,
    stop: StopToken,
    sinks: [Arc<SinkControl>; 2],
    history: Arc<SinkControl>,
    delivery: Arc<DeliverControl>,
    watch: Arc<WatchControl>,
    ended: Arc<AtomicBool>,
    threads: Vec<(&'static str, JoinHandle<Result<()>>)>,
}

impl Pipeline {
    /// Opens the log and the stages that follow from the configuration: all of them on the embedded log, which belongs to
    /// this process; none on Kafka, where `fieldline run` has them.
    pub fn start(config: &Config, time: Time) -> Result<Self> {
        Self::start_roles(config, time, if config.kafka.is_some() { &[] } else { &Role::ALL })
    }

    /// Opens the log, checks the topics, brings the tables up to date, and starts the stages of the roles.
    pub fn start_roles(config: &Config, time: Time, roles: &[Role]) -> Result<Self> {
        let schemas = crate::registry::open(config, !roles.is_empty())?;
        let Opened { log, clock } = log::open(config, time)?;
        let database = if roles.contains(&Role::Sinks) { Some(Database::serve(config)?) } else { None };
        if let Some(database) = &database {
            crate::commands::migrate(&database.target)?;
        }
        let mut pipeline = Self {
            log,
            schemas,
            opened_at: clock,
            database,
            processors: fieldline_processors::Progress::default(),
            lane: Arc::default(),
            lifecycle: Arc::default(),
            config: config.clone(),
            stop: StopToken::default(),
            sinks: [SinkControl::new(), SinkControl::new()],
            history: SinkControl::new(),
            delivery: Arc::default(),
            watch: WatchControl::new(),
            ended: Arc::default(),
            threads: Vec::new(),
        };
        if roles.contains(&Role::Processors) {
            pipeline.start_processors(time)?;
        }
        if let Some(target) = pipeline.database.as_ref().map(|database| database.target.clone()) {
            pipeline.start_sinks(time, &target)?;
        }
        Ok(pipeline)
    }

    /// The ClickHouse that the sinks of this process write to.
    pub fn target(&self) -> Result<&ClickHouseTarget> {
        self.database.as_ref().map(|database| &database.target).context("no sinks run in this process")
    }

    fn start_processors(&mut self, time: Time) -> Result<()> {
        let processors =
            ProcessorConfig { progress: self.processors.clone(), schemas: self.schemas.clone(), ..processors(&self.config, time) };
        let stop = self.stop.clone();
        self.bulk_stage("processors", move |log| Ok(fieldline_processors::run(processors, log, stop)?))?;

        let stage = StageConfig {
            schemas: self.schemas.clone(),
            event_time: time == Time::Events,
            tick_every: (time == Time::Clock).then_some(Duration::from_secs(1)),
            commit_every: ALERTS_COMMIT_EVERY,
            ..StageConfig::new(&self.config.topics_prefix)
        };
        let (lane, stop) = (StageConfig { readings: Arc::clone(&self.lane), ..stage.clone() }, self.stop.clone());
        self.stage("lane", move |log| Ok(fieldline_processors::run_lane(&lane, log, &stop)?))?;
        let (lifecycle, stop) = (StageConfig { readings: Arc::clone(&self.lifecycle), ..stage }, self.stop.clone());
        let settings = self.config.alerts;
        self.stage("lifecycle", move |log| Ok(fieldline_processors::run_lifecycle(settings, &lifecycle, log, &stop)?))
    }

    fn start_sinks(&mut self, time: Time, target: &ClickHouseTarget) -> Result<()> {
        let sink = SinkConfig {
            prefix: self.config.topics_prefix.clone(),
            batch: BatchLimits {
                rows_min: self.config.sinks_batch_rows,
                age_max: Duration::from_millis(self.config.sinks_linger_ms),
                ..BatchLimits::default()
            },
            schemas: self.schemas.clone(),
            ..SinkConfig::default()
        };
        let (config, control, target_of) = (sink.clone(), Arc::clone(&self.sinks[0]), target.clone());
        self.bulk_stage("raw sink", move |log| Ok(raw_sink::run(&config, log, &target_of, control)?))?;
        let (config, control, target_of) = (sink, Arc::clone(&self.sinks[1]), target.clone());
        self.bulk_stage("results sink", move |log| Ok(results_sink::run(&config, log, &target_of, control)?))?;

        let config = history::HistoryConfig {
            schemas: self.schemas.clone(),
            event_time: time == Time::Events,
            ..history::HistoryConfig::new(&self.config.topics_prefix, definition(&self.config))
        };
        let (control, target_of) = (Arc::clone(&self.history), target.clone());
        self.bulk_stage("history worker", move |log| Ok(history::run(&config, log, &target_of, control)?))
    }

    /// Tells receivers of alerts from now on: `run` does. A command that lasts a moment leaves what is owed to the next `run`,
    /// and a replay as if live pages nobody.
    pub fn start_delivery(&mut self) -> Result<()> {
        let give_up_after = Duration::from_secs(self.config.alerts_give_up_hours * 3_600);
        let config = DeliverConfig {
            prefix: self.config.topics_prefix.clone(),
            schemas: self.schemas.clone(),
            receivers: self.config.receivers.receivers.clone(),
            routes: self.config.receivers.routes.clone(),
            policy: policy::Settings { give_up_after, ..policy::Settings::default() },
        };
        self.delivery = DeliverControl::new(&config);
        let control = Arc::clone(&self.delivery);
        self.stage("delivery", move |log| Ok(deliver::run(config, log, control)?))
    }

    /// A stage that works by the million and yields to those of alerts.
    fn bulk_stage(&mut self, name: &'static str, run: impl FnOnce(Arc<dyn Log>) -> Result<()> + Send + 'static) -> Result<()> {
        let nice = self.config.bulk_nice;
        self.stage(name, move |log| {
            crate::bulk::yield_to_alerts(nice);
            run(log)
        })
    }

    fn stage(&mut self, name: &'static str, run: impl FnOnce(Arc<dyn Log>) -> Result<()> + Send + 'static) -> Result<()> {
        let log = Arc::clone(&self.log);
        let thread = std::thread::Builder::new().name(name.replace(' ', "-")).spawn(move || run(log));
        self.threads.push((name, thread.with_context(|| format!("starting the {name}"))?));
        Ok(())
    }

    /// What can be watched of it.
    pub fn watched(&self) -> Watched {
        let sinks = [("raw-sink", &self.sinks[0]), ("results-sink", &self.sinks[1]), ("history", &self.history)].into_iter();
        Watched {
            processors: self.processors.clone(),
            has_processors: self.threads.iter().any(|(name, _)| *name == "processors"),
            alerts: [("lane", Arc::clone(&self.lane)), ("lifecycle", Arc::clone(&self.lifecycle))],
            sinks: sinks.filter(|_| self.database.is_some()).map(|(name, control)| (name, Arc::clone(control))).collect(),
            delivery: Arc::clone(&self.delivery),
            watch: Arc::clone(&self.watch),
            engine_restarts: self.database.as_ref().and_then(Database::engine_restarts),
            schemas: self.schemas.clone(),
            activity: Topic::Activity.full_name(&self.config.topics_prefix),
            since: Instant::now(),
            ended: Arc::clone(&self.ended),
        }
    }

    /// Fails with the reason of a stage that has ended. One that fails stops the others, and may take longer than they do: its
    /// word is waited for.
    pub fn check(&mut self) -> Result<()> {
        let Some(ended) = self.threads.iter().position(|(_, thread)| thread.is_finished()) else { return Ok(()) };
        self.ended.store(true, Ordering::Relaxed);
        let (name, thread) = self.threads.swap_remove(ended);
        match thread.join() {
            Ok(Ok(())) if self.stop.is_stopped() && !self.threads.is_empty() => Ok(()),
            Ok(Ok(())) => bail!("the {name} ended although nobody asked it to"),
            Ok(Err(error)) => Err(error.context(format!("the {name} stopped"))),
            Err(_) => bail!("the {name} panicked; the message is above"),
        }
    }

    /// One past the last record of every partition of events, once the technicians' logs hold what operational events say of them.
    pub fn event_ends(&mut self) -> Result<Ends> {
        let operations = self.ends(&[Topic::Operations])?;
        self.wait_for(Share::Events.group(), &operations)?;
        self.ends(&[Topic::Activity, Topic::Calls, Topic::Operations])
    }

    /// Returns when every row that follows from the events before `events` can be queried. The processors finish a second
    /// when the log's clock enters the next one, so somebody must move it on.
    pub fn drain(&mut self, events: &Ends) -> Result<()> {
        let outcome = self.drain_stages(events);
        self.sinks.iter().for_each(|sink| sink.hurry(false));
        outcome
    }

    /// A sink is hurried only once its topics are complete: before that it would insert crumbs.
    fn drain_stages(&mut self, events: &Ends) -> Result<()> {
        let [raw, results] = self.sinks.clone();
        raw.hurry(true);
        for share in Share::ALL {
            let topics: Vec<String> = share.topics().iter().map(|topic| topic.full_name(&self.config.topics_prefix)).collect();
            let theirs = events.iter().filter(|(at, _)| topics.contains(&at.topic)).map(|(at, end)| (at.clone(), *end)).collect();
            self.wait_for(share.group(), &theirs)?;
        }
        self.wait_for("raw-sink", events)?;
        let people = self.ends(&[Topic::Contacts, Topic::AlertEvents])?;
        self.wait_for("raw-sink", &people)?;
        self.drain_history(&results)
    }

    /// Returns when every row that follows from the requests in `recompute` can be queried.
    pub fn wait_for_history(&mut self) -> Result<()> {
        let results = Arc::clone(&self.sinks[1]);
        let outcome = self.drain_history(&results);
        results.hurry(false);
        outcome
    }

    fn drain_history(&mut self, results: &SinkControl) -> Result<()> {
        results.hurry(true);
        let requests = self.ends(&[Topic::Recompute])?;
        self.wait_for("history", &requests)?;
        let emergencies = self.ends(&[Topic::Emergency])?;
        self.wait_for("lane", &emergencies)?;
        let flags = self.ends(&[Topic::AlertEvents])?;
        self.wait_for("lifecycle", &flags)?;
        let results = self.ends(&[Topic::Kpis, Topic::Alerts, Topic::Deliveries, Topic::DeadLetters])?;
        self.wait_for("results-sink", &results)
    }

    /// The ends of every partition of the topics, where there is anything.
    fn ends(&self, topics: &[Topic]) -> Result<Ends> {
        let mut ends = Ends::new();
        for topic in topics {
            for partition in 0..self.config.topics_partitions {
                let at = TopicPartition { topic: topic.full_name(&self.config.topics_prefix), partition };
                let end = self.log.watermarks(&at)?.end;
                if end > 0 {
                    ends.insert(at, end);
                }
            }
        }
        Ok(ends)
    }

    /// Returns when the log tables hold every record before `ends`.
    pub fn wait_for_records(&mut self, ends: &Ends) -> Result<()> {
        let raw = Arc::clone(&self.sinks[0]);
        raw.hurry(true);
        let outcome = self.wait_for("raw-sink", ends);
        raw.hurry(false);
        outcome
    }

    /// Returns when the group has committed `ends`; on Kafka its members may be anywhere, so who is behind is said aloud.
    fn wait_for(&mut self, group: &str, ends: &Ends) -> Result<()> {
        let group = format!("{}{group}", self.config.topics_prefix);
        let pause = if self.config.kafka.is_some() { LOOK_EVERY_KAFKA } else { LOOK_EVERY };
        for (at, end) in ends {
            let mut seen = None;
            let mut since = Instant::now();
            loop {
                let committed = self.log.committed(&group, at)?.map(|committed| committed.offset);
                if committed.is_some_and(|committed| committed >= *end) {
                    break;
                }
                self.check()?;
                if committed != seen {
                    (seen, since) = (committed, Instant::now());
                }
                if since.elapsed() >= WARN_EVERY && self.threads.is_empty() {
                    since = Instant::now();
                    let TopicPartition { topic, partition } = at;
                    let at = committed.map_or("nothing".to_owned(), |offset| format!("offset {offset}"));
                    remark!(
                        "waiting: group {group} has committed {at} of {end} in {topic} partition {partition} and does not move; \
                         is `fieldline run` running?"
                    );
                }
                std::thread::sleep(pause);
            }
        }
        Ok(())
    }

    /// Appends a tick to every partition of events and of `alert_events`: the time from `since` to `at` held nothing.
    pub fn tick(&self, producer: &mut dyn Producer, since: Option<Timestamp>, at: Timestamp) -> Result<()> {
        let mut payload = Vec::new();
        self.schemas.codec().encode(&AnyRecord::Tick(Tick { since }), &mut payload);
        for topic in [Topic::Activity, Topic::Calls, Topic::Operations, Topic::AlertEvents] {
            let topic = topic.full_name(&self.config.topics_prefix);
            for partition in 0..self.config.topics_partitions {
                let destination = Destination::Partition(partition);
                producer.append(&topic, Append { destination, key: b"", value: &payload, append_time: Some(at) })?;
            }
        }
        Ok(())
    }

    /// Lets every stage finish what it has in hand, then stops the engine.
    pub fn stop(mut self) -> Result<()> {
        self.stop.stop();
        self.delivery.stop();
        self.watch.stop();
        self.sinks.iter().chain([&self.history]).for_each(|control| control.stop());
        let mut outcome = Ok(());
        for (name, thread) in self.threads.drain(..) {
            let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("it panicked; the message is above")));
            outcome = outcome.and(ended.with_context(|| format!("the {name} stopped")));
        }
        outcome
    }
}

/// The processors as they are configured.
pub fn processors(config: &Config, time: Time) -> ProcessorConfig {
    ProcessorConfig {
        workers: config.processors_threads,
        event_time: time == Time::Events,
        tick_every: (time == Time::Clock).then_some(Duration::from_secs(1)),
        flags: config.flags,
        sos: config.sos.clone(),
        ..ProcessorConfig::new(&config.topics_prefix, definition(config))
    }
}

/// The formulas with the configured settings.
pub fn definition(config: &Config) -> Definition {
    Definition {
        number: config.definition_number,
        finality_us: config.definition_finality_hours * HOUR_US,
        geofence_radius_meters: config.definition_geofence_radius_meters as f64,
        accuracy_max_meters: config.definition_accuracy_max_meters,
        missing_end_after_plan_us: config.definition_missing_end_minutes * MINUTE_US,
        ..Definition::default()
    }
}

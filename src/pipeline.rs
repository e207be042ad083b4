//! The whole pipeline in one process: the embedded log, the processors, both sinks and the history worker, each a thread.
//!
//! ```text
//! publishers ─► log ─► processors ─► kpis, dead_letters ─► results sink ─► ClickHouse
//!                │         └──► recompute ─► history ──┘        ▲              │
//!                └──────────────► raw sink ─────────────────────┘◄─ log tables ┘
//! ```

use crate::config::Config;
use crate::engine::Database;
use anyhow::{Context, Result, anyhow, bail};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions, Sync};
use fieldline_log::{Append, Destination, Log, Producer, TopicPartition, TopicSpec};
use fieldline_processors::{ProcessorConfig, StopToken};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::Tick;
use fieldline_schemas::time::HOUR_US;
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks::{BatchLimits, ClickHouseTarget, SinkConfig, SinkControl, history, raw_sink, results_sink};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A group is fsynced this often at most, where appends wait for the disk.
const FSYNC_EVERY: Duration = Duration::from_millis(5);

/// One past the last record of each partition.
pub type Ends = BTreeMap<TopicPartition, i64>;

/// Who moves the log's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The machine's clock; silent partitions get a tick each second.
    Clock,
    /// Whoever appends: event time stands for append time.
    Events,
}

/// A running pipeline.
pub struct Pipeline {
    pub log: Arc<EmbeddedLog>,
    pub database: Database,
    pub processors: fieldline_processors::Progress,
    config: Config,
    stop: StopToken,
    sinks: [Arc<SinkControl>; 2],
    history: Arc<SinkControl>,
    threads: Vec<(&'static str, JoinHandle<Result<()>>)>,
}

impl Pipeline {
    /// Takes the data folder, starts the engine, brings tables and topics up to date, and starts every stage.
    pub fn start(config: &Config, time: Time) -> Result<Self> {
        let log = open_log(config, time)?;
        let database = Database::start(config)?;
        crate::commands::migrate(&database.target)?;
        for topic in Topic::ALL {
            let retention = topic.card().retention_us.map(|us| Duration::from_micros(us.unsigned_abs()));
            let name = topic.full_name(&config.topics_prefix);
            log.ensure_topic(&TopicSpec { name, partitions: config.topics_partitions, retention })?;
        }
        let mut pipeline = Self {
            log,
            database,
            processors: fieldline_processors::Progress::default(),
            config: config.clone(),
            stop: StopToken::default(),
            sinks: [SinkControl::new(), SinkControl::new()],
            history: SinkControl::new(),
            threads: Vec::new(),
        };
        pipeline.start_stages(time)?;
        Ok(pipeline)
    }

    fn start_stages(&mut self, time: Time) -> Result<()> {
        let processors = ProcessorConfig {
            progress: self.processors.clone(),
            event_time: time == Time::Events,
            tick_every: (time == Time::Clock).then_some(Duration::from_secs(1)),
            ..ProcessorConfig::new(&self.config.topics_prefix, definition(&self.config))
        };
        let stop = self.stop.clone();
        self.stage("processors", move |log, _| Ok(fieldline_processors::run(processors, log, stop)?))?;

        let sink = SinkConfig {
            prefix: self.config.topics_prefix.clone(),
            batch: BatchLimits {
                rows_min: self.config.sinks_batch_rows,
                age_max: Duration::from_millis(self.config.sinks_linger_ms),
                ..BatchLimits::default()
            },
            ..SinkConfig::default()
        };
        let (config, control) = (sink.clone(), Arc::clone(&self.sinks[0]));
        self.stage("raw sink", move |log, target| Ok(raw_sink::run(&config, log, &target, control)?))?;
        let (config, control) = (sink, Arc::clone(&self.sinks[1]));
        self.stage("results sink", move |log, target| Ok(results_sink::run(&config, log, &target, control)?))?;

        let config = history::HistoryConfig {
            event_time: time == Time::Events,
            ..history::HistoryConfig::new(&self.config.topics_prefix, definition(&self.config))
        };
        let control = Arc::clone(&self.history);
        self.stage("history worker", move |log, target| Ok(history::run(&config, log, &target, control)?))
    }

    fn stage(&mut self, name: &'static str, run: impl FnOnce(Arc<dyn Log>, ClickHouseTarget) -> Result<()> + Send + 'static) -> Result<()> {
        let log: Arc<dyn Log> = self.log.clone();
        let target = self.database.target.clone();
        let thread = std::thread::Builder::new().name(name.replace(' ', "-")).spawn(move || run(log, target));
        self.threads.push((name, thread.with_context(|| format!("starting the {name}"))?));
        Ok(())
    }

    /// Fails with the reason of a stage that has ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(ended) = self.threads.iter().position(|(_, thread)| thread.is_finished()) else { return Ok(()) };
        let (name, thread) = self.threads.swap_remove(ended);
        match thread.join() {
            Ok(Ok(())) => bail!("the {name} ended although nobody asked it to"),
            Ok(Err(error)) => Err(error.context(format!("the {name} stopped"))),
            Err(_) => bail!("the {name} panicked; the message is above"),
        }
    }

    /// One past the last record of every partition of events.
    pub fn event_ends(&self) -> Result<Ends> {
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
        self.wait_for("processors", events)?;
        self.wait_for("raw-sink", events)?;
        results.hurry(true);
        let requests = self.ends(&[Topic::Recompute])?;
        self.wait_for("history", &requests)?;
        let results = self.ends(&[Topic::Kpis, Topic::DeadLetters])?;
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

    fn wait_for(&mut self, group: &str, ends: &Ends) -> Result<()> {
        let group = format!("{}{group}", self.config.topics_prefix);
        for (at, end) in ends {
            while self.log.committed(&group, at)?.is_none_or(|committed| committed.offset < *end) {
                self.check()?;
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Appends a tick to every partition of `activity`: the time from `since` to `at` held nothing.
    pub fn tick(&self, producer: &mut dyn Producer, since: Option<Timestamp>, at: Timestamp) -> Result<()> {
        let mut payload = Vec::new();
        Codec::new().encode(&AnyRecord::Tick(Tick { since }), &mut payload);
        let topic = Topic::Activity.full_name(&self.config.topics_prefix);
        for partition in 0..self.config.topics_partitions {
            let destination = Destination::Partition(partition);
            producer.append(&topic, Append { destination, key: b"", value: &payload, append_time: Some(at) })?;
        }
        Ok(())
    }

    /// Lets every stage finish what it has in hand, then stops the engine.
    pub fn stop(mut self) -> Result<()> {
        self.stop.stop();
        self.sinks.iter().chain([&self.history]).for_each(|control| control.stop());
        let mut outcome = Ok(());
        for (name, thread) in self.threads.drain(..) {
            let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("it panicked; the message is above")));
            outcome = outcome.and(ended.with_context(|| format!("the {name} stopped")));
        }
        outcome
    }
}

/// The formulas with the configured settings.
pub fn definition(config: &Config) -> Definition {
    Definition { finality_us: config.definition_finality_hours * HOUR_US, ..Definition::default() }
}

/// The embedded log of the data folder, held by this process from now on.
pub fn open_log(config: &Config, time: Time) -> Result<Arc<EmbeddedLog>> {
    let folder = config.data_dir.join("log");
    std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let options = EmbeddedOptions {
        sync: if config.log_store_fsync { Sync::Group(FSYNC_EVERY) } else { Sync::None },
        event_time: time == Time::Events,
        keep_all: time == Time::Events,
        ..EmbeddedOptions::default()
    };
    Ok(EmbeddedLog::open(&folder, options)?)
}

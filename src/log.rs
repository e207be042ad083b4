//! Which log: Apache Kafka where brokers are configured, else the embedded one in the data folder.

use crate::config::{Config, KafkaSettings};
use anyhow::{Context, Result, ensure};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions, Sync};
use fieldline_log::{Log, TopicSpec};
use fieldline_schemas::topics::Topic;
use std::sync::Arc;
use std::time::Duration;

/// A group is fsynced this often at most, where appends wait for the disk.
const FSYNC_EVERY: Duration = Duration::from_millis(5);

/// Who moves the log's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The clock of the log; silent partitions get a tick each second.
    Clock,
    /// Whoever appends: event time stands for append time.
    Events,
}

/// Opens the log with all its topics. The embedded one is held by this process from now on, and its topics are made where
/// they are absent; those of Kafka must be there, as `fieldline topics create` makes them.
pub fn open(config: &Config, time: Time) -> Result<Arc<dyn Log>> {
    match &config.kafka {
        Some(kafka) => {
            ensure!(
                time == Time::Clock,
                "kafka.brokers is set, and there the brokers' clock is the time of the log: replay files as if live \
                 (import --as-live, demo) on an embedded log, without kafka.brokers and in a data folder of its own"
            );
            open_kafka(kafka)
        }
        None => {
            let log = open_embedded(config, time)?;
            for spec in topics(config) {
                log.ensure_topic(&spec)?;
            }
            Ok(log)
        }
    }
}

/// Every topic as its card says.
pub fn topics(config: &Config) -> impl Iterator<Item = TopicSpec> {
    Topic::ALL.iter().map(|topic| {
        let retention = topic.card().retention_us.map(|us| Duration::from_micros(us.unsigned_abs()));
        TopicSpec { name: topic.full_name(&config.topics_prefix), partitions: config.topics_partitions, retention }
    })
}

fn open_kafka(_kafka: &KafkaSettings) -> Result<Arc<dyn Log>> {
    anyhow::bail!("no Kafka client yet")
}

fn open_embedded(config: &Config, time: Time) -> Result<Arc<EmbeddedLog>> {
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

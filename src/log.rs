//! Which log: Apache Kafka where brokers are configured, else the embedded one in the data folder.

use crate::config::{Config, KafkaSettings, SaslMechanism};
use anyhow::{Context, Result, bail, ensure};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions, Sync};
use fieldline_log::kafka::{KafkaConfig, KafkaLog, Mechanism, Sasl, Secret, Timeouts, Tls};
use fieldline_log::{Log, TopicSpec};
use fieldline_schemas::Timestamp;
use fieldline_schemas::time::MINUTE_US;
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

/// An opened log.
pub struct Opened {
    pub log: Arc<dyn Log>,
    /// How far its time had come when it was opened; of the embedded log only.
    pub clock: Option<Timestamp>,
}

/// How far a log may be ahead of this machine's clock when it is opened to go on by it: it waits so long at most.
const AHEAD_US_MAX: i64 = MINUTE_US;

/// The time of a log never goes back, and nothing is finished before it goes on.
fn ensure_past(clock: Option<Timestamp>, config: &Config) -> Result<()> {
    let now = Timestamp(chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp_micros());
    let folder = config.data_dir.display();
    if let Some(clock) = clock.filter(|clock| clock.since(now) > AHEAD_US_MAX) {
        bail!(
            "the log in {folder} has come to {clock}, and this machine's clock says {now}: records were replayed there as if live (demo, \
             import --as-live), or the clock was set back. Its time does not go back, so nothing would be computed before then; \
             use another --data-dir, or go on with import --as-live"
        );
    }
    Ok(())
}

/// Opens the log with all its topics. The embedded one is held by this process from now on, and its topics are made where
/// they are absent; those of Kafka must be there, as `fieldline topics create` makes them.
pub fn open(config: &Config, time: Time) -> Result<Opened> {
    match &config.kafka {
        Some(kafka) => {
            ensure!(
                time == Time::Clock,
                "kafka.brokers is set, and there the brokers' clock is the time of the log: replay files as if live \
                 (import --as-live, demo) on an embedded log, without kafka.brokers and in a data folder of its own"
            );
            Ok(Opened { log: open_kafka(config, kafka)?, clock: None })
        }
        None => {
            let log = open_embedded(config, time)?;
            let clock = log.clock();
            if time == Time::Clock {
                ensure_past(clock, config)?;
            }
            for spec in topics(config) {
                log.ensure_topic(&spec)?;
            }
            Ok(Opened { log, clock })
        }
    }
}

/// Every topic as its card says.
pub fn topics(config: &Config) -> impl Iterator<Item = TopicSpec> {
    Topic::ALL.iter().map(|topic| {
        let retention = topic.card().retention_us.map(|us| Duration::from_micros(us.unsigned_abs()));
        TopicSpec {
            name: topic.full_name(&config.topics_prefix),
            partitions: config.topics_partitions,
            retention,
            compacted: topic.card().compacted,
        }
    })
}

/// Connects, and refuses topics that are absent or under which results would be wrong.
fn open_kafka(config: &Config, kafka: &KafkaSettings) -> Result<Arc<dyn Log>> {
    let log = connect(kafka)?;
    let mut problems = Vec::new();
    for spec in topics(config) {
        let differences = log.check_topic(&spec)?;
        problems.extend(differences.iter().filter(|difference| difference.is_wrong).map(ToString::to_string));
    }
    ensure!(
        problems.is_empty(),
        "the topics on {} are not as they must be (`fieldline topics check` says what each means):\n  {}",
        kafka.brokers,
        problems.join("\n  ")
    );
    Ok(log)
}

/// A connection, whatever the topics look like.
pub fn connect(kafka: &KafkaSettings) -> Result<Arc<KafkaLog>> {
    let sasl = kafka.sasl.as_ref().map(|sasl| Sasl {
        mechanism: match sasl.mechanism {
            SaslMechanism::Plain => Mechanism::Plain,
            SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
            SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
        },
        username: sasl.user.clone(),
        password: Secret::new(&*sasl.password.0),
    });
    let tls = kafka.tls.then(|| Tls {
        ca_file: kafka.ca_file.clone(),
        certificate_file: kafka.certificate_file.clone(),
        key_file: kafka.key_file.clone(),
        key_password: kafka.key_password.as_ref().map(|password| Secret::new(&*password.0)),
    });
    let oauth = kafka.oauth.as_ref().map(crate::oauth::tokens).transpose()?;
    let properties = kafka.properties.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
    Ok(KafkaLog::open(KafkaConfig {
        brokers: kafka.brokers.clone(),
        client_id: kafka.client_id.clone(),
        instance_id: kafka.instance_id.clone(),
        replication_factor: kafka.replication_factor,
        tls,
        sasl,
        oauth,
        properties,
        timeouts: Timeouts { session: kafka.session_timeout, ..Timeouts::default() },
        ..KafkaConfig::default()
    })?)
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

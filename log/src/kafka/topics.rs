//! Topics: made with what the log promises, described, and refused where they would break it.

use super::cluster::Cluster;
use super::native::Failure;
use super::native::admin::{NewTopic, TopicMetadata};
use crate::broker::check_topic;
use crate::limits::{BATCH_BYTES_MAX, TOPIC_NAME_BYTES_MAX};
use crate::{Error, Result, TopicDescription, TopicSpec};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a topic that was just made may take until every partition of it is led.
const MADE_WAIT_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

const TIMESTAMPS: &str = "message.timestamp.type";
const CLEANUP: &str = "cleanup.policy";
const RETENTION: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const BYTES_MAX: &str = "max.message.bytes";

/// What the metadata do not say.
struct Details {
    topic_id: [u8; 16],
    settings: BTreeMap<String, String>,
}

impl Cluster {
    fn timestamps(&self) -> &'static str {
        if self.config.event_time { "CreateTime" } else { "LogAppendTime" }
    }

    pub(super) fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        check_topic(spec)?;
        let asked_at = Instant::now();
        loop {
            let missing = match self.topic_metadata(&spec.name)? {
                Some(metadata) if metadata.partitions != spec.partitions => {
                    let (topic, found, wanted) = (spec.name.clone(), metadata.partitions, spec.partitions);
                    return Err(Error::PartitionCount { topic, found, wanted });
                }
                Some(metadata) if metadata.leaderless == 0 => {
                    if let Some(details) = self.topic_details(&spec.name)? {
                        self.check_settings(&spec.name, &details.settings)?;
                        return Ok(describe(&spec.name, metadata, &details));
                    }
                    "it was deleted again".to_owned()
                }
                Some(metadata) => format!("nobody leads {} of its {} partitions", metadata.leaderless, spec.partitions),
                None => {
                    self.make_topic(spec)?;
                    "it was made, but no broker tells of it".to_owned()
                }
            };
            if asked_at.elapsed() >= MADE_WAIT_MAX {
                return Err(self.no_answer(format!("waiting for topic {}", spec.name), asked_at, &missing));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn make_topic(&self, spec: &TopicSpec) -> Result<()> {
        let retention_ms = spec.retention.map_or(-1, |kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        // Named even where they are Kafka's defaults: a cluster may have others.
        let settings = [
            (TIMESTAMPS, self.timestamps().to_owned()),
            (CLEANUP, "delete".to_owned()),
            (RETENTION, retention_ms.to_string()),
            (RETENTION_BYTES, "-1".to_owned()),
            (BYTES_MAX, BATCH_BYTES_MAX.to_string()),
        ];
        let new = NewTopic {
            name: &spec.name,
            partitions: spec.partitions,
            replication_factor: self.config.replication_factor.unwrap_or(-1),
            settings: &settings,
        };
        let doing = || format!("making topic {} with {} partitions", spec.name, spec.partitions);
        self.ask(doing, self.admin.context(), |wait| match self.admin.create_topic(&new, wait) {
            // Somebody else was faster, or an attempt without an answer was done all the same.
            Err(Failure { code: Code::TopicAlreadyExists, .. }) => Ok(()),
            made => made,
        })
    }

    pub(super) fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        let Some(metadata) = self.topic_metadata(topic)? else { return Ok(None) };
        Ok(self.topic_details(topic)?.map(|details| describe(topic, metadata, &details)))
    }

    /// Asks the cluster; what is remembered of the topic follows.
    pub(super) fn topic_metadata(&self, topic: &str) -> Result<Option<TopicMetadata>> {
        // Kafka knows no such names, and would not say so in a way to tell from other mistakes.
        if topic.is_empty() || topic.len() > TOPIC_NAME_BYTES_MAX {
            return Ok(None);
        }
        let doing = || format!("describing topic {topic}");
        let found = self.ask(doing, self.admin.context(), |wait| absent_is_none(self.admin.topic_metadata(topic, wait)))?;
        match &found {
            Some(metadata) => self.remember(topic, metadata.partitions),
            None => self.forget(topic),
        }
        Ok(found)
    }

    fn topic_details(&self, topic: &str) -> Result<Option<Details>> {
        let doing = || format!("asking for the id of topic {topic}");
        let topic_id = self.ask(doing, self.admin.context(), |wait| absent_is_none(self.admin.topic_id(topic, wait)))?;
        let doing = || format!("asking for the settings of topic {topic}");
        let settings = self.ask(doing, self.admin.context(), |wait| absent_is_none(self.admin.topic_settings(topic, wait)))?;
        Ok(topic_id.zip(settings).map(|(topic_id, settings)| Details { topic_id, settings }))
    }

    /// Settings under which results would be wrong or records lost.
    fn check_settings(&self, topic: &str, settings: &BTreeMap<String, String>) -> Result<()> {
        let refuse = |setting, found: &str, wanted: &str| {
            Err(Error::TopicSetting { topic: topic.into(), setting, found: found.into(), wanted: wanted.into() })
        };
        let found = |setting: &str| settings.get(setting).map(String::as_str).unwrap_or_default();
        if found(TIMESTAMPS) != self.timestamps() {
            return refuse(TIMESTAMPS, found(TIMESTAMPS), self.timestamps());
        }
        if found(CLEANUP) != "delete" {
            return refuse(CLEANUP, found(CLEANUP), "delete");
        }
        if found(BYTES_MAX).parse::<usize>().is_ok_and(|max| max < BATCH_BYTES_MAX) {
            return refuse(BYTES_MAX, found(BYTES_MAX), &format!("at least {BATCH_BYTES_MAX}"));
        }
        Ok(())
    }
}

fn absent_is_none<T>(answer: std::result::Result<T, Failure>) -> std::result::Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Failure { code: Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn describe(topic: &str, metadata: TopicMetadata, details: &Details) -> TopicDescription {
    // Below zero: for ever.
    let retention_ms = details.settings.get(RETENTION).and_then(|ms| ms.parse().ok());
    TopicDescription {
        name: topic.to_owned(),
        topic_id: details.topic_id,
        partitions: metadata.partitions,
        retention: retention_ms.map(Duration::from_millis),
    }
}

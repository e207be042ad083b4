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
                        self.check_settings(spec, &details.settings)?;
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
        // Named even where they are Kafka's defaults: a cluster may have others.
        let settings = [
            (TIMESTAMPS, self.timestamps().to_owned()),
            (CLEANUP, cleanup(spec).to_owned()),
            (RETENTION, retention_ms(spec).to_string()),
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

    /// The first difference that is refused.
    fn check_settings(&self, spec: &TopicSpec, settings: &BTreeMap<String, String>) -> Result<()> {
        match self.setting_differences(spec, settings).into_iter().find(|difference| difference.is_wrong) {
            Some(TopicDifference { topic, what, found, wanted, .. }) => {
                Err(Error::TopicSetting { topic: topic.into(), setting: what, found: found.into(), wanted: wanted.into() })
            }
            None => Ok(()),
        }
    }

    fn setting_differences(&self, spec: &TopicSpec, settings: &BTreeMap<String, String>) -> Vec<TopicDifference> {
        let found = |setting: &str| settings.get(setting).cloned().unwrap_or_default();
        let mut differences = Vec::new();
        let mut differs = |what: &'static str, wanted: String, is_wrong: bool, means: &'static str| {
            differences.push(TopicDifference { topic: spec.name.clone(), what, found: found(what), wanted, is_wrong, means });
        };
        if found(TIMESTAMPS) != self.timestamps() {
            let means = "the time of the log would be the senders' clocks: flags and finality would come at the wrong time";
            differs(TIMESTAMPS, self.timestamps().to_owned(), true, means);
        }
        if found(CLEANUP) != cleanup(spec) {
            let means = if spec.compacted {
                "plans would be forgotten before they begin"
            } else {
                "records that something depends on would be deleted"
            };
            differs(CLEANUP, cleanup(spec).to_owned(), true, means);
        }
        if found(BYTES_MAX).parse::<usize>().is_ok_and(|max| max < BATCH_BYTES_MAX) {
            differs(BYTES_MAX, format!("at least {BATCH_BYTES_MAX}"), true, "large records would be refused by the brokers");
        }
        let kept = found(RETENTION).parse::<i64>().unwrap_or(-1);
        // Below zero is for ever, found or wanted.
        if kept >= 0 && (retention_ms(spec) < 0 || kept < retention_ms(spec)) {
            let means =
                "records expire sooner: an outage that lasts longer loses them; below 204 h of activity nobody can take over a partition";
            differs(RETENTION, retention_ms(spec).to_string(), false, means);
        }
        differences
    }

    /// How an existing topic differs from what is wanted; nothing where all is well.
    pub(super) fn topic_differences(&self, spec: &TopicSpec) -> Result<Vec<TopicDifference>> {
        let whole = |what, found: String, wanted: String, means| {
            vec![TopicDifference { topic: spec.name.clone(), what, found, wanted, is_wrong: true, means }]
        };
        let Some(metadata) = self.topic_metadata(&spec.name)? else {
            return Ok(whole(
                "topic",
                "absent".to_owned(),
                "there".to_owned(),
                "nothing can be appended; `fieldline topics create` makes it",
            ));
        };
        let Some(details) = self.topic_details(&spec.name)? else { return self.topic_differences(spec) };
        let mut differences = self.setting_differences(spec, &details.settings);
        if metadata.partitions != spec.partitions {
            let means = "keys would hash to other partitions, and a technician's records lie in two; set topics.partitions to what is there, \
                         or begin with new topics (topics.prefix)";
            differences.extend(whole("partitions", metadata.partitions.to_string(), spec.partitions.to_string(), means));
        }
        Ok(differences)
    }
}

/// How a topic differs from what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDifference {
    pub topic: String,
    /// A setting's name, `topic` or `partitions`.
    pub what: &'static str,
    pub found: String,
    pub wanted: String,
    /// Results would be wrong, or records lost, from the first record on.
    pub is_wrong: bool,
    /// What it would do.
    pub means: &'static str,
}

impl std::fmt::Display for TopicDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { topic, what, found, wanted, means, .. } = self;
        write!(f, "{topic}: {what} is {found}, wanted is {wanted}: {means}")
    }
}

fn cleanup(spec: &TopicSpec) -> &'static str {
    match (spec.compacted, spec.retention) {
        (false, _) => "delete",
        (true, None) => "compact",
        (true, Some(_)) => "compact,delete",
    }
}

fn retention_ms(spec: &TopicSpec) -> i64 {
    spec.retention.map_or(-1, |kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX))
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

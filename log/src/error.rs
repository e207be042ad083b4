//! What a log can answer instead of doing what was asked.

use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

/// What a log can answer instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("topic {0} does not exist")]
    UnknownTopic(String),
    #[error("topic name {0:?} is not of 1 to 249 letters, digits, dots, underscores and hyphens")]
    TopicName(String),
    #[error("topic {topic} has {found} partitions, {wanted} are asked for: a partition count is fixed at creation")]
    PartitionCount { topic: String, found: i32, wanted: i32 },
    #[error("topic {topic} has partitions 0 to {last}, not {partition}", last = partitions - 1)]
    UnknownPartition { topic: String, partition: i32, partitions: i32 },
    #[error("{topic} partition {partition} is not owned by this consumer")]
    NotOwned { topic: String, partition: i32 },
    #[error("{topic} partition {partition} holds offsets {begin} to {end}, not {offset}")]
    OffsetOutOfRange { topic: String, partition: i32, offset: i64, begin: i64, end: i64 },
    #[error("record of {bytes} bytes for {topic} is larger than the limit of {max} bytes")]
    TooLarge { topic: String, bytes: usize, max: usize },
    #[error("the note of {bytes} bytes beside an offset of {topic} partition {partition} is larger than the limit of {max} bytes")]
    NoteTooLarge { topic: String, partition: i32, bytes: usize, max: usize },
    #[error("a record for {0} names its append time, but the log was not opened for event time")]
    EventTime(String),
    #[error("{path} is in use by {holder}")]
    InUse { path: PathBuf, holder: String },
    #[error("{what} at {path}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{path} is damaged at byte {at}: {what}")]
    Damaged { path: PathBuf, at: u64, what: String },
    #[error("not everything was acknowledged within {0:?}")]
    Deadline(std::time::Duration),
    #[error("group {group} went on without this member: what it held is lost to it, which the next poll tells")]
    OwnershipLost { group: String },
    #[error("appending to {topic} partition {partition} failed for good: {answer}{advice}")]
    AppendFailed { topic: String, partition: i32, answer: Box<str>, advice: &'static str },
    #[error("topic {topic} has {setting}={found}, but {wanted} is needed: change it with kafka-configs, or delete the topic if it is new")]
    TopicSetting { topic: Box<str>, setting: &'static str, found: Box<str>, wanted: Box<str> },
    #[error("Kafka's setting {name}: {reason}")]
    KafkaSetting { name: String, reason: String },
    #[error("{doing}: Kafka answers: {answer}{advice}")]
    Kafka { doing: Box<str>, answer: Box<str>, advice: &'static str },
    #[error("no token to show to Kafka: {reason}{advice}")]
    NoToken { reason: Box<str>, advice: &'static str },
    #[error("{doing}: no lasting answer within {waited:?} from {reason}")]
    Unreachable { doing: Box<str>, waited: std::time::Duration, reason: Box<str> },
    #[error("{0}")]
    Other(String),
}

impl Error {
    pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

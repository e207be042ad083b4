use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

/// What a log can answer instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("topic {0} does not exist")]
    UnknownTopic(String),
    #[error("topic {topic} has {found} partitions, {wanted} are asked for: a partition count is fixed at creation")]
    PartitionCount { topic: String, found: i32, wanted: i32 },
    #[error("{topic} partition {partition} is not owned by this consumer")]
    NotOwned { topic: String, partition: i32 },
    #[error("record of {bytes} bytes for {topic} is larger than the limit of {max} bytes")]
    TooLarge { topic: String, bytes: usize, max: usize },
    #[error("{path} is in use by {holder}")]
    InUse { path: PathBuf, holder: String },
    #[error("{what} at {path}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{path} is damaged at byte {at}: {what}")]
    Damaged { path: PathBuf, at: u64, what: String },
    #[error("not everything was acknowledged within {0:?}")]
    Deadline(std::time::Duration),
    #[error("{0}")]
    Other(String),
}

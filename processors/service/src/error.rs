//! Why the processors stopped.

use fieldline_log::TopicPartition;
use fieldline_processors_core::events::EventsError;
use fieldline_processors_core::lifecycle::LifecycleError;
use fieldline_processors_core::partition::PartitionError;

/// Why the processors stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessorError {
    #[error("{doing} {} partition {}", at.topic, at.partition)]
    Log { doing: &'static str, at: TopicPartition, source: fieldline_log::Error },
    #[error("{doing}")]
    Group { doing: &'static str, source: fieldline_log::Error },
    #[error("appending to {topic}")]
    Append { topic: &'static str, source: fieldline_log::Error },
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    #[error("going on with {} partition {}", at.topic, at.partition)]
    Events { at: TopicPartition, source: EventsError },
    #[error("the note beside the committed offset of {} partition {} can not be read", at.topic, at.partition)]
    Note { at: TopicPartition, source: serde_json::Error },
    #[error(
        "{} partition {} was processed with definition {theirs}, this program has {ours}: what is older must not overrule what is \
         newer. Start the newer program, with the settings definition.* that it had; to go back to an older one on purpose, set \
         definition.number to {} or higher",
        at.topic, at.partition, theirs.saturating_add(1)
    )]
    DefinitionBehind { at: TopicPartition, ours: u16, theirs: u16 },
    #[error(
        "{} partition {} was processed with other settings under the same definition number {number}: settings that change results \
         (definition.*) go with a number of their own. Set definition.number to {} or higher, or take back what was changed",
        at.topic, at.partition, number.saturating_add(1)
    )]
    DefinitionDiffers { at: TopicPartition, number: u16 },
    #[error(
        "topic {topic} was made again since its offsets were committed: results derived from the former one can not be continued; \
         start with another topics.prefix and database, or delete the group's offsets and the result tables"
    )]
    TopicRecreated { topic: String },
    #[error(
        "topic {topic} has {found} partitions, it had {committed} when its offsets were committed: technicians would move without their \
         records; restore the count, or copy the records into topics with another topics.prefix"
    )]
    PartitionsChanged { topic: String, committed: i32, found: i32 },
    #[error(
        "{} partition {} no longer holds the committed offset {committed} (it has {begin} to {end}): records were lost before they were \
         processed; check the retention, and reset the group's offset on purpose if that is accepted",
        at.topic, at.partition
    )]
    CommittedLost { at: TopicPartition, committed: i64, begin: i64, end: i64 },
    #[error(
        "topic {topic} keeps records for {kept_hours} h, and {needed_hours} h of them are needed to rebuild the state after a restart, plus the \
         longest outage to survive: raise its retention"
    )]
    RetentionTooShort { topic: String, kept_hours: u64, needed_hours: u64 },
    #[error("{topic} is no topic of the processors")]
    UnknownTopic { topic: String },
    #[error("starting a worker of the processors")]
    Thread { source: std::io::Error },
    #[error("a worker of the processors panicked")]
    Panicked,
}

impl ProcessorError {
    pub(crate) fn log(doing: &'static str, at: &TopicPartition) -> impl FnOnce(fieldline_log::Error) -> Self {
        let at = at.clone();
        move |source| Self::Log { doing, at, source }
    }
}

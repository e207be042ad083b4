//! Why the history worker ended.

use crate::clickhouse::Answer;
use crate::writer::GivenUp;
use fieldline_log::Error as LogError;

/// Why the history worker ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    #[error("{doing}: {source}")]
    Log { doing: String, source: LogError },
    #[error("opening a connection for history: {0}")]
    Open(Answer),
    #[error("reading the past for a recompute, attempt {attempts}, {reason}: {answer}")]
    Read { attempts: u32, reason: GivenUp, answer: Answer },
    #[error("reading the past for a recompute: {0}")]
    Row(String),
    #[error("a recompute of activity partition {partition} through offset {offset} has no version: a part is beyond its range")]
    Version { partition: i32, offset: i64 },
    #[error("the note beside the committed offset of {topic} partition {partition} can not be read")]
    Note { topic: String, partition: i32, source: serde_json::Error },
    #[error("topic {0} does not exist")]
    NoTopic(String),
    #[error(
        "{topic} partition {partition} was computed with definition {theirs}, this program has {ours}: what is older must not compute the \
         past for what is newer. Start the newer program, with the settings definition.* that it had; to go back to an older one on \
         purpose, set definition.number to {} or higher",
        theirs.saturating_add(1)
    )]
    DefinitionBehind { topic: String, partition: i32, ours: u16, theirs: u16 },
    #[error(
        "{topic} partition {partition} was computed with other settings under the same definition number {number}: set \
         definition.number to {} or higher, or take back what was changed",
        number.saturating_add(1)
    )]
    DefinitionDiffers { topic: String, partition: i32, number: u16 },
}

impl HistoryError {
    pub(super) fn log<D: Into<String>>(doing: impl FnOnce() -> D) -> impl FnOnce(LogError) -> Self {
        move |source| Self::Log { doing: doing().into(), source }
    }
}

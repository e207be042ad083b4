//! One insert until it is acknowledged or must stop. A retry sends the same bytes.

use crate::clickhouse::{Answer, ClickHouseTarget, Connection, Deadlines};
use bytes::Bytes;
use fieldline_log::TopicPartition;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How patient a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterConfig {
    pub deadlines: Deadlines,
    /// From the first attempt of a block until it is given up.
    pub total: Duration,
    /// The pause before the first retry; it doubles up to `pause_max`.
    pub pause_min: Duration,
    pub pause_max: Duration,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self {
            deadlines: Deadlines::default(),
            total: Duration::from_secs(600),
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
        }
    }
}

/// An encoded block and the table it is for.
#[derive(Clone, Debug)]
pub struct Block {
    pub table: &'static str,
    pub rows: usize,
    pub bytes: Bytes,
}

/// The offsets that a block was made from, per partition; the end is exclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin(pub BTreeMap<TopicPartition, Range<i64>>);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (partition, offsets)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} partition {} offsets {} to {}", partition.topic, partition.partition, offsets.start, offsets.end - 1)?;
        }
        Ok(())
    }
}

/// An insert that was given up. Nothing of it may be committed.
#[derive(Debug, thiserror::Error)]
#[error("inserting {rows} rows of {origin} into {table}, attempt {attempts}, {reason}: {answer}")]
pub struct WriteError {
    pub table: &'static str,
    pub rows: usize,
    pub origin: Origin,
    pub attempts: u32,
    pub reason: GivenUp,
    pub answer: Answer,
}

/// Why an insert was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The same request would fail again: somebody must act.
    Permanent,
    /// The total deadline has passed.
    Deadline,
    /// The sink was asked to stop.
    Stopped,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "which no retry can mend",
            Self::Deadline => "given up at the total deadline",
            Self::Stopped => "given up because the sink stops",
        })
    }
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Retry { after: Duration },
    Stop(GivenUp),
}

/// ClickHouse's codes that mean: this request will never succeed as it is.
///
/// Everything else is tried again until the total deadline, also what is not known here: giving up needs a person,
/// waiting needs only time. Too many parts (252), memory (241), timeouts (159, 209), read-only (242), disk full (243)
/// and an unknown outcome (319) pass by themselves or when somebody has acted.
const PERMANENT: &[u32] = &[
    6,   // CANNOT_PARSE_TEXT
    16,  // NO_SUCH_COLUMN_IN_TABLE
    20,  // NUMBER_OF_COLUMNS_DOESNT_MATCH
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    36,  // BAD_ARGUMENTS
    47,  // UNKNOWN_IDENTIFIER
    48,  // NOT_IMPLEMENTED
    50,  // UNKNOWN_TYPE
    53,  // TYPE_MISMATCH
    60,  // UNKNOWN_TABLE
    62,  // SYNTAX_ERROR
    70,  // CANNOT_CONVERT_TYPE
    73,  // UNKNOWN_FORMAT
    81,  // UNKNOWN_DATABASE
    115, // UNKNOWN_SETTING
    117, // INCORRECT_DATA
    192, // UNKNOWN_USER
    193, // WRONG_PASSWORD
    194, // REQUIRED_PASSWORD
    452, // SETTING_CONSTRAINT_VIOLATION
    497, // ACCESS_DENIED
    516, // AUTHENTICATION_FAILED
];

/// What to do about the answer to attempt number `attempt` (from 1), `spent` after the first began.
pub fn decide(answer: &Answer, attempt: u32, spent: Duration, config: &WriterConfig) -> Action {
    let permanent = match answer {
        Answer::Refused { code: Some(code), .. } => PERMANENT.contains(code),
        Answer::Impossible(_) | Answer::Output(_) | Answer::ReaderGone => true,
        _ => false,
    };
    if permanent {
        return Action::Stop(GivenUp::Permanent);
    }
    let after = config.pause_min.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(config.pause_max);
    if spent + after >= config.total { Action::Stop(GivenUp::Deadline) } else { Action::Retry { after } }
}

/// Inserts blocks, one at a time.
pub struct Writer {
    connection: Connection,
    config: WriterConfig,
}

impl Writer {
    pub fn new(target: &ClickHouseTarget, config: WriterConfig) -> Self {
        Self { connection: Connection::new(target, config.deadlines), config }
    }

    /// Inserts a block and waits for the acknowledgement. `retried` hears of each failed attempt that is tried again;
    /// `stopping` is asked between attempts.
    pub async fn insert(&self, block: &Block, origin: &Origin, retried: impl Fn(), stopping: impl Fn() -> bool) -> Result<(), WriteError> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Err(answer) = self.connection.insert_native(block.table, block.bytes.clone()).await else { return Ok(()) };
            let action = if stopping() { Action::Stop(GivenUp::Stopped) } else { decide(&answer, attempts, began.elapsed(), &self.config) };
            match action {
                Action::Stop(reason) => {
                    return Err(WriteError { table: block.table, rows: block.rows, origin: origin.clone(), attempts, reason, answer });
                }
                Action::Retry { after } => {
                    tracing::warn!(table = block.table, rows = block.rows, origin = %origin, attempts, error = %answer, "insert failed, trying again in {after:?}");
                    retried();
                    tokio::time::sleep(after).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_actions() {
        let config = WriterConfig::default();
        let refused = |code| Answer::Refused { code: Some(code), text: String::new() };
        let retry = |ms| Action::Retry { after: Duration::from_millis(ms) };
        let cases = [
            // table missing, database missing, bad credentials, no right, other columns, other types
            (refused(60), 1, 0, Action::Stop(GivenUp::Permanent)),
            (refused(81), 1, 0, Action::Stop(GivenUp::Permanent)),
            (refused(516), 1, 0, Action::Stop(GivenUp::Permanent)),
            (refused(497), 1, 0, Action::Stop(GivenUp::Permanent)),
            (refused(16), 1, 0, Action::Stop(GivenUp::Permanent)),
            (refused(53), 1, 0, Action::Stop(GivenUp::Permanent)),
            (Answer::Impossible(String::new()), 1, 0, Action::Stop(GivenUp::Permanent)),
            // too many parts, memory, read-only, disk full, outcome unknown, a code of tomorrow
            (refused(252), 1, 0, retry(100)),
            (refused(241), 2, 0, retry(200)),
            (refused(242), 3, 0, retry(400)),
            (refused(243), 7, 0, retry(6_400)),
            (refused(319), 8, 0, retry(10_000)),
            (refused(99_999), 4_000_000, 0, retry(10_000)),
            (Answer::Refused { code: None, text: "502 Bad Gateway".into() }, 1, 0, retry(100)),
            (Answer::Unreachable(String::new()), 1, 0, retry(100)),
            (Answer::TimedOut(Duration::from_secs(60)), 1, 60, retry(100)),
            // the total deadline
            (Answer::Unreachable(String::new()), 90, 589, retry(10_000)),
            (Answer::Unreachable(String::new()), 91, 590, Action::Stop(GivenUp::Deadline)),
        ];
        for (answer, attempt, spent_seconds, action) in cases {
            assert_eq!(decide(&answer, attempt, Duration::from_secs(spent_seconds), &config), action, "{answer:?} attempt {attempt}");
        }
    }

    #[test]
    fn an_error_says_what_of_which_offsets() {
        let partition = TopicPartition { topic: "fieldline.activity".into(), partition: 3 };
        let error = WriteError {
            table: "technician_activity_log",
            rows: 20,
            origin: Origin([(partition, 40..60)].into()),
            attempts: 1,
            reason: GivenUp::Permanent,
            answer: Answer::Refused { code: Some(60), text: "Code: 60".into() },
        };
        assert_eq!(
            error.to_string(),
            "inserting 20 rows of fieldline.activity partition 3 offsets 40 to 59 into technician_activity_log, attempt 1, \
             which no retry can mend: ClickHouse answered: Code: 60"
        );
    }
}

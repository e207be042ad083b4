//! Waits until other stages are past a point of the log: their committed offsets tell.

use super::HistoryError;
use crate::sink::SinkControl;
use fieldline_log::{Log, TopicPartition};
use std::time::{Duration, Instant};

/// Pauses between two looks: the first, and the longest, to which they grow.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// After so long, and each time again, a warning says who is behind.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// Somebody asked to stop while we waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Returns when `group` has committed at least `offset` of each partition.
pub fn wait_for(
    log: &dyn Log,
    control: &SinkControl,
    group: &str,
    positions: &[(TopicPartition, i64)],
) -> Result<Result<(), Stopped>, HistoryError> {
    for (at, offset) in positions {
        let mut pause = PAUSE_MIN;
        let mut warned_at = Instant::now();
        loop {
            let doing = || format!("asking how far group {group} is in {} partition {}", at.topic, at.partition);
            let committed = log.committed(group, at).map_err(HistoryError::log(doing))?.map_or(0, |committed| committed.offset);
            if committed >= *offset {
                break;
            }
            if control.is_stopping() {
                return Ok(Err(Stopped));
            }
            if warned_at.elapsed() >= WARN_EVERY {
                warned_at = Instant::now();
                let (topic, partition) = (&at.topic, at.partition);
                tracing::warn!(group, topic, partition, committed, wanted = offset, "history waits for a stage that is behind");
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
    Ok(Ok(()))
}

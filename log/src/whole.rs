//! Reading a topic from its first retained record to its present end, by a group that commits nothing.

use crate::{Batch, Consumer, Log, Polled, Result, TopicPartition};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const POLL_WAIT_MAX: Duration = Duration::from_millis(50);
const POLL_RECORDS_MAX: usize = 10_000;
/// Where offsets were given up, or compacted away, a partition's last record lies before its end: after so long without a
/// record there is nothing more. Longer than any fetch from a broker that answers.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Hands every record that the topic held when this began to `take`, partition by partition in order, and returns how many
/// partitions there are; `None` where there is no such topic. `group` must have no other member: it would get a share.
pub fn read_topic(log: &dyn Log, group: &str, topic: &str, take: &mut dyn FnMut(&Batch)) -> Result<Option<i32>> {
    let Some(description) = log.describe_topic(topic)? else { return Ok(None) };
    let mut ends: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for partition in 0..description.partitions {
        let at = TopicPartition { topic: topic.to_owned(), partition };
        let watermarks = log.watermarks(&at)?;
        if watermarks.end > watermarks.begin {
            ends.insert(at, watermarks.end);
        }
    }
    let mut consumer = log.consumer(group, &[topic])?;
    let mut moved_at: Option<Instant> = None;
    while !ends.is_empty() && moved_at.is_none_or(|at| at.elapsed() < SILENCE_MAX) {
        match consumer.poll(POLL_WAIT_MAX, POLL_RECORDS_MAX)? {
            Polled::Assigned(partitions) => {
                begin(consumer.as_mut(), &partitions)?;
                moved_at = Some(Instant::now());
            }
            Polled::Records(batch) => {
                moved_at = Some(Instant::now());
                take(&batch);
                let is_read = |end: &i64| batch.next_offset().is_some_and(|next| next >= *end);
                if ends.get(&batch.partition).is_some_and(is_read) {
                    ends.remove(&batch.partition);
                }
            }
            Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => {}
        }
    }
    Ok(Some(description.partitions))
}

fn begin(consumer: &mut dyn Consumer, partitions: &[TopicPartition]) -> Result<()> {
    for at in partitions {
        let begin = consumer.watermarks(at)?.begin;
        consumer.seek(at, begin)?;
    }
    Ok(())
}

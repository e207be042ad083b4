//! Where a partition begins and ends, what a group has committed, and which offset belongs to a time.

use super::cluster::Cluster;
use super::native::Failure;
use crate::broker::check_group;
use crate::{Committed, Error, Result, TopicPartition, Watermarks};
use fieldline_schemas::Timestamp;
use rdkafka::types::RDKafkaErrorCode as Code;

impl Cluster {
    pub(super) fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        self.check_partition(at)?;
        let (begin, end) = self.ask_about(at, "asking for the watermarks of", |wait| self.admin.watermarks(at, wait))?;
        Ok(Watermarks { begin, end })
    }

    pub(super) fn committed(&self, group: &str, at: &TopicPartition) -> Result<Option<Committed>> {
        check_group(group)?;
        self.check_partition(at)?;
        let doing = || format!("asking what group {group} has committed for {} partition {}", at.topic, at.partition);
        let outsider = self.outsider(group)?;
        self.ask(doing, outsider.context(), |wait| match outsider.committed(at, wait) {
            // A group that nobody ever joined has committed nothing.
            Err(Failure { code: Code::GroupIdNotFound | Code::UnknownGroup, .. }) => Ok(None),
            answer => answer,
        })
    }

    pub(super) fn offset_for_time(&self, at: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.check_partition(at)?;
        let time_ms = first_ms_at_or_after(time);
        match self.ask_about(at, "looking for a time in", |wait| self.admin.offset_for_time(at, time_ms, wait))? {
            Some(offset) => Ok(offset),
            None => Ok(self.watermarks(at)?.end),
        }
    }

    /// Of a topic that exists, "unknown" passes: not every broker has heard of it yet.
    fn ask_about<T>(
        &self,
        at: &TopicPartition,
        doing: &str,
        mut attempt: impl FnMut(std::time::Duration) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let mut gone = false;
        let answer = self.ask(
            || format!("{doing} {} partition {}", at.topic, at.partition),
            self.admin.context(),
            |wait| match attempt(wait) {
                Err(Failure { code: Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition, text }) => {
                    gone = matches!(self.topic_metadata(&at.topic), Ok(None));
                    let code = if gone { Code::UnknownTopicOrPartition } else { Code::LeaderNotAvailable };
                    Err(Failure { code, text })
                }
                answer => answer,
            },
        );
        if gone { Err(Error::UnknownTopic(at.topic.clone())) } else { answer }
    }
}

/// Kafka keeps milliseconds: a record's time is a whole number of them. Below zero its protocol means something else.
fn first_ms_at_or_after(time: Timestamp) -> i64 {
    let whole = time.0.div_euclid(1000);
    (if time.0.rem_euclid(1000) == 0 { whole } else { whole + 1 }).max(0)
}

/// The broker's milliseconds as the project's microseconds.
pub(super) fn from_ms(ms: i64) -> Timestamp {
    Timestamp(ms.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_between_milliseconds_is_found_by_the_next() {
        for (time_us, expected_ms) in
            [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (-1, 0), (-5_000, 0), (i64::MAX, i64::MAX / 1000 + 1)]
        {
            assert_eq!(first_ms_at_or_after(Timestamp(time_us)), expected_ms, "{time_us} µs");
        }
        assert_eq!(from_ms(1_700_000_000_123), Timestamp(1_700_000_000_123_000));
        assert_eq!(from_ms(i64::MAX), Timestamp(i64::MAX));
    }
}

//! A member of a group that checks at every poll what a consumer may see.

use super::Suite;
use crate::{Committed, Consumer, Log, Polled, TopicPartition};
use fieldline_schemas::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const POLL_WAIT: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) offset: i64,
    pub(super) time: Timestamp,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing is started by itself.
    Never,
    Committed,
}

pub(super) struct Member {
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) owned: BTreeSet<TopicPartition>,
    pub(super) seen: BTreeMap<TopicPartition, Vec<Seen>>,
    /// The next offset that may come, of partitions that were started.
    pub(super) positions: BTreeMap<TopicPartition, i64>,
    /// Whether positions are committed before partitions are given up.
    pub(super) commits: bool,
    pub(super) records_max: usize,
    start: Start,
    revoking: Vec<TopicPartition>,
}

impl Member {
    pub(super) fn join(log: &Arc<dyn Log>, group: &str, topics: &[&str], start: Start) -> Self {
        let consumer = log.consumer(group, topics).unwrap();
        let (owned, seen, positions) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { consumer, owned, seen, positions, commits: false, records_max: 100, start, revoking: Vec::new() }
    }

    /// One poll; what it brought is checked and kept. `false`: nothing came.
    pub(super) fn poll(&mut self) -> bool {
        let polled = self.consumer.poll(POLL_WAIT, self.records_max).unwrap();
        for given_up in self.revoking.drain(..) {
            self.owned.remove(&given_up);
            self.positions.remove(&given_up);
        }
        match polled {
            Polled::Idle => return false,
            Polled::Assigned(partitions) => {
                for partition in partitions {
                    assert!(self.owned.insert(partition.clone()), "{partition:?} was assigned to its owner");
                    if self.start == Start::Committed {
                        let offset = self.consumer.resume_from_committed(&partition).unwrap();
                        self.positions.insert(partition, offset);
                    }
                }
            }
            Polled::Revoked(partitions) => {
                assert!(partitions.iter().all(|p| self.owned.contains(p)), "{partitions:?} revoked, owned are {:?}", self.owned);
                if self.commits {
                    self.commit();
                }
                self.revoking = partitions;
            }
            Polled::Lost(partitions) => panic!("{partitions:?} lost by a member that polled all the time"),
            Polled::Records(batch) => {
                assert!((1..=self.records_max).contains(&batch.len()), "{} records, asked for {}", batch.len(), self.records_max);
                assert!(self.owned.contains(&batch.partition), "records of {:?}, which is not owned", batch.partition);
                let position = self.positions.get_mut(&batch.partition).unwrap();
                for record in batch.iter() {
                    assert!(record.offset >= *position, "offset {} of {:?} after position {position}", record.offset, batch.partition);
                    *position = record.offset + 1;
                    let (key, value) = (record.key.to_vec(), record.value.to_vec());
                    let seen = Seen { offset: record.offset, time: record.append_time, key, value };
                    self.seen.entry(batch.partition.clone()).or_default().push(seen);
                }
                assert_eq!(batch.next_offset(), Some(*position));
            }
        }
        true
    }

    pub(super) fn seek(&mut self, partition: &TopicPartition, offset: i64) {
        self.consumer.seek(partition, offset).unwrap();
        self.positions.insert(partition.clone(), offset);
    }

    /// Commits where every started partition stands.
    pub(super) fn commit(&mut self) {
        let committed = |offset| Committed { offset, metadata: format!("note {offset}") };
        let positions: Vec<_> = self.positions.iter().map(|(p, offset)| (p.clone(), committed(*offset))).collect();
        self.consumer.commit(&positions).unwrap();
    }

    pub(super) fn count(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    pub(super) fn values(&self, partition: &TopicPartition) -> Vec<Vec<u8>> {
        self.seen.get(partition).into_iter().flatten().map(|s| s.value.clone()).collect()
    }

    pub(super) fn poll_until_owning(&mut self, suite: &Suite<'_>, partitions: usize) {
        suite.until("the assignment", || {
            self.poll();
            self.owned.len() == partitions
        });
    }

    pub(super) fn poll_until_seen(&mut self, suite: &Suite<'_>, records: usize) {
        suite.until("the records", || {
            self.poll();
            self.count() >= records
        });
    }

    /// Polls on a while, to see that nothing comes that should not.
    pub(super) fn poll_idle(&mut self) {
        for _ in 0..5 {
            assert!(!self.poll(), "something came where nothing was due: {:?}", self.seen);
        }
    }
}

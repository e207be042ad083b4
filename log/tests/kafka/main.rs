//! The log's promises on real Apache Kafka, and on the client's mock of it where errors have to be made to order.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod conformance;
mod failover;
mod groups;
mod mock;
mod offsets;
mod security;
mod topics;

use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Append, Committed, Consumer, Destination, Log, Polled, TopicPartition, TopicSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take that must happen; nothing waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(120);

fn config(brokers: String) -> KafkaConfig {
    KafkaConfig { brokers, ..KafkaConfig::default() }
}

fn open(config: KafkaConfig) -> Arc<KafkaLog> {
    // What the client says is shown beside the test that fails. Set up once; all others find it there.
    _ = tracing_subscriber::fmt().with_test_writer().try_init();
    KafkaLog::open(config).unwrap()
}

/// A name that no other test uses.
fn name(what: &str) -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

fn position(offset: i64) -> Committed {
    Committed { offset, metadata: format!("note {offset}") }
}

fn make_topic(log: &dyn Log, partitions: i32) -> String {
    let name = name("topic");
    log.ensure_topic(&TopicSpec { name: name.clone(), partitions, retention: None, compacted: false }).unwrap();
    name
}

fn record(partition: i32, value: &[u8]) -> Append<'_> {
    Append { destination: Destination::Partition(partition), key: b"", value, append_time: None }
}

/// These numbers to one partition, acknowledged.
fn append(log: &dyn Log, at: &TopicPartition, numbers: std::ops::Range<u32>) {
    let mut producer = log.producer().unwrap();
    for number in numbers {
        producer.append(&at.topic, record(at.partition, &number.to_be_bytes())).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

fn until(what: &str, mut step: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !step() {
        assert!(Instant::now() < deadline, "did not happen within {DEADLINE:?}: {what}");
    }
}

/// A member that reads numbers, from what its group has committed.
struct Member {
    consumer: Box<dyn Consumer>,
    owned: BTreeSet<TopicPartition>,
    lost: BTreeSet<TopicPartition>,
    seen: BTreeMap<TopicPartition, Vec<u32>>,
    positions: BTreeMap<TopicPartition, i64>,
    revoking: Vec<TopicPartition>,
}

impl Member {
    fn join(log: &dyn Log, group: &str, topic: &str) -> Self {
        let consumer = log.consumer(group, &[topic]).unwrap();
        let (owned, lost, seen, positions) = Default::default();
        Self { consumer, owned, lost, seen, positions, revoking: Vec::new() }
    }

    fn poll(&mut self) {
        let polled = self.consumer.poll(Duration::from_millis(20), 100).unwrap();
        for at in self.revoking.drain(..) {
            self.owned.remove(&at);
            self.positions.remove(&at);
        }
        match polled {
            Polled::Idle => {}
            Polled::Assigned(partitions) => {
                for at in partitions {
                    let start = self.consumer.resume_from_committed(&at).unwrap();
                    self.positions.insert(at.clone(), start);
                    assert!(self.owned.insert(at));
                }
            }
            Polled::Revoked(partitions) => self.revoking = partitions,
            Polled::Lost(partitions) => {
                for at in partitions {
                    assert!(self.owned.remove(&at), "{at:?} was lost by one who did not own it");
                    self.positions.remove(&at);
                    self.lost.insert(at);
                }
            }
            Polled::Records(batch) => {
                let numbers = batch.iter().map(|record| u32::from_be_bytes(record.value.try_into().unwrap()));
                self.seen.entry(batch.partition.clone()).or_default().extend(numbers);
                self.positions.insert(batch.partition.clone(), batch.next_offset().unwrap());
            }
        }
    }

    fn until_owning(&mut self, count: usize) {
        until("the assignment", || {
            self.poll();
            self.owned.len() == count
        });
    }

    fn until_seen(&mut self, at: &TopicPartition, count: usize) {
        until("the records", || {
            self.poll();
            self.seen.get(at).is_some_and(|seen| seen.len() >= count)
        });
    }

    fn commit_at(&mut self, at: &TopicPartition) -> fieldline_log::Result<()> {
        let offset = self.positions[at];
        self.consumer.commit(&[(at.clone(), position(offset))])
    }
}

//! Apache Kafka, or what speaks its protocol, behind the log's traits. Only this folder names rdkafka.
//!
//! ```text
//! config ──► properties ──► producer      appends, the acknowledged frontier (in_flight)
//!                     ├───► consumer      one member of a group (owned: what it holds; trouble: what comes in a record's place)
//!                     └───► cluster       questions: topics, offsets; asks again while an error passes (answers)
//! tokens                                  what OAUTHBEARER shows to brokers, renewed in time
//! native                                  librdkafka's own calls, all that is unsafe
//! ```
//!
//! What is acknowledged has been written by all replicas in sync (`acks=all`, idempotent). Append times are the broker's,
//! in whole milliseconds. Partitions move between members one by one (cooperative rebalancing), and what a member lost
//! because the group missed it is told as lost. Kafka forgets the offsets of a group that was empty for
//! `offsets.retention.minutes`, seven days by default: keep that above the longest outage to survive.

mod answers;
mod cluster;
mod config;
mod consumer;
mod context;
mod in_flight;
mod lists;
mod members;
mod native;
mod offsets;
mod owned;
mod producer;
mod properties;
mod tokens;
mod topics;
mod trouble;

pub use config::{KafkaConfig, Mechanism, Sasl, Secret, Timeouts, Tls};
pub use tokens::{NoToken, OAuth, Token, TokenSource};
pub use topics::TopicDifference;

use crate::{Committed, Consumer, Log, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use cluster::Cluster;
use std::sync::Arc;

/// A cluster. Producers and consumers that it made live on when it is dropped.
pub struct KafkaLog {
    cluster: Arc<Cluster>,
}

impl KafkaLog {
    /// Returns when a broker answered, at the latest after `timeouts.connect`.
    pub fn open(config: KafkaConfig) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { cluster: Arc::new(Cluster::open(config)?) }))
    }

    /// How a topic differs from what is wanted of it; nothing where all is well. Makes and changes nothing.
    pub fn check_topic(&self, spec: &TopicSpec) -> Result<Vec<TopicDifference>> {
        self.cluster.topic_differences(spec)
    }

    /// From now on nothing is asked again: whoever waits for brokers that are gone gets an error at once, as do those who
    /// come later. For stopping when a stop must not wait for Kafka any longer.
    pub fn give_up(&self) {
        self.cluster.give_up();
    }
}

impl Log for KafkaLog {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        self.cluster.ensure_topic(spec)
    }
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.cluster.describe_topic(topic)
    }
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        self.cluster.watermarks(partition)
    }
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.cluster.committed(group, partition)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(Box::new(producer::KafkaProducer::open(Arc::clone(&self.cluster))?))
    }
    fn prompt_producer(&self, topics: &[&str]) -> Result<Box<dyn Producer>> {
        Ok(Box::new(producer::KafkaProducer::prompt(Arc::clone(&self.cluster), topics)?))
    }
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(consumer::KafkaConsumer::join(Arc::clone(&self.cluster), group, topics)?))
    }
}

//! Topics, groups, producers and consumers of one process, over either storage.
//!
//! ```text
//!   Producer ─► batch per partition ─► PartitionStorage::append ─► wakes ─► Consumer ─► PartitionStorage::read
//!   Consumer ─► Group (who owns what)            Consumer::commit ─► Storage::store_commits
//! ```

mod consumer;
mod group;
mod producer;
pub(crate) mod storage;
pub(crate) mod wake;

use crate::limits::{GROUP_NAME_BYTES_MAX, PARTITIONS_MAX, TOPIC_NAME_BYTES_MAX};
use crate::{Committed, Consumer, Error, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use group::{Group, MemberId, Step};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use storage::{PartitionStorage, Storage, Topic};
use wake::{Wake, lock};

/// What no log takes as a topic.
pub(crate) fn check_topic(spec: &TopicSpec) -> Result<()> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let name = spec.name.as_str();
    if !(1..=TOPIC_NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(letter) || name == "." || name == ".." {
        return Err(Error::TopicName(spec.name.clone()));
    }
    if !(1..=PARTITIONS_MAX).contains(&spec.partitions) {
        return Err(Error::Other(format!("topic {name} cannot have {} partitions, only 1 to {PARTITIONS_MAX}", spec.partitions)));
    }
    Ok(())
}

pub(crate) fn check_group(group: &str) -> Result<()> {
    if !(1..=GROUP_NAME_BYTES_MAX).contains(&group.len()) {
        return Err(Error::Other(format!("a group's name has 1 to {GROUP_NAME_BYTES_MAX} bytes, {group:?} has not")));
    }
    Ok(())
}

pub(crate) struct Broker {
    topics: Mutex<BTreeMap<String, Arc<Topic>>>,
    groups: Mutex<BTreeMap<String, Group>>,
    last_member: AtomicU64,
    // Last, so that whatever still refers to partitions goes first and the storage closes behind it.
    storage: Arc<dyn Storage>,
}

impl Broker {
    pub(crate) fn new(storage: Arc<dyn Storage>, topics: Vec<Topic>) -> Arc<Self> {
        let topics = topics.into_iter().map(|t| (t.description.name.clone(), Arc::new(t))).collect();
        Arc::new(Self { topics: Mutex::new(topics), groups: Mutex::default(), last_member: AtomicU64::new(0), storage })
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        lock(&self.topics).get(name).cloned().ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    fn partition(&self, partition: &TopicPartition) -> Result<Arc<dyn PartitionStorage>> {
        let topic = self.topic(&partition.topic)?;
        let found = usize::try_from(partition.partition).ok().and_then(|p| topic.partitions.get(p));
        found.cloned().ok_or_else(|| Error::UnknownPartition {
            topic: partition.topic.clone(),
            partition: partition.partition,
            partitions: topic.description.partitions,
        })
    }

    pub(crate) fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        check_topic(spec)?;
        let name = spec.name.as_str();
        let mut topics = lock(&self.topics);
        if let Some(topic) = topics.get(name) {
            let found = topic.description.partitions;
            if found != spec.partitions {
                return Err(Error::PartitionCount { topic: name.to_owned(), found, wanted: spec.partitions });
            }
            return Ok(topic.description.clone());
        }
        let topic = self.storage.create_topic(spec)?;
        let description = topic.description.clone();
        topics.insert(name.to_owned(), Arc::new(topic));
        Ok(description)
    }

    pub(crate) fn describe_topic(&self, topic: &str) -> Option<TopicDescription> {
        lock(&self.topics).get(topic).map(|t| t.description.clone())
    }

    pub(crate) fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        Ok(self.partition(partition)?.watermarks())
    }

    pub(crate) fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.partition(partition)?;
        Ok(self.storage.committed(group, partition))
    }

    pub(crate) fn producer(self: &Arc<Self>) -> Box<dyn Producer> {
        Box::new(producer::BrokerProducer::new(Arc::clone(self)))
    }

    pub(crate) fn consumer(self: &Arc<Self>, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        check_group(group)?;
        let mut subscribed = Vec::new();
        for name in topics {
            let entry = ((*name).to_owned(), self.topic(name)?.description.partitions);
            if !subscribed.contains(&entry) {
                subscribed.push(entry);
            }
        }
        let id = self.last_member.fetch_add(1, Ordering::Relaxed) + 1;
        let wake = Arc::<Wake>::default();
        lock(&self.groups).entry(group.to_owned()).or_default().join(id, subscribed, Arc::clone(&wake));
        Ok(Box::new(consumer::BrokerConsumer::new(Arc::clone(self), group.to_owned(), id, wake)))
    }

    fn step(&self, group: &str, id: MemberId) -> Option<Step> {
        lock(&self.groups).get_mut(group)?.step(id)
    }

    fn leave(&self, name: &str, id: MemberId) {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get_mut(name) {
            group.leave(id);
            if group.is_empty() {
                groups.remove(name);
            }
        }
    }
}

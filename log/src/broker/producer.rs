//! One batch per partition, filled in memory and handed over when full or asked for.

use super::Broker;
use super::storage::{PartitionStorage, Topic};
use super::wake::Wake;
use crate::frame::PendingBatch;
use crate::limits::{APPEND_WAIT_MAX, BATCH_BYTES_TARGET, IN_FLIGHT_BYTES_MAX, KEY_BYTES_MAX, RECORD_BYTES_MAX};
use crate::{Append, AppendNumber, Destination, Error, Producer, Result, partition_for_key};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was handed over and is not acknowledged yet.
struct Handed {
    first_number: AppendNumber,
    end: i64,
    bytes: usize,
}

struct Lane {
    storage: Arc<dyn PartitionStorage>,
    pending: PendingBatch,
    first_number: AppendNumber,
    handed: VecDeque<Handed>,
}

impl Lane {
    /// Writes what is pending; on an error it stays pending, so that the next call tries again in the same order.
    fn hand_over(&mut self) -> Result<()> {
        if self.pending.count() > 0 {
            let end = self.storage.append(&mut self.pending)?;
            self.handed.push_back(Handed { first_number: self.first_number, end, bytes: self.pending.bytes_len() });
            self.pending.clear();
        }
        Ok(())
    }

    /// Lets go of what is acknowledged and tells its size.
    fn settle(&mut self) -> Result<usize> {
        let mut bytes = 0;
        if !self.handed.is_empty() {
            let end = self.storage.acknowledged_end()?;
            while let Some(handed) = self.handed.front().filter(|h| h.end <= end) {
                bytes += handed.bytes;
                self.handed.pop_front();
            }
        }
        Ok(bytes)
    }

    fn first_open(&self) -> Option<AppendNumber> {
        self.handed.front().map(|h| h.first_number).or_else(|| (self.pending.count() > 0).then_some(self.first_number))
    }
}

struct TopicLanes {
    topic: Arc<Topic>,
    lanes: Vec<Lane>,
}

/// Records taken and not acknowledged are dropped with the producer, as a client's would be.
pub(crate) struct BrokerProducer {
    topics: Vec<TopicLanes>,
    last_topic: usize,
    taken: AppendNumber,
    in_flight_bytes: usize,
    wake: Arc<Wake>,
    broker: Arc<Broker>,
}

impl BrokerProducer {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { topics: Vec::new(), last_topic: 0, taken: 0, in_flight_bytes: 0, wake: Arc::default(), broker }
    }

    fn topic_index(&mut self, name: &str) -> Result<usize> {
        let is = |t: &TopicLanes| t.topic.description.name == name;
        if self.topics.get(self.last_topic).is_some_and(is) {
            return Ok(self.last_topic);
        }
        self.last_topic = match self.topics.iter().position(is) {
            Some(index) => index,
            None => {
                let topic = self.broker.topic(name)?;
                let lane = |storage: &Arc<dyn PartitionStorage>| {
                    storage.watchers().add(&self.wake);
                    Lane { storage: Arc::clone(storage), pending: PendingBatch::new(), first_number: 0, handed: VecDeque::new() }
                };
                let lanes = topic.partitions.iter().map(lane).collect();
                self.topics.push(TopicLanes { topic, lanes });
                self.topics.len() - 1
            }
        };
        Ok(self.last_topic)
    }

    /// Hands over everything; the first error is told after every partition had its turn.
    fn hand_over_all(&mut self) -> Result<()> {
        let mut result = Ok(());
        for lane in self.topics.iter_mut().flat_map(|t| &mut t.lanes) {
            let handed = lane.hand_over();
            let settled = lane.settle();
            self.in_flight_bytes -= settled.as_ref().copied().unwrap_or(0);
            result = result.and(handed).and(settled.map(|_| ()));
        }
        result
    }

    fn frontier(&self) -> AppendNumber {
        let open = self.topics.iter().flat_map(|t| &t.lanes).filter_map(Lane::first_open).min();
        open.map_or(self.taken, |first| first - 1)
    }

    /// Waits until what is in flight fits into `bytes_max`.
    fn wait_for_room(&mut self, bytes_max: usize, wait_max: Duration) -> Result<()> {
        let deadline = Instant::now() + wait_max;
        loop {
            self.wake.lower();
            self.hand_over_all()?;
            if self.in_flight_bytes <= bytes_max {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::Deadline(wait_max));
            }
            self.wake.wait_until(deadline);
        }
    }
}

impl Producer for BrokerProducer {
    fn append(&mut self, topic: &str, record: Append<'_>) -> Result<AppendNumber> {
        let bytes = record.key.len() + record.value.len();
        for (bytes, max) in [(record.key.len(), KEY_BYTES_MAX), (bytes, RECORD_BYTES_MAX)] {
            if bytes > max {
                return Err(Error::TooLarge { topic: topic.to_owned(), bytes, max });
            }
        }
        if record.append_time.is_some() && !self.broker.storage.event_time() {
            return Err(Error::EventTime(topic.to_owned()));
        }
        let index = self.topic_index(topic)?;
        let size = PendingBatch::record_bytes(record.key, record.value);
        if self.in_flight_bytes + size > IN_FLIGHT_BYTES_MAX {
            self.wait_for_room(IN_FLIGHT_BYTES_MAX - size, APPEND_WAIT_MAX)?;
        }
        let lanes = &mut self.topics[index].lanes;
        let partitions = lanes.len() as i32;
        let partition = match record.destination {
            Destination::ByKey => partition_for_key(record.key, partitions),
            Destination::Partition(partition) => partition,
        };
        let Some(lane) = usize::try_from(partition).ok().and_then(|p| lanes.get_mut(p)) else {
            return Err(Error::UnknownPartition { topic: topic.to_owned(), partition, partitions });
        };
        if lane.pending.bytes_len() + size > BATCH_BYTES_TARGET || !lane.pending.takes(record.append_time) {
            lane.hand_over()?;
            self.in_flight_bytes -= lane.settle()?;
        }
        self.taken += 1;
        if lane.pending.count() == 0 {
            lane.first_number = self.taken;
            self.in_flight_bytes += lane.pending.bytes_len();
        }
        lane.pending.push(record.key, record.value, record.append_time);
        self.in_flight_bytes += size;
        Ok(self.taken)
    }

    fn acknowledged(&mut self) -> Result<AppendNumber> {
        self.hand_over_all()?;
        Ok(self.frontier())
    }

    fn flush(&mut self, deadline: Duration) -> Result<()> {
        self.wait_for_room(0, deadline)
    }
}

impl Drop for BrokerProducer {
    fn drop(&mut self) {
        for lane in self.topics.iter().flat_map(|t| &t.lanes) {
            lane.storage.watchers().remove(&self.wake);
        }
    }
}

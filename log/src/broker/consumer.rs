//! A member of a group: what it owns, where it stands in each partition, and whose turn it is.

use super::Broker;
use super::group::{MemberId, Step};
use super::storage::{Cursor, PartitionStorage};
use super::wake::Wake;
use crate::limits::NOTE_BYTES_MAX;
use crate::{Batch, Committed, Consumer, Error, Polled, Result, TopicPartition, Watermarks};
use fieldline_schemas::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Owned {
    partition: TopicPartition,
    storage: Arc<dyn PartitionStorage>,
    /// `None` until `seek` names a start.
    position: Option<i64>,
    paused: bool,
    cursor: Cursor,
    /// Read already and not handed out yet; at most one read's worth.
    fetched: Option<Batch>,
}

impl Owned {
    fn next_batch(&mut self, records_max: usize) -> Result<Option<Batch>> {
        let Some(position) = self.position.filter(|_| !self.paused) else { return Ok(None) };
        let mut fetched = match self.fetched.take() {
            Some(batch) => batch,
            None => match self.storage.read(position, &mut self.cursor)? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let batch = if fetched.len() > records_max {
            let front = fetched.split_front(records_max);
            self.fetched = Some(fetched);
            front
        } else {
            fetched
        };
        self.position = batch.next_offset().or(self.position);
        Ok(Some(batch))
    }
}

pub(crate) struct BrokerConsumer {
    group: String,
    id: MemberId,
    wake: Arc<Wake>,
    owned: Vec<Owned>,
    /// Told to be given up; still owned until the next poll.
    revoking: Vec<TopicPartition>,
    turn: usize,
    broker: Arc<Broker>,
}

impl BrokerConsumer {
    pub(crate) fn new(broker: Arc<Broker>, group: String, id: MemberId, wake: Arc<Wake>) -> Self {
        Self { group, id, wake, owned: Vec::new(), revoking: Vec::new(), turn: 0, broker }
    }

    fn owned(&mut self, partition: &TopicPartition) -> Result<&mut Owned> {
        let found = self.owned.iter_mut().find(|o| o.partition == *partition);
        found.ok_or_else(|| Error::NotOwned { topic: partition.topic.clone(), partition: partition.partition })
    }

    fn give_up(&mut self) {
        let revoking = std::mem::take(&mut self.revoking);
        if revoking.is_empty() {
            return;
        }
        let wake = &self.wake;
        self.owned.retain(|o| {
            let gone = revoking.contains(&o.partition);
            if gone {
                o.storage.watchers().remove(wake);
            }
            !gone
        });
        self.turn = 0;
    }

    fn membership(&mut self) -> Result<Option<Polled>> {
        match self.broker.step(&self.group, self.id) {
            None => Ok(None),
            Some(Step::Revoked(partitions)) => {
                self.revoking.clone_from(&partitions);
                Ok(Some(Polled::Revoked(partitions)))
            }
            Some(Step::Assigned(partitions)) => {
                for partition in &partitions {
                    let storage = self.broker.partition(partition)?;
                    storage.watchers().add(&self.wake);
                    let (cursor, partition) = (Cursor::default(), partition.clone());
                    self.owned.push(Owned { partition, storage, position: None, paused: false, cursor, fetched: None });
                }
                self.owned.sort_by(|a, b| a.partition.cmp(&b.partition));
                Ok(Some(Polled::Assigned(partitions)))
            }
        }
    }

    /// The next partition with something to bring, each in its turn.
    fn records(&mut self, records_max: usize) -> Result<Option<Batch>> {
        let count = self.owned.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let read = self.owned[index].next_batch(records_max);
            if !matches!(read, Ok(None)) {
                self.turn = (index + 1) % count;
                return read;
            }
        }
        Ok(None)
    }
}

impl Consumer for BrokerConsumer {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        let mut deadline = None;
        self.give_up();
        loop {
            self.wake.lower();
            if let Some(polled) = self.membership()? {
                return Ok(polled);
            }
            if let Some(batch) = self.records(records_max.max(1))? {
                return Ok(Polled::Records(batch));
            }
            if wait.is_zero() || !self.broker.storage.waits() {
                return Ok(Polled::Idle);
            }
            let now = Instant::now();
            let deadline = *deadline.get_or_insert(now + wait);
            if now >= deadline {
                return Ok(Polled::Idle);
            }
            self.wake.wait_until(deadline);
        }
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        let owned = self.owned(partition)?;
        let (begin, end) = (owned.storage.watermarks().begin, owned.storage.seek_end());
        if offset < begin || offset > end {
            return Err(Error::OffsetOutOfRange { topic: partition.topic.clone(), partition: partition.partition, offset, begin, end });
        }
        owned.position = Some(offset);
        owned.fetched = None;
        owned.cursor = Cursor::default();
        Ok(())
    }

    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.broker.committed(&self.group, partition)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        for (partition, committed) in positions {
            self.owned(partition)?;
            let bytes = committed.metadata.len();
            if bytes > NOTE_BYTES_MAX {
                let (topic, partition, max) = (partition.topic.clone(), partition.partition, NOTE_BYTES_MAX);
                return Err(Error::NoteTooLarge { topic, partition, bytes, max });
            }
        }
        self.broker.storage.store_commits(&self.group, positions)
    }

    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.broker.partition(partition)?.offset_for_time(time)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks> {
        self.broker.watermarks(partition)
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.owned(partition)?.paused = true;
        Ok(())
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.owned(partition)?.paused = false;
        Ok(())
    }

    fn resume_from_committed(&mut self, partition: &TopicPartition) -> Result<i64> {
        let committed = self.committed(partition)?.map(|c| c.offset);
        let offset = committed.unwrap_or(self.owned(partition)?.storage.watermarks().begin);
        // `seek` refuses what the log no longer has.
        self.seek(partition, offset)?;
        Ok(offset)
    }
}

impl Drop for BrokerConsumer {
    fn drop(&mut self) {
        for owned in &self.owned {
            owned.storage.watchers().remove(&self.wake);
        }
        self.broker.leave(&self.group, self.id);
    }
}

//! What a member owns, partition by partition: where it stands, and what was read and not handed out yet.

use crate::{Batch, BatchBuilder, Error, Result, TopicPartition, Watermarks};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::native::member::Message;
use super::offsets::from_ms;

/// How old the begin of a partition may be that is told as its watermark; the end comes with every fetch.
pub(super) const BEGIN_AGE_MAX: Duration = Duration::from_secs(60);

pub(super) struct Owned {
    pub(super) at: TopicPartition,
    /// The next offset to take from the client; `None` until `seek` names a start.
    pub(super) position: Option<i64>,
    pub(super) paused: bool,
    /// librdkafka has it in its assignment.
    pub(super) assigned: bool,
    /// As the cluster was last asked.
    pub(super) watermarks: Option<(Watermarks, Instant)>,
    ready: VecDeque<Batch>,
    building: Option<BatchBuilder>,
}

impl Owned {
    pub(super) fn new(at: TopicPartition) -> Self {
        let (ready, building) = (VecDeque::new(), None);
        Self { at, position: None, paused: false, assigned: false, watermarks: None, ready, building }
    }

    /// Reads from `offset` on; what was read before is dropped.
    pub(super) fn start_at(&mut self, offset: i64) {
        self.position = Some(offset);
        self.ready.clear();
        self.building = None;
    }

    /// Whether the client is to fetch for it.
    pub(super) fn is_fetched(&self) -> bool {
        self.position.is_some() && !self.paused
    }

    /// Takes a record that belongs here. Not before a start is named: an assignment without one stands at the end, and
    /// may bring what is appended meanwhile.
    fn take(&mut self, message: &Message<'_>) -> Result<()> {
        let offset = message.offset();
        let Some(position) = self.position.filter(|position| offset >= *position) else { return Ok(()) };
        let Some(time_ms) = message.time_ms() else {
            let doing = format!("reading {} partition {} offset {offset} (position {position})", self.at.topic, self.at.partition);
            let answer = "the record has no time".into();
            return Err(Error::Kafka { doing: doing.into(), answer, advice: "; it was written before Kafka 0.10" });
        };
        let building = self.building.get_or_insert_with(|| BatchBuilder::new(self.at.clone()));
        building.push(offset, from_ms(time_ms), message.key(), message.value());
        self.position = Some(offset + 1);
        Ok(())
    }

    fn finish(&mut self) {
        if let Some(building) = self.building.take() {
            self.ready.push_back(building.finish());
        }
    }

    /// At most `records_max` of what was read.
    fn next_batch(&mut self, records_max: usize) -> Option<Batch> {
        if self.paused {
            return None;
        }
        let mut batch = self.ready.pop_front()?;
        if batch.len() > records_max {
            let front = batch.split_front(records_max);
            self.ready.push_front(batch);
            return Some(front);
        }
        Some(batch)
    }
}

/// All that a member owns.
#[derive(Default)]
pub(super) struct Ownership {
    partitions: Vec<Owned>,
    turn: usize,
    /// The topic and place in `partitions` of the record before: records come in runs.
    run: Option<(usize, i32, usize)>,
    /// Partitions with something in `building`.
    open: Vec<usize>,
}

impl Ownership {
    pub(super) fn add(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            if self.get(at).is_none() {
                self.partitions.push(Owned::new(at.clone()));
            }
        }
        self.run = None;
    }

    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        self.partitions.retain(|owned| !partitions.contains(&owned.at));
        (self.turn, self.run) = (0, None);
    }

    pub(super) fn get(&mut self, at: &TopicPartition) -> Option<&mut Owned> {
        self.partitions.iter_mut().find(|owned| owned.at == *at)
    }

    pub(super) fn require(&mut self, at: &TopicPartition) -> Result<&mut Owned> {
        self.get(at).ok_or_else(|| Error::NotOwned { topic: at.topic.clone(), partition: at.partition })
    }

    /// Takes a record of any partition; one that is not owned (any more) is nobody's business here.
    pub(super) fn take(&mut self, message: &Message<'_>) -> Result<()> {
        let (topic, partition) = (message.topic_key(), message.partition());
        let index = match self.run {
            Some((run_topic, run_partition, index)) if run_topic == topic && run_partition == partition => index,
            _ => {
                let name = message.topic();
                let found = self.partitions.iter().position(|owned| owned.at.partition == partition && owned.at.topic == name);
                let Some(index) = found else { return Ok(()) };
                self.run = Some((topic, partition, index));
                index
            }
        };
        let owned = &mut self.partitions[index];
        if owned.building.is_none() {
            self.open.push(index);
        }
        owned.take(message)
    }

    /// Makes batches of what was taken.
    pub(super) fn finish(&mut self) {
        for index in self.open.drain(..) {
            self.partitions[index].finish();
        }
        self.run = None;
    }

    /// The next batch, each partition in its turn.
    pub(super) fn next_batch(&mut self, records_max: usize) -> Option<Batch> {
        let count = self.partitions.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            if let Some(batch) = self.partitions[index].next_batch(records_max) {
                self.turn = (index + 1) % count;
                return Some(batch);
            }
        }
        None
    }
}

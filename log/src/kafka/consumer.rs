//! A member of a consumer group, on the thread that calls it.
//!
//! ```text
//! group ──► rebalance callback ──► steps ──► poll tells one ──► the caller seeks or commits ──► the next poll answers it
//! fetches ──► librdkafka's queue ──► pull ──► a batch per partition ──► poll
//! ```

use super::answers::{Verdict, verdict};
use super::cluster::Cluster;
use super::context::{Context, GroupStep};
use super::lists::{add, list_of};
use super::members::MemberNumber;
use super::native::Failure;
use super::native::member::Member;
use super::owned::{BEGIN_AGE_MAX, Ownership};
use super::properties;
use super::trouble::{Complaint, Trouble};
use crate::limits::NOTE_BYTES_MAX;
use crate::{Committed, Consumer, Error, Polled, Result, TopicPartition, Watermarks};
use fieldline_schemas::Timestamp;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records taken from the client at once; of the largest ones a batch then stays below 4 GiB, as its positions must.
const PULL_RECORDS_MAX: usize = 2000;
/// How long a start that the client does not take yet is offered again.
const SEEK_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a commit waits for the group to settle.
const SETTLE_WAIT_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What was told and is answered by the next poll.
enum Told {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

pub(super) struct KafkaConsumer {
    cluster: Arc<Cluster>,
    group: String,
    member: Member,
    owned: Ownership,
    told: Option<Told>,
    // Behind the member, whose number is free again only when it has closed.
    _number: Option<MemberNumber>,
}

impl KafkaConsumer {
    pub(super) fn join(cluster: Arc<Cluster>, group: &str, topics: &[&str]) -> Result<Self> {
        crate::broker::check_group(group)?;
        for topic in topics {
            cluster.partitions(topic)?;
        }
        let number = cluster.config.instance_id.as_ref().map(|_| cluster.members.take(group));
        let instance_id = cluster.config.instance_id.as_deref().zip(number.as_ref()).map(|(base, held)| format!("{base}-{}", held.number));
        let member = Member::open(&properties::consumer(&cluster.config, group, instance_id.as_deref()), cluster.tokens.as_deref())?;
        let consumer = Self { cluster, group: group.to_owned(), member, owned: Ownership::default(), told: None, _number: number };
        consumer.done("subscribing", consumer.member.subscribe(topics))?;
        Ok(consumer)
    }

    fn context(&self) -> &Context {
        self.member.context()
    }

    /// An error that stays, with what was being done.
    fn done(&self, doing: &str, answer: std::result::Result<(), Failure>) -> Result<()> {
        answer.map_err(|failure| {
            let advice = if let Verdict::Final(advice) = verdict(failure.code) { advice } else { "" };
            Error::Kafka { doing: format!("{doing} in group {}", self.group).into(), answer: failure.text.into(), advice }
        })
    }

    /// Answers what the last poll told.
    fn answer(&mut self) -> Result<()> {
        match self.told.take() {
            None => Ok(()),
            Some(Told::Assigned(partitions)) => {
                let mut starts = TopicPartitionList::with_capacity(partitions.len());
                let mut waiting = TopicPartitionList::new();
                for at in &partitions {
                    let owned = self.owned.require(at)?;
                    owned.assigned = true;
                    let start = owned.position.map_or(Offset::End, Offset::Offset);
                    add(&mut starts, at, start)?;
                    if !owned.is_fetched() {
                        waiting.add_partition(&at.topic, at.partition);
                    }
                }
                self.done("taking over partitions", self.member.assign(&starts))?;
                if waiting.count() > 0 {
                    self.done("pausing partitions", self.member.pause(&waiting))?;
                }
                Ok(())
            }
            Some(Told::Revoked(partitions)) => self.give_up(&partitions),
        }
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let list = list_of(partitions);
        self.owned.remove(partitions);
        // A pause outlives the assignment in librdkafka: whoever gets the partition back would wait for ever.
        self.done("resuming partitions", self.member.resume(&list))?;
        self.done("giving up partitions", self.member.unassign(&list))
    }

    /// The next decision of the group, if there is one.
    fn step(&mut self) -> Result<Option<Polled>> {
        Ok(match self.context().next() {
            None => None,
            Some(GroupStep::Assigned(partitions)) => {
                self.owned.add(&partitions);
                self.told = Some(Told::Assigned(partitions.clone()));
                Some(Polled::Assigned(partitions))
            }
            Some(GroupStep::Revoked(partitions)) => {
                self.told = Some(Told::Revoked(partitions.clone()));
                Some(Polled::Revoked(partitions))
            }
            Some(GroupStep::Lost(partitions)) => {
                tracing::warn!(
                    group = self.group,
                    partitions = partitions.len(),
                    "the group went on without this member, which joins again"
                );
                self.give_up(&partitions)?;
                Some(Polled::Lost(partitions))
            }
        })
    }

    /// Takes what the client has, waiting at most `wait` for a first record.
    fn pull(&mut self, wait: Duration, records_max: usize) -> Result<()> {
        let Self { member, owned, .. } = self;
        let mut trouble = None;
        member.pull(wait, records_max.min(PULL_RECORDS_MAX), |message| match message.code() {
            None => {
                if let Err(error) = owned.take(&message) {
                    trouble.get_or_insert(Trouble::Record(error));
                }
            }
            Some(code) => {
                trouble.get_or_insert_with(|| Trouble::Client(Complaint::read(code, &message)));
            }
        });
        self.owned.finish();
        match trouble {
            None => Ok(()),
            Some(Trouble::Record(error)) => Err(error),
            Some(Trouble::Client(complaint)) => {
                let position = self.owned.get(&complaint.at).and_then(|owned| owned.position);
                complaint.judge(&self.cluster, &self.group, &self.member, position)
            }
        }
    }

    /// Offers a start to the client until it takes it: right after an assignment it is still at work on that. A partition
    /// whose reading ended with an error takes none any more, and is given up and taken over again, which only this
    /// client sees.
    fn seek_assigned(&self, at: &TopicPartition, offset: i64) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(1);
        add(&mut list, at, Offset::Offset(offset))?;
        let doing = format!("seeking offset {offset} of {} partition {}", at.topic, at.partition);
        let deadline = Instant::now() + SEEK_WAIT_MAX;
        loop {
            match self.member.seek(&list, SEEK_WAIT_MAX) {
                Err(Failure { code: Code::State | Code::PreviousInProgress | Code::UnknownPartition, .. }) => {
                    if Instant::now() >= deadline {
                        return self.done(&doing, self.member.unassign(&list).and_then(|()| self.member.assign(&list)));
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
                answer => return self.done(&doing, answer),
            }
        }
    }
}

impl Consumer for KafkaConsumer {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        self.answer()?;
        let records_max = records_max.max(1);
        let deadline = Instant::now() + wait;
        let mut looked = false;
        loop {
            if let Some(polled) = self.step()? {
                return Ok(polled);
            }
            if let Some(batch) = self.owned.next_batch(records_max) {
                return Ok(Polled::Records(batch));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if looked && left.is_zero() {
                self.cluster.refused("polling", self.context())?;
                return Ok(Polled::Idle);
            }
            looked = true;
            self.pull(left, records_max)?;
        }
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        if offset < 0 {
            let Watermarks { begin, end } = self.watermarks(partition)?;
            return Err(Error::OffsetOutOfRange { topic: partition.topic.clone(), partition: partition.partition, offset, begin, end });
        }
        let owned = self.owned.require(partition)?;
        let (assigned, waits) = (owned.assigned, !owned.is_fetched());
        if assigned {
            self.seek_assigned(partition, offset)?;
        }
        let owned = self.owned.require(partition)?;
        owned.start_at(offset);
        if assigned && waits && owned.is_fetched() {
            self.done("resuming a partition", self.member.resume(&list_of([partition])))?;
        }
        Ok(())
    }

    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.cluster.committed(&self.group, partition)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for (at, committed) in positions {
            self.owned.require(at)?;
            let bytes = committed.metadata.len();
            if bytes > NOTE_BYTES_MAX {
                let (topic, partition, max) = (at.topic.clone(), at.partition, NOTE_BYTES_MAX);
                return Err(Error::NoteTooLarge { topic, partition, bytes, max });
            }
            add(&mut list, at, Offset::Offset(committed.offset))?;
            if let Some(mut element) = list.find_partition(&at.topic, at.partition) {
                element.set_metadata(&committed.metadata);
            }
        }
        if positions.is_empty() {
            return Ok(());
        }
        let asked_at = Instant::now();
        let doing = || format!("committing {} positions of group {}", positions.len(), self.group);
        let stored = self.cluster.ask(doing, self.context(), |_| {
            // Kafka takes a commit without a generation while a group is empty: what is lost must not even be asked.
            if self.member.is_lost() {
                return Ok(false);
            }
            match self.member.commit(&list) {
                Ok(()) => Ok(true),
                // A rebalance is under way in the background, and the member gets its new generation soon.
                Err(Failure { code: Code::IllegalGeneration, text }) if asked_at.elapsed() < SETTLE_WAIT_MAX => {
                    Err(Failure { code: Code::RebalanceInProgress, text })
                }
                Err(failure) if verdict(failure.code) == Verdict::OwnershipLost => Ok(false),
                Err(failure) => Err(failure),
            }
        })?;
        if stored { Ok(()) } else { Err(Error::OwnershipLost { group: self.group.clone() }) }
    }

    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.cluster.offset_for_time(partition, time)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks> {
        let Some(owned) = self.owned.get(partition) else { return self.cluster.watermarks(partition) };
        if let Some((known, asked_at)) = owned.watermarks
            && owned.assigned
            && asked_at.elapsed() < BEGIN_AGE_MAX
            && let Some(end) = self.member.fetched_end(&partition.topic, partition.partition)
        {
            return Ok(Watermarks { begin: known.begin, end: known.end.max(end) });
        }
        let asked = self.cluster.watermarks(partition)?;
        owned.watermarks = Some((asked, Instant::now()));
        Ok(asked)
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        let owned = self.owned.require(partition)?;
        let fetched = owned.assigned && owned.is_fetched();
        owned.paused = true;
        if fetched {
            self.done("pausing a partition", self.member.pause(&list_of([partition])))?;
        }
        Ok(())
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        let owned = self.owned.require(partition)?;
        let waited = owned.assigned && !owned.is_fetched();
        owned.paused = false;
        if waited && owned.is_fetched() {
            self.done("resuming a partition", self.member.resume(&list_of([partition])))?;
        }
        Ok(())
    }
}

impl Drop for KafkaConsumer {
    /// Whatever the group decided is answered, or it would wait for this member. Then the member leaves, unless it is a
    /// static one: those are expected back.
    fn drop(&mut self) {
        let mut result = self.answer();
        while let Some(step) = self.context().next() {
            result = result.and(match step {
                GroupStep::Assigned(partitions) => self.done("closing", self.member.assign(&list_of(&partitions))),
                GroupStep::Revoked(partitions) | GroupStep::Lost(partitions) => {
                    self.done("closing", self.member.unassign(&list_of(&partitions)))
                }
            });
        }
        if let Err(error) = result {
            tracing::warn!(%error, "leaving group {}", self.group);
        }
    }
}

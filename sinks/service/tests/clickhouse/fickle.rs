//! A log whose group goes on without a member whenever a test says so: a process that stood still for too long, and wakes up.

use fieldline_log::{Committed, Consumer, Error, Log, Polled, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use fieldline_schemas::Timestamp;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When the member hears that the group has gone on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    AtThePoll,
    /// A commit is refused first.
    AtTheCommit,
    /// Never. No broker is so; a member that hears and does not heed would do the same, and the checks must find it.
    Never,
}

/// Gives consumers of one group a member that can be lost; every other group has ordinary ones.
pub struct Fickle {
    log: Arc<dyn Log>,
    group: String,
    pub member: Arc<Member>,
}

/// What the test does to the member, and what the broker sees of it.
pub struct Member {
    hears: Hears,
    /// Others have what was its own.
    away: AtomicBool,
    told: AtomicBool,
    owned: Mutex<BTreeSet<TopicPartition>>,
    inner: Mutex<Option<Box<dyn Consumer>>>,
    pub losses: AtomicU32,
    /// Commits between the loss and the word of it: nobody can know better.
    pub commits_refused: AtomicU32,
    /// Commits of a member that had heard: there must be none.
    pub commits_after_all: AtomicU32,
    /// Polls since the member was lost.
    pub polls_away: AtomicU32,
}

impl Fickle {
    pub fn new(log: Arc<dyn Log>, group: &str, hears: Hears) -> Arc<Self> {
        let member = Member {
            hears,
            away: AtomicBool::default(),
            told: AtomicBool::default(),
            owned: Mutex::default(),
            inner: Mutex::default(),
            losses: AtomicU32::default(),
            commits_refused: AtomicU32::default(),
            commits_after_all: AtomicU32::default(),
            polls_away: AtomicU32::default(),
        };
        Arc::new(Self { log, group: group.to_owned(), member: Arc::new(member) })
    }
}

impl Member {
    /// The group goes on without it: from now on others may have its partitions.
    pub fn lose(&self) {
        let mut inner = self.inner.lock().unwrap();
        assert!(!self.owned.lock().unwrap().is_empty(), "there is nothing to lose");
        self.told.store(false, Ordering::SeqCst);
        self.away.store(true, Ordering::SeqCst);
        *inner = None;
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// It may join again.
    pub fn come_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }
}

struct Place {
    log: Arc<dyn Log>,
    group: String,
    topics: Vec<String>,
    member: Arc<Member>,
}

impl Place {
    /// Does it with the present membership, or with none.
    fn with<T>(&self, work: impl FnOnce(Option<&mut (dyn Consumer + 'static)>) -> Result<T>) -> Result<T> {
        let mut inner = self.member.inner.lock().unwrap();
        if self.member.is_away() {
            return work(None);
        }
        if inner.is_none() {
            let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
            *inner = Some(self.log.consumer(&self.group, &topics)?);
        }
        work(inner.as_deref_mut())
    }
}

impl Consumer for Place {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        const LOOK: Duration = Duration::from_millis(2);
        let member = Arc::clone(&self.member);
        if member.losses.load(Ordering::SeqCst) > 0 && !member.told.load(Ordering::SeqCst) {
            let hears = match member.hears {
                Hears::AtThePoll => true,
                Hears::AtTheCommit => member.commits_refused.load(Ordering::SeqCst) > 0,
                Hears::Never => false,
            };
            if hears {
                member.told.store(true, Ordering::SeqCst);
                return Ok(Polled::Lost(std::mem::take(&mut *member.owned.lock().unwrap()).into_iter().collect()));
            }
        }
        if member.is_away() {
            member.polls_away.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(wait.min(LOOK));
            return Ok(Polled::Idle);
        }
        // The lock is not held for long, so that a loss need not wait.
        let polled = self.with(|inner| inner.map_or(Ok(Polled::Idle), |inner| inner.poll(wait.min(LOOK), records_max)))?;
        if let Polled::Assigned(partitions) = &polled {
            member.owned.lock().unwrap().extend(partitions.iter().cloned());
        }
        Ok(polled)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        let (member, group) = (Arc::clone(&self.member), self.group.clone());
        self.with(|inner| match inner {
            Some(inner) => inner.commit(positions),
            None => {
                let heard = member.told.load(Ordering::SeqCst);
                // Whoever never hears has a moment only: the first poll would have told it.
                let late = heard || member.hears == Hears::Never && member.polls_away.load(Ordering::SeqCst) > 0;
                let count = if late { &member.commits_after_all } else { &member.commits_refused };
                count.fetch_add(1, Ordering::SeqCst);
                Err(Error::OwnershipLost { group })
            }
        })
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        self.with(|inner| inner.map_or(Ok(()), |inner| inner.seek(partition, offset)))
    }
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.log.committed(&self.group, partition)
    }
    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.with(|inner| inner.map_or(Ok(0), |inner| inner.offset_for_time(partition, time)))
    }
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks> {
        self.log.watermarks(partition)
    }
    fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.with(|inner| inner.map_or(Ok(()), |inner| inner.pause(partition)))
    }
    fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.with(|inner| inner.map_or(Ok(()), |inner| inner.resume(partition)))
    }
}

impl Log for Fickle {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        self.log.ensure_topic(spec)
    }
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.log.describe_topic(topic)
    }
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        self.log.watermarks(partition)
    }
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.log.committed(group, partition)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        self.log.producer()
    }
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        if group != self.group {
            return self.log.consumer(group, topics);
        }
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let (log, member) = (Arc::clone(&self.log), Arc::clone(&self.member));
        Ok(Box::new(Place { log, group: group.to_owned(), topics, member }))
    }
}

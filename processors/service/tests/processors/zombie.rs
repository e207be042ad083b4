//! A process that stood still for so long that its group went on without it, and then wakes up.

use crate::bench::{Bench, PARTITIONS, days};
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Committed, Consumer, Error, Log, Polled, Producer, Result, TopicDescription, TopicPartition, TopicSpec, Watermarks};
use fieldline_processors::Driver;
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{Timestamp, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The memory log, whose groups lose a member whenever `loses` is set.
struct Forgetful {
    log: Arc<MemoryLog>,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    loses: AtomicBool,
    losses: AtomicU32,
    commits_refused: AtomicU32,
}

struct Member {
    log: Arc<MemoryLog>,
    told: Arc<Told>,
    group: String,
    topics: Vec<String>,
    owned: BTreeSet<TopicPartition>,
    inner: Option<Box<dyn Consumer>>,
}

impl Member {
    fn inner(&mut self) -> &mut dyn Consumer {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        &mut **self.inner.get_or_insert_with(|| self.log.consumer(&self.group, &topics).unwrap())
    }
}

impl Consumer for Member {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        if self.told.loses.swap(false, Ordering::Relaxed) && !self.owned.is_empty() {
            self.told.losses.fetch_add(1, Ordering::Relaxed);
            self.inner = None;
            return Ok(Polled::Lost(std::mem::take(&mut self.owned).into_iter().collect()));
        }
        let polled = self.inner().poll(wait, records_max)?;
        if let Polled::Assigned(partitions) = &polled {
            self.owned.extend(partitions.iter().cloned());
        }
        Ok(polled)
    }
    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        if self.told.loses.load(Ordering::Relaxed) {
            self.told.commits_refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::OwnershipLost { group: self.group.clone() });
        }
        self.inner().commit(positions)
    }
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        self.inner().seek(partition, offset)
    }
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.inner().committed(partition)
    }
    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.inner().offset_for_time(partition, time)
    }
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks> {
        self.inner().watermarks(partition)
    }
    fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.inner().pause(partition)
    }
    fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.inner().resume(partition)
    }
}

impl Log for Forgetful {
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
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let (log, told, owned) = (Arc::clone(&self.log), Arc::clone(&self.told), BTreeSet::new());
        Ok(Box::new(Member { log, told, group: group.to_owned(), topics, owned, inner: None }))
    }
}

#[test]
fn what_is_lost_is_not_committed_and_leaves_no_trace_in_the_rows() {
    let records = days(3, 8);
    let run = |loses: &dyn Fn(usize) -> bool| {
        let bench = Bench::new(MemoryOptions::default());
        let told = Arc::<Told>::default();
        let log = Arc::new(Forgetful { log: Arc::clone(&bench.log), told: Arc::clone(&told) });
        let mut driver = Driver::new(bench.config(), log).unwrap();
        for (n, (at, record)) in records.iter().enumerate() {
            driver.advance_to(*at).unwrap();
            bench.send(&[(*at, record.clone())]);
            driver.drain().unwrap();
            let before: Vec<_> = (0..PARTITIONS).map(|partition| bench.committed(partition)).collect();
            told.loses.store(loses(n), Ordering::Relaxed);
            driver.commit().unwrap();
            if loses(n) {
                let after: Vec<_> = (0..PARTITIONS).map(|partition| bench.committed(partition)).collect();
                assert_eq!(before, after, "nothing of a lost partition is committed");
            }
        }
        driver.advance_to(records[records.len() - 1].0 + 5 * DAY_US).unwrap();
        driver.commit().unwrap();
        (bench, told)
    };
    let (straight, _) = run(&|_| false);
    let (zombie, told) = run(&|n| n % 11 == 5);
    assert!(told.losses.load(Ordering::Relaxed) > 5, "the fault was there");
    assert!(told.commits_refused.load(Ordering::Relaxed) > 5, "and commits met it");
    let rows = |bench: &Bench| crate::takeover::rows(bench);
    assert!(rows(&straight).len() > 30 && bench_has_no_dead_letters(&zombie));
    assert_eq!(rows(&zombie), rows(&straight));
    for partition in 0..PARTITIONS {
        assert_eq!(zombie.committed(partition), straight.committed(partition));
    }
}

fn bench_has_no_dead_letters(bench: &Bench) -> bool {
    bench.read(Topic::DeadLetters).is_empty()
}

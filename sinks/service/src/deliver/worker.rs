//! One receiver's loop: read, choose, send, record. What it reads is here, what it sends in `attempts`.

mod attempts;
mod groups;

use super::book::{Book, Due, Told};
use super::config::{DeliverConfig, Receiver};
use super::control::{DeliverControl, ReceiverControl};
use super::http::Sent;
use super::journal::Journal;
use super::people::People;
use super::send::Sender;
use super::{DeliverError, doing};
use fieldline_log::{Batch, Consumer, Log, Polled, Reading, TopicPartition};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use fieldline_schemas::{Codec, Timestamp};
use groups::Groups;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
const POLL_RECORDS_MAX: usize = 10_000;
/// While attempts are under way the log is looked at this often at least.
const RESULT_WAIT_MAX: Duration = Duration::from_millis(2);
/// Contacts and silences that cannot be read hold back alerts no longer than this.
const PEOPLE_WAIT_MAX: Duration = Duration::from_secs(10);
/// A partition's last records may be gone: so long without a record is the end of it.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How often what is owed is counted.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// How often positions are committed: in the first pause after the one, without a pause after the other. A commit waits for its
/// answer, and an alert that comes meanwhile waits too.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
const COMMIT_EVERY_MAX: Duration = Duration::from_secs(10);

/// An attempt that has ended.
struct Done {
    /// More than one where they went in one message.
    dues: Vec<Due>,
    is_repeat: bool,
    attempted_at: Timestamp,
    took: Duration,
    sent: Sent,
}

impl Done {
    fn is_refused_group(&self) -> bool {
        self.dues.len() > 1 && self.sent.outcome.is_refusal()
    }
}

pub(super) struct Worker {
    number: usize,
    config: Arc<DeliverConfig>,
    control: Arc<DeliverControl>,
    people: Arc<People>,
    people_seen: u64,
    log: Arc<dyn Log>,
    group: String,
    consumer: Box<dyn Consumer>,
    codec: Codec,
    journal: Journal,
    book: Book,
    sender: Arc<Sender>,
    /// Of its own, so that a receiver's name that does not resolve holds up no other. Gone only while it is dropped.
    runtime: Option<Runtime>,
    results: mpsc::Receiver<Done>,
    tell: mpsc::Sender<Done>,
    in_flight: usize,
    groups: Groups,
    /// When attempts of the last minute began, emergencies not counted.
    recent_us: VecDeque<i64>,
    /// The receiver asked to be left alone until then; emergencies wait each for themselves.
    held_until_us: i64,
    /// What is read before anything is sent: the end of each owned partition as it was found.
    unread: BTreeMap<TopicPartition, i64>,
    positions: BTreeMap<TopicPartition, i64>,
    /// They have moved since they were committed.
    to_commit: bool,
    committed_at: Instant,
    /// Partitions have come whose deliveries were not recalled yet.
    to_recall: bool,
    started: Instant,
    read_at: Instant,
    tended_at: Instant,
    repeat_at_us: i64,
    to_repeat: VecDeque<String>,
}

impl Worker {
    pub fn new(
        number: usize,
        config: Arc<DeliverConfig>,
        log: Arc<dyn Log>,
        control: Arc<DeliverControl>,
        people: Arc<People>,
    ) -> Result<Self, DeliverError> {
        let receiver = &config.receivers[number];
        let what = || format!("receiver {}", receiver.name);
        let group = format!("{}receiver-{}", config.prefix, receiver.name);
        let topic = Topic::Alerts.full_name(&config.prefix);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("receiver-sends").enable_all().build();
        let runtime = runtime.map_err(|error| DeliverError::Start { what: what(), reason: error.to_string() })?;
        let sender = runtime.block_on(async { Sender::new(receiver) });
        let sender = sender.map_err(|reason| DeliverError::Receiver { receiver: receiver.name.clone(), reason })?;
        let (tell, results) = mpsc::channel();
        let now = Instant::now();
        Ok(Self {
            consumer: log.consumer(&group, &[&topic]).map_err(doing(|| format!("joining group {group}")))?,
            codec: config.schemas.codec(),
            journal: Journal::open(log.as_ref(), &config.prefix, &config.schemas)?,
            book: Book::new(&receiver.name),
            sender: Arc::new(sender),
            runtime: Some(runtime),
            results,
            tell,
            in_flight: 0,
            groups: Groups::default(),
            recent_us: VecDeque::new(),
            held_until_us: 0,
            unread: BTreeMap::new(),
            positions: BTreeMap::new(),
            to_commit: false,
            committed_at: now,
            to_recall: false,
            started: now,
            read_at: now,
            tended_at: now,
            repeat_at_us: 0,
            to_repeat: VecDeque::new(),
            number,
            group,
            people_seen: 0,
            config,
            control,
            people,
            log,
        })
    }

    fn receiver(&self) -> &Receiver {
        &self.config.receivers[self.number]
    }

    fn shown(&self) -> &ReceiverControl {
        &self.control.receivers[self.number]
    }

    /// A clock that never goes back.
    fn now_us(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// Works until it is asked to stop.
    pub fn run(mut self) -> Result<(), DeliverError> {
        loop {
            let wait = if self.in_flight > 0 { RESULT_WAIT_MAX } else { Duration::ZERO };
            self.collect(wait)?;
            if self.control.is_stopping() {
                self.settle()?;
                self.journal.flush()?;
                return self.commit();
            }
            if self.is_caught_up()? {
                self.launch()?;
            }
            if self.tended_at.elapsed() >= TEND_EVERY {
                self.tend();
            }
            let wait = if self.in_flight > 0 { Duration::ZERO } else { POLL_WAIT_MAX };
            match self.consumer.poll(wait, POLL_RECORDS_MAX).map_err(doing(|| format!("polling as {}", self.group)))? {
                Polled::Assigned(partitions) => self.assigned(&partitions)?,
                Polled::Revoked(partitions) => {
                    self.settle()?;
                    self.forget(&partitions);
                }
                Polled::Lost(partitions) => self.forget(&partitions),
                Polled::Records(batch) => self.take(&batch)?,
                Polled::Idle if self.in_flight == 0 && self.committed_at.elapsed() >= COMMIT_EVERY => self.commit()?,
                Polled::Idle => {}
            }
            if self.committed_at.elapsed() >= COMMIT_EVERY_MAX {
                self.commit()?;
            }
        }
    }

    /// Everything that was there when the partitions came is read, and what is owed of it is known.
    fn is_caught_up(&mut self) -> Result<bool, DeliverError> {
        if !self.unread.is_empty() && self.read_at.elapsed() < SILENCE_MAX {
            return Ok(false);
        }
        if !self.people.is_whole() && self.started.elapsed() < PEOPLE_WAIT_MAX {
            return Ok(false);
        }
        self.unread.clear();
        if self.to_recall {
            if let Some(since) = self.book.owed_since() {
                let control = Arc::clone(&self.control);
                let name = &self.config.receivers[self.number].name;
                self.journal.recall(self.log.as_ref(), &self.config, name, since, &mut self.book, &|| control.is_stopping())?;
            }
            // A reading that was broken off knows too little.
            self.to_recall = self.control.is_stopping();
        }
        let changes = self.people.changes();
        if changes != self.people_seen {
            self.people_seen = changes;
            self.book.reconsider();
        }
        Ok(!self.to_recall)
    }

    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<(), DeliverError> {
        // What is under way may be of these partitions, which were lost a moment ago.
        self.settle()?;
        self.dissolve();
        for at in partitions {
            let what = || format!("reading {} partition {} as {}", at.topic, at.partition, self.group);
            let watermarks = self.consumer.watermarks(at).map_err(doing(what))?;
            self.consumer.seek(at, watermarks.begin).map_err(doing(what))?;
            self.book.forget(at.partition);
            self.positions.insert(at.clone(), watermarks.begin);
            self.to_commit = true;
            if watermarks.end > watermarks.begin {
                self.unread.insert(at.clone(), watermarks.end);
            }
        }
        self.to_recall = true;
        self.read_at = Instant::now();
        Ok(())
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.dissolve();
        for at in partitions {
            self.book.forget(at.partition);
            self.unread.remove(at);
            self.positions.remove(at);
            self.shown().readings.remove(at);
        }
    }

    fn take(&mut self, batch: &Batch) -> Result<(), DeliverError> {
        let at = &batch.partition;
        let admitted = self.config.schemas.admits(batch, self.consumer.as_mut());
        if !admitted.map_err(doing(|| format!("putting back records of {} partition {}", at.topic, at.partition)))? {
            return Ok(());
        }
        self.read_at = Instant::now();
        for record in batch.iter() {
            match self.codec.decode(record.value) {
                Ok(AnyRecord::Alert(alert)) => {
                    let told = Told { partition: at.partition, offset: record.offset, appended_at: record.append_time };
                    self.book.take(told, alert.into_owned());
                }
                // Its whole bytes are in dead_letters, where the results sink puts them.
                Ok(_) | Err(_) => {
                    tracing::error!(
                        topic = at.topic,
                        partition = at.partition,
                        offset = record.offset,
                        "an alert is not understood and not sent"
                    );
                }
            }
        }
        if let (Some(next), Some(last)) = (batch.next_offset(), batch.iter().last()) {
            if self.unread.get(at).is_some_and(|end| next >= *end) {
                self.unread.remove(at);
            }
            let end = self.consumer.end_heard(at).map_err(doing(|| format!("asking for the end of {}", at.topic)))?;
            self.shown().readings.set(at, Reading { next, end, append_time: Some(last.append_time) });
            self.positions.insert(at.clone(), next);
            self.to_commit = true;
        }
        Ok(())
    }
}

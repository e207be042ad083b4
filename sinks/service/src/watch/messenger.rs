//! The watch's hands in the log. They may be stuck for as long as the log is; whoever judges is on another thread.

use super::clock::{Moment, Sighting};
use super::control::WatchControl;
use super::pulse::Station;
use fieldline_log::{Append, Batch, Consumer, Destination, Error as LogError, Log, Polled, Producer, TopicPartition};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{AlertState, Flag, FlagCode};
use fieldline_schemas::beat::Beat;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, Version, key_of};
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const POLL_WAIT_MAX: Duration = Duration::from_millis(50);
const POLL_RECORDS_MAX: usize = 1_000;
/// How long the log may take to acknowledge a beat before it counts as not taken for now.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(5);
/// And a log that did not: so long before it is asked for anything again.
const FLUSH_WAIT_MIN: Duration = Duration::from_millis(500);
/// Where the last offsets of a partition hold no record, its end is never reached: so long without one is the end.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// A pause after the log has refused something.
const PAUSE: Duration = Duration::from_secs(1);
/// Flags that wait for a log that takes none; beyond it the oldest are forgotten.
const FLAGS_MAX: usize = 256;

/// What the log is to be told.
pub(super) enum Order {
    Beat(u64),
    Append(Box<Flag<'static>>),
}

/// What is heard from it.
pub(super) enum Heard {
    CameBy {
        station: Station,
        partition: usize,
        number: u64,
    },
    /// The newest beat, as the log's clock had it.
    Seen {
        partition: usize,
        sighting: Sighting,
    },
    /// An S12 on `alerts`.
    Alert {
        alert_id: String,
        is_open: bool,
    },
}

pub(super) struct Messenger {
    pub log: Arc<dyn Log>,
    pub prefix: String,
    pub schemas: Registry,
    pub codec: Codec,
    /// Of `emergency`, and of `alert_events`.
    pub partitions: (u16, i32),
    /// Tells this watch's beats from others'.
    pub watch: u64,
    pub control: Arc<WatchControl>,
    pub tell: Sender<Heard>,
    pub now: Arc<dyn Fn() -> Moment + Send + Sync>,
    pub producer: Option<Box<dyn Producer>>,
    /// The producer has something that the log has not acknowledged in time.
    pub is_stuck: bool,
    pub flags: VecDeque<Flag<'static>>,
    pub beat: Option<u64>,
    /// The newest beat, and when it was handed over.
    pub sent: Option<(u64, Moment)>,
    pub alerts: Alerts,
}

/// S12 as `alerts` has them.
#[derive(Default)]
pub(super) struct Alerts {
    known: BTreeMap<String, (Version, bool)>,
    /// Ends of what was there at the assignment; nothing is told before they are reached.
    unread: BTreeMap<TopicPartition, i64>,
    /// When partitions came, or a record.
    moved_at: Option<Instant>,
    is_told: bool,
}

impl Messenger {
    pub fn run(mut self, orders: &Receiver<Order>) {
        let mut consumer: Option<Box<dyn Consumer>> = None;
        let mut pause_until: Option<Instant> = None;
        while !self.control.is_stopping() {
            while let Ok(order) = orders.try_recv() {
                match order {
                    Order::Beat(number) => self.beat = Some(number),
                    Order::Append(flag) => self.flags.push_back(*flag),
                }
            }
            while self.flags.len() > FLAGS_MAX {
                self.flags.pop_front();
            }
            if pause_until.is_some_and(|until| Instant::now() < until) {
                std::thread::sleep(POLL_WAIT_MAX);
                continue;
            }
            pause_until = None;
            if let Err(error) = self.write().and_then(|()| self.listen(&mut consumer)) {
                // Beats that do not come back say the same, to everyone.
                tracing::debug!(%error, "the watch is refused by the log");
                (consumer, pause_until) = (None, Some(Instant::now() + PAUSE));
            }
        }
    }

    /// Hands over what is wanted. A beat that cannot be sent now is never sent: the next one is due soon.
    fn write(&mut self) -> Result<(), LogError> {
        let beat = self.beat.take();
        if beat.is_none() && self.flags.is_empty() {
            return Ok(());
        }
        let mut producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let topics = [Topic::AlertEvents, Topic::Emergency].map(|topic| topic.full_name(&self.prefix));
                self.log.prompt_producer(&topics.each_ref().map(String::as_str))?
            }
        };
        // A log that takes nothing is not given more and more.
        if self.is_stuck {
            self.is_stuck = producer.flush(FLUSH_WAIT_MIN).is_err();
        }
        let written = if self.is_stuck { Ok(()) } else { self.append(producer.as_mut(), beat) };
        match written {
            Ok(()) => self.producer = Some(producer),
            // What failed for good would fail again.
            Err(error) => {
                self.is_stuck = false;
                return Err(error);
            }
        }
        Ok(())
    }

    fn append(&mut self, producer: &mut dyn Producer, beat: Option<u64>) -> Result<(), LogError> {
        let mut bytes = Vec::new();
        let topic = Topic::AlertEvents.full_name(&self.prefix);
        while let Some(flag) = self.flags.front() {
            bytes.clear();
            let destination = Destination::of_alert(&flag.alert_id, self.partitions.1);
            self.codec.encode(&AnyRecord::Flag(flag.clone()), &mut bytes);
            producer.append(&topic, Append { destination, key: flag.alert_id.as_bytes(), value: &bytes, append_time: None })?;
            self.flags.pop_front();
        }
        if let Some(number) = beat {
            let topic = Topic::Emergency.full_name(&self.prefix);
            let sent = (self.now)();
            self.sent = Some((number, sent));
            for partition in 0..self.partitions.0 {
                bytes.clear();
                let record = Beat { watch: self.watch, number, partition }.emergency(sent.wall);
                self.codec.encode(&record, &mut bytes);
                let destination = Destination::Partition(partition.into());
                producer.append(&topic, Append { destination, key: &key_of(&record), value: &bytes, append_time: None })?;
            }
        }
        match producer.flush(FLUSH_WAIT_MAX) {
            Ok(()) => {}
            Err(LogError::Deadline(_)) => {
                self.is_stuck = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if let Some(number) = beat {
            self.say(Heard::CameBy { station: Station::Log, partition: 0, number });
        }
        Ok(())
    }

    /// Nobody listens any more only where the watch has ended.
    fn say(&self, heard: Heard) {
        _ = self.tell.send(heard);
    }

    fn listen(&mut self, consumer: &mut Option<Box<dyn Consumer>>) -> Result<(), LogError> {
        let consumer = match consumer {
            Some(consumer) => consumer,
            None => {
                // A group of its own each time: it must own every partition.
                let group = format!("{}watch-{}", self.prefix, uuid::Uuid::new_v4());
                let topics = [Topic::Beats, Topic::Alerts].map(|topic| topic.full_name(&self.prefix));
                consumer.insert(self.log.consumer(&group, &topics.each_ref().map(String::as_str))?)
            }
        };
        match consumer.poll(POLL_WAIT_MAX, POLL_RECORDS_MAX)? {
            Polled::Assigned(partitions) => {
                let alerts = Topic::Alerts.full_name(&self.prefix);
                for at in partitions {
                    let watermarks = consumer.watermarks(&at)?;
                    // An old beat says nothing; an old alert may still be open.
                    let start = if at.topic == alerts { watermarks.begin } else { watermarks.end };
                    consumer.seek(&at, start)?;
                    if watermarks.end > start {
                        self.alerts.unread.insert(at, watermarks.end);
                    }
                }
                self.alerts.moved_at = Some(Instant::now());
            }
            Polled::Records(batch) => {
                self.alerts.moved_at = Some(Instant::now());
                if self.schemas.admits(&batch, consumer.as_mut())? {
                    self.take(&batch);
                }
            }
            Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => {}
        }
        self.tell_alerts();
        Ok(())
    }

    fn take(&mut self, batch: &Batch) {
        for record in batch.iter() {
            // What is not understood is the business of others.
            let Ok(any) = self.codec.decode(record.value) else { continue };
            match any {
                AnyRecord::Flag(flag) => self.came_by(Station::Lane, flag.caused_by.map(Beat::of), flag.as_of),
                AnyRecord::Alert(alert) if alert.alert_id.starts_with("S12:beat:") => {
                    self.came_by(Station::Lifecycle, alert.stamp.caused_by.map(Beat::of), alert.opened_at);
                }
                AnyRecord::Alert(alert) if alert.flag == FlagCode::S12 => {
                    let (version, is_open) = (alert.stamp.version, alert.state != AlertState::Resolved);
                    let known = self.alerts.known.get(&*alert.alert_id);
                    if known.is_none_or(|(known, _)| *known < version) {
                        self.alerts.known.insert(alert.alert_id.to_string(), (version, is_open));
                        if self.alerts.is_told {
                            self.say(Heard::Alert { alert_id: alert.alert_id.into_owned(), is_open });
                        }
                    }
                }
                _ => {}
            }
        }
        self.alerts.unread.retain(|at, end| *at != batch.partition || batch.next_offset().is_none_or(|next| next < *end));
    }

    /// What is open is told once it is known to be open still.
    fn tell_alerts(&mut self) {
        let Some(moved_at) = self.alerts.moved_at.filter(|_| !self.alerts.is_told) else { return };
        if self.alerts.unread.is_empty() || moved_at.elapsed() >= SILENCE_MAX {
            self.alerts.is_told = true;
            for (alert_id, _) in self.alerts.known.iter().filter(|(_, (_, is_open))| *is_open) {
                self.say(Heard::Alert { alert_id: alert_id.clone(), is_open: true });
            }
        }
    }

    fn came_by(&self, station: Station, beat: Option<Beat>, append_time: Timestamp) {
        let Some(beat) = beat.filter(|beat| beat.watch == self.watch) else { return };
        let (partition, number) = (usize::from(beat.partition), beat.number);
        if let Some((_, sent)) = self.sent.filter(|(newest, _)| *newest == number && station == Station::Lifecycle) {
            let heard = (self.now)();
            self.control.beat_seconds.observe(heard.steady.since(sent.steady).max(0) as f64 / 1e6);
            self.say(Heard::Seen { partition, sighting: Sighting { sent, heard, append_time } });
        }
        self.say(Heard::CameBy { station, partition, number });
    }
}

/// A channel of orders: few wait in it, or whoever gives them is held up by a log that takes none.
pub(super) fn orders() -> (mpsc::SyncSender<Order>, Receiver<Order>) {
    mpsc::sync_channel(64)
}

//! What a receiver has been told and what it is owed: a fold of `alerts`, one entry per unfinished alert. Pure; what time it
//! is comes as an argument, in microseconds of a clock that never goes back.

use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, FlagCode};
use fieldline_schemas::events::Severity;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Finished alerts whose acknowledgement the lifecycle has not repeated yet, at most: beyond it the oldest are forgotten.
const FINISHED_MAX: usize = 100_000;

/// Silences, groups and rates do not hold these back.
pub fn is_emergency(flag: FlagCode) -> bool {
    matches!(flag, FlagCode::S1 | FlagCode::S6)
}

/// What is sent before what: emergencies, then by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Emergency,
    Critical,
    Error,
    Warning,
    Info,
}

impl Urgency {
    pub fn of(alert: &Alert<'_>) -> Self {
        match alert.severity {
            _ if is_emergency(alert.flag) => Self::Emergency,
            Severity::Critical => Self::Critical,
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Info,
        }
    }
}

/// Nobody is told because of such a step alone.
fn is_for_nobody(step: AlertStep) -> bool {
    matches!(step, AlertStep::Repeated | AlertStep::Noted | AlertStep::Notified | AlertStep::Undelivered)
}

/// A record of `alerts`.
#[derive(Clone, Debug)]
pub struct Told {
    pub partition: i32,
    pub offset: i64,
    pub appended_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Queue {
    /// Nothing to do, or no route leads here.
    Idle,
    Ready(Rank),
    Waiting(i64),
    InFlight,
}

/// The more urgent first; within it the oldest.
type Rank = (Urgency, Timestamp, i32, i64);

/// An unfinished alert.
#[derive(Debug)]
struct Entry {
    alert: Arc<Alert<'static>>,
    /// The first record that carried this notification.
    first: Told,
    /// The highest notification that the receiver has acknowledged, and that was given up.
    acknowledged: u32,
    given_up: u32,
    attempts: u32,
    /// The notification whose suppression is recorded; 0 for none.
    suppressed: u32,
    /// The notification that was in a message of several which the receiver refused; 0 for none.
    apart: u32,
    queue: Queue,
}

impl Entry {
    fn owed(&self) -> bool {
        // Of an alert that came and went under a silence nothing was heard: there is nothing to take back.
        let was_silent = self.suppressed > 0 && self.acknowledged == 0 && self.alert.state == AlertState::Resolved;
        self.alert.notification > self.acknowledged.max(self.given_up) && !was_silent
    }

    fn is_told_and_open(&self) -> bool {
        self.queue == Queue::Idle && self.alert.state != AlertState::Resolved && self.acknowledged > 0
    }

    fn rank(&self) -> Rank {
        (Urgency::of(&self.alert), self.first.appended_at, self.first.partition, self.first.offset)
    }

    fn due(&self) -> Due {
        Due {
            alert: Arc::clone(&self.alert),
            appended_at: self.first.appended_at,
            attempt: self.attempts + 1,
            is_suppressed: self.suppressed >= self.alert.notification,
            is_apart: self.apart >= self.alert.notification,
        }
    }
}

/// Something to send.
#[derive(Clone, Debug)]
pub struct Due {
    pub alert: Arc<Alert<'static>>,
    pub appended_at: Timestamp,
    /// From 1.
    pub attempt: u32,
    /// This notification has been recorded as suppressed.
    pub is_suppressed: bool,
    /// It goes with no others: a message of several that it was in has been refused.
    pub is_apart: bool,
}

/// What one receiver knows.
#[derive(Debug, Default)]
pub struct Book {
    receiver: String,
    entries: BTreeMap<String, Entry>,
    ready: BTreeSet<(Rank, String)>,
    waiting: BTreeSet<(i64, String)>,
    /// Told (or given up) and finished, until the lifecycle's own record says so.
    finished: BTreeMap<String, (u32, u32)>,
    finished_order: VecDeque<String>,
}

impl Book {
    pub fn new(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned(), ..Self::default() }
    }

    /// Takes a record of `alerts`. Records of one alert come in the order of their offsets; a version that is not above the
    /// known one is a repetition.
    pub fn take(&mut self, told: Told, mut alert: Alert<'static>) {
        let id = alert.alert_id.as_ref();
        let echoed = alert.delivered.iter().find(|delivered| delivered.receiver == self.receiver.as_str()).map_or(0, |d| d.notification);
        let (acknowledged, given_up) = match self.entries.get(id) {
            Some(entry) if alert.stamp.version <= entry.alert.stamp.version => return,
            Some(entry) => (entry.acknowledged, entry.given_up),
            None => self.finished.get(id).copied().unwrap_or_default(),
        };
        if echoed >= alert.notification {
            self.finished.remove(id);
        }
        let id = id.to_owned();
        let previous = self.entries.remove(&id);
        let (mut first, mut attempts, mut suppressed, mut apart, mut queue) = (told, 0, 0, 0, Queue::Idle);
        if let Some(previous) = previous {
            (suppressed, apart) = (previous.suppressed, previous.apart);
            let is_same = previous.alert.notification == alert.notification;
            if is_same {
                (first, attempts) = (previous.first, previous.attempts);
                // A notification goes by the step that called for it, whatever was noted since.
                if is_for_nobody(alert.step) {
                    alert.step = previous.alert.step;
                }
            }
            match previous.queue {
                // A newer notification does not wait for the older one's pause, but for its attempt that is under way.
                Queue::Waiting(at) if is_same => queue = Queue::Waiting(at),
                Queue::Waiting(at) => drop(self.waiting.remove(&(at, id.clone()))),
                Queue::Ready(rank) => drop(self.ready.remove(&(rank, id.clone()))),
                Queue::InFlight => queue = Queue::InFlight,
                Queue::Idle => {}
            }
        }
        let alert = Arc::new(alert);
        let entry = Entry { alert, first, acknowledged: acknowledged.max(echoed), given_up, attempts, suppressed, apart, queue };
        self.put(id, entry);
    }

    /// Stores an entry, and queues it if something is owed and nothing else is going on with it.
    fn put(&mut self, id: String, mut entry: Entry) {
        match (&entry.queue, entry.owed()) {
            (Queue::Idle, true) => {
                entry.queue = Queue::Ready(entry.rank());
                self.ready.insert((entry.rank(), id.clone()));
            }
            (Queue::Waiting(at), false) => {
                self.waiting.remove(&(*at, id.clone()));
                entry.queue = Queue::Idle;
            }
            _ => {}
        }
        let is_open = entry.alert.state != AlertState::Resolved;
        if entry.queue != Queue::Idle || is_open {
            self.entries.insert(id, entry);
            return;
        }
        let echoed = entry.alert.delivered.iter().any(|d| d.receiver == self.receiver.as_str() && d.notification >= entry.acknowledged);
        if (entry.acknowledged > 0 || entry.given_up > 0) && !(echoed && entry.given_up <= entry.acknowledged) {
            if self.finished.insert(id.clone(), (entry.acknowledged, entry.given_up)).is_none() {
                self.finished_order.push_back(id);
            }
            while self.finished_order.len() > FINISHED_MAX {
                if let Some(oldest) = self.finished_order.pop_front() {
                    self.finished.remove(&oldest);
                }
            }
        }
    }

    /// What `deliveries` says of an attempt of this receiver, read at its start. True: it ended what is owed, and the
    /// lifecycle has not said so.
    pub fn recall(&mut self, alert_id: &str, notification: u32, attempt: u32, recalled: Recalled) -> bool {
        let Some(mut entry) = self.take_out(alert_id) else { return false };
        let was_owed = entry.owed();
        match recalled {
            Recalled::Acknowledged => entry.acknowledged = entry.acknowledged.max(notification),
            Recalled::GaveUp => entry.given_up = entry.given_up.max(notification),
            Recalled::Suppressed => entry.suppressed = entry.suppressed.max(notification),
            Recalled::Failed => {}
        }
        if notification == entry.alert.notification && recalled != Recalled::Suppressed {
            entry.attempts = entry.attempts.max(attempt);
        }
        let ends = was_owed && !entry.owed() && recalled != Recalled::Suppressed;
        self.put(alert_id.to_owned(), entry);
        ends
    }

    /// Takes an entry out of the map and its queue; an attempt under way stays one.
    fn take_out(&mut self, id: &str) -> Option<Entry> {
        let mut entry = self.entries.remove(id)?;
        match entry.queue {
            Queue::Ready(rank) => drop(self.ready.remove(&(rank, id.to_owned()))),
            Queue::Waiting(at) => drop(self.waiting.remove(&(at, id.to_owned()))),
            Queue::InFlight => return Some(entry),
            Queue::Idle => {}
        }
        entry.queue = Queue::Idle;
        Some(entry)
    }

    /// The append time from which on `deliveries` must be read to know what became of everything owed.
    pub fn owed_since(&self) -> Option<Timestamp> {
        let owed = self.entries.values().filter(|entry| entry.owed());
        owed.map(|e| if e.alert.state == AlertState::Resolved { e.alert.opened_at.min(e.first.appended_at) } else { e.first.appended_at })
            .min()
    }

    /// Moves what has waited long enough back into the queue.
    pub fn wake(&mut self, now_us: i64) {
        while let Some((at, id)) = self.waiting.first().cloned().filter(|(at, _)| *at <= now_us) {
            self.waiting.remove(&(at, id.clone()));
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.queue = Queue::Ready(entry.rank());
                self.ready.insert((entry.rank(), id));
            }
        }
    }

    /// The most urgent thing to send, if it is at least as urgent as `least`. It counts as under way from now on.
    pub fn next(&mut self, least: Urgency) -> Option<Due> {
        let (rank, id) = self.ready.first().filter(|(rank, _)| rank.0 <= least)?.clone();
        self.ready.remove(&(rank, id.clone()));
        let entry = self.entries.get_mut(&id)?;
        entry.queue = Queue::InFlight;
        Some(entry.due())
    }

    /// What `next` gave some time ago, as it stands by now; `None` where nothing of it is owed any more, which ends it.
    pub fn renew(&mut self, alert_id: &str) -> Option<Due> {
        let Some(entry) = self.entries.get(alert_id).filter(|entry| entry.owed()) else {
            self.end(alert_id, 0, Ending::Repeated);
            return None;
        };
        Some(entry.due())
    }

    /// Ends what `next` began.
    pub fn end(&mut self, alert_id: &str, notification: u32, ending: Ending) {
        let Some(mut entry) = self.entries.remove(alert_id) else { return };
        entry.queue = Queue::Idle;
        let is_newest = entry.alert.notification == notification;
        match ending {
            Ending::Acknowledged => entry.acknowledged = entry.acknowledged.max(notification),
            Ending::GaveUp => entry.given_up = entry.given_up.max(notification),
            // What came meanwhile is sent at once.
            Ending::RetryAt(at) if is_newest => {
                entry.attempts += 1;
                entry.queue = Queue::Waiting(at);
            }
            Ending::Apart if is_newest => {
                entry.attempts += 1;
                entry.apart = notification;
            }
            Ending::RetryAt(_) | Ending::Apart | Ending::Repeated => {}
            Ending::Suppressed(at) => {
                entry.suppressed = entry.suppressed.max(notification);
                entry.queue = Queue::Waiting(at);
            }
            Ending::NoRoute => {
                if entry.alert.state != AlertState::Resolved {
                    self.entries.insert(alert_id.to_owned(), entry);
                }
                return;
            }
        }
        if let Queue::Waiting(at) = entry.queue {
            self.waiting.insert((at, alert_id.to_owned()));
        }
        self.put(alert_id.to_owned(), entry);
    }

    /// Teams, names or silences have changed: what had no route, and what waits for a silence, is looked at again.
    pub fn reconsider(&mut self) {
        let idle = |entry: &Entry| matches!(entry.queue, Queue::Idle | Queue::Waiting(_)) && entry.owed();
        let ids: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, e)| idle(e) && (e.queue == Queue::Idle || e.suppressed > 0))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            if let Some(entry) = self.take_out(&id) {
                self.put(id, entry);
            }
        }
    }

    /// Open alerts that the receiver has acknowledged, for receivers that are told again at times.
    pub fn told_and_open(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|(_, entry)| entry.is_told_and_open()).map(|(id, _)| id.as_str())
    }

    /// Begins to tell such an alert again. It counts as under way until `end`.
    pub fn repeat(&mut self, alert_id: &str) -> Option<Due> {
        let entry = self.entries.get_mut(alert_id).filter(|entry| entry.is_told_and_open())?;
        entry.queue = Queue::InFlight;
        Some(Due { attempt: 1, ..entry.due() })
    }

    /// The partition belongs to another process, or is read again from its beginning.
    pub fn forget(&mut self, partition: i32) {
        let ids: Vec<String> =
            self.entries.iter().filter(|(_, entry)| entry.first.partition == partition).map(|(id, _)| id.clone()).collect();
        for id in ids {
            drop(self.take_out(&id));
            self.entries.remove(&id);
        }
    }

    /// How many alerts are owed, and since when the oldest; what no route leads to is not owed.
    pub fn backlog(&self) -> (u64, Option<Timestamp>) {
        let owed = self.entries.values().filter(|entry| entry.queue != Queue::Idle && entry.owed());
        owed.fold((0, None), |(count, oldest), e| {
            (count + 1, Some(oldest.map_or(e.first.appended_at, |o: Timestamp| o.min(e.first.appended_at))))
        })
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

/// How a recorded attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalled {
    Acknowledged,
    Failed,
    GaveUp,
    Suppressed,
}

/// How what `next` gave has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Acknowledged,
    GaveUp,
    RetryAt(i64),
    /// The message of several that it was in is refused: it goes again at once, alone.
    Apart,
    /// A silence fits; it is looked at again then.
    Suppressed(i64),
    NoRoute,
    /// What `repeat` gave, however it ended; what was not sent after all.
    Repeated,
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;

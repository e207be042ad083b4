//! The life of alerts: a fold over one partition of `alert_events`, from its beginning.
//!
//! ```text
//!            S2: not acknowledged, the next round          S3: not resolved in time
//!              ┌──────┐                             ┌────────────────────────────┐
//! flag ──► opened ─ notified ──── acknowledge ──► acknowledged ── resolve ──► resolved
//!              ▲      └──────────── resolve · no longer true ───────────────────┘ │
//!              └──────────────────────── true again ──────────────────────────────┘
//! ```
//! An emergency (S1) is closed by a person with a reason, or by the resolution of an operational event that names its subject, and by
//! nothing else; an alarm (S10) by a person. Time is the partition's clock: a timer fires
//! before the record that moved the clock to it, as of that record's time, and the next round is counted from there. So
//! after an outage a person still gets every round, each with its time to act, and not all of them at once.

mod cleared;
mod entry;
mod moved;
mod steps;

use entry::{Entry, open_again};
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, Delivery, Flag};
use fieldline_schemas::events::{AlertAction, Clearance};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp, Version};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A resolved alert is kept whole for so long, for deliveries and notes that come after it; then only what its return would
/// need.
pub const WHOLE_US: i64 = 30 * DAY_US;

/// The thresholds of S2 and S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// An emergency that nobody acknowledged for so long goes to its next round, microseconds.
    pub escalate_after_us: i64,
    /// Rounds of escalation; after the last it stays open.
    pub rounds_max: u32,
    /// An emergency that was acknowledged and not resolved for so long opens again, microseconds.
    pub reopen_after_us: i64,
    /// Of every version; raised by hand when alerts of another log must be overruled. 0 to 15.
    pub epoch: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { escalate_after_us: 60 * SECOND_US, rounds_max: 5, reopen_after_us: 30 * MINUTE_US, epoch: 0 }
    }
}

/// A record of `alert_events`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    pub offset: i64,
    pub append_time: Timestamp,
    pub event: Event<'a>,
}

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    Flag(&'a Flag<'a>),
    Action(&'a AlertAction<'a>),
    Delivery(&'a Delivery<'a>),
    /// A tick, or what could not be understood: it moves the clock, and nothing else.
    Time,
}

impl<'a> Event<'a> {
    pub fn read(record: &'a AnyRecord<'a>) -> Self {
        match record {
            AnyRecord::Flag(flag) => Self::Flag(flag),
            AnyRecord::AlertAction(action) => Self::Action(action),
            AnyRecord::Delivery(delivery) => Self::Delivery(delivery),
            _ => Self::Time,
        }
    }
}

/// What follows from a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// In the order in which they came about.
    pub alerts: Vec<Alert<'static>>,
    /// For the logs of the technicians whose emergencies were resolved.
    pub clearances: Vec<Clearance<'static>>,
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.clearances.is_empty()
    }
    pub fn clear(&mut self) {
        self.alerts.clear();
        self.clearances.clear();
    }
}

/// What came and changed nothing, for whoever watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Flags that were known already, or older than what is known.
    pub outdated_flags: u64,
    /// The same action, or the same delivery, a second time.
    pub repeated_records: u64,
    /// Actions, deliveries and withdrawals of alerts that nobody has opened, or that were resolved long ago.
    pub unknown_alerts: u64,
}

/// Why a record could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    #[error("offset {offset} of alert_events with epoch {epoch} does not fit into a version")]
    Version { offset: i64, epoch: u8 },
}

/// Where and when a record is.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// The version of an alert's first output here.
    version: Version,
    clock: Timestamp,
}

/// What a step is due to.
#[derive(Clone, Debug, Default)]
struct Why {
    cause: Cow<'static, str>,
    caused_by: Option<EventId>,
    actor: Option<fieldline_schemas::ids::ContactId>,
    note: Option<Cow<'static, str>>,
}

impl Why {
    fn of(cause: &'static str, caused_by: Option<EventId>) -> Self {
        Self { cause: Cow::Borrowed(cause), caused_by, ..Self::default() }
    }
}

/// The alerts of one partition.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    settings: Settings,
    clock: Option<Timestamp>,
    entries: BTreeMap<String, Entry>,
    /// Emergencies that are not resolved and count for themselves, in the order of their opening.
    emergencies: BTreeMap<TechnicianId, Vec<String>>,
    timers: BTreeSet<(Timestamp, String)>,
    /// Resolved alerts that are still whole, in the order of their resolution.
    whole: VecDeque<(Timestamp, String)>,
    counters: Counters,
}

impl Lifecycle {
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Takes the next record of the partition; what follows is added to `effects`.
    pub fn apply(&mut self, record: &Record<'_>, effects: &mut Effects) -> Result<(), LifecycleError> {
        let Settings { epoch, .. } = self.settings;
        let version = u64::try_from(record.offset).ok().and_then(|offset| Version::pack(epoch, 0, offset, 0));
        let version = version.ok_or(LifecycleError::Version { offset: record.offset, epoch })?;
        let clock = self.clock.map_or(record.append_time, |clock| clock.max(record.append_time));
        self.clock = Some(clock);
        let moment = Moment { version, clock };
        self.fire(moment, effects);
        self.compact(clock);
        match record.event {
            Event::Flag(flag) => self.flag(flag, moment, effects),
            Event::Action(action) => self.action(action, moment, effects),
            Event::Delivery(delivery) => self.delivery(delivery, moment, effects),
            Event::Time => {}
        }
        Ok(())
    }

    /// The next instant at which time alone changes something.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The highest append time seen.
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Alerts that are not resolved.
    pub fn open(&self) -> usize {
        self.entries.values().filter(|entry| entry.state().is_some_and(|state| state != AlertState::Resolved)).count()
    }

    fn fire(&mut self, moment: Moment, effects: &mut Effects) {
        // What is set while firing lies ahead of the clock, and waits for the next record.
        let due: Vec<String> = self.timers.iter().take_while(|(due, _)| *due <= moment.clock).map(|(_, id)| id.clone()).collect();
        for id in due {
            let Settings { rounds_max, escalate_after_us, .. } = self.settings;
            self.set_timer(&id, None);
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let why = Why::of("timer", None);
            match entry.state() {
                Some(AlertState::Opened | AlertState::Notified) => {
                    let round = entry.step(AlertStep::Escalated, why, moment, effects, |alert| {
                        alert.round += 1;
                        alert.notification += 1;
                        alert.round
                    });
                    if round.is_some_and(|round| round < rounds_max) {
                        self.set_timer(&id, Some(moment.clock + escalate_after_us));
                    }
                }
                Some(AlertState::Acknowledged) => {
                    entry.step(AlertStep::Reopened, why, moment, effects, |alert| {
                        open_again(alert);
                        alert.notification += 1;
                    });
                    self.share(&id, moment, effects);
                    self.escalate_from(&id, moment.clock);
                }
                Some(AlertState::Resolved) | None => {}
            }
        }
    }

    /// Rounds are counted from here.
    fn escalate_from(&mut self, id: &str, clock: Timestamp) {
        if self.settings.rounds_max > 0 {
            self.set_timer(id, Some(clock + self.settings.escalate_after_us));
        }
    }

    fn set_timer(&mut self, id: &str, due: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some(before) = std::mem::replace(&mut entry.timer, due) {
            self.timers.remove(&(before, id.to_owned()));
        }
        if let Some(due) = due {
            self.timers.insert((due, id.to_owned()));
        }
    }

    /// Lets go of what a resolved alert no longer needs.
    fn compact(&mut self, clock: Timestamp) {
        while self.whole.front().is_some_and(|(resolved_at, _)| clock.since(*resolved_at) > WHOLE_US) {
            let Some((_, id)) = self.whole.pop_front() else { return };
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.compact(clock);
            }
        }
    }
}

//! One queue: the calls of the rolling window, and whether its service level is below the target.

use super::call::{Call, Counts};
use crate::flags::FlagSettings;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::SECOND_US;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A queue, seen from the clock of its partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Of each id the record that stands.
    calls: BTreeMap<EventId, Call>,
    /// In the order in which they were appended.
    remembered: VecDeque<(Timestamp, EventId)>,
    /// Those that count, by entry: the first is the next to leave the window.
    window: BTreeSet<(Timestamp, EventId)>,
    pub counts: Counts,
    /// Since when the level is below the target, where that was told of.
    pub below_since: Option<Timestamp>,
    /// The last call of a second that is not over: the level is judged when it is.
    pub touched: Option<(Timestamp, EventId)>,
}

/// How the level stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Below,
    Reached,
    /// Too few calls for a judgement; what was told stays told.
    Unknown,
}

impl Level {
    pub fn of(counts: &Counts, settings: &FlagSettings) -> Self {
        match counts.reaches(settings.queue_target_percent) {
            // Where nobody calls any more nothing is below anything.
            _ if counts.offered == 0 => Self::Reached,
            Some(true) => Self::Reached,
            Some(false) if counts.offered >= settings.queue_calls_min => Self::Below,
            _ => Self::Unknown,
        }
    }
}

impl Queue {
    /// Takes a record; whether what counts changed.
    pub fn take(&mut self, id: EventId, call: Call, settings: &FlagSettings) -> bool {
        let known = self.calls.get(&id).copied();
        // The first of a revision stands, but for a void.
        if known.is_some_and(|known| (known.revision, known.voided) >= (call.revision, call.voided)) {
            return false;
        }
        self.calls.insert(id, call);
        self.remembered.push_back((call.appended, id));
        let is_left = |call: &Call| call.entered_at + settings.queue_window_us <= call.appended;
        if let Some(known) = known
            && self.window.remove(&(known.entered_at, id))
        {
            self.counts.remove(known.counts.unwrap_or_default());
        }
        if let Some(counts) = call.counts.filter(|_| !is_left(&call)) {
            self.window.insert((call.entered_at, id));
            self.counts.add(counts);
        }
        true
    }

    /// When the next call leaves the window.
    pub fn next_leaves(&self, settings: &FlagSettings) -> Option<Timestamp> {
        self.window.first().map(|(entered_at, _)| *entered_at + settings.queue_window_us)
    }

    /// Lets the calls go that leave the window at `at`.
    pub fn leave(&mut self, at: Timestamp, settings: &FlagSettings) {
        while let Some((entered_at, id)) = self.window.first().copied().filter(|(entered, _)| *entered + settings.queue_window_us <= at) {
            self.window.remove(&(entered_at, id));
            self.counts.remove(self.calls.get(&id).and_then(|call| call.counts).unwrap_or_default());
        }
    }

    /// Forgets records whose calls have left the window, whatever revision of them comes.
    pub fn forget(&mut self, clock: Timestamp, settings: &FlagSettings) {
        while let Some((appended, id)) =
            self.remembered.front().copied().filter(|(appended, _)| *appended + settings.queue_window_us <= clock)
        {
            self.remembered.pop_front();
            if self.calls.get(&id).is_some_and(|call| call.appended == appended) {
                self.calls.remove(&id);
            }
        }
    }

    /// Before this the queue need not be looked at, if no record comes.
    pub fn quiet_until(&self, settings: &FlagSettings) -> Option<Timestamp> {
        let second = self.touched.map(|(at, _)| Timestamp((at.second() + 1) * SECOND_US));
        let forgets = self.remembered.front().map(|(appended, _)| *appended + settings.queue_window_us);
        [second, self.next_leaves(settings), forgets].into_iter().flatten().min()
    }

    pub fn is_blank(&self) -> bool {
        self.calls.is_empty() && self.below_since.is_none() && self.touched.is_none()
    }

    /// Whether `level` says otherwise than what was told.
    pub fn differs(&self, level: Level) -> bool {
        matches!((level, self.below_since), (Level::Below, None) | (Level::Reached, Some(_)))
    }

    /// The first instant at which calls that leave change what is told, if no call comes.
    pub fn changes_at(&self, settings: &FlagSettings) -> Option<Timestamp> {
        let mut counts = self.counts;
        let mut leaving = self.window.iter().peekable();
        while let Some((entered_at, id)) = leaving.next() {
            counts.remove(self.calls.get(id).and_then(|call| call.counts).unwrap_or_default());
            let is_last_of_instant = leaving.peek().is_none_or(|(next, _)| next != entered_at);
            if is_last_of_instant && self.differs(Level::of(&counts, settings)) {
                return Some(*entered_at + settings.queue_window_us);
            }
        }
        None
    }
}

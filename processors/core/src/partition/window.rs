//! The live window: how far back the state reaches, seen from the partition's clock.

use crate::definition::{CONTEXT_US, SILENCE_US, UNIT_US};
use fieldline_schemas::Timestamp;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};

/// Lateness that is served from the state; an older fact is a matter of history.
pub const LATENESS_US: i64 = 72 * HOUR_US;
/// Facts that happened within this are folded: lateness, a unit's length, the context that cuts depend on, and the silence
/// that must lie before the first event of that context for it to count as a fresh start.
pub const FACTS_US: i64 = LATENESS_US + UNIT_US + CONTEXT_US + SILENCE_US;
/// Units that begin before this are frozen: they lack context, so history alone may publish them.
pub const LIVE_UNITS_US: i64 = LATENESS_US + UNIT_US;
/// How far ahead of its arrival a fact may lie.
pub const AHEAD_US: i64 = DAY_US;
/// Of everything appended within this a marker is kept; replaying this much rebuilds the state.
pub const MARKERS_US: i64 = FACTS_US + AHEAD_US;
/// The last stretch of a replay is processed like live records, but for what is put out: then it is known of nearly every flag
/// whether it was put out, and not only that it is due.
pub const SETTLED_US: i64 = 15 * MINUTE_US;
/// A step of the clock beyond this is an outage, unless a tick vouches for the time.
pub const GAP_US: i64 = 10_000_000;

/// The times of the activities that changed facts concern: from the earliest to the latest. None where `to` lies before `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Visit plans are among what changed.
    pub visit_plans: bool,
}

impl Changed {
    /// What changed may concern any time.
    pub const EVERYTHING: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX, visit_plans: true };
    /// What changed concerns no activity that is known.
    pub const NO_ACTIVITY: Self = Self { from: Timestamp::MAX, to: Timestamp::MIN, visit_plans: false };

    pub fn at(at: Timestamp) -> Self {
        Self { from: at, to: at, visit_plans: false }
    }

    pub fn concerns_activities(self) -> bool {
        self.from <= self.to
    }

    /// Both, where there is something.
    pub fn join(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(Self { from: a.from.min(b.from), to: a.to.max(b.to), visit_plans: a.visit_plans || b.visit_plans }),
            (one, other) => one.or(other),
        }
    }
}

/// The limits of the window at one moment of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    at: Timestamp,
}

impl Window {
    pub const fn at(at: Timestamp) -> Self {
        Self { at }
    }
    /// No limits: for whoever reads the whole log, not its last days.
    pub const fn everything() -> Self {
        Self { at: Timestamp::MIN }
    }
    /// The time by which a fact leaves the window: its own, as far as it can be believed.
    pub fn time_of(self, own: Timestamp) -> Timestamp {
        if self.at == Timestamp::MIN { own } else { own.min(self.at + AHEAD_US) }
    }
    /// The moment from which it is seen.
    pub const fn clock(self) -> Timestamp {
        self.at
    }
    /// The first instant at which a fact may have happened to be folded.
    pub fn facts_from(self) -> Timestamp {
        self.at - FACTS_US
    }
    /// The first append time of which markers are kept.
    pub fn markers_from(self) -> Timestamp {
        self.at - MARKERS_US
    }
    /// Units that begin before this are frozen.
    pub fn live_units_from(self) -> Timestamp {
        self.at - LIVE_UNITS_US
    }
    /// What happened before this is for history.
    pub fn in_time_from(self) -> Timestamp {
        self.at - LATENESS_US
    }
}

//! One walk through a technician's events: the codes of each, the shifts, and every stretch.

mod ending;
mod event;
mod going;
mod position;

use crate::stretch::Stretch;
use fieldline_processors_core::definition::{Definition, UNIT_US};
use fieldline_processors_core::facts::{ActivityFact, Facts, Position};
use fieldline_schemas::Anomalies;
use fieldline_schemas::events::{EventCategory, Severity};
use fieldline_schemas::ids::{EventId, VisitId};
use fieldline_schemas::results::Quality::Observed;
use going::{Attending, Going, Travelling, VisitTravel};
pub use position::great_circle_meters;
use std::collections::BTreeMap;

/// A column of the state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Off,
    Idle,
    Done,
    Site,
    Pause,
    Work,
    Travel,
    Break,
    Emergency,
}

/// A shift: its events are `first..=last`.
#[derive(Clone, Debug)]
pub struct Shift {
    pub first: usize,
    pub last: usize,
    pub started: i64,
    /// Of its shift_end.
    pub ended: Option<i64>,
    /// Where it ends, or is closed without an end.
    pub closed: i64,
    /// A later shift_start closed it.
    pub superseded: bool,
}

/// One attendance, in the order in which they began.
#[derive(Clone, Copy, Debug)]
pub struct Attendance {
    pub visit: Option<VisitId>,
    pub left: Option<i64>,
}

#[derive(Default)]
pub struct Walked {
    /// Codes of each event.
    pub codes: Vec<Anomalies>,
    /// The position of each event at a trusted one; `None` elsewhere.
    pub trusted: Vec<Option<Position>>,
    pub shifts: Vec<Shift>,
    pub stretches: Vec<Stretch>,
    pub attendances: Vec<Attendance>,
}

struct Walk<'a> {
    facts: &'a Facts<'a>,
    open_shift: Option<Shift>,
    emergency: Option<(Going, EventId)>,
    on_break: Option<Going>,
    travelling: Option<Travelling>,
    attending: BTreeMap<Option<VisitId>, Attending>,
    visit_travels: BTreeMap<VisitId, VisitTravel>,
    /// When and for which visit the last travel_end was, since the last arrived_on_site, travel_start or shift end.
    last_travel_end: Option<(i64, Option<VisitId>)>,
    last_arrived: Option<i64>,
    last_trusted: Option<(i64, Position)>,
    out: Walked,
}

pub fn walk(events: &[ActivityFact], facts: &Facts<'_>, definition: &Definition) -> Walked {
    let mut walk = Walk {
        facts,
        open_shift: None,
        emergency: None,
        on_break: None,
        travelling: None,
        attending: BTreeMap::new(),
        visit_travels: BTreeMap::new(),
        last_travel_end: None,
        last_arrived: None,
        last_trusted: None,
        out: Walked::default(),
    };
    for index in 0..events.len() {
        walk.time_passes(events[index].created_at.0);
        let codes = walk.event(events, index);
        walk.out.codes.push(codes.union(events[index].anomalies));
        walk.position(&events[index], definition);
        if let Some(shift) = &mut walk.open_shift {
            shift.last = index;
        }
    }
    walk.time_passes(i64::MAX);
    walk.out.shifts.sort_by_key(|s| s.first);
    walk.out
}

impl Walk<'_> {
    fn column(&self) -> Column {
        if self.emergency.is_some() {
            Column::Emergency
        } else if self.on_break.is_some() {
            Column::Break
        } else if self.travelling.is_some() {
            Column::Travel
        } else {
            let off = if self.open_shift.is_some() { Column::Idle } else { Column::Off };
            self.attending.values().filter(|a| a.there).map(|a| a.state).max().unwrap_or(off)
        }
    }

    fn put(&mut self, stretch: Stretch) {
        self.out.stretches.push(stretch);
    }

    /// Everything that falls due before `now`, in order: clearances (at `now` too), the 24 h limits, the shift's close.
    fn time_passes(&mut self, now: i64) {
        loop {
            let clearance = self.clearance().filter(|at| *at <= now);
            let close = self.open_shift.as_ref().map(|s| s.started + UNIT_US).filter(|at| *at < now);
            let expiry = self.goings().map(|g| g.last_own + UNIT_US).filter(|at| *at < now).min();
            let due = [clearance, expiry, close].into_iter().flatten().min();
            let Some(due) = due else { return };
            if clearance == Some(due) {
                self.end_emergency(due.max(self.emergency.map_or(due, |(g, _)| g.from)), Observed);
            } else if expiry == Some(due) {
                self.expire(due);
            } else {
                self.close_shift(due, false);
            }
        }
    }

    fn goings(&self) -> impl Iterator<Item = &Going> {
        let technician = self.emergency.iter().map(|e| &e.0).chain(&self.on_break).chain(self.travelling.iter().map(|t| &t.going));
        technician.chain(self.attending.values().map(|a| &a.going)).chain(self.visit_travels.values().map(|t| &t.going))
    }

    /// When the emergency that is going on is cleared.
    fn clearance(&self) -> Option<i64> {
        let (going, id) = self.emergency?;
        let resolution = self.facts.clearances.iter().filter(|c| c.emergency_id == id).map(|c| c.created_at.0).min();
        let signal = self
            .facts
            .signals
            .iter()
            .filter(|s| s.event_category == EventCategory::Security || s.severity == Severity::Critical)
            .filter_map(|s| s.resolved_at)
            .map(|at| at.0)
            .filter(|at| *at >= going.from)
            .min();
        [resolution.map(|at| at.max(going.from)), signal].into_iter().flatten().min()
    }
}

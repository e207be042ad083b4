//! How what is going on comes to an end without an event that names its end: by time, by a clearance, by a shift's end.

use super::draft::{Attendance, SiteState, VisitTravel};
use super::stretch::{Going, Kind};
use super::tail::Tail;
use super::walk::{Emergency, End, Travel, TravelEnd, Walk, part_kind};
use crate::definition::UNIT_US;
use crate::facts::Facts;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{EventCategory, Severity};
use fieldline_schemas::ids::EventId;

/// What `finish` ended though nobody said so: with it a walk can go on.
pub(super) struct Unfinished {
    /// How many stretches had ended by themselves.
    stretches: usize,
    open_shift: Option<usize>,
    emergency: Option<Emergency>,
    on_break: Option<Going>,
    travel: Option<Travel>,
    travel_end: Option<TravelEnd>,
    episodes: Vec<(usize, Option<VisitTravel>, Option<Attendance>)>,
}

impl Walk {
    /// Lets time pass up to `at`, the instant of the next event: clearances, the 24 h of each thing, the shift's close.
    pub(super) fn settle(&mut self, at: Timestamp) {
        let close = self.open_shift.map(|s| self.shifts[s].started_at + UNIT_US).filter(|close| *close < at);
        self.clear_emergency(close.unwrap_or(at));
        if let Some(close) = close {
            self.end_everything(close, End::Close);
            self.close_shift(close);
        }
        if let Some(emergency) = self.emergency.take_if(|m| m.going.expires_at() < at) {
            self.emit(emergency.going.open(Kind::Emergency, at));
        }
        if let Some(on_break) = self.on_break.take_if(|b| b.expires_at() < at) {
            self.emit(on_break.open(Kind::Break, at));
        }
        if let Some(travel) = self.travel.take_if(|t| t.going.expires_at() < at) {
            self.emit(travel.going.open(Kind::Travel, at));
        }
        self.travel_end.take_if(|end| end.at + UNIT_US < at);
        while let Some(expired) = self.open_episodes.iter().copied().find(|i| self.episodes[*i].expires_at() < at) {
            self.end_episode_open(expired, at, End::Close);
        }
    }

    /// Ends the emergency where a person cleared it at or before `at`.
    pub(super) fn clear_emergency(&mut self, at: Timestamp) {
        let cleared = self.emergency.and_then(|m| m.clears_at.filter(|c| *c <= at && *c <= m.going.expires_at()));
        if let Some((cleared_at, emergency)) = cleared.zip(self.emergency) {
            self.emergency = None;
            self.heard_while_travelling(cleared_at);
            self.emit(emergency.going.observed(Kind::Emergency, cleared_at));
        }
    }

    /// Ends everything, as far as anybody knows.
    pub(super) fn finish(&mut self) -> Unfinished {
        let open = |i: &usize| (*i, self.episodes[*i].travel, self.episodes[*i].attendance);
        let unfinished = Unfinished {
            stretches: self.stretches.len(),
            open_shift: self.open_shift,
            emergency: self.emergency,
            on_break: self.on_break,
            travel: self.travel,
            travel_end: self.travel_end,
            episodes: self.open_episodes.iter().map(open).collect(),
        };
        let close = self.open_shift.map(|s| self.shifts[s].started_at + UNIT_US);
        let limit = close.unwrap_or(Timestamp::MAX);
        self.clear_emergency(limit);
        self.tail = self.now();
        self.end_everything(limit, End::Close);
        self.close_shift(limit);
        unfinished
    }

    /// Takes `finish` back, so that later events find what was going on.
    pub(super) fn go_on(&mut self, unfinished: Unfinished) {
        let Unfinished { stretches, open_shift, emergency, on_break, travel, travel_end, episodes } = unfinished;
        self.stretches.truncate(stretches);
        (self.open_shift, self.emergency, self.on_break) = (open_shift, emergency, on_break);
        (self.travel, self.travel_end) = (travel, travel_end);
        for (index, travel, attendance) in episodes {
            self.open_episodes.push(index);
            (self.episodes[index].travel, self.episodes[index].attendance) = (travel, attendance);
        }
    }

    fn now(&self) -> Tail {
        Tail {
            column: self.column(),
            last: self.last,
            open_shift: self.open_shift.map(|s| self.shifts[s].id),
            travel: self.travel.map(|travel| travel.begun),
            position: self.trail.last.map(|located| located.position),
        }
    }

    /// Ends all that is going on at `at`, or earlier where its own rules say so.
    pub(super) fn end_everything(&mut self, at: Timestamp, end: End) {
        if let Some(emergency) = self.emergency.take() {
            self.emit(match end {
                End::ShiftEnd => emergency.going.observed(Kind::Emergency, at),
                End::Close => emergency.going.open(Kind::Emergency, at),
            });
        }
        if let Some(on_break) = self.on_break.take() {
            self.emit(match end {
                End::ShiftEnd => on_break.imputed(Kind::Break, at),
                End::Close => on_break.open(Kind::Break, at),
            });
        }
        if let Some(travel) = self.travel.take() {
            self.emit(travel.going.open(Kind::Travel, at));
        }
        while let Some(open) = self.open_episodes.first().copied() {
            self.end_episode_open(open, at, end);
        }
        self.travel_end = None;
    }

    /// What lay over a travel is over: the silence on the way is counted from here.
    pub(super) fn heard_while_travelling(&mut self, at: Timestamp) {
        if let Some(travel) = &mut self.travel {
            travel.begun.counted_from = at;
        }
    }

    pub(super) fn close_shift(&mut self, at: Timestamp) {
        if let Some(shift) = self.open_shift.take() {
            self.shifts[shift].closed_at = at;
        }
    }

    /// Ends an episode that nobody left.
    pub(super) fn end_episode_open(&mut self, index: usize, at: Timestamp, end: End) {
        self.end_visit_travel_open(index, at);
        if let Some(attendance) = self.episodes[index].attendance.take() {
            let suspended = attendance.state == SiteState::Pause && end == End::ShiftEnd && !attendance.left_since;
            let part = attendance.part();
            self.emit_for(index, if suspended { part.observed(Kind::Pause, at) } else { part.open(part_kind(attendance.state), at) });
            self.emit_for(index, attendance.on_site.open(Kind::OnSite, at));
        }
        self.open_episodes.retain(|open| *open != index);
    }

    pub(super) fn end_visit_travel_open(&mut self, index: usize, at: Timestamp) {
        if let Some(VisitTravel { going, .. }) = self.episodes[index].travel.take() {
            self.emit_for(index, going.open(Kind::VisitTravel, at));
        }
    }
}

/// The first resolution of the emergency's own alert, or the end of a grave event that names the technician.
pub(super) fn clearance_of(emergency_id: EventId, at: Timestamp, facts: Facts<'_>) -> Option<Timestamp> {
    let resolutions = facts.clearances.iter().filter(|c| c.emergency_id == emergency_id).map(|c| c.created_at.max(at));
    let grave = |category, severity| category == EventCategory::Security || severity == Severity::Critical;
    let signals = facts.signals.iter().filter(|s| grave(s.event_category, s.severity));
    resolutions.chain(signals.filter_map(|s| s.resolved_at).filter(|resolved_at| *resolved_at >= at)).min()
}

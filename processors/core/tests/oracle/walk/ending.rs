//! How things begin and end, and what a technician's moving on means for all of them.

use super::going::{Attending, EndOfAll, Going, observed, part_kind};
use super::{Attendance, Column, Shift, Walk};
use crate::stretch::{Kind, Stretch};
use fieldline_processors_core::definition::UNIT_US;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality::{self, *};

impl Walk<'_> {
    /// Ends, open, what has had no own event for 24 h.
    pub(super) fn expire(&mut self, at: i64) {
        let expired = |going: &Going| going.last_own + UNIT_US <= at;
        if self.emergency.is_some_and(|(g, _)| expired(&g)) {
            self.end_emergency(at, Open);
        }
        if self.on_break.is_some_and(|g| expired(&g)) {
            self.end_break(at, Open);
        }
        if self.travelling.is_some_and(|t| expired(&t.going)) {
            self.end_travelling(at, Open);
        }
        let visits: Vec<_> = self.attending.iter().filter(|(_, a)| expired(&a.going)).map(|(v, _)| *v).collect();
        visits.into_iter().for_each(|v| self.end_attendance_open(v, at));
        let visits: Vec<_> = self.visit_travels.iter().filter(|(_, t)| expired(&t.going)).map(|(v, _)| *v).collect();
        visits.into_iter().for_each(|v| self.end_visit_travel(v, at, Open));
    }

    /// Ends the shift without an end, and everything with it.
    pub(super) fn close_shift(&mut self, at: i64, superseded: bool) {
        self.end_all(at, EndOfAll::Close);
        if let Some(shift) = self.open_shift.take() {
            self.out.shifts.push(Shift { closed: at, superseded, ..shift });
        }
    }

    pub(super) fn end_all(&mut self, at: i64, how: EndOfAll) {
        let by_shift_end = how == EndOfAll::ShiftEnd;
        self.end_emergency(at, if by_shift_end { Observed } else { Open });
        self.end_break(at, if by_shift_end { Imputed } else { Open });
        self.end_travelling(at, Open);
        let visits: Vec<_> = self.attending.keys().copied().collect();
        for visit in visits {
            // A shift_end ends a pause, observed, unless the technician has left for another place since.
            let paused = self.attending.get(&visit).filter(|a| a.state == Column::Pause && !a.left_since).copied();
            if let (true, Some(paused)) = (by_shift_end, paused) {
                self.attending.remove(&visit);
                self.put(observed(Kind::Pause, visit, (paused.part_from, at)));
                self.put_on_site(visit, &paused, at, Open);
            } else {
                self.end_attendance_open(visit, at);
            }
        }
        let visits: Vec<_> = self.visit_travels.keys().copied().collect();
        visits.into_iter().for_each(|v| self.end_visit_travel(v, at, Open));
        self.last_travel_end = None;
    }

    pub(super) fn end_emergency(&mut self, at: i64, end: Quality) {
        if let Some((going, _)) = self.emergency.take() {
            self.put(going.stretch(Kind::Emergency, None, at, end));
        }
    }

    pub(super) fn end_break(&mut self, at: i64, end: Quality) {
        if let Some(going) = self.on_break.take() {
            self.put(going.stretch(Kind::Break, None, at, end));
        }
    }

    pub(super) fn end_travelling(&mut self, at: i64, end: Quality) {
        if let Some(travelling) = self.travelling.take() {
            self.put(travelling.going.stretch(Kind::Travel, None, at, end));
        }
    }

    pub(super) fn end_visit_travel(&mut self, visit: VisitId, at: i64, end: Quality) {
        if let Some(travel) = self.visit_travels.remove(&visit) {
            self.put(travel.going.stretch(Kind::VisitTravel, Some(visit), at, end));
        }
    }

    pub(super) fn put_on_site(&mut self, visit: Option<VisitId>, attending: &Attending, at: i64, end: Quality) {
        let mut stretch = attending.going.stretch(Kind::OnSite, visit, at, end);
        if attending.imputed {
            stretch.quality = stretch.quality.max(Imputed);
        }
        self.put(stretch);
    }

    /// Ends an attendance without a real end: its last part and the attendance itself are open.
    pub(super) fn end_attendance_open(&mut self, visit: Option<VisitId>, at: i64) {
        let Some(attending) = self.attending.remove(&visit) else { return };
        let going = Going { from: attending.part_from, possible_from: attending.part_from, ..attending.going };
        self.put(going.stretch(part_kind(attending.state), visit, at, Open));
        self.put_on_site(visit, &attending, at, Open);
    }

    /// The attendance of `visit` goes over into `state` at one of its own events.
    pub(super) fn change_part(&mut self, visit: Option<VisitId>, at: i64, state: Column) {
        let Some(attending) = self.attending.get_mut(&visit) else { return };
        let before = (attending.state, attending.part_from);
        attending.state = state;
        attending.part_from = at;
        attending.left_since = false;
        if before.0 == Column::Site && state == Column::Done {
            // Completed without having started: how much of it was waiting and how much work, nobody knows.
            for kind in [Kind::SiteWait, Kind::Work] {
                self.put(Stretch { kind, visit, certain: (before.1, before.1), possible: (before.1, at), quality: Open });
            }
        } else {
            self.put(observed(part_kind(before.0), visit, (before.1, at)));
        }
    }

    /// The technician's first travel_start, or arrival at another visit, bounds everything without an end.
    pub(super) fn moves_on(&mut self, to: Option<VisitId>, at: i64, is_arrival: bool) {
        for (visit, attending) in &mut self.attending {
            if !(is_arrival && *visit == to) {
                attending.going.move_on(at);
                attending.left_since = true;
            }
        }
        for (visit, travel) in &mut self.visit_travels {
            if Some(*visit) != to {
                travel.going.move_on(at);
                if to.is_some() {
                    travel.rerouted.get_or_insert(at);
                }
            }
        }
    }

    /// An arrival, real or imputed, seen by everything but the attendance itself.
    pub(super) fn arrives(&mut self, visit: Option<VisitId>, at: i64, end_of_travel: Quality) {
        if let Some(travelling) = self.travelling {
            // Work without arrival ends any travel, imputed; a real arrival elsewhere leaves it open.
            let reached = end_of_travel == Imputed || travelling.to.is_none() || travelling.to == visit;
            self.end_travelling(at, if reached { end_of_travel } else { Open });
        }
        if let Some(named) = visit {
            self.end_visit_travel(named, at, end_of_travel);
        }
        self.moves_on(visit, at, true);
    }

    /// Opens an attendance; `possible_from` is given where nobody sent the arrival.
    pub(super) fn attend(&mut self, visit: Option<VisitId>, at: i64, possible_from: Option<i64>) {
        let number = self.out.attendances.len();
        self.out.attendances.push(Attendance { visit, left: None });
        let going = Going { possible_from: possible_from.unwrap_or(at), ..Going::begin(at) };
        let state = if possible_from.is_some() { Column::Work } else { Column::Site };
        if let Some(earliest) = possible_from {
            self.put(Stretch { kind: Kind::SiteWait, visit, certain: (at, at), possible: (earliest, at), quality: Imputed });
        }
        let attending = Attending { number, going, imputed: possible_from.is_some(), state, part_from: at, left_since: false, there: true };
        self.attending.insert(visit, attending);
    }

    /// Another visit where the technician is, in one of the states that `matches`.
    pub(super) fn is_at_another(&self, visit: Option<VisitId>, matches: impl Fn(Column) -> bool) -> bool {
        self.attending.iter().any(|(other, a)| *other != visit && a.there && matches(a.state))
    }
}

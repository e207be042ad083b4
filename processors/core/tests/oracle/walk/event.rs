//! The state table: what one event says, what it changes, and its codes.

use super::going::{EndOfAll, Going, Travelling, VisitTravel, part_kind};
use super::{Column, Shift, Walk};
use crate::order::is_site_type;
use fieldline_processors_core::definition::{NEW_SHIFT_US, UNIT_US};
use fieldline_processors_core::facts::ActivityFact;
use fieldline_schemas::Anomaly::{self, *};
use fieldline_schemas::events::ActivityType::*;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality::*;
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{Anomalies, Timestamp};

impl Walk<'_> {
    /// What the event says, what it changes, and its codes.
    pub(super) fn event(&mut self, events: &[ActivityFact], index: usize) -> Anomalies {
        let event = &events[index];
        let at = event.created_at.0;
        let visit = event.visit_id;
        let column = self.column();
        let on_shift = self.open_shift.is_some();
        let mut codes = Anomalies::NONE;
        let mut say = |code: Anomaly| codes.insert(code);

        if visit.is_none() && is_site_type(event.activity_type) {
            say(A25);
        }
        match event.activity_type {
            TravelStart | ArrivedOnSite | WorkStarted | BreakStart | FuelStop if !on_shift => say(A04),
            VehicleInspection if !on_shift && !shift_start_follows(events, index) => say(A04),
            _ => {}
        }

        // In these two columns exactly the cell's code is given; then the event does what it does without them.
        let under = matches!(column, Column::Break | Column::Emergency);
        let closing_code = if column == Column::Emergency { A26 } else { A13i };
        let mut close_what_lies_over = |walk: &mut Self| {
            if under {
                say(closing_code);
                walk.end_emergency(at, Observed);
                walk.end_break(at, Imputed);
            }
        };

        match event.activity_type {
            ShiftStart => match self.open_shift.as_ref().map(|s| at - s.started) {
                Some(age_us) if age_us < NEW_SHIFT_US => say(A01),
                is_superseding => {
                    if is_superseding.is_some() {
                        self.close_shift(at, true);
                    } else if under {
                        // A shift_start is none of the ends that an emergency's duration names.
                        say(closing_code);
                        self.end_emergency(at, Open);
                        self.end_break(at, Imputed);
                    }
                    self.open_shift = Some(Shift { first: index, last: index, started: at, ended: None, closed: at, superseded: false });
                }
            },
            ShiftEnd => {
                match column {
                    _ if !on_shift => say(A03),
                    Column::Emergency => say(A26),
                    Column::Break => say(A13i),
                    Column::Work => say(A14e),
                    Column::Pause => say(A14i),
                    Column::Travel | Column::Site | Column::Done => say(A14),
                    Column::Idle | Column::Off => {}
                }
                self.end_all(at, EndOfAll::ShiftEnd);
                if let Some(shift) = self.open_shift.take() {
                    self.out.shifts.push(Shift { last: index, ended: Some(at), closed: at, ..shift });
                }
            }
            BreakStart => match (column, &mut self.on_break) {
                (Column::Break, Some(going)) => {
                    say(A16);
                    going.own_event(at);
                }
                _ => {
                    if column == Column::Emergency {
                        say(A26);
                        self.end_emergency(at, Observed);
                    }
                    self.on_break = Some(Going::begin(at));
                }
            },
            BreakEnd => {
                if column == Column::Break {
                    self.end_break(at, Observed);
                } else {
                    say(A13);
                }
            }
            TravelStart => {
                match column {
                    Column::Travel if self.travelling.is_some_and(|t| t.to == visit) => say(A16),
                    Column::Travel | Column::Pause | Column::Done => say(A05i),
                    Column::Site => say(A05),
                    Column::Work => say(A05w),
                    Column::Idle | Column::Off => {}
                    Column::Break | Column::Emergency => close_what_lies_over(self),
                }
                self.travel_start(visit, at);
                self.last_travel_end = None;
            }
            TravelEnd => {
                if column != Column::Travel {
                    let just_arrived = self.last_arrived.is_some_and(|arrived| at - arrived <= 5 * MINUTE_US);
                    say(if just_arrived { A06i } else { A06 });
                }
                let for_visit = visit.or(self.travelling.and_then(|t| t.to));
                self.end_travelling(at, Observed);
                if let Some(named) = for_visit {
                    self.end_visit_travel(named, at, Observed);
                }
                self.last_travel_end = Some((at, for_visit));
            }
            ArrivedOnSite => {
                let own = self.attending.contains_key(&visit);
                let elsewhere = self.travelling.is_some_and(|t| t.to.is_some() && visit.is_some() && t.to != visit);
                if under {
                    close_what_lies_over(self);
                } else if column != Column::Off {
                    if own {
                        say(A16);
                    }
                    if self.travelling.is_some() {
                        if elsewhere {
                            say(A07w);
                        }
                    } else if !own && self.is_at_another(visit, |_| true) {
                        say(A15);
                    } else if !own {
                        // Without its limit of 24 h a travel_end would reach past every other memory.
                        match self.last_travel_end.filter(|(ended, _)| at - ended <= UNIT_US) {
                            None => say(A07),
                            Some((_, Some(other))) if visit.is_some() && visit != Some(other) => say(A07w),
                            Some(_) => {}
                        }
                    }
                }
                self.arrives(visit, at, Observed);
                match self.attending.get_mut(&visit) {
                    Some(attending) => {
                        attending.going.own_event(at);
                        attending.there = true;
                    }
                    None => self.attend(visit, at, None),
                }
                self.last_arrived = Some(at);
                self.last_travel_end = None;
            }
            WorkStarted | WorkResumed => {
                let is_start = event.activity_type == WorkStarted;
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                } else if let Some(state) = own {
                    match (state, is_start) {
                        (Column::Done, _) => say(A09i),
                        (Column::Work, _) | (Column::Pause, true) => say(A16),
                        _ => {}
                    }
                    if is_start && self.is_at_another(visit, |state| state == Column::Work) {
                        say(A15);
                    }
                } else if is_start {
                    if column != Column::Off {
                        say(A08);
                    }
                    if self.is_at_another(visit, |_| true) {
                        say(A15);
                    }
                } else {
                    say(A10);
                }
                if own.is_some() {
                    // The state taken is WORK, so the travel is over, wherever it went.
                    self.end_travelling(at, Open);
                }
                match own {
                    None => {
                        self.arrives(visit, at, Imputed);
                        let previous = index.checked_sub(1).map_or(i64::MIN, |i| events[i].created_at.0);
                        let shift_start = self.open_shift.as_ref().map_or(i64::MIN, |s| s.started);
                        self.attend(visit, at, Some(previous.max(shift_start).max(at - UNIT_US)));
                    }
                    Some(Column::Work) => self.own_event(visit, at),
                    Some(_) => {
                        self.change_part(visit, at, Column::Work);
                        self.own_event(visit, at);
                    }
                }
                if let Some(attending) = self.attending.get_mut(&visit) {
                    attending.there = true;
                }
            }
            WorkPaused => {
                let own = self.attending.get(&visit).map(|a| a.state);
                match column {
                    Column::Emergency => {
                        close_what_lies_over(self);
                        self.end_travelling(at, Open);
                    }
                    Column::Break => say(A10),
                    _ => match own {
                        Some(Column::Work) => {}
                        Some(Column::Pause) => say(A16),
                        _ => say(A10),
                    },
                }
                if own == Some(Column::Work) {
                    self.change_part(visit, at, Column::Pause);
                }
                self.own_event(visit, at);
            }
            WorkCompleted => {
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                    self.end_travelling(at, Open);
                } else {
                    match own {
                        None | Some(Column::Site) => say(A09),
                        Some(Column::Done) => say(A16),
                        Some(_) => {}
                    }
                }
                if own.is_some_and(|state| state != Column::Done) {
                    self.change_part(visit, at, Column::Done);
                }
                self.own_event(visit, at);
            }
            LeftSite => {
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                    self.end_travelling(at, Open);
                } else {
                    match own {
                        None => say(A11),
                        Some(Column::Work) => say(A12),
                        Some(_) => {}
                    }
                }
                self.left_site(visit, at);
            }
            VehicleInspection => {
                if column == Column::Travel {
                    say(A22i);
                }
            }
            FuelStop => {
                if matches!(column, Column::Site | Column::Work | Column::Pause | Column::Done) {
                    say(A22i);
                }
            }
            EmergencyStop => match &mut self.emergency {
                Some((going, _)) => going.own_event(at),
                None => {
                    self.end_break(at, Observed);
                    self.emergency = Some((Going::begin(at), event.id));
                }
            },
        }
        codes
    }

    pub(super) fn own_event(&mut self, visit: Option<VisitId>, at: i64) {
        if let Some(attending) = self.attending.get_mut(&visit) {
            attending.going.own_event(at);
        }
    }

    pub(super) fn travel_start(&mut self, visit: Option<VisitId>, at: i64) {
        match &mut self.travelling {
            Some(travelling) if travelling.to == visit => travelling.going.own_event(at),
            _ => {
                self.end_travelling(at, Open);
                self.travelling = Some(Travelling { to: visit, going: Going::begin(at) });
            }
        }
        // A travel_start of the same visit while attended ends the episode; one without visit only bounds.
        if visit.is_some() {
            self.end_attendance_open(visit, at);
        }
        self.attending.values_mut().for_each(|a| a.there = false);
        self.moves_on(visit, at, false);
        if let Some(named) = visit {
            if let Some(rerouted) = self.visit_travels.get(&named).and_then(|t| t.rerouted) {
                self.end_visit_travel(named, rerouted, Open);
            }
            let travel = self.visit_travels.entry(named).or_insert(VisitTravel { going: Going::begin(at), rerouted: None });
            travel.going.own_event(at);
        }
    }

    pub(super) fn left_site(&mut self, visit: Option<VisitId>, at: i64) {
        if let Some(attending) = self.attending.remove(&visit) {
            self.out.attendances[attending.number].left = Some(at);
            let going = Going { from: attending.part_from, possible_from: attending.part_from, ..attending.going };
            let end = if attending.state == Column::Work { Imputed } else { Observed };
            self.put(going.stretch(part_kind(attending.state), visit, at, end));
            self.put_on_site(visit, &attending, at, Observed);
        } else if let Some(named) = visit {
            // Given up on the way.
            self.end_visit_travel(named, at, Open);
            if self.travelling.is_some_and(|t| t.to == visit) {
                self.end_travelling(at, Open);
            }
        }
    }
}

/// The shift_start that an inspection may precede by at most 30 minutes.
fn shift_start_follows(events: &[ActivityFact], index: usize) -> bool {
    let until: Timestamp = events[index].created_at + 30 * MINUTE_US;
    events[index + 1..].iter().any(|e| e.activity_type == ShiftStart && e.created_at <= until)
}

//! The state table: what each event does to what is going on, and the codes that it earns.
//!
//! Every handler first names the codes of the event's cell, then does what the event does. Under a break or an emergency the cell's
//! code is the whole answer (`Cover`), while beneath it the event does what it does without.

mod site;
mod travel;

use super::ends::clearance_of;
use super::stretch::{Going, Kind};
use super::walk::{Column, Emergency, End, Walk, code_if};
use crate::definition::NEW_SHIFT_US;
use crate::facts::{ActivityFact, Facts};
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// A travel_end this soon after an arrival is the same moment, sent twice (A06i).
pub(super) const ARRIVAL_ECHO_US: i64 = 5 * MINUTE_US;
/// An inspection this soon before a shift_start belongs to it.
pub(super) const INSPECTION_US: i64 = 30 * MINUTE_US;

/// What lay over the activity when the event came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    None,
    Break,
    Emergency,
}

impl Walk {
    /// Applies the event and returns the codes of its cell, A04 and A25 beside it.
    pub(super) fn apply(&mut self, e: &ActivityFact, later: &[ActivityFact], facts: Facts<'_>) -> Anomalies {
        let cell = match e.activity_type {
            Type::ShiftStart => self.shift_start(e),
            Type::ShiftEnd => self.shift_end(e.created_at),
            Type::BreakStart => self.break_start(e.created_at),
            Type::BreakEnd => self.break_end(e.created_at),
            Type::TravelStart => self.travel_start(e),
            Type::TravelEnd => self.travel_end(e),
            Type::ArrivedOnSite => self.arrived_on_site(e),
            Type::WorkStarted | Type::WorkResumed => self.work_begins(e),
            Type::WorkPaused => self.work_paused(e),
            Type::WorkCompleted => self.work_completed(e),
            Type::LeftSite => self.left_site(e),
            Type::VehicleInspection => self.vehicle_inspection(e),
            Type::FuelStop => self.fuel_stop(e),
            Type::EmergencyStop => self.emergency_stop(e, facts),
        };
        cell.union(self.beside(e, later))
    }

    /// A04 and A25, which stand beside the code of any cell.
    fn beside(&self, e: &ActivityFact, later: &[ActivityFact]) -> Anomalies {
        let needs_shift = match e.activity_type {
            Type::TravelStart | Type::ArrivedOnSite | Type::WorkStarted | Type::BreakStart | Type::FuelStop => true,
            Type::VehicleInspection => {
                let mut soon = later.iter().take_while(|l| l.created_at.since(e.created_at) <= INSPECTION_US);
                !soon.any(|l| l.activity_type == Type::ShiftStart)
            }
            _ => false,
        };
        let needs_visit = matches!(
            e.activity_type,
            Type::ArrivedOnSite | Type::WorkStarted | Type::WorkPaused | Type::WorkResumed | Type::WorkCompleted | Type::LeftSite
        );
        let outside = code_if(needs_shift && self.open_shift.is_none(), Anomaly::A04);
        outside.union(code_if(needs_visit && e.visit_id.is_none(), Anomaly::A25))
    }

    fn shift_start(&mut self, e: &ActivityFact) -> Anomalies {
        let at = e.created_at;
        let mut codes = Anomalies::NONE;
        match self.open_shift {
            Some(open) if at < self.shifts[open].started_at + NEW_SHIFT_US => return Anomalies::of(Anomaly::A01),
            Some(open) => {
                self.end_everything(at, End::Close);
                self.shifts[open].superseded = true;
                self.close_shift(at);
            }
            None => {
                // What goes on off shift goes on in the shift, but for a break and an emergency.
                if let Some(emergency) = self.emergency.take() {
                    self.emit(emergency.going.open(Kind::Emergency, at));
                    codes.insert(Anomaly::A26);
                }
                if let Some(on_break) = self.on_break.take() {
                    self.emit(on_break.imputed(Kind::Break, at));
                    codes.insert(Anomaly::A13i);
                }
            }
        }
        self.new_shift(e);
        codes
    }

    fn shift_end(&mut self, at: Timestamp) -> Anomalies {
        let code = match (self.open_shift, self.column()) {
            (None, _) => Some(Anomaly::A03),
            (_, Column::Travel | Column::Site | Column::Done) => Some(Anomaly::A14),
            (_, Column::Work) => Some(Anomaly::A14e),
            (_, Column::Pause) => Some(Anomaly::A14i),
            (_, Column::Break) => Some(Anomaly::A13i),
            (_, Column::Emergency) => Some(Anomaly::A26),
            (_, Column::Off | Column::Idle) => None,
        };
        self.end_everything(at, End::ShiftEnd);
        if let Some(shift) = self.open_shift {
            self.shifts[shift].ended_at = Some(at);
        }
        self.close_shift(at);
        code.map_or(Anomalies::NONE, Anomalies::of)
    }

    fn break_start(&mut self, at: Timestamp) -> Anomalies {
        if let Some(on_break) = &mut self.on_break {
            on_break.own_event(at);
            return Anomalies::of(Anomaly::A16);
        }
        let cover = self.uncover(at);
        self.on_break = Some(Going::since(at));
        code_if(cover == Cover::Emergency, Anomaly::A26)
    }

    fn break_end(&mut self, at: Timestamp) -> Anomalies {
        match self.on_break.take() {
            Some(on_break) => {
                self.heard_while_travelling(at);
                self.emit(on_break.observed(Kind::Break, at));
                Anomalies::NONE
            }
            None => Anomalies::of(Anomaly::A13),
        }
    }

    fn emergency_stop(&mut self, e: &ActivityFact, facts: Facts<'_>) -> Anomalies {
        let at = e.created_at;
        if let Some(emergency) = &mut self.emergency {
            emergency.going.own_event(at);
            return Anomalies::NONE;
        }
        if let Some(on_break) = self.on_break.take() {
            self.emit(on_break.observed(Kind::Break, at));
        }
        let clears_at = clearance_of(e.id, at, facts);
        self.emergency = Some(Emergency { going: Going::since(at), clears_at });
        Anomalies::NONE
    }

    fn vehicle_inspection(&mut self, e: &ActivityFact) -> Anomalies {
        self.stop(e);
        code_if(self.column() == Column::Travel, Anomaly::A22i)
    }

    fn fuel_stop(&mut self, e: &ActivityFact) -> Anomalies {
        self.stop(e);
        let on_site = matches!(self.column(), Column::Site | Column::Work | Column::Pause | Column::Done);
        code_if(on_site, Anomaly::A22i)
    }

    /// A stop counts with the duration that was sent; a missing one is not invented.
    fn stop(&mut self, e: &ActivityFact) {
        if e.stop_us > 0 && self.open_shift.is_some() {
            self.emit(Going::since(e.created_at).observed(Kind::Stop, e.created_at + e.stop_us));
        }
    }

    /// Ends a break or an emergency, which the event shows to be over.
    fn uncover(&mut self, at: Timestamp) -> Cover {
        if let Some(emergency) = self.emergency.take() {
            self.heard_while_travelling(at);
            self.emit(emergency.going.observed(Kind::Emergency, at));
            return Cover::Emergency;
        }
        if let Some(on_break) = self.on_break.take() {
            self.heard_while_travelling(at);
            self.emit(on_break.imputed(Kind::Break, at));
            return Cover::Break;
        }
        Cover::None
    }
}

/// The cell's code under a break (A13i) or an emergency (A26), else the code of what the event met.
fn covered(cover: Cover, cell: Option<Anomaly>) -> Anomalies {
    let code = match cover {
        Cover::None => cell,
        Cover::Break => Some(Anomaly::A13i),
        Cover::Emergency => Some(Anomaly::A26),
    };
    code.map_or(Anomalies::NONE, Anomalies::of)
}

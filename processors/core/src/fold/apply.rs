//! The state table: what each event does to what is going on, and the codes that it earns.
//!
//! Every handler first names the codes of the event's cell, then does what the event does. Under a break or an emergency the cell's
//! code is the whole answer (`Cover`), while beneath it the event does what it does without.

use super::draft::{Attendance, SiteState, VisitTravel};
use super::stretch::{Going, Kind, Stretch};
use super::walk::{Column, Emergency, End, Travel, TravelEnd, Walk, code_if, part_kind};
use crate::definition::{NEW_SHIFT_US, UNIT_US};
use crate::facts::ActivityFact;
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality;
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

impl Walk<'_> {
    /// Applies the event and returns the codes of its cell, A04 and A25 beside it.
    pub(super) fn apply(&mut self, e: &ActivityFact, later: &[ActivityFact]) -> Anomalies {
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
            Type::EmergencyStop => self.emergency_stop(e),
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
                self.emit(on_break.observed(Kind::Break, at));
                Anomalies::NONE
            }
            None => Anomalies::of(Anomaly::A13),
        }
    }

    fn emergency_stop(&mut self, e: &ActivityFact) -> Anomalies {
        let at = e.created_at;
        if let Some(emergency) = &mut self.emergency {
            emergency.going.own_event(at);
            return Anomalies::NONE;
        }
        if let Some(on_break) = self.on_break.take() {
            self.emit(on_break.observed(Kind::Break, at));
        }
        let clears_at = self.clearance_of(e.id, at);
        self.emergency = Some(Emergency { going: Going::since(at), clears_at });
        Anomalies::NONE
    }

    fn travel_start(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, to) = (e.created_at, e.visit_id);
        let cell = match self.column() {
            Column::Travel if self.travel.is_some_and(|t| t.to == to) => Some(Anomaly::A16),
            Column::Travel => Some(Anomaly::A05i),
            Column::Site => Some(Anomaly::A05),
            Column::Work => Some(Anomaly::A05w),
            Column::Pause | Column::Done => Some(Anomaly::A05i),
            _ => None,
        };
        let cover = self.uncover(at);

        match &mut self.travel {
            Some(travel) if travel.to == to => travel.going.own_event(at),
            _ => {
                self.end_travel_open(at);
                self.travel = Some(Travel { to, going: Going::since(at) });
            }
        }
        // A travel without a visit is to no visit, the nameless one neither.
        self.leave_others_behind(to.map(Some), to.is_some(), at);
        self.episodes_present_nowhere();
        if to.is_some() {
            self.start_visit_travel(e);
        }
        self.travel_end = None;
        covered(cover, cell)
    }

    /// The visit's own travel: a new episode, the same travel again, or a further stretch of it.
    fn start_visit_travel(&mut self, e: &ActivityFact) {
        let at = e.created_at;
        if let Some(open) = self.open_episode(e.visit_id)
            && self.episodes[open].attendance.is_some()
        {
            self.end_episode_open(open, at, End::Close);
        }
        let index = self.open_episode(e.visit_id).unwrap_or_else(|| self.new_episode(e.visit_id, e, false));
        if self.episodes[index].travel.is_some_and(|t| t.rerouted) {
            self.end_visit_travel_open(index, at);
        }
        let episode = &mut self.episodes[index];
        episode.has_travel = true;
        episode.travel_last_own = at;
        match &mut episode.travel {
            Some(travel) => travel.going.own_event(at),
            None => episode.travel = Some(VisitTravel { going: Going::since(at), rerouted: false }),
        }
    }

    fn travel_end(&mut self, e: &ActivityFact) -> Anomalies {
        let at = e.created_at;
        let code = match (self.column(), self.arrived_last) {
            (Column::Travel, _) => Anomalies::NONE,
            (_, Some(arrived)) if at.since(arrived) <= ARRIVAL_ECHO_US => Anomalies::of(Anomaly::A06i),
            _ => Anomalies::of(Anomaly::A06),
        };
        let travel = self.travel.take();
        let visit = e.visit_id.or(travel.and_then(|t| t.to));
        if let Some(index) = visit.and_then(|v| self.open_episode(Some(v)))
            && let Some(own) = self.episodes[index].travel.take()
        {
            self.emit_for(index, own.going.observed(Kind::VisitTravel, at));
        }
        if let Some(travel) = travel {
            self.emit(travel.going.observed(Kind::Travel, at));
        }
        self.travel_end = Some(TravelEnd { at, visit });
        code
    }

    fn arrived_on_site(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, visit) = (e.created_at, e.visit_id);
        let cell = self.arrival_codes(visit);
        let cover = self.uncover(at);
        if let Some(travel) = self.travel.take() {
            let is_its_end = travel.to.is_none() || travel.to == visit;
            self.emit(if is_its_end { travel.going.observed(Kind::Travel, at) } else { travel.going.open(Kind::Travel, at) });
        }
        self.leave_others_behind(Some(visit), visit.is_some(), at);
        let open = self.open_episode(visit);
        match open.and_then(|i| self.episodes[i].attendance.as_mut()) {
            Some(attendance) => {
                attendance.on_site.own_event(at);
                attendance.present = true;
            }
            None => {
                let index = open.unwrap_or_else(|| self.new_episode(visit, e, false));
                if let Some(own) = self.episodes[index].travel.take() {
                    self.emit_for(index, own.going.observed(Kind::VisitTravel, at));
                }
                self.begin_attendance(index, Going::since(at), SiteState::Site, at);
            }
        }
        self.arrived_last = Some(at);
        self.travel_end = None;
        match cover {
            Cover::None => cell,
            _ => covered(cover, None),
        }
    }

    fn arrival_codes(&self, visit: Option<VisitId>) -> Anomalies {
        if self.column() == Column::Off {
            return Anomalies::NONE;
        }
        let own = self.attendance(visit).is_some();
        let elsewhere = |to: Option<VisitId>| visit.is_some() && to.is_some() && to != visit;
        let mut codes = code_if(own, Anomaly::A16);
        if let Some(travel) = &self.travel {
            return codes.union(code_if(elsewhere(travel.to), Anomaly::A07w));
        }
        if !own {
            codes = match self.travel_end.map(|end| end.visit) {
                _ if self.another_is_present(visit) => Anomalies::of(Anomaly::A15),
                None => Anomalies::of(Anomaly::A07),
                Some(ended) => code_if(elsewhere(ended), Anomaly::A07w),
            };
        }
        codes
    }

    /// work_started and work_resumed.
    fn work_begins(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, visit) = (e.created_at, e.visit_id);
        let started = e.activity_type == Type::WorkStarted;
        let cell = self.work_codes(visit, started);
        let cover = self.uncover(at);
        let open = self.open_episode(visit);
        let own = open.filter(|i| self.episodes[*i].attendance.is_some());
        if let Some(travel) = self.travel.take() {
            self.emit(if own.is_some() { travel.going.open(Kind::Travel, at) } else { travel.going.imputed(Kind::Travel, at) });
        }
        match own {
            Some(index) => self.work_goes_on(index, at),
            None => {
                self.leave_others_behind(Some(visit), visit.is_some(), at);
                let index = open.unwrap_or_else(|| self.new_episode(visit, e, false));
                self.impute_arrival(index, at);
            }
        }
        match cover {
            Cover::None => cell,
            _ => covered(cover, None),
        }
    }

    fn work_codes(&self, visit: Option<VisitId>, started: bool) -> Anomalies {
        let Some(own) = self.attendance(visit) else {
            return match (started, self.column()) {
                (true, Column::Off) => Anomalies::NONE,
                (true, _) => Anomalies::of(Anomaly::A08).union(code_if(self.another_is_present(visit), Anomaly::A15)),
                (false, _) => Anomalies::of(Anomaly::A10),
            };
        };
        let overlap = started && self.another(visit).any(|a| a.present && a.state == SiteState::Work);
        let code = match own.state {
            SiteState::Work => Some(Anomaly::A16),
            SiteState::Pause if started => Some(Anomaly::A16),
            SiteState::Done => Some(Anomaly::A09i),
            SiteState::Site | SiteState::Pause => None,
        };
        code.map_or(Anomalies::NONE, Anomalies::of).union(code_if(overlap, Anomaly::A15))
    }

    /// Work at a visit where the technician has an attendance.
    fn work_goes_on(&mut self, index: usize, at: Timestamp) {
        let Some(attendance) = self.episodes[index].attendance else { return };
        if attendance.state != SiteState::Work {
            self.emit_for(index, attendance.part().observed(part_kind(attendance.state), at));
        }
        if let Some(attendance) = &mut self.episodes[index].attendance {
            if attendance.state != SiteState::Work {
                attendance.state = SiteState::Work;
                attendance.state_since = at;
            }
            attendance.on_site.own_event(at);
            attendance.present = true;
        }
    }

    /// Nobody sent the arrival: it lies between the technician's previous event and the work.
    fn impute_arrival(&mut self, index: usize, at: Timestamp) {
        if let Some(own) = self.episodes[index].travel.take() {
            self.emit_for(index, own.going.imputed(Kind::VisitTravel, at));
        }
        let day_before = at - UNIT_US;
        let shift_start = self.open_shift.map_or(day_before, |s| self.shifts[s].started_at);
        let possible_from = self.previous_at.unwrap_or(day_before).max(day_before).max(shift_start);
        let on_site = Going { possible_from, start_quality: Quality::Imputed, ..Going::since(at) };
        self.emit_for(index, on_site.imputed(Kind::SiteWait, at));
        self.begin_attendance(index, on_site, SiteState::Work, at);
    }

    fn begin_attendance(&mut self, index: usize, on_site: Going, state: SiteState, at: Timestamp) {
        let episode = &mut self.episodes[index];
        episode.has_attendance = true;
        episode.attendance = Some(Attendance { state, present: true, on_site, state_since: at });
    }

    fn work_paused(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, visit) = (e.created_at, e.visit_id);
        let cell = match self.attendance(visit).map(|a| a.state) {
            Some(SiteState::Work) => None,
            Some(SiteState::Pause) => Some(Anomaly::A16),
            _ => Some(Anomaly::A10),
        };
        if self.on_break.is_some() {
            // The break goes on; a visit in WORK is paused from now.
            self.pause(visit, at);
            return Anomalies::of(Anomaly::A10);
        }
        let cover = self.uncover(at);
        if cover == Cover::Emergency {
            self.end_travel_open(at);
        }
        self.pause(visit, at);
        covered(cover, cell)
    }

    fn pause(&mut self, visit: Option<VisitId>, at: Timestamp) {
        let Some(index) = self.open_episode(visit) else { return };
        if let Some(attendance) = self.episodes[index].attendance.filter(|a| a.state == SiteState::Work) {
            self.emit_for(index, attendance.part().observed(Kind::Work, at));
        }
        if let Some(attendance) = &mut self.episodes[index].attendance {
            if attendance.state == SiteState::Work {
                attendance.state = SiteState::Pause;
                attendance.state_since = at;
            }
            attendance.on_site.own_event(at);
        }
    }

    fn work_completed(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, visit) = (e.created_at, e.visit_id);
        let cell = match self.attendance(visit).map(|a| a.state) {
            Some(SiteState::Work | SiteState::Pause) => None,
            Some(SiteState::Done) => Some(Anomaly::A16),
            Some(SiteState::Site) | None => Some(Anomaly::A09),
        };
        let cover = self.uncover(at);
        if cover != Cover::None {
            self.end_travel_open(at);
        }
        if let Some(index) = self.open_episode(visit) {
            self.complete(index, at);
        }
        covered(cover, cell)
    }

    fn complete(&mut self, index: usize, at: Timestamp) {
        let Some(attendance) = self.episodes[index].attendance else { return };
        let part = attendance.part();
        match attendance.state {
            SiteState::Work | SiteState::Pause => self.emit_for(index, part.observed(part_kind(attendance.state), at)),
            SiteState::Site => {
                // Completed without start: how much of it was waiting and how much was work is not known.
                for kind in [Kind::SiteWait, Kind::Work] {
                    let whole = part.observed(kind, at);
                    self.emit_for(index, Stretch { certain: super::span::Span::empty_at(at), quality: Quality::Open, ..whole });
                }
            }
            SiteState::Done => {}
        }
        if let Some(attendance) = &mut self.episodes[index].attendance {
            if attendance.state != SiteState::Done {
                attendance.state = SiteState::Done;
                attendance.state_since = at;
            }
            attendance.on_site.own_event(at);
        }
    }

    fn left_site(&mut self, e: &ActivityFact) -> Anomalies {
        let (at, visit) = (e.created_at, e.visit_id);
        let cell = match self.attendance(visit).map(|a| a.state) {
            None => Some(Anomaly::A11),
            Some(SiteState::Work) => Some(Anomaly::A12),
            Some(_) => None,
        };
        let cover = self.uncover(at);
        let gave_up_on_the_way = visit.is_some() && self.travel.is_some_and(|t| t.to == visit) && self.attendance(visit).is_none();
        if cover != Cover::None || gave_up_on_the_way {
            self.end_travel_open(at);
        }
        if let Some(index) = self.open_episode(visit) {
            self.leave(index, at);
        }
        covered(cover, cell)
    }

    fn leave(&mut self, index: usize, at: Timestamp) {
        self.end_visit_travel_open(index, at);
        if let Some(attendance) = self.episodes[index].attendance.take() {
            let part = attendance.part();
            self.emit_for(
                index,
                match attendance.state {
                    SiteState::Work => part.imputed(Kind::Work, at),
                    state => part.observed(part_kind(state), at),
                },
            );
            self.emit_for(index, attendance.on_site.observed(Kind::OnSite, at));
            self.episodes[index].left_at = Some(at);
        }
        self.open_episodes.retain(|open| *open != index);
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
            self.emit(emergency.going.observed(Kind::Emergency, at));
            return Cover::Emergency;
        }
        if let Some(on_break) = self.on_break.take() {
            self.emit(on_break.imputed(Kind::Break, at));
            return Cover::Break;
        }
        Cover::None
    }

    fn end_travel_open(&mut self, at: Timestamp) {
        if let Some(travel) = self.travel.take() {
            self.emit(travel.going.open(Kind::Travel, at));
        }
    }

    /// The technician starts for, or arrives at, another place: whatever is open elsewhere than `here` is bounded now.
    /// Only a named destination re-routes a travel.
    fn leave_others_behind(&mut self, here: Option<Option<VisitId>>, is_named: bool, at: Timestamp) {
        for index in &self.open_episodes {
            let episode = &mut self.episodes[*index];
            if here == Some(episode.visit) {
                continue;
            }
            if let Some(travel) = &mut episode.travel {
                travel.going.bound_by(at);
                travel.rerouted |= is_named;
            }
            if let Some(attendance) = &mut episode.attendance {
                attendance.on_site.bound_by(at);
            }
        }
    }

    fn episodes_present_nowhere(&mut self) {
        for index in &self.open_episodes {
            if let Some(attendance) = &mut self.episodes[*index].attendance {
                attendance.present = false;
            }
        }
    }

    fn another(&self, visit: Option<VisitId>) -> impl Iterator<Item = &Attendance> {
        let others = self.open_episodes.iter().map(|i| &self.episodes[*i]).filter(move |e| e.visit != visit);
        others.filter_map(|e| e.attendance.as_ref())
    }

    fn another_is_present(&self, visit: Option<VisitId>) -> bool {
        self.another(visit).any(|a| a.present)
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

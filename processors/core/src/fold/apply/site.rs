//! What happens at a visit's site: arrival, work, leaving.

use super::super::draft::{Attendance, SiteState};
use super::super::span::Span;
use super::super::stretch::{Going, Kind, Stretch};
use super::super::walk::{Column, Walk, code_if, part_kind};
use super::{Cover, covered};
use crate::definition::UNIT_US;
use crate::facts::ActivityFact;
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

impl Walk {
    pub(super) fn arrived_on_site(&mut self, e: &ActivityFact) -> Anomalies {
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
    pub(super) fn work_begins(&mut self, e: &ActivityFact) -> Anomalies {
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
                attendance.left_since = false;
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
        episode.attendance = Some(Attendance { state, present: true, on_site, state_since: at, left_since: false });
    }

    pub(super) fn work_paused(&mut self, e: &ActivityFact) -> Anomalies {
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
                attendance.left_since = false;
            }
            attendance.on_site.own_event(at);
        }
    }

    pub(super) fn work_completed(&mut self, e: &ActivityFact) -> Anomalies {
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
                    self.emit_for(index, Stretch { certain: Span::empty_at(at), quality: Quality::Open, ..whole });
                }
            }
            SiteState::Done => {}
        }
        if let Some(attendance) = &mut self.episodes[index].attendance {
            if attendance.state != SiteState::Done {
                attendance.state = SiteState::Done;
                attendance.state_since = at;
                attendance.left_since = false;
            }
            attendance.on_site.own_event(at);
        }
    }

    pub(super) fn left_site(&mut self, e: &ActivityFact) -> Anomalies {
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

    fn another(&self, visit: Option<VisitId>) -> impl Iterator<Item = &Attendance> {
        let others = self.open_episodes.iter().map(|i| &self.episodes[*i]).filter(move |e| e.visit != visit);
        others.filter_map(|e| e.attendance.as_ref())
    }

    fn another_is_present(&self, visit: Option<VisitId>) -> bool {
        self.another(visit).any(|a| a.present)
    }
}

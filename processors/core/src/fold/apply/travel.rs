//! travel_start and travel_end.

use super::super::draft::VisitTravel;
use super::super::stretch::{Going, Kind};
use super::super::tail::Begun;
use super::super::walk::{Column, End, Travel, TravelEnd, Walk};
use super::{ARRIVAL_ECHO_US, covered};
use crate::facts::ActivityFact;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

impl Walk {
    pub(super) fn travel_start(&mut self, e: &ActivityFact) -> Anomalies {
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
        // A re-route goes on with the travel state that it finds.
        let begun = Begun { id: e.id, at, counted_from: at, imported: e.imported };
        let begun = self.travel.map_or(begun, |travel| travel.begun);

        match &mut self.travel {
            Some(travel) if travel.to == to => travel.going.own_event(at),
            _ => {
                self.end_travel_open(at);
                self.travel = Some(Travel { to, going: Going::since(at), begun });
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

    pub(super) fn travel_end(&mut self, e: &ActivityFact) -> Anomalies {
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

    pub(super) fn end_travel_open(&mut self, at: Timestamp) {
        if let Some(travel) = self.travel.take() {
            self.emit(travel.going.open(Kind::Travel, at));
        }
    }

    /// The technician starts for, or arrives at, another place: whatever is open elsewhere than `here` is bounded now.
    /// Only a named destination re-routes a travel.
    pub(super) fn leave_others_behind(&mut self, here: Option<Option<VisitId>>, is_named: bool, at: Timestamp) {
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
                attendance.left_since = true;
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
}

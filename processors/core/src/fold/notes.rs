//! What the walk writes down of shifts and episodes, event by event.

use super::draft::{EpisodeDraft, ShiftDraft};
use super::walk::{Walk, local_date};
use crate::definition::UNIT_US;
use crate::facts::ActivityFact;
use fieldline_schemas::Anomalies;
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::ids::VisitId;

impl Walk {
    pub(super) fn new_episode(&mut self, visit: Option<VisitId>, e: &ActivityFact, is_loose: bool) -> usize {
        self.episodes.push(EpisodeDraft {
            visit,
            first_event_id: e.id,
            first_event_at: e.created_at,
            last_event_at: e.created_at,
            is_loose,
            has_visit_event: false,
            has_travel: false,
            has_attendance: false,
            travel: None,
            travel_last_own: e.created_at,
            attendance: None,
            first_in_shift_at: None,
            shifts: None,
            travel_started_at: None,
            arrived_at: None,
            left_at: None,
            completed_at: None,
            codes: Anomalies::NONE,
            depends_on_context: self.depends_on_context(e.created_at),
        });
        let index = self.episodes.len() - 1;
        if !is_loose {
            self.open_episodes.push(index);
        }
        index
    }

    pub(super) fn new_shift(&mut self, e: &ActivityFact) {
        self.trail.new_shift();
        self.open_shift = Some(self.shifts.len());
        self.shifts.push(ShiftDraft {
            id: e.id,
            utc_offset_minutes: e.utc_offset_minutes,
            started_at: e.created_at,
            ended_at: None,
            closed_at: e.created_at + UNIT_US,
            superseded: false,
            imported: e.imported,
            last_event_at: e.created_at,
            last_event_type: e.activity_type,
            codes: Vec::new(),
            visits: Vec::new(),
            completed: Vec::new(),
            distance_meters: 0.0,
            depends_on_context: self.depends_on_context(e.created_at),
        });
    }

    pub(super) fn note_in_shift(&mut self, shift: usize, e: &ActivityFact, codes: Anomalies, distance_meters: f64) {
        let shift = &mut self.shifts[shift];
        let date = local_date(e.created_at, shift.utc_offset_minutes);
        shift.last_event_at = e.created_at;
        shift.last_event_type = e.activity_type;
        shift.distance_meters += distance_meters;
        match shift.codes.last_mut() {
            Some((last, set)) if *last == date => *set = set.union(codes),
            _ => shift.codes.push((date, codes)),
        }
        match (e.activity_type, e.visit_id) {
            (Type::ArrivedOnSite | Type::WorkStarted | Type::WorkResumed, Some(visit)) if !shift.visits.contains(&visit) => {
                shift.visits.push(visit);
            }
            (Type::WorkCompleted, Some(visit)) => shift.completed.push((date, visit)),
            _ => {}
        }
    }

    pub(super) fn note_in_episode(&mut self, index: usize, e: &ActivityFact, codes: Anomalies, shift: Option<usize>) {
        let episode = &mut self.episodes[index];
        episode.last_event_at = e.created_at;
        episode.codes = episode.codes.union(codes);
        if let Some(shift) = shift {
            episode.first_in_shift_at.get_or_insert(e.created_at);
            let shift = shift as u32;
            episode.shifts = Some((episode.shifts.map_or(shift, |(first, _)| first), shift));
        }
        match e.activity_type {
            Type::BreakStart | Type::BreakEnd | Type::VehicleInspection | Type::FuelStop | Type::EmergencyStop => return,
            Type::TravelStart => _ = episode.travel_started_at.get_or_insert(e.created_at),
            Type::ArrivedOnSite => _ = episode.arrived_at.get_or_insert(e.created_at),
            Type::WorkCompleted => _ = episode.completed_at.get_or_insert(e.created_at),
            _ => {}
        }
        episode.has_visit_event = true;
    }
}

//! Positions: impossible movement (A19), the geofence (A20), and the distance of a shift.

use crate::definition::Definition;
use crate::facts::{ActivityFact, Position, VisitPlanFact};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

const EARTH_RADIUS_METERS: f64 = 6_371_000.0;

/// A position that was believed, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Located {
    pub at: Timestamp,
    pub position: Position,
}

/// The last position that was believed, whatever its age.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trail {
    pub last: Option<Located>,
    /// The last of them that lies in the open shift.
    in_shift: Option<Position>,
}

/// What a located event adds.
#[derive(Default)]
pub(super) struct Step {
    pub codes: Anomalies,
    /// Metres since the shift's previous trusted position.
    pub distance_meters: f64,
}

impl Trail {
    /// Goes on from a position that was believed, outside any shift.
    pub fn from(last: Option<Located>) -> Self {
        Self { last, in_shift: None }
    }

    pub fn new_shift(&mut self) {
        self.in_shift = None;
    }

    /// Judges the event's position and remembers it if it is trusted. `in_shift`: whether a shift holds the event.
    pub fn step(&mut self, e: &ActivityFact, in_shift: bool, plans: &[VisitPlanFact], definition: &Definition) -> Step {
        let Some(here) = e.position else { return Step::default() };
        let mut from_last = None;
        if let Some(last) = self.last {
            let elapsed_seconds = e.created_at.since(last.at).max(SECOND_US) as f64 / SECOND_US as f64;
            let meters = great_circle_meters(last.position, here);
            if meters > definition.speed_max_meters_per_second * elapsed_seconds {
                return Step { codes: Anomalies::of(Anomaly::A19), distance_meters: 0.0 };
            }
            from_last = Some((last.position, meters));
        }
        self.last = Some(Located { at: e.created_at, position: here });
        let mut step = Step::default();
        if in_shift {
            step.distance_meters = match (self.in_shift, from_last) {
                (None, _) => 0.0,
                // Nearly always both are the same place, and sines are dear.
                (Some(there), Some((last, meters))) if there == last => meters,
                (Some(there), _) => great_circle_meters(there, here),
            };
            self.in_shift = Some(here);
        }
        if e.activity_type == ActivityType::ArrivedOnSite && outside_geofence(e, here, plans, definition) {
            step.codes.insert(Anomaly::A20);
        }
        step
    }
}

/// Of several plans of one visit the smallest id counts.
fn outside_geofence(e: &ActivityFact, here: Position, plans: &[VisitPlanFact], definition: &Definition) -> bool {
    let plan = plans.iter().filter(|p| Some(p.visit_id) == e.visit_id).min_by_key(|p| p.id);
    let Some((plan, there)) = plan.and_then(|p| Some((p, p.position?))) else { return false };
    let radius_meters = plan.geofence_radius_meters.unwrap_or(definition.geofence_radius_meters);
    great_circle_meters(there, here) > radius_meters + f64::from(here.accuracy_meters)
}

/// Great-circle distance (haversine) on a sphere of 6,371,000 m.
pub(super) fn great_circle_meters(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = ((lat_b - lat_a) / 2.0).sin();
    let half_lon = ((b.longitude - a.longitude).to_radians() / 2.0).sin();
    let h = half_lat * half_lat + lat_a.cos() * lat_b.cos() * half_lon * half_lon;
    2.0 * EARTH_RADIUS_METERS * h.sqrt().min(1.0).asin()
}

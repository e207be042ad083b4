//! Positions: impossible movement, and the geofence of an arrival.

use super::Walk;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ActivityFact, Position};
use fieldline_schemas::Anomaly::{A19, A20};
use fieldline_schemas::events::ActivityType::ArrivedOnSite;
use fieldline_schemas::time::SECOND_US;

impl Walk<'_> {
    /// Judges the position: impossible movement, and the geofence of an arrival.
    pub(super) fn position(&mut self, event: &ActivityFact, definition: &Definition) {
        let index = self.out.trusted.len();
        let mut trusted = event.position;
        if let (Some(here), Some((when, there))) = (event.position, self.last_trusted) {
            let elapsed_seconds = (event.created_at.0 - when).max(SECOND_US) as f64 / SECOND_US as f64;
            if great_circle_meters(here, there) / elapsed_seconds > definition.speed_max_meters_per_second {
                self.out.codes[index].insert(A19);
                trusted = None;
            }
        }
        self.out.trusted.push(trusted);
        let Some(here) = trusted else { return };
        self.last_trusted = Some((event.created_at.0, here));
        let plan = self.facts.visit_plans.iter().filter(|p| Some(p.visit_id) == event.visit_id).min_by_key(|p| p.id);
        if let (ArrivedOnSite, Some(plan)) = (event.activity_type, plan)
            && let Some(place) = plan.position
        {
            let radius_meters = plan.geofence_radius_meters.unwrap_or(definition.geofence_radius_meters);
            if great_circle_meters(here, place) > radius_meters + f64::from(here.accuracy_meters) {
                self.out.codes[index].insert(A20);
            }
        }
    }
}

/// On a sphere of R = 6,371,000 m.
pub fn great_circle_meters(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.longitude - a.longitude).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * 6_371_000.0 * h.sqrt().min(1.0).asin()
}

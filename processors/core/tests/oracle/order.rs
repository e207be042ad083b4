//! The order of events within a technician, and double taps.

use fieldline_processors_core::definition::DOUBLE_TAP_US;
use fieldline_processors_core::facts::ActivityFact;
use fieldline_schemas::events::ActivityType::{self, *};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::time::DAY_US;

/// True for what a visit is made of: travel to it, and everything on its site.
pub fn is_visit_type(kind: ActivityType) -> bool {
    matches!(kind, TravelStart | TravelEnd) || is_site_type(kind)
}

/// True for what happens on a site; without a visit_id it belongs to the nameless visit.
pub fn is_site_type(kind: ActivityType) -> bool {
    matches!(kind, ArrivedOnSite | WorkStarted | WorkPaused | WorkResumed | WorkCompleted | LeftSite)
}

/// The visit that an event belongs to: shift_start and shift_end belong to none, whatever they carry.
pub fn visit_of(event: &ActivityFact) -> Option<VisitId> {
    if matches!(event.activity_type, ShiftStart | ShiftEnd) { None } else { event.visit_id }
}

/// The events in order, double taps dropped.
pub fn standing(activities: &[ActivityFact]) -> Vec<ActivityFact> {
    let mut standing: Vec<ActivityFact> = Vec::with_capacity(activities.len());
    for event in sorted(activities) {
        let is_double_tap = standing.last().is_some_and(|previous| {
            previous.activity_type == event.activity_type
                && previous.visit_id == event.visit_id
                && event.created_at.since(previous.created_at) <= DOUBLE_TAP_US
        });
        if !is_double_tap {
            standing.push(event);
        }
    }
    standing
}

/// All events in order: by created_at, then device_sequence (absent first), then as a sensible day goes.
pub fn sorted(activities: &[ActivityFact]) -> Vec<ActivityFact> {
    let mut events = activities.to_vec();
    events.sort_by_key(|e| (e.created_at, e.device_sequence, e.id));
    let mut from = 0;
    while from < events.len() {
        let key = (events[from].created_at, events[from].device_sequence);
        let to = from + events[from..].iter().take_while(|e| (e.created_at, e.device_sequence) == key).count();
        let mut tied: Vec<(_, ActivityFact)> = events[from..to].iter().map(|e| (rank(e, activities), *e)).collect();
        tied.sort_by_key(|(rank, e)| (*rank, e.id));
        for (place, (_, event)) in tied.into_iter().enumerate() {
            events[from + place] = event;
        }
        from = to;
    }
    events
}

/// Place among events that are equal in created_at and device_sequence:
/// (part of the list, how long ago the visit had its latest event, visit, step inside the visit).
fn rank(event: &ActivityFact, all: &[ActivityFact]) -> (u8, i64, Option<VisitId>, u8) {
    let alone = |place: u8| (place, 0, None, 0);
    let in_visit = |step: u8| (10, silence_of_visit(event, all), event.visit_id, step);
    match (event.activity_type, event.visit_id) {
        (ShiftStart, _) => alone(0),
        (VehicleInspection, _) => alone(1),
        (BreakEnd, _) => alone(2),
        (TravelEnd, None) => alone(3),
        (TravelStart, Some(_)) => in_visit(0),
        (TravelEnd, Some(_)) => in_visit(1),
        (ArrivedOnSite, _) => in_visit(2),
        (WorkStarted, _) => in_visit(3),
        (WorkResumed, _) => in_visit(4),
        (WorkPaused, _) => in_visit(5),
        (WorkCompleted, _) => in_visit(6),
        (LeftSite, _) => in_visit(7),
        (TravelStart, None) => alone(20),
        (BreakStart, _) => alone(21),
        (FuelStop, _) => alone(22),
        (EmergencyStop, _) => alone(23),
        (ShiftEnd, _) => alone(24),
    }
}

/// Time since the latest event of the event's visit within the 24 h before its instant; without one, the longest.
fn silence_of_visit(event: &ActivityFact, all: &[ActivityFact]) -> i64 {
    let is_of_same_visit = |other: &ActivityFact| match event.visit_id {
        Some(_) => visit_of(other) == event.visit_id,
        None => other.visit_id.is_none() && is_site_type(other.activity_type),
    };
    all.iter()
        .filter(|other| is_of_same_visit(other))
        .map(|other| event.created_at.since(other.created_at))
        .filter(|silence_us| *silence_us > 0 && *silence_us <= DAY_US)
        .min()
        .unwrap_or(i64::MAX)
}

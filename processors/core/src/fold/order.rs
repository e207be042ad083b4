//! The one order of a technician's events, and double taps.

use crate::definition::{DOUBLE_TAP_US, UNIT_US};
use crate::facts::ActivityFact;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::ids::VisitId;

/// Events in order, and what their order was found by.
pub(super) struct Ordered {
    pub events: Vec<ActivityFact>,
    pub ties: Vec<Tie>,
}

/// Events of one instant and several visits.
pub(super) struct Tie {
    pub at: Timestamp,
    /// Its order does not depend on what happened before this.
    pub depends_on_from: Timestamp,
}

/// The standing events from `from` on in order, near-duplicates left out. What happened earlier only helps to order them; an
/// event at `from`, if it is not the first of all, stands.
pub(super) fn standing_in_order(activities: &[ActivityFact], from: Timestamp) -> Ordered {
    let mut events = activities.to_vec();
    events.sort_unstable_by_key(|e| (e.created_at, e.device_sequence, place(e), e.id));
    let mut ties = Vec::new();
    order_visits_in_ties(&mut events, &mut ties);
    events.drain(..events.partition_point(|e| e.created_at < from));
    drop_double_taps(&mut events);
    Ordered { events, ties }
}

/// Where an event stands among those of the same instant: group (0 before the visits, 1 the visits, 2 after them), rank in it.
fn place(e: &ActivityFact) -> (u8, u8) {
    match (e.activity_type, e.visit_id) {
        (Type::ShiftStart, _) => (0, 0),
        (Type::VehicleInspection, _) => (0, 1),
        (Type::BreakEnd, _) => (0, 2),
        (Type::TravelEnd, None) => (0, 3),
        (Type::TravelStart, Some(_)) => (1, 0),
        (Type::TravelEnd, Some(_)) => (1, 1),
        (Type::ArrivedOnSite, _) => (1, 2),
        (Type::WorkStarted, _) => (1, 3),
        (Type::WorkResumed, _) => (1, 4),
        (Type::WorkPaused, _) => (1, 5),
        (Type::WorkCompleted, _) => (1, 6),
        (Type::LeftSite, _) => (1, 7),
        (Type::TravelStart, None) => (2, 0),
        (Type::BreakStart, _) => (2, 1),
        (Type::FuelStop, _) => (2, 2),
        (Type::EmergencyStop, _) => (2, 3),
        (Type::ShiftEnd, _) => (2, 4),
    }
}

/// Within a tie, events go visit by visit; sorted so far by rank alone.
fn order_visits_in_ties(events: &mut [ActivityFact], ties: &mut Vec<Tie>) {
    let mut from = 0;
    while from < events.len() {
        let tie = |e: &ActivityFact| (e.created_at, e.device_sequence, place(e).0);
        let key = tie(&events[from]);
        let to = from + events[from..].iter().take_while(|e| tie(e) == key).count();
        let (before, rest) = events.split_at_mut(from);
        let group = &mut rest[..to - from];
        if key.2 == 1 && group.iter().any(|e| e.visit_id != group[0].visit_id) {
            let at = key.0;
            let mut depends_on_from = at;
            group.sort_by_cached_key(|e| {
                let latest = latest_before(before, e.visit_id, at);
                depends_on_from = depends_on_from.min(latest.unwrap_or(at - UNIT_US));
                // The latest first, visits without one last, then by id with the nameless visit first.
                (latest.is_none(), std::cmp::Reverse(latest), e.visit_id, place(e), e.id)
            });
            ties.push(Tie { at, depends_on_from });
        }
        from = to;
    }
}

/// The time of the visit's latest event in the 24 h before `at`.
fn latest_before(before: &[ActivityFact], visit: Option<VisitId>, at: Timestamp) -> Option<Timestamp> {
    let earlier = before.iter().rev().filter(|e| e.created_at < at);
    earlier.take_while(|e| e.created_at >= at - UNIT_US).find(|e| belongs_to_visit(e) && e.visit_id == visit).map(|e| e.created_at)
}

/// Whether the event is one of its visit's; of the nameless visit only what happens on site.
fn belongs_to_visit(e: &ActivityFact) -> bool {
    match e.activity_type {
        Type::ShiftStart | Type::ShiftEnd => false,
        Type::ArrivedOnSite | Type::WorkStarted | Type::WorkPaused | Type::WorkResumed | Type::WorkCompleted | Type::LeftSite => true,
        _ => e.visit_id.is_some(),
    }
}

/// A second tap on the same button within a minute of the one that stands takes no part in anything.
fn drop_double_taps(events: &mut Vec<ActivityFact>) {
    events.dedup_by(|later, standing| {
        later.activity_type == standing.activity_type
            && later.visit_id == standing.visit_id
            && later.created_at.since(standing.created_at) <= DOUBLE_TAP_US
    });
}

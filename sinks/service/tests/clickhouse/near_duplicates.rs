//! Double taps, also against a computation that goes through the events of all technicians in order.

use crate::setup::{MORNING, Random, TestDatabase, activity, at, technician, visit};
use fieldline_schemas::events::{ActivityType, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_sinks_rows::{ActivityRows, Position};

/// A position `minutes` after the morning.
fn position(offset: i64, minutes: i64) -> Position {
    Position { partition: 3, offset, received_at: at(minutes) }
}

/// The order of KPI_DEFINITIONS section 5, word by word: smaller comes first.
pub fn place(event: &TechnicianActivity<'_>, all: &[TechnicianActivity<'_>]) -> impl Ord + use<> {
    use ActivityType::*;
    let (group, rank) = match (event.activity_type, event.visit_id.is_some()) {
        (ShiftStart, _) => (0, 0),
        (VehicleInspection, _) => (0, 1),
        (BreakEnd, _) => (0, 2),
        (TravelEnd, false) => (0, 3),
        (TravelStart, true) => (1, 0),
        (TravelEnd, true) => (1, 1),
        (ArrivedOnSite, _) => (1, 2),
        (WorkStarted, _) => (1, 3),
        (WorkResumed, _) => (1, 4),
        (WorkPaused, _) => (1, 5),
        (WorkCompleted, _) => (1, 6),
        (LeftSite, _) => (1, 7),
        (TravelStart, false) => (2, 0),
        (BreakStart, _) => (2, 1),
        (FuelStop, _) => (2, 2),
        (EmergencyStop, _) => (2, 3),
        (ShiftEnd, _) => (2, 4),
    };
    let is_of_visit = |other: &TechnicianActivity<'_>| {
        let is_on_site = matches!(other.activity_type, ArrivedOnSite | WorkStarted | WorkResumed | WorkPaused | WorkCompleted | LeftSite);
        let is_shift = matches!(other.activity_type, ShiftStart | ShiftEnd);
        other.technician_contact_id == event.technician_contact_id
            && other.visit_id == event.visit_id
            && !is_shift
            && (other.visit_id.is_some() || is_on_site)
    };
    let ago = |other: &TechnicianActivity<'_>| event.common.created_at.since(other.common.created_at);
    let latest = all.iter().filter(|other| is_of_visit(other)).map(ago).filter(|ago| (1..=DAY_US).contains(ago)).min();
    let visit_by_visit = if group == 1 { (latest.unwrap_or(i64::MAX), event.visit_id) } else { (0, None) };
    (event.technician_contact_id, event.common.created_at, event.common.device_sequence, group, visit_by_visit, rank, event.common.id)
}

/// Double taps by going through the ordered events.
fn double_taps(standing: &[TechnicianActivity<'_>]) -> Vec<String> {
    let mut ordered: Vec<_> = standing.iter().map(|event| (place(event, standing), event)).collect();
    ordered.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut taps = Vec::new();
    let mut stands: Option<&TechnicianActivity<'_>> = None;
    for (_, event) in ordered {
        let who = event.technician_contact_id;
        let first = stands.filter(|first| {
            (first.technician_contact_id, first.activity_type, first.visit_id) == (who, event.activity_type, event.visit_id)
                && event.common.created_at.since(first.common.created_at) <= MINUTE_US
        });
        match first {
            Some(first) => {
                let after_us = event.common.created_at.since(first.common.created_at);
                taps.push(format!("{who}\t{}\t{}\t{after_us}", event.common.id, first.common.id));
            }
            None => stands = Some(event),
        }
    }
    taps.sort();
    taps
}

#[test]
fn near_duplicates_are_what_the_order_of_all_events_gives() {
    use ActivityType::*;
    const KINDS: [ActivityType; 15] = [
        ShiftStart,
        VehicleInspection,
        BreakEnd,
        TravelStart,
        TravelEnd,
        ArrivedOnSite,
        WorkStarted,
        WorkResumed,
        WorkPaused,
        WorkCompleted,
        LeftSite,
        BreakStart,
        FuelStop,
        EmergencyStop,
        ShiftEnd,
    ];
    let test = TestDatabase::new("near_duplicates");
    let random = &mut Random(20_260_302);
    let mut rows = ActivityRows::default();
    let mut standing = Vec::new();
    let mut offset = 0;
    for who in 0..150 {
        let who = TechnicianId::from_bytes(if who == 0 { [0; 16] } else { random.id() });
        let visits =
            [None, Some(VisitId::from_bytes([0; 16])), Some(VisitId::from_bytes(random.id())), Some(VisitId::from_bytes(random.id()))];
        // Few kinds for one technician, so that equal ones meet.
        let kinds = [random.pick(&KINDS), random.pick(&KINDS), ArrivedOnSite, TravelStart];
        for _ in 0..60 {
            let day = random.below(3) as i64 * DAY_US;
            let edge = random.pick(&[0, 0, 0, 0, 1, -1]);
            let mut event = activity(0, 0, random.pick(&kinds));
            event.common.id = EventId::from_bytes(random.id());
            event.common.created_at = MORNING + day + random.below(30) as i64 * 20 * SECOND_US + edge;
            event.common.device_sequence = random.pick(&[None, None, None, Some(-1), Some(1)]);
            event.technician_contact_id = who;
            event.visit_id = random.pick(&visits);
            let is_voided = random.below(8) == 0;
            let mut put = |event: &TechnicianActivity<'_>| {
                rows.push(position(offset, offset), 0, event);
                offset += 1;
            };
            put(&event);
            if is_voided {
                event.common.revision = 1;
                event.common.voided = true;
                put(&event);
            } else {
                standing.push(event);
            }
        }
    }
    for _ in 0..2 {
        test.insert("technician_activity_log", &rows);
    }
    let query = "SELECT technician_contact_id, id, stands_for_id, toInt64(seconds_after * 1000000) FROM near_duplicates \
                 ORDER BY toString(technician_contact_id), toString(id)";
    let expect = double_taps(&standing);
    assert_eq!(test.lines(query), expect);
    assert!(expect.len() > 300, "{}", expect.len());
    test.check(&format!("SELECT near_duplicates = {} FROM data_quality", expect.len()), &["1"]);
}

/// A device that repeats itself for two days must not take the view down.
#[test]
fn a_run_of_thousands_is_judged_like_a_short_one() {
    let test = TestDatabase::new("near_duplicates_run");
    let mut rows = ActivityRows::default();
    let random = &mut Random(7);
    for number in 0..20_000_i64 {
        let mut event = activity(0, 0, ActivityType::EmergencyStop);
        event.common.id = EventId::from_bytes(random.id());
        event.common.created_at = MORNING + number * 10 * SECOND_US;
        rows.push(position(number, number), 0, &event);
    }
    test.insert("technician_activity_log", &rows);
    // Of each seven one stands: the next ones come 10 to 60 s after it.
    test.check("SELECT count(), uniqExact(stands_for_id), max(seconds_after) FROM near_duplicates", &["17142\t2857\t60"]);
    test.check("SELECT near_duplicates FROM data_quality", &["17142"]);
}

/// Of two visits in one instant the one that had an event in the 24 h before comes first: which one is last decides
/// whether what follows is a double tap.
#[test]
fn a_visit_of_exactly_24_hours_ago_goes_first_in_a_tie() {
    let test = TestDatabase::new("near_duplicates_tie");
    let mut rows = ActivityRows::default();
    for (who, earlier_us) in [(1, DAY_US), (2, DAY_US + 1)] {
        let mut push = |number: u8, visit_number, kind, at_us: i64| {
            let mut event = activity(10 * who + number, 0, kind);
            event.technician_contact_id = technician(who);
            event.common.created_at = MORNING + at_us;
            event.visit_id = Some(visit(visit_number));
            rows.push(position(i64::from(10 * who + number), 0), 0, &event);
        };
        push(1, 2, ActivityType::ArrivedOnSite, -earlier_us);
        push(2, 1, ActivityType::LeftSite, 0);
        push(3, 2, ActivityType::LeftSite, 0);
        push(4, 2, ActivityType::LeftSite, 10 * SECOND_US);
    }
    test.insert("technician_activity_log", &rows);
    test.check("SELECT technician_contact_id = '70020000-0000-4000-8000-000000000000', seconds_after FROM near_duplicates", &["1\t10"]);
}

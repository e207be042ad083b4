//! What is judged on whole rows, and what identifies them: codes of rows, order, double taps, plans, positions, finality.

use crate::compare::visits_of;
use crate::order::standing;
use crate::rows::VisitRow;
use crate::scenario::{MONDAY_US, Scenario, event_id, visit_id};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{Position, ShiftPlanFact, VisitPlanFact};
use fieldline_processors_core::fold;
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::results::{Finality, ShiftResult};
use fieldline_schemas::time::{HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomaly, Timestamp};

fn day(events: &str) -> Scenario {
    Scenario::parse(&events.replace(';', "\n"))
}

fn at(hours: f64) -> Timestamp {
    Timestamp(MONDAY_US + (hours * HOUR_US as f64) as i64)
}

/// Runs the check on both computations.
fn check(scenario: &Scenario, clock: Timestamp, expect: impl Fn(&str, &[ShiftResult], &[VisitRow])) {
    let definition = Definition::default();
    let oracle = crate::evaluate(&scenario.facts(), clock, &definition);
    expect("oracle", &oracle.shifts, &oracle.visits);
    let fold = fold::fold(scenario.facts(), clock, &definition);
    expect("fold", &fold.shifts, &visits_of(&fold.episodes));
}

/// A28 judges single stretches by their certain length, uncut; exactly the limit is not too long.
#[test]
fn implausible_lengths() {
    let cases = [
        ("08:00 shift_start; 08:00 travel_start v1; 14:00 travel_end v1; 14:10 shift_end", false, false),
        ("08:00 shift_start; 08:00 travel_start v1; 14:01 travel_end v1; 14:10 shift_end", true, true),
        ("08:00 shift_start; 08:00 travel_start; 14:01 travel_end; 14:01 arrived_on_site v1; 14:10 shift_end", true, false),
        // Without an end a travel is certain only at its start.
        ("08:00 shift_start; 08:00 travel_start v1; 15:00 shift_end", false, false),
        // Begun before the shift, and not cut by its start.
        ("05:00 travel_start v1; 10:00 shift_start; 11:01 travel_end v1; 12:00 shift_end", true, true),
        (
            "08:00 shift_start; 08:00 travel_start v1; 08:10 arrived_on_site v1; 09:00 break_start; 13:00 break_end; 14:00 shift_end",
            false,
            false,
        ),
        (
            "08:00 shift_start; 08:00 travel_start v1; 08:10 arrived_on_site v1; 09:00 break_start; 13:01 break_end; 14:00 shift_end",
            true,
            false,
        ),
        // Work net of its break.
        (
            "06:00 shift_start; 06:00 arrived_on_site v1; 06:00 work_started v1; 12:00 break_start; 14:00 break_end; 23:30 work_completed v1; \
             23:40 left_site v1",
            true,
            false,
        ),
        (
            "04:00 arrived_on_site v1; 04:00 work_started v1; 20:01 work_completed v1; 20:10 left_site v1; 20:10 shift_start; 21:00 shift_end",
            false,
            true,
        ),
        ("06:00 shift_start; 06:01 arrived_on_site v1; 06:02 left_site v1; 22:00 shift_end", false, false),
        ("06:00 shift_start; 06:01 arrived_on_site v1; 06:02 left_site v1; 22:01 shift_end", true, false),
    ];
    for (events, on_shift, on_visit) in cases {
        check(&day(events), at(0.0), |who, shifts, visits| {
            assert_eq!(shifts[0].anomalies.contains(Anomaly::A28), on_shift, "{who}: {events}");
            assert_eq!(visits[0].anomalies.contains(Anomaly::A28), on_visit, "{who}, visit: {events}");
        });
    }
}

/// A29 unless the 72 h up to the first event hold a shift_end, a rest of 12 h or the technician's first event.
#[test]
fn depending_on_context() {
    // Something every six hours, never an end.
    let restless = |hours: i64| -> String {
        let every_six = (0..hours / 6).map(|n| format!("{}d {:02}:00 fuel_stop;", n * 6 / 24, n * 6 % 24));
        every_six.collect()
    };
    let ends = "3d 01:00 shift_start; 3d 01:10 travel_start v1; 3d 02:00 shift_end";
    for (events, on_shift, on_visit) in [
        (restless(72) + ends, true, true),
        // The technician's first event is 72 h before the shift_start.
        (restless(72) + "3d 00:00 shift_start; 3d 00:00 travel_start v1; 3d 02:00 shift_end", false, false),
        (format!("0:30 shift_end; {}{ends}", restless(72)), true, true),
        // 72 h before the shift_start exactly, and 72 h and 10 min before the visit.
        (format!("{}1:00 shift_end; {ends}", restless(72)), false, true),
        (format!("{}1:01 shift_end; {ends}", restless(66)), false, false),
        (format!("{}{ends}", restless(60).replace("1d 00:00 fuel_stop;", "").replace("1d 06:00 fuel_stop;", "")), false, false),
    ] {
        check(&day(&events), at(0.0), |who, shifts, visits| {
            assert_eq!(shifts.last().unwrap().anomalies.contains(Anomaly::A29), on_shift, "{who}: {events}");
            assert_eq!(visits[0].anomalies.contains(Anomaly::A29), on_visit, "{who}, visit: {events}");
        });
    }
}

fn plan(id: u64, from_hour: f64, to_hour: f64) -> ShiftPlanFact {
    ShiftPlanFact { id: event_id(id), planned_start: at(from_hour), planned_end: at(to_hour), lone_worker: false }
}

/// When a missing shift_end falls due, by the plan of the shift: the nearest start, then the smaller id.
#[test]
fn missing_end_falls_due() {
    let start = day("08:00 shift_start; 09:00 fuel_stop");
    let plans_and_due = [
        (vec![], 19.0),
        (vec![plan(90, 8.0, 17.0)], 18.0),
        (vec![plan(90, 12.0, 17.0)], 18.0),
        (vec![plan(90, 12.01, 17.0)], 19.0),
        (vec![plan(90, 0.0, 8.0)], 19.0),
        (vec![plan(90, 0.0, 8.01)], 9.01),
        (vec![plan(90, 7.0, 15.0), plan(91, 8.5, 17.0)], 18.0),
        (vec![plan(91, 7.0, 15.0), plan(90, 9.0, 17.0)], 18.0),
        (vec![plan(90, 7.0, 15.0), plan(91, 9.0, 17.0)], 16.0),
        // At the latest at its close.
        (vec![plan(90, 8.0, 40.0)], 32.0),
    ];
    for (plans, due) in plans_and_due {
        let mut scenario = start.clone();
        scenario.shift_plans = plans;
        for (clock, expected) in [(at(due) - MINUTE_US, false), (at(due) + MINUTE_US, true)] {
            check(&scenario, clock, |who, shifts, _| {
                assert_eq!(shifts[0].anomalies.contains(Anomaly::A02), expected, "{who} at {clock}: {:?}", scenario.shift_plans);
            });
        }
    }
    check(&day("08:00 shift_start; 19:00 shift_start"), at(19.0), |who, shifts, _| {
        assert!(shifts[0].anomalies.contains(Anomaly::A02), "{who}: superseded, at once");
        assert!(!shifts[1].anomalies.contains(Anomaly::A01), "{who}: a new shift is no repetition");
        assert!(!shifts[1].anomalies.contains(Anomaly::A02), "{who}");
    });
}

/// Final when the clock has passed the close by 72 h; of a visit: its last event and the close of every shift that holds one.
#[test]
fn finality() {
    let scenario = day("08:00 shift_start; 09:00 arrived_on_site v1; 10:00 left_site v1; 12:00 shift_end; 20:00 travel_end v1");
    for (hours, shift, visit) in [(83.9, false, false), (84.1, true, false), (91.9, true, false), (92.1, true, true)] {
        let word = |is_final: bool| if is_final { Finality::Final } else { Finality::Provisional };
        check(&scenario, at(hours), |who, shifts, visits| {
            assert_eq!((shifts[0].finality, visits[0].finality), (word(shift), word(visit)), "{who} after {hours} h");
        });
    }
}

/// Sources with minute precision: a whole day in one minute is still told in order, whatever the order of the ids.
#[test]
fn ties_are_told_in_order() {
    let told = [
        "shift_start",
        "vehicle_inspection",
        "break_end",
        "travel_end",
        "arrived_on_site",
        "left_site",
        "travel_start v1",
        "travel_end v1",
        "arrived_on_site v1",
        "work_started v1",
        "work_resumed v1",
        "work_paused v1",
        "work_completed v1",
        "left_site v1",
        "travel_start v2",
        "arrived_on_site v2",
        "travel_start",
        "break_start v1",
        "fuel_stop",
        "emergency_stop",
        "shift_end",
    ];
    let order_of = |scenario: &Scenario| -> Vec<(ActivityType, Option<u8>)> {
        standing(&scenario.activities).iter().map(|e| (e.activity_type, e.visit_id.map(|v| v.as_bytes()[0]))).collect()
    };
    let forwards: Vec<String> = told.iter().map(|e| format!("09:00 {e}")).collect();
    let backwards: Vec<String> = forwards.iter().rev().cloned().collect();
    let expected = order_of(&day(&forwards.join(";")));
    let names: Vec<String> =
        expected.iter().map(|(kind, visit)| visit.map_or(kind.symbol().to_owned(), |v| format!("{} v{v}", kind.symbol()))).collect();
    assert_eq!(names, told);
    assert_eq!(order_of(&day(&backwards.join(";"))), expected);
    // The visit with the latest event comes first: v2 here, for v1 has none within 24 h.
    let lived_in = day(&format!("08:00 travel_start v2; {}", backwards.join(";")));
    let first_visits: Vec<u8> = order_of(&lived_in).iter().skip(1).filter_map(|(_, v)| *v).collect();
    assert_eq!(first_visits[..3], [2, 2, 1]);

    // Both computations agree with the order: visits one after the other, no code for the second.
    let one_after_the_other = "09:00 arrived_on_site v2; 08:00 shift_start; 09:00 left_site v1; 08:20 arrived_on_site v1; 09:00 travel_start v2; \
                               08:10 travel_start v1; 09:30 left_site v2; 09:30 shift_end";
    check(&day(one_after_the_other), at(0.0), |who, shifts, visits| {
        assert!(shifts[0].anomalies.is_empty(), "{who}: {:?}", shifts[0].anomalies);
        assert_eq!(visits[0].on_site.value_us, Some(40 * MINUTE_US), "{who}");
    });
    // A device_sequence rules before that.
    let mut by_sequence = day(one_after_the_other);
    by_sequence.activities[0].device_sequence = Some(1);
    by_sequence.activities[2].device_sequence = Some(2);
    check(&by_sequence, at(0.0), |who, shifts, _| {
        assert!(shifts[0].anomalies.contains(Anomaly::A05), "{who}: travel_start is first now");
    });
}

/// A double tap takes no part; chains are measured from the one that stands.
#[test]
fn double_taps() {
    for (events, expected) in [
        ("08:00:00 shift_start; 08:01:00 shift_start; 08:30 shift_end", false),
        ("08:00:00 shift_start; 08:01:01 shift_start; 08:30 shift_end", true),
        ("08:00:00 shift_start; 08:00:40 shift_start; 08:01:00 shift_start; 08:30 shift_end", false),
        ("08:00:00 shift_start; 08:00:40 shift_start; 08:01:20 shift_start; 08:30 shift_end", true),
        ("08:00:00 shift_start; 08:00:20 fuel_stop; 08:00:40 shift_start; 08:30 shift_end", true),
    ] {
        check(&day(events), at(0.0), |who, shifts, _| {
            assert_eq!(shifts[0].anomalies.contains(Anomaly::A01), expected, "{who}: {events}");
        });
    }
    // Another visit makes it another event.
    check(&day("08:00 shift_start; 08:10:00 arrived_on_site v1; 08:10:10 arrived_on_site v2"), at(0.0), |who, _, visits| {
        assert_eq!(visits.len(), 2, "{who}");
    });
}

fn place(latitude: f64, accuracy_meters: i32) -> Option<Position> {
    Some(Position { latitude, longitude: 5.0, accuracy_meters })
}

/// A degree of latitude is 111,195 m on the sphere of 6,371 km.
#[test]
fn positions() {
    let mut scenario = day("08:00 shift_start; 09:00 arrived_on_site v1; 09:10 left_site v1; 10:00 arrived_on_site v2; 11:00 shift_end");
    scenario.activities[0].position = place(52.0, 5);
    scenario.activities[1].position = place(53.0, 5);
    // Two degrees in ten minutes: distrusted, and the next is compared with the one before it.
    scenario.activities[2].position = place(55.0, 5);
    scenario.activities[3].position = place(53.5, 20);
    let visit_plan = |id: u64, visit: u8, latitude: f64, radius: Option<f64>| VisitPlanFact {
        id: event_id(id),
        visit_id: visit_id(visit),
        window_start: at(8.0),
        window_end: at(9.0),
        position: place(latitude, 0),
        geofence_radius_meters: radius,
    };
    // 0.0024 degrees are 266.9 m: outside 250 m + 5 m, inside 250 m + 20 m. Of several plans the smallest id counts.
    scenario.visit_plans = vec![visit_plan(91, 1, 53.0, None), visit_plan(90, 1, 53.0024, None), visit_plan(92, 2, 53.5024, None)];
    check(&scenario, at(0.0), |who, shifts, visits| {
        let expected_meters = 1.5 * 111_194.926_644_558_74;
        assert!((shifts[0].distance_meters_lower_bound - expected_meters).abs() < 0.001, "{who}");
        assert!(visits[0].anomalies.contains(Anomaly::A19) && visits[0].anomalies.contains(Anomaly::A20), "{who}");
        assert!(!visits[1].anomalies.contains(Anomaly::A19) && !visits[1].anomalies.contains(Anomaly::A20), "{who}");
    });
    scenario.visit_plans[1].geofence_radius_meters = Some(262.0);
    check(&scenario, at(0.0), |who, _, visits| assert!(!visits[0].anomalies.contains(Anomaly::A20), "{who}: 262 m + 5 m"));
}

/// Times, counts and the shift of a row.
#[test]
fn what_a_row_names() {
    let scenario = day(
        "07:00 travel_start v1; 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v2; 08:30 work_completed v2; 08:30 left_site v1; \
         09:00 travel_start v3; 09:10 travel_end v3; 09:20 arrived_on_site; 09:30 work_completed; 10:00 shift_end v4; 10:10 work_completed v5; \
         1d 08:00 shift_start; 1d 09:00 arrived_on_site v1; 1d 09:10 break_start v6; 1d 09:20 break_end",
    );
    check(&scenario, at(0.0), |who, shifts, visits| {
        let named: Vec<u8> = visits.iter().map(|v| v.visit_id.as_bytes()[0]).collect();
        assert_eq!(named, [1, 2, 3, 5], "{who}: a break or a shift_end makes no visit");
        assert_eq!((shifts[0].visits, shifts[0].jobs, shifts[1].visits, shifts[1].jobs), (2, 1, 1, 0), "{who}");
        let v1 = &visits[0];
        assert_eq!((v1.attendances, v1.shift_id), (2, Some(shifts[0].shift_id)), "{who}: the first event in any shift");
        assert_eq!((v1.travel_started_at, v1.arrived_at, v1.left_at), (Some(at(7.0)), Some(at(8.0) + 10 * MINUTE_US), None), "{who}");
        let v2 = &visits[1];
        assert_eq!((v2.attendances, v2.arrived_at, v2.completed_at), (1, None, Some(at(8.5))), "{who}: only imputed");
        assert_eq!((visits[2].attendances, visits[2].shift_id), (0, Some(shifts[0].shift_id)), "{who}");
        assert_eq!((visits[3].attendances, visits[3].shift_id, visits[3].completed_at.is_some()), (0, None, true), "{who}");
    });
}

//! The worked examples G1 to G5, their numbers typed from the domain's page, through the fold and through the oracle.

use crate::compare::visits_of;
use crate::rows::VisitRow;
use crate::scenario::{MONDAY_US, Scenario, activity, event_id, visit_id};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::ShiftPlanFact;
use fieldline_processors_core::fold;
use fieldline_schemas::events::ActivityType::{ShiftEnd, ShiftStart};
use fieldline_schemas::results::{Measure, Quality, ShiftResult};
use fieldline_schemas::time::{HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// Runs the check on both computations.
fn check(scenario: &Scenario, clock: i64, expect: impl Fn(&str, &[ShiftResult], &[VisitRow])) {
    let definition = Definition::default();
    let oracle = crate::evaluate(&scenario.facts(), Timestamp(clock), &definition);
    expect("oracle", &oracle.shifts, &oracle.visits);
    let fold = fold::fold(scenario.facts(), Timestamp(clock), &definition);
    expect("fold", &fold.shifts, &visits_of(&fold.episodes));
}

fn minutes(minutes: i64) -> Measure {
    let us = minutes * MINUTE_US;
    Measure { value_us: Some(us), lo_us: us, hi_us: Some(us), quality: Quality::Observed }
}

const G1: &str = "
    08:00 shift_start
    08:02 vehicle_inspection
    08:10 travel_start v1
    08:40 travel_end v1
    08:40 arrived_on_site v1
    08:45 work_started v1
    09:15 work_paused v1
    09:25 work_resumed v1
    10:00 work_completed v1
    10:05 left_site v1
    10:05 travel_start v2
    10:20 fuel_stop
    10:50 travel_end v2
    10:50 arrived_on_site v2
    10:52 work_started v2
    12:00 break_start
    12:30 break_end
    13:00 work_completed v2
    13:02 left_site v2
    13:02 travel_start
    13:30 travel_end
    13:30 shift_end";

#[test]
fn g1_ordinary_day() {
    check(&Scenario::parse(G1), MONDAY_US + 24 * HOUR_US, |who, shifts, visits| {
        let [shift] = shifts else { panic!("{who}: {} shifts", shifts.len()) };
        let d = &shift.durations;
        let got = [d.shift, d.travel_net, d.work, d.pause, d.r#break, d.site_wait, d.site_wrap, d.idle, d.emergency, d.stop];
        assert_eq!(got, [330, 103, 163, 10, 30, 7, 7, 10, 0, 0].map(minutes), "{who}");
        assert_eq!((d.travel, d.on_site), (minutes(103), minutes(217)), "{who}");
        assert_eq!((shift.jobs, shift.visits, shift.anomalies), (2, 2, Anomalies::NONE), "{who}");
        let [v1, v2] = visits else { panic!("{who}: {} visits", visits.len()) };
        assert_eq!((v1.on_site, v2.on_site), (minutes(85), minutes(132)), "{who}");
        assert_eq!((v1.travel, v2.travel), (minutes(30), minutes(45)), "{who}");
        assert_eq!((v1.work, v2.work), (minutes(65), minutes(98)), "{who}");
        let utilisation = 100.0 * (103.0 + 163.0) / (330.0 - 30.0);
        assert!(f64::abs(utilisation - 88.67) < 0.005, "the page's own arithmetic");
    });
}

/// One shift between two instants given in minutes of the day 0, with the offset of its start.
fn night(start_minute: i64, end_minute: i64, offset_minutes: i16, minutes_split: [i64; 2]) {
    let mut start = activity(event_id(1), MONDAY_US + start_minute * MINUTE_US, ShiftStart, None);
    start.utc_offset_minutes = offset_minutes;
    let mut end = activity(event_id(2), MONDAY_US + end_minute * MINUTE_US, ShiftEnd, None);
    end.utc_offset_minutes = if offset_minutes == 60 { 120 } else { 60 };
    let scenario = Scenario { activities: vec![start, end], ..Scenario::default() };
    check(&scenario, MONDAY_US, |who, shifts, _| {
        let [shift] = shifts else { panic!("{who}: {} shifts", shifts.len()) };
        assert_eq!(shift.durations.shift, minutes(minutes_split.iter().sum()), "{who}");
        let split: Vec<_> = shift.days.iter().map(|d| (d.local_date - shift.shift_date, d.durations.shift)).collect();
        assert_eq!(split, [(0, minutes(minutes_split[0])), (1, minutes(minutes_split[1]))], "{who}");
    });
}

#[test]
fn g2_spring_night() {
    // 2026-03-28 22:00+01 is 26 days and 21 hours after Monday, 2026-03-29 06:00+02 is 7 hours later.
    night((26 * 24 + 21) * 60, (27 * 24 + 4) * 60, 60, [120, 300]);
}

#[test]
fn g3_autumn_night() {
    // 2026-10-24 22:00+02 to 2026-10-25 06:00+01 are nine hours.
    night((236 * 24 + 20) * 60, (237 * 24 + 5) * 60, 120, [120, 420]);
}

#[test]
fn g4_missing_end() {
    let mut scenario = Scenario::parse("08:00 shift_start\n 16:00 travel_start v1\n 16:20 arrived_on_site v1\n 16:40 left_site v1");
    scenario.shift_plans.push(ShiftPlanFact {
        id: event_id(99),
        planned_start: Timestamp(MONDAY_US + 8 * HOUR_US),
        planned_end: Timestamp(MONDAY_US + 17 * HOUR_US),
        lone_worker: false,
    });
    let at_18 = MONDAY_US + 18 * HOUR_US;
    for (clock, missing) in [(at_18 - 1, false), (at_18, true)] {
        check(&scenario, clock, |who, shifts, _| {
            let shift = shifts[0].durations.shift;
            assert_eq!((shift.value_us, shift.lo_us, shift.quality), (None, 520 * MINUTE_US, Quality::Open), "{who}");
            assert_eq!(shift.hi_us, Some(24 * HOUR_US), "{who}");
            assert_eq!(shifts[0].anomalies.contains(Anomaly::A02), missing, "{who} at {}", Timestamp(clock));
        });
    }
    scenario.push("16:58 shift_end");
    check(&scenario, MONDAY_US + 21 * HOUR_US + 15 * MINUTE_US, |who, shifts, _| {
        assert_eq!(shifts[0].durations.shift, minutes(538), "{who}");
        assert!(!shifts[0].anomalies.contains(Anomaly::A02), "{who}");
    });
}

#[test]
fn g5_overlap() {
    let scenario = Scenario::parse(
        "08:00 shift_start
         09:00 arrived_on_site v1
         09:30 arrived_on_site v2
         10:00 left_site v2
         10:30 left_site v1
         11:00 shift_end",
    );
    check(&scenario, MONDAY_US, |who, shifts, visits| {
        assert_eq!([visits[0].on_site, visits[1].on_site], [minutes(90), minutes(30)], "{who}");
        assert_eq!(shifts[0].durations.on_site, minutes(90), "{who}");
        let with_a15: Vec<_> = visits.iter().filter(|v| v.anomalies.contains(Anomaly::A15)).map(|v| v.visit_id).collect();
        assert_eq!(with_a15, [visit_id(2)], "{who}");
    });
}

//! S5 and S6.

use crate::script::Script;
use fieldline_schemas::events::ActivityType::{ArrivedOnSite, BreakStart, LeftSite, ShiftEnd, ShiftStart, TravelStart, WorkStarted};

/// G4: start 08:00, planned end 17:00, last event left_site 16:40.
fn g4() -> Script {
    let day = Script::default().shift_plan("06:00", "plan", ("08:00", "17:00"), false, 0).event("08:00", "start", ShiftStart);
    day.event("16:40", "left", LeftSite)
}

#[test]
fn g4_a_late_shift_end_closes_it() {
    let day = g4().late("21:15", "16:58", "end", ShiftEnd);
    day.check("22:00", &["18:00:00 S5 start raised warning", "21:15:00 S5 start late_arrival warning opened 18:00:00"]);
    let flags = day.flags("22:00");
    assert_eq!(flags[0].reasoning, "shift open since 2026-11-24 08:00 UTC, last event left_site 16:40, planned end 17:00");
    assert_eq!(flags[1].reasoning, "an event of 2026-11-24 16:58 UTC arrived late");
    assert!(flags[0].caused_by.is_none() && flags[1].caused_by.is_some());
}

#[test]
fn it_opens_an_hour_after_the_planned_end_and_not_before() {
    g4().check("17:59:59", &[]);
    g4().check("18:00", &["18:00:00 S5 start raised warning"]);
    g4().check("18:00:01", &["18:00:00 S5 start raised warning"]);
    g4().event("17:59:59", "end", ShiftEnd).check("20:00", &[]);
    // An end in the very second comes too late.
    let at_once = ["18:00:00 S5 start raised warning", "18:00:01 S5 start activity warning opened 18:00:00"];
    g4().event("18:00:01", "end", ShiftEnd).check("20:00", &at_once);
}

#[test]
fn without_a_plan_it_opens_after_11_hours_and_is_an_error_after_16() {
    let day = Script::default().event("08:00", "start", ShiftStart);
    day.check("18:59:59", &[]);
    day.check("19:00", &["19:00:00 S5 start raised warning"]);
    day.check("23:59:59", &["19:00:00 S5 start raised warning"]);
    let error = ["19:00:00 S5 start raised warning", "24:00:00 S5 start raised error opened 19:00:00"];
    day.check("24:00", &error);
    // Nothing more at the close of the shift, nor when it is final.
    day.check("60:00", &error);
}

#[test]
fn an_event_of_after_the_opening_is_activity() {
    let day = g4().event("18:30", "end", ShiftEnd);
    day.check("19:00", &["18:00:00 S5 start raised warning", "18:30:00 S5 start activity warning opened 18:00:00"]);
    // What does not end the shift changes nothing.
    g4().event("18:30", "work", WorkStarted).check("20:00", &["18:00:00 S5 start raised warning"]);
}

#[test]
fn an_amendment_closes_it() {
    let day = g4().shift_plan("18:10", "plan", ("08:00", "20:00"), false, 1);
    let moved =
        ["18:00:00 S5 start raised warning", "18:10:00 S5 start amended warning opened 18:00:00", "21:00:00 S5 start raised warning"];
    day.check("22:00", &moved);
    let day = g4().void("18:10", "08:00", "start", ShiftStart, 1);
    day.check("22:00", &moved[..2]);
    // Another shift_start takes its place: another shift, with a flag of its own after the quiet time.
    let day = g4().late("18:10", "07:30", "earlier", ShiftStart);
    day.check("19:00", &[moved[0], moved[1], "18:11:00 S5 earlier raised warning"]);
    // The end is withdrawn: open again.
    let day = g4().event("18:30", "end", ShiftEnd).void("19:00", "18:30", "end", ShiftEnd, 1);
    let again = [moved[0], "18:30:00 S5 start activity warning opened 18:00:00", "19:01:00 S5 start raised warning"];
    day.check("20:00", &again);
}

#[test]
fn a_day_that_is_uploaded_at_once_raises_and_withdraws_nothing() {
    let day = Script::default().late("20:00", "08:00", "start", ShiftStart).late("20:00:30", "09:00", "travel", TravelStart);
    let day = day.late("20:01:20", "09:30", "arrived", ArrivedOnSite).at_visit(1).late("20:02:15", "16:58", "end", ShiftEnd);
    day.check("24:00", &[]);
    // A minute and more between two records is no burst any more.
    let day = Script::default().late("20:00", "08:00", "start", ShiftStart).late("20:01:01", "16:58", "end", ShiftEnd);
    day.check("24:00", &["20:01:00 S5 start raised warning", "20:01:01 S5 start late_arrival warning opened 20:01:00"]);
}

#[test]
fn the_quiet_time_counts_from_the_last_record() {
    let ends = |at: &str, opens: &str| {
        let expected = format!("{opens} S5 start raised warning");
        g4().event(at, "break", BreakStart).check("19:00", &[&expected]);
    };
    ends("16:59:00", "18:00:00");
    ends("17:59:00", "18:00:00");
    ends("17:59:01", "18:00:01");
    ends("17:59:59", "18:00:59");
    // A duplicate is an arrival too; a heartbeat is none, else a device that sends many would hide everything.
    g4().late("17:59:30", "16:40", "left", LeftSite).check("19:00", &["18:00:30 S5 start raised warning"]);
    g4().heartbeats("16:50", "19:00", 30).check("19:00", &["18:00:00 S5 start raised warning"]);
}

#[test]
fn an_outage_holds_everything_for_a_minute() {
    let day = g4().outage("17:30", "20:00");
    day.check("20:00:59", &[]);
    day.check("20:05", &["20:01:00 S5 start raised warning"]);
    // What comes in that minute withdraws nothing, as nothing was raised.
    g4().outage("17:30", "20:00").late("20:00:20", "16:58", "end", ShiftEnd).check("21:00", &[]);
    // Ten seconds are no outage.
    g4().outage("17:59:55", "18:00:05").check("18:10", &["18:00:00 S5 start raised warning"]);
}

#[test]
fn a_clock_that_jumps_raises_it_once() {
    let day = Script::default().event("08:00", "start", ShiftStart).outage("09:00", "90:00");
    day.check("91:00", &["90:01:00 S5 start raised error"]);
}

#[test]
fn a_superseded_shift_still_misses_its_end() {
    let two = Script::default().event("08:00", "first", ShiftStart).event("31:00", "second", ShiftStart).event("39:00", "end", ShiftEnd);
    two.check("60:00", &["19:00:00 S5 first raised warning", "24:00:00 S5 first raised error opened 19:00:00"]);
    // Before it is due by plan: at once, after the quiet time.
    let planned = Script::default().shift_plan("06:00", "plan", ("08:00", "22:00"), true, 0).event("08:00", "first", ShiftStart);
    let planned = planned.event("19:30", "second", ShiftStart).event("20:00", "end", ShiftEnd);
    planned.check("40:00", &["19:31:00 S5 first raised warning", "24:00:00 S5 first raised error opened 19:31:00"]);
    assert_eq!(
        planned.flags("20:00")[0].reasoning,
        "shift open since 2026-11-24 08:00 UTC, last event shift_start 08:00, planned end 22:00, the next shift_start 19:30"
    );
}

#[test]
fn imported_shifts_raise_nothing() {
    Script::default().event("08:00", "start", ShiftStart).imported().check("60:00", &[]);
    // The import of an end closes it like any.
    let day = g4().late("18:30", "16:58", "end", ShiftEnd).imported();
    day.check("19:00", &["18:00:00 S5 start raised warning", "18:30:00 S5 start late_arrival warning opened 18:00:00"]);
}

fn lone() -> Script {
    let day = Script::default().shift_plan("06:00", "plan", ("08:00", "17:00"), true, 0).event("08:00", "start", ShiftStart);
    day.event("16:40", "left", LeftSite).at_position(52.0, 5.0)
}

#[test]
fn a_lone_worker_is_not_confirmed_home() {
    lone().check("17:59:59", &[]);
    let opened = ["18:00:00 S5 start raised warning", "18:00:00 S6 start raised critical"];
    lone().check("18:00", &opened);
    lone().check("18:00:01", &opened);
    let flags = lone().flags("18:00");
    assert_eq!(flags[1].location.as_ref().and_then(|location| location.latitude), Some(52.0));
    assert!(
        flags[1].reasoning.starts_with("lone worker not confirmed home, shift open since 2026-11-24 08:00 UTC"),
        "{}",
        flags[1].reasoning
    );
    let closed = |at: &str, own: &str, how: &str| {
        let lines = ["S5 start", "S6 start"].iter().zip(["warning", "critical"]);
        let closed: Vec<String> = lines.map(|(flag, severity)| format!("{at}:00 {flag} {how} {severity} opened 18:00:00")).collect();
        let expected: Vec<&str> = opened.into_iter().chain(closed.iter().map(String::as_str)).collect();
        lone().late(at, own, "end", ShiftEnd).check("22:00", &expected);
    };
    closed("18:20", "18:20", "activity");
    closed("21:15", "16:58", "late_arrival");
}

#[test]
fn whoever_starts_the_next_shift_came_home() {
    let day = lone().event("31:00", "next", ShiftStart).event("33:00", "end", ShiftEnd);
    let expected = [
        "18:00:00 S5 start raised warning",
        "18:00:00 S6 start raised critical",
        "24:00:00 S5 start raised error opened 18:00:00",
        "31:00:00 S6 start activity critical opened 18:00:00",
    ];
    day.check("34:00", &expected);
    // The plan is found not to be a lone worker's.
    let day = lone().shift_plan("18:30", "plan", ("08:00", "17:00"), false, 1);
    day.check("19:00", &[expected[0], expected[1], "18:30:00 S6 start amended critical opened 18:00:00"]);
}

//! S10.

use crate::script::{Script, time};
use fieldline_processors_core::facts::SignalFact;
use fieldline_processors_core::partition::Claim;
use fieldline_schemas::events::ActivityType::{EmergencyStop, LeftSite, ShiftEnd, ShiftStart};
use fieldline_schemas::events::{EventCategory, Severity};

fn on_shift() -> Script {
    Script::default().event("08:00", "start", ShiftStart).at_position(52.1, 4.9)
}

fn alarm(_: &mut Claim<SignalFact>) {}

#[test]
fn an_alarm_without_an_emergency_stop_is_told_of_two_minutes_later_and_stays() {
    let day = on_shift().signal("09:00:01", "09:00", "alarm", alarm).event("09:30", "left", LeftSite).event("10:00", "end", ShiftEnd);
    day.check("12:00", &["09:02:00 S10 alarm raised critical"]);
    let flags = day.flags("12:00");
    assert_eq!(flags[0].reasoning, "warning security event at 2026-11-24 09:00 UTC on shift since 08:00, no emergency_stop within 2 min");
    assert!(flags[0].location.is_some(), "somebody may have to be found");
}

#[test]
fn an_emergency_stop_within_two_minutes_is_the_one_that_should_exist() {
    let with = |arrives: &str, stop: &str, expected: &[&str]| {
        on_shift().late(arrives, stop, "stop", EmergencyStop).signal("09:00", "09:00", "alarm", alarm).check("10:00", expected);
    };
    with("08:58", "08:58", &["08:58:00 S1 stop raised critical"]);
    with("08:58", "08:57:59", &["08:58:00 S1 stop raised critical", "09:02:00 S10 alarm raised critical"]);
    // A device whose clock is ahead.
    with("09:01", "09:02", &["09:01:00 S1 stop raised critical"]);
    with("09:01", "09:02:01", &["09:01:00 S1 stop raised critical", "09:02:00 S10 alarm raised critical"]);
    with("09:01:59", "09:01:59", &["09:01:59 S1 stop raised critical"]);
}

#[test]
fn what_arrives_late_is_told_of_as_it_arrives() {
    on_shift().signal("09:01:59", "09:00", "alarm", alarm).check("10:00", &["09:02:00 S10 alarm raised critical"]);
    on_shift().signal("09:02", "09:00", "alarm", alarm).check("10:00", &["09:02:00 S10 alarm raised critical"]);
    on_shift().signal("11:00", "09:00", "alarm", alarm).check("12:00", &["11:00:00 S10 alarm raised critical"]);
    // Who was on shift is known only then.
    let late = Script::default().signal("09:00", "09:00", "alarm", alarm).late("11:00", "08:00", "start", ShiftStart);
    late.check("11:30", &["11:00:00 S10 alarm raised critical"]);
    // A device whose clock is ahead.
    on_shift().signal("08:50", "09:00", "alarm", alarm).check("10:00", &["09:02:00 S10 alarm raised critical"]);
}

#[test]
fn nothing_delays_it_neither_a_burst_nor_an_outage() {
    let burst = on_shift().duplicates("09:00", "09:10", 5, ("09:00", "left", LeftSite)).signal("09:00", "09:00", "alarm", alarm);
    burst.check("09:30", &["09:02:00 S10 alarm raised critical"]);
    let outage = on_shift().signal("09:00", "09:00", "alarm", alarm).outage("09:01", "09:40");
    outage.check("10:00", &["09:02:00 S10 alarm raised critical"]);
}

#[test]
fn it_takes_a_shift_at_that_moment() {
    let day = |at: &str, expected: &[&str]| {
        let day = on_shift().event("10:00", "end", ShiftEnd).signal("12:00", at, "alarm", alarm);
        day.check("13:00", expected);
    };
    day("07:59:59", &[]);
    day("08:00", &["12:00:00 S10 alarm raised critical"]);
    day("10:00", &["12:00:00 S10 alarm raised critical"]);
    day("10:00:01", &[]);
}

#[test]
fn only_a_security_or_critical_event_that_is_no_import_and_no_sos_and_names_the_technician() {
    let kinds: [(EventCategory, Severity, bool); 5] = [
        (EventCategory::Security, Severity::Info, true),
        (EventCategory::System, Severity::Critical, true),
        (EventCategory::Operational, Severity::Error, false),
        (EventCategory::Communication, Severity::Warning, false),
        (EventCategory::Security, Severity::Critical, true),
    ];
    for (event_category, severity, is_told) in kinds {
        let day = on_shift().signal("09:00", "09:00", "alarm", |c| (c.fact.event_category, c.fact.severity) = (event_category, severity));
        let told: &[&str] = if is_told { &["09:02:00 S10 alarm raised critical"] } else { &[] };
        day.check("10:00", told);
    }
    on_shift().signal("09:00", "09:00", "alarm", |c| c.fact.imported = true).check("10:00", &[]);
    on_shift().signal("09:00", "09:00", "alarm", |c| c.fact.is_emergency = true).check("10:00", &[]);
    on_shift().signal("09:00", "09:00", "alarm", |c| c.fact.names_technician = false).check("10:00", &[]);
    on_shift().signal("09:00", "09:00", "alarm", |c| c.voided = true).check("10:00", &[]);
}

#[test]
fn what_is_taken_back_in_time_is_not_told_of() {
    let moved = on_shift().signal("09:00", "09:00", "alarm", alarm);
    moved.signal("09:01:30", "09:00", "alarm", |c| c.fact.names_technician = false).check("10:00", &[]);
    let voided = on_shift().signal("09:00", "09:00", "alarm", alarm);
    voided.signal("09:01:30", "09:00", "alarm", |c| (c.revision, c.voided) = (1, true)).check("10:00", &[]);
    let unstarted = on_shift().signal("09:00", "09:00", "alarm", alarm);
    unstarted.void("09:01", "08:00", "start", ShiftStart, 1).check("10:00", &[]);
}

#[test]
fn what_comes_later_is_noted_and_resolution_alone_says_nothing() {
    let raised = "09:02:00 S10 alarm raised critical";
    let day = on_shift().signal("09:00", "09:00", "alarm", alarm);
    let stop = day.clone().late("09:20", "09:01", "stop", EmergencyStop);
    stop.check("10:00", &[raised, "09:20:00 S1 stop raised critical", "09:20:00 S10 alarm late_arrival critical opened 09:02:00"]);
    let voided = day.clone().signal("09:20", "09:00", "alarm", |c| c.voided = true);
    voided.check("10:00", &[raised, "09:20:00 S10 alarm amended critical opened 09:02:00"]);
    let unstarted = day.clone().void("09:20", "08:00", "start", ShiftStart, 1);
    unstarted.check("10:00", &[raised, "09:20:00 S10 alarm amended critical opened 09:02:00"]);
    let resolved = day.signal("09:20", "09:00", "alarm", |c| c.fact.resolved_at = Some(time("09:19")));
    resolved.check("10:00", &[raised]);
}

#[test]
fn a_state_rebuilt_between_cause_and_due_tells_of_it_and_one_rebuilt_later_does_not() {
    let day = on_shift().signal("09:00", "09:00", "alarm", alarm);
    assert_eq!(day.after_restart("09:01", "10:00"), ["09:02:00 S10 alarm raised critical"]);
    assert_eq!(day.after_restart("09:02:30", "10:00"), Vec::<String>::new());
    assert_eq!(day.after_restart("09:30", "10:00"), Vec::<String>::new());
}

#[test]
fn what_lies_beyond_the_live_units_is_for_nobody() {
    let late = |at: &str, expected: &[&str]| {
        on_shift().event("10:00", "end", ShiftEnd).signal(at, "09:00", "alarm", alarm).check("110:00", expected)
    };
    late("104:59", &["104:59:00 S10 alarm raised critical"]);
    late("105:01", &[]);
}

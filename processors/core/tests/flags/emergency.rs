//! S1.

use crate::script::Script;
use fieldline_schemas::events::ActivityType::{EmergencyStop, LeftSite, ShiftEnd, ShiftStart, WorkStarted};

#[test]
fn an_emergency_is_told_of_as_it_arrives_and_nothing_closes_it() {
    let day = Script::default().event("08:00", "start", ShiftStart).event("09:00:07", "stop", EmergencyStop).at_position(52.1, 4.9);
    let day = day.event("09:10", "work", WorkStarted).event("10:00", "end", ShiftEnd);
    day.check("12:00", &["09:00:07 S1 stop raised critical"]);
    let flags = day.flags("12:00");
    let location = flags[0].location.as_ref().unwrap();
    assert_eq!((location.latitude, location.longitude, location.accuracy_meters), (Some(52.1), Some(4.9), Some(10)));
    assert_eq!(flags[0].reasoning, "emergency_stop at 2026-11-24 09:00 UTC, received 0 s later");
    assert_eq!(flags[0].caused_by.map(|id| flags[0].alert_id.ends_with(&id.to_string())), Some(true));
    assert_eq!(flags[0].alert_id.split(':').nth(1), Some("00000000-0000-0000-0000-000000000007"));
}

#[test]
fn it_is_told_of_once_for_each_id() {
    let day = Script::default().event("09:00", "stop", EmergencyStop).late("09:00:01", "09:00", "stop", EmergencyStop);
    let day = day.late("09:30", "09:01", "stop", EmergencyStop).revision(1).event("10:00", "other", EmergencyStop);
    day.check("11:00", &["09:00:00 S1 stop raised critical", "10:00:00 S1 other raised critical"]);
}

#[test]
fn it_is_late_beyond_72_hours_only() {
    let arrives = |at: &str, expected: &[&str]| Script::default().late(at, "00:00", "stop", EmergencyStop).check("100:00", expected);
    arrives("71:59:59", &["71:59:59 S1 stop raised critical"]);
    arrives("72:00", &["72:00:00 S1 stop raised critical"]);
    arrives("72:00:01", &["72:00:01 S1 stop raised critical late"]);
    // Outside the window of facts as well.
    let week = Script::default().event("00:00", "left", LeftSite).outage("01:00", "299:00").late("300:00", "01:00", "stop", EmergencyStop);
    week.check("300:10", &["300:00:00 S1 stop raised critical late"]);
}

#[test]
fn a_void_is_noted_and_a_restored_one_is_not_told_of_again() {
    let day = Script::default().event("09:00", "stop", EmergencyStop).void("09:05", "09:00", "stop", EmergencyStop, 1);
    let day = day.late("09:10", "09:00", "stop", EmergencyStop).revision(2);
    day.check("10:00", &["09:00:00 S1 stop raised critical", "09:05:00 S1 stop voided critical opened 09:00:00"]);
}

#[test]
fn what_is_voided_before_it_comes_and_what_is_imported_is_not_told_of() {
    Script::default().void("09:00", "08:59", "stop", EmergencyStop, 1).late("09:01", "08:59", "stop", EmergencyStop).check("10:00", &[]);
    Script::default().event("09:00", "stop", EmergencyStop).imported().check("10:00", &[]);
    // An amendment that makes it one is told of.
    let day = Script::default().event("09:00", "stop", LeftSite).late("09:05", "09:00", "stop", EmergencyStop).revision(1);
    day.check("10:00", &["09:05:00 S1 stop raised critical"]);
}

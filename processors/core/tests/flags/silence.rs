//! S4, S7 and S8.

use crate::script::Script;
use fieldline_schemas::events::ActivityType::{
    ArrivedOnSite, BreakEnd, BreakStart, EmergencyStop, FuelStop, LeftSite, ShiftEnd, ShiftStart, TravelStart, WorkCompleted, WorkStarted,
};
use fieldline_schemas::events::{EventCategory, Severity};

/// A lone worker's day, from 08:00 to 17:00 by plan.
fn lone() -> Script {
    Script::default().shift_plan("06:00", "plan", ("08:00", "17:00"), true, 0).event("08:00", "start", ShiftStart)
}

#[test]
fn a_lone_worker_is_to_be_heard_of() {
    let day = lone().event("09:00", "arrived", ArrivedOnSite).at_position(52.0, 5.0);
    day.check("10:04:59", &[]);
    let raised = "10:05:00 S4 arrived raised error";
    day.check("10:05", &[raised]);
    day.check("10:05:01", &[raised]);
    let flag = &day.flags("10:05")[0];
    assert_eq!(flag.reasoning, "lone worker not heard of for 65 min since arrived_on_site at 2026-11-24 09:00 UTC");
    assert_eq!(flag.location.as_ref().and_then(|location| location.longitude), Some(5.0));
    day.clone().event("10:04:59", "work", WorkStarted).check("11:00", &[]);
    let work = day.clone().event("10:20", "work", WorkStarted);
    work.check("11:24:59", &[raised, "10:20:00 S4 arrived activity error opened 10:05:00"]);
    work.check("11:25", &[raised, "10:20:00 S4 arrived activity error opened 10:05:00", "11:25:00 S4 work raised error"]);
    let late = day.clone().late("10:20", "09:30", "work", WorkStarted).event("10:21", "done", WorkCompleted);
    late.check("12:00", &[raised, "10:20:00 S4 arrived late_arrival error opened 10:05:00"]);
    let void = day.clone().void("10:20", "09:00", "arrived", ArrivedOnSite, 1);
    void.check("12:00", &[raised, "10:20:00 S4 arrived amended error opened 10:05:00"]);
    let plan = day.shift_plan("10:20", "plan", ("08:00", "17:00"), false, 1);
    plan.check("12:00", &[raised, "10:20:00 S4 arrived amended error opened 10:05:00"]);
}

/// Dispatch rings a phone that nobody answers, and every ring is an operational event that names its bearer.
#[test]
fn what_others_say_of_a_technician_is_no_sign_of_life() {
    let mut day = lone().heartbeats("08:00", "09:00", 30).event("09:00", "arrived", ArrivedOnSite);
    for name in ["ring 1", "ring 2", "ring 3", "ring 4"] {
        for minute in 9..=12 {
            let at = format!("{:02}:{:02}:{}0", 9 + (minute + 1) / 12, (5 * minute + 8) % 60, &name[5..]);
            day = day.signal(&at, &at, name, |claim| {
                (claim.fact.event_category, claim.fact.severity) = (EventCategory::Communication, Severity::Info);
            });
        }
    }
    day.check("10:30", &["09:10:00 S8 09:00:00 raised warning", "10:05:00 S4 arrived raised error"]);
}

#[test]
fn nobody_else_and_nowhere_else() {
    for activity_type in [TravelStart, ArrivedOnSite, WorkStarted] {
        lone().event("09:00", "event", activity_type).check("11:00", &["10:05:00 S4 event raised error"]);
    }
    for activity_type in [LeftSite, BreakStart, FuelStop, ShiftEnd] {
        lone().event("09:00", "event", activity_type).check("11:00", &[]);
    }
    let stop = lone().event("09:00", "event", TravelStart).event("09:10", "stop", EmergencyStop);
    stop.check("11:00", &["09:10:00 S1 stop raised critical"]);
    lone().event("09:00", "event", WorkStarted).imported().check("11:00", &[]);
    let group = Script::default().shift_plan("06:00", "plan", ("08:00", "17:00"), false, 0).event("08:00", "start", ShiftStart);
    group.event("09:00", "event", WorkStarted).check("11:00", &[]);
    // Beyond the shift's close nothing falls due: 24 h after its start.
    let end = Script::default().shift_plan("06:00", "plan", ("08:00", "33:00"), true, 0).event("08:00", "start", ShiftStart);
    let flags = end.clone().event("30:54:59", "event", TravelStart).flags("36:00");
    assert_eq!(flags.iter().filter(|flag| flag.flag.symbol() == "S4").count(), 1);
    let flags = end.event("30:55", "event", TravelStart).flags("36:00");
    assert_eq!(flags.iter().filter(|flag| flag.flag.symbol() == "S4").count(), 0);
}

#[test]
fn a_burst_after_a_dead_zone_raises_nothing_on_the_way() {
    let day = lone().late("14:00", "09:00", "travel", TravelStart).late("14:00:40", "10:30", "arrived", ArrivedOnSite);
    day.late("14:01:30", "12:00", "work", WorkStarted).late("14:02:20", "13:50", "left", LeftSite).check("16:00", &[]);
    let outage = lone().event("09:00", "arrived", ArrivedOnSite).outage("09:30", "11:00");
    outage.check("11:00:59", &[]);
    outage.check("11:01", &["11:01:00 S4 arrived raised error"]);
}

#[test]
fn six_hours_of_travel_are_silence() {
    let day = Script::default().event("08:00", "start", ShiftStart).event("09:00", "travel", TravelStart).at_visit(1);
    day.check("14:59:59", &[]);
    let raised = "15:00:00 S7 travel raised warning";
    day.check("15:00", &[raised]);
    day.check("15:00:01", &[raised]);
    assert_eq!(day.flags("15:00")[0].reasoning, "travelling since 2026-11-24 09:00 UTC, for more than 360 min");
    day.clone().event("14:59:59", "arrived", ArrivedOnSite).at_visit(1).check("16:00", &[]);
    let arrives = |at: &str, own: &str| day.clone().late(at, own, "arrived", ArrivedOnSite).at_visit(1);
    arrives("15:30", "15:30").check("16:00", &[raised, "15:30:00 S7 travel activity warning opened 15:00:00"]);
    arrives("15:30", "14:50").check("16:00", &[raised, "15:30:00 S7 travel late_arrival warning opened 15:00:00"]);
    let void = day.clone().void("15:30", "09:00", "travel", TravelStart, 1);
    void.check("16:00", &[raised, "15:30:00 S7 travel amended warning opened 15:00:00"]);
    day.clone().event("15:30", "fuel", FuelStop).check("16:00", &[raised]);
    let imported = Script::default().event("08:00", "start", ShiftStart).event("09:00", "travel", TravelStart).imported();
    imported.check("16:00", &[]);
}

#[test]
fn a_re_route_goes_on_and_a_break_begins_anew() {
    let day = Script::default().event("08:00", "start", ShiftStart).event("09:00", "first", TravelStart).at_visit(1);
    let day = day.event("11:00", "second", TravelStart).at_visit(2);
    day.check("15:00", &["15:00:00 S7 first raised warning"]);
    // The re-route of after the opening too.
    let goes_on = day.clone().event("15:30", "third", TravelStart).at_visit(3);
    goes_on.check("16:00", &["15:00:00 S7 first raised warning"]);
    let rested = day.event("12:00", "break", BreakStart).event("12:30", "on", BreakEnd);
    rested.check("18:29:59", &[]);
    rested.check("18:30", &["18:30:00 S7 first raised warning"]);
}

#[test]
fn a_device_that_sends_heartbeats_is_missed_after_ten_minutes() {
    let day = Script::default().event("08:00", "start", ShiftStart).heartbeats("08:01", "09:00", 60);
    day.check("09:09:59", &[]);
    let raised = "09:10:00 S8 09:00:00 raised warning";
    day.check("09:10", &[raised]);
    day.check("09:10:01", &[raised]);
    assert_eq!(day.flags("09:10")[0].reasoning, "no contact with the device since 2026-11-24 09:00 UTC, on shift since 08:00");
    day.clone().heartbeat("09:09:59").check("09:19", &[]);
    day.clone().event("09:09:59", "travel", TravelStart).check("09:19", &[]);
    let back = day.clone().heartbeat("09:30");
    back.check("09:39:59", &[raised, "09:30:00 S8 09:00:00 activity warning opened 09:10:00"]);
    back.check("09:40", &[raised, "09:30:00 S8 09:00:00 activity warning opened 09:10:00", "09:40:00 S8 09:30:00 raised warning"]);
    let late = day.clone().late("09:30", "09:05", "travel", TravelStart);
    late.check("09:35", &[raised, "09:30:00 S8 09:00:00 late_arrival warning opened 09:10:00"]);
    let end = day.clone().event("09:05", "end", ShiftEnd);
    end.check("12:00", &[]);
}

#[test]
fn devices_without_heartbeats_and_people_off_shift_are_not_missed() {
    Script::default().event("08:00", "start", ShiftStart).check("12:00", &[]);
    let off = Script::default().event("06:00", "left", LeftSite).heartbeats("06:10", "08:00", 60);
    off.check("12:00", &[]);
    let imported = Script::default().event("08:00", "start", ShiftStart).imported().heartbeats("08:01", "09:00", 60);
    imported.check("12:00", &[]);
    let held = Script::default().event("08:00", "start", ShiftStart).heartbeats("08:01", "09:00", 60).outage("09:05", "10:00");
    held.check("10:05", &["10:01:00 S8 09:00:00 raised warning"]);
}

/// A phone and an alarm button: the phone's records are no sign of the button.
#[test]
fn each_of_several_devices_is_missed_by_itself() {
    let day = Script::default().event("08:00", "start", ShiftStart).heartbeats("08:01", "12:00", 60);
    let both = day.clone().device("button", "08:01", "09:00", 60);
    let busy = both.clone().event("09:05", "travel", TravelStart).event("09:12", "there", ArrivedOnSite);
    busy.check("12:05", &["09:10:00 S8 09:00:00-other raised warning"]);
    assert_eq!(busy.flags("12:05")[0].reasoning, "no contact with one of 2 devices since 2026-11-24 09:00 UTC, on shift since 08:00");
    let back = both.device("button", "10:00", "12:00", 60);
    let ended = ["09:10:00 S8 09:00:00-other raised warning", "10:00:00 S8 09:00:00-other activity warning opened 09:10:00"];
    back.check("12:05", &ended);
    let until =
        |until| Script::default().event("08:00", "start", ShiftStart).heartbeats("08:01", until, 60).device("button", "08:01", "09:00", 60);
    until("09:09").check("09:09:59", &[]);
    until("09:09").check("09:10", &["09:10:00 S8 09:00:00-other raised warning"]);
    // Both fall silent at once, each with an alert of its own although their last heartbeats were sent in one instant.
    let both = &["12:10:00 S8 12:00:00 raised warning", "12:10:00 S8 12:00:00-other raised warning"];
    back.check("12:10", &[&ended[..], both].concat());
}

#[test]
fn a_device_that_was_replaced_before_the_shift_is_not_missed_in_it() {
    let old = Script::default().event("06:00", "before", LeftSite).device("old phone", "06:00", "07:00", 60);
    let day = old.heartbeats("07:30", "12:00", 60).event("08:00", "start", ShiftStart);
    day.check("12:05", &[]);
    // The only one that was heard of counts from the day before on.
    let dead = Script::default().event("06:00", "before", LeftSite).heartbeats("06:00", "07:59", 60).event("08:00", "start", ShiftStart);
    dead.check("08:09:59", &[]);
    dead.check("08:10", &["08:10:00 S8 07:59:00 raised warning"]);
}

/// Heartbeats were all that ever came of this person before the shift began.
#[test]
fn a_device_of_somebody_yet_unknown_is_remembered() {
    let day = Script::default().heartbeats("07:00", "07:59", 60).event("08:00", "start", ShiftStart);
    day.check("08:09:59", &[]);
    day.check("08:10", &["08:10:00 S8 07:59:00 raised warning"]);
}

//! S11.

use crate::script::Script;
use fieldline_schemas::events::ActivityType::{ArrivedOnSite, LeftSite, ShiftStart, TravelStart, WorkStarted};

fn planned() -> Script {
    Script::default().visit_plan("06:00", "plan", 1, ("09:00", "11:00"), 0, false)
}

#[test]
fn a_visit_is_missed_a_quarter_of_an_hour_after_its_window() {
    planned().check("11:14:59", &[]);
    let raised = "11:15:00 S11 plan raised warning";
    planned().check("11:15", &[raised]);
    planned().check("11:15:01", &[raised]);
    let flag = &planned().flags("11:15")[0];
    assert_eq!(flag.reasoning, "no arrival 15 min after the visit's window ended at 2026-11-24 11:00 UTC");
    assert_eq!(flag.visit_id, crate::script::visit(1));
    planned().event("11:14:59", "arrived", ArrivedOnSite).at_visit(1).check("12:00", &[]);
    planned().event("08:00", "early", ArrivedOnSite).at_visit(1).check("12:00", &[]);
    // Nobody sent the arrival, but work began.
    planned().event("11:00", "work", WorkStarted).at_visit(1).check("12:00", &[]);
    planned().event("11:00", "elsewhere", ArrivedOnSite).at_visit(2).check("12:00", &[raised]);
    planned().event("11:00", "travel", TravelStart).at_visit(1).check("12:00", &[raised]);
}

#[test]
fn an_arrival_closes_it() {
    let raised = "11:15:00 S11 plan raised warning";
    let arrives =
        |at: &str, own: &str| planned().late(at, own, "arrived", ArrivedOnSite).at_visit(1).event("12:00", "left", LeftSite).at_visit(1);
    arrives("11:40", "11:40").check("13:00", &[raised, "11:40:00 S11 plan activity warning opened 11:15:00"]);
    arrives("11:40", "11:10").check("13:00", &[raised, "11:40:00 S11 plan late_arrival warning opened 11:15:00"]);
    // The arrival is withdrawn.
    let again = arrives("11:40", "11:40").void("12:30", "11:40", "arrived", ArrivedOnSite, 1);
    let expected = [raised, "11:40:00 S11 plan activity warning opened 11:15:00", "12:31:00 S11 plan raised warning"];
    again.check("13:00", &expected);
}

#[test]
fn plans_that_change() {
    let raised = "11:15:00 S11 plan raised warning";
    let moved = planned().visit_plan("10:00", "plan", 1, ("13:00", "14:00"), 1, false);
    moved.check("15:00", &["14:15:00 S11 plan raised warning"]);
    let moved = planned().visit_plan("11:30", "plan", 1, ("13:00", "14:00"), 1, false);
    let amended = "11:30:00 S11 plan amended warning opened 11:15:00";
    moved.check("15:00", &[raised, amended, "14:15:00 S11 plan raised warning"]);
    planned().visit_plan("10:00", "plan", 1, ("09:00", "11:00"), 1, true).check("15:00", &[]);
    planned().visit_plan("11:30", "plan", 1, ("09:00", "11:00"), 1, true).check("15:00", &[raised, amended]);
    // After the fact: a plan is no word of the technician, so nothing waits for quiet.
    let after = Script::default().event("08:00", "start", ShiftStart).visit_plan("12:00", "plan", 1, ("09:00", "11:00"), 0, false);
    after.check("13:00", &["12:00:00 S11 plan raised warning opened 11:15:00"]);
    let met = Script::default().event("09:10", "arrived", ArrivedOnSite).at_visit(1);
    met.visit_plan("12:00", "plan", 1, ("09:00", "11:00"), 0, false).check("13:00", &[]);
    // Of several plans of one visit the smallest id counts.
    let two = planned().visit_plan("06:10", "other", 1, ("09:00", "10:00"), 0, false);
    two.check("12:00", &[raised]);
}

#[test]
fn an_outage_and_a_burst() {
    planned().outage("11:00", "12:00").check("12:05", &["12:01:00 S11 plan raised warning"]);
    let burst = planned().outage("11:00", "12:00").late("12:00:30", "10:30", "arrived", ArrivedOnSite).at_visit(1);
    burst.check("13:00", &[]);
    planned().late("11:14:30", "08:00", "start", ShiftStart).check("12:00", &["11:15:30 S11 plan raised warning"]);
}

//! Emergencies of which an update names another technician.

use crate::desk::*;
use fieldline_schemas::time::MINUTE_US;

const OPENED: &str = "S1 a opened (fold) opened n1";
const COUNTED: [&str; 4] = [
    "S1 b repeated (a) opened n0",
    "S1 a repeated (b) opened n1 repeats 1",
    "S1 c repeated (a) opened n0",
    "S1 a repeated (c) opened n1 repeats 2",
];

#[test]
fn one_that_named_nobody_is_told_whose_it_is_and_its_resolution_clears_the_log_of_that_technician() {
    let input = [(0, lane("S1 unknown")), (s(5), raised_of("S1 unknown", 2, "x2")), (s(20), resolve("S1 unknown", 1))];
    let steps = ["S1 unknown opened (lane) opened n1", "S1 unknown noted (fold) opened n1", "S1 unknown resolved (assisted) resolved n2"];
    let effects = check(&input, &steps);
    assert_eq!(effects.alerts[1].technician_contact_id, effects.clearances.first().map(|clearance| clearance.technician_contact_id));
    // By another event of the technician.
    let cleared = [(0, lane("S1 unknown")), (s(5), raised_of("S1 unknown", 2, "x2")), (s(20), cleared("S1 unknown", 7, s(19)))];
    check(&cleared, &[steps[0], steps[1], "S1 unknown resolved (operational_event) resolved n2"]);
}

/// What was counted on it is the first technician's: the first of them pages for all, with rounds of its own.
#[test]
fn what_was_counted_on_one_that_moves_pages_by_itself() {
    let input = [
        (0, raised("S1 a", 1)),
        (s(1), raised("S1 b", 2)),
        (s(2), raised("S1 c", 3)),
        (s(10), raised_of("S1 a", 4, "x2")),
        (s(20), cleared("S1 a", 5, s(19))),
        (s(30), lane("S1 d")),
        (s(70), tick()),
        (s(71), resolve("S1 c", 1)),
    ];
    let moved = [
        "S1 a noted (fold) opened n1 repeats 2",
        "S1 b reopened (moved) opened n1 reopened 1",
        "S1 c reopened (moved) opened n0",
        "S1 a resolved (operational_event) resolved n2 repeats 2",
        "S1 d repeated (b) opened n0",
        "S1 b repeated (d) opened n1 reopened 1 repeats 1",
        "S1 b escalated (timer) opened n2 round 1 reopened 1 repeats 1",
        "S1 b resolved (assisted) resolved n3 round 1 reopened 1 repeats 1",
        "S1 c resolved (assisted) resolved n0",
        "S1 d resolved (assisted) resolved n0",
    ];
    check(&input, &[&[OPENED], &COUNTED[..], &moved].concat());
}

/// Somebody acknowledged the press that it was counted on: nobody has acknowledged this.
#[test]
fn one_that_was_counted_on_another_pages_when_it_is_somebody_elses() {
    let input = [
        (0, raised("S1 a", 1)),
        (s(1), raised("S1 b", 2)),
        (s(5), acknowledge("S1 a", 1)),
        (s(10), raised_of("S1 b", 4, "x2")),
        (s(20), resolve("S1 a", 2)),
        (s(70), tick()),
        (s(71), acknowledge("S1 b", 3)),
        (s(71) + 30 * MINUTE_US, tick()),
    ];
    let steps = [
        "S1 a acknowledged (person) acknowledged n2 repeats 1",
        "S1 b acknowledged (person) acknowledged n0",
        "S1 b noted (fold) acknowledged n0",
        "S1 b reopened (moved) opened n1 reopened 1",
        "S1 a resolved (assisted) resolved n3 repeats 1",
        "S1 b escalated (timer) opened n2 round 1 reopened 1",
        "S1 b acknowledged (person) acknowledged n3 round 1 reopened 1",
        "S1 b reopened (timer) opened n4 reopened 2",
    ];
    check(&input, &[&[OPENED], &COUNTED[..2], &steps].concat());
}

#[test]
fn what_is_resolved_stays_so_and_presses_of_the_first_technician_page() {
    let input = [
        (0, raised("S1 a", 1)),
        (s(1), raised("S1 b", 2)),
        (s(2), resolve("S1 a", 1)),
        (s(10), raised_of("S1 a", 4, "x2")),
        (s(20), lane("S1 c")),
    ];
    let steps = [
        "S1 a resolved (assisted) resolved n2 repeats 1",
        "S1 b resolved (assisted) resolved n0",
        "S1 a noted (fold) resolved n2 repeats 1",
        "S1 c opened (lane) opened n1",
    ];
    check(&input, &[&[OPENED], &COUNTED[..2], &steps].concat());
    let open = [(0, raised("S1 a", 1)), (s(1), raised_of("S1 a", 4, "x2")), (s(2), lane("S1 b"))];
    check(&open, &[OPENED, "S1 a noted (fold) opened n1", "S1 b opened (lane) opened n1"]);
}

//! Every other flag: as the fold of its subject says.

use crate::desk::*;
use fieldline_processors_core::lifecycle::WHOLE_US;
use fieldline_schemas::alerts::FlagStanding::{Activity, Amended, LateArrival, Raised};
use fieldline_schemas::events::{ActionKind, Severity};

#[test]
fn what_is_no_longer_true_is_resolved_with_its_cause() {
    for (standing, cause) in [(Activity, "activity"), (LateArrival, "late_arrival"), (Amended, "amended")] {
        let resolved = format!("S5 a resolved ({cause}) resolved n2");
        check(
            &[(0, raised("S5 a", 1)), (s(5), fold("S5 a", 2, standing)), (s(6), fold("S5 a", 2, standing))],
            &["S5 a opened (fold) opened n1", &resolved],
        );
    }
}

#[test]
fn the_highest_version_holds() {
    check(
        &[(0, raised("S5 a", 5)), (s(1), fold("S5 a", 4, Activity)), (s(2), fold("S5 a", 5, Activity)), (s(3), fold("S5 a", 6, Activity))],
        &["S5 a opened (fold) opened n1", "S5 a resolved (activity) resolved n2"],
    );
    // What was untrue before it was told is never opened by what came earlier.
    check(&[(0, fold("S5 a", 6, Activity)), (s(1), raised("S5 a", 5))], &[]);
    check(&[(0, fold("S5 a", 6, Activity)), (s(1), raised("S5 a", 7))], &["S5 a opened (fold) opened n1"]);
}

#[test]
fn true_again_it_is_opened_again() {
    let opened = "S5 a opened (fold) opened n1";
    check(
        &[(0, raised("S5 a", 1)), (s(1), acknowledge("S5 a", 1)), (s(2), fold("S5 a", 2, LateArrival)), (s(3), raised("S5 a", 3))],
        &[
            opened,
            "S5 a acknowledged (person) acknowledged n2",
            "S5 a resolved (late_arrival) resolved n3",
            "S5 a reopened (fold) opened n4 reopened 1",
        ],
    );
    // A person resolved it; while it goes on being true nobody is paged for it, nor when it ends. Its return is told.
    let resolve = action("S5 a", 1, ActionKind::Resolve, None);
    check(
        &[
            (0, raised("S5 a", 1)),
            (s(1), resolve),
            (s(2), raised_as("S5 a", 2, Severity::Error, "16 h")),
            (s(3), fold("S5 a", 3, Activity)),
            (s(4), raised("S5 a", 4)),
        ],
        &[opened, "S5 a resolved (person) resolved n2", "S5 a noted (fold) resolved n2", "S5 a reopened (fold) opened n3 reopened 1"],
    );
    let later = s(1) + WHOLE_US + 1;
    check(
        &[(0, raised("S5 a", 1)), (s(1), fold("S5 a", 2, Activity)), (later, tick()), (later + 1, raised("S5 a", 3))],
        &[opened, "S5 a resolved (activity) resolved n2", "S5 a reopened (fold) opened n3 reopened 1"],
    );
}

#[test]
fn what_becomes_worse_is_told_and_other_words_are_noted() {
    check(
        &[
            (0, raised("S5 a", 1)),
            (s(1), raised_as("S5 a", 2, Severity::Warning, "other words")),
            (s(2), raised_as("S5 a", 3, Severity::Error, "16 h")),
            (s(3), raised_as("S5 a", 4, Severity::Error, "16 h")),
            (s(4), acknowledge("S5 a", 1)),
            (s(5), raised_as("S5 a", 5, Severity::Critical, "alone")),
            (s(6), raised_as("S5 a", 6, Severity::Warning, "not alone")),
        ],
        &[
            "S5 a opened (fold) opened n1",
            "S5 a noted (fold) opened n1",
            "S5 a raised (fold) opened n2",
            "S5 a acknowledged (person) acknowledged n3",
            "S5 a raised (fold) acknowledged n4",
            "S5 a noted (fold) acknowledged n4",
        ],
    );
}

#[test]
fn only_emergencies_escalate() {
    check(
        &[(0, raised("S5 a", 1)), (s(600), tick()), (s(601), acknowledge("S5 a", 1)), (s(36_000), tick())],
        &["S5 a opened (fold) opened n1", "S5 a acknowledged (person) acknowledged n2"],
    );
}

#[test]
fn what_the_watch_saw_is_closed_by_the_watch_and_told_once() {
    check(
        &[
            (0, watch("S12 a", Raised)),
            (s(1), watch("S12 a", Raised)),
            (s(2), watch("S12 a", Activity)),
            (s(3), watch("S12 a", Activity)),
            (s(4), watch("S12 a", Raised)),
        ],
        &["S12 a opened (watch) opened n1", "S12 a resolved (activity) resolved n2"],
    );
}

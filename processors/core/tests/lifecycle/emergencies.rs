//! S1, S2, S3: opened by lane or fold, repeated until somebody acts, closed by a person alone.

use crate::desk::*;
use fieldline_processors_core::lifecycle::{Lifecycle, Settings, WHOLE_US};
use fieldline_schemas::alerts::{AlertState, DeliveryOutcome, FlagStanding};
use fieldline_schemas::events::{ActionKind, ResolveReason};
use fieldline_schemas::time::{DAY_US, MINUTE_US};

#[test]
fn lane_and_fold_open_it_once_whichever_comes_first() {
    let opened = |by: &str| format!("S1 a opened ({by}) opened n1");
    check(&[(0, lane("S1 a"))], &[&opened("lane")]);
    check(&[(0, lane("S1 a")), (s(1), raised("S1 a", 5))], &[&opened("lane")]);
    check(&[(0, raised("S1 a", 5)), (s(1), lane("S1 a"))], &[&opened("fold")]);
    check(&[(0, raised("S1 a", 5)), (s(1), raised("S1 a", 5)), (s(2), raised("S1 a", 4))], &[&opened("fold")]);
    check(&[(0, lane("S1 unknown")), (s(1), lane("S1 unknown"))], &["S1 unknown opened (lane) opened n1"]);
}

#[test]
fn escalation_goes_five_rounds_and_stops_open() {
    let mut input = vec![(0, lane("S1 a")), (s(60) - 1, tick()), (s(60), tick()), (s(60) + 1, tick())];
    input.extend((2..20).map(|round| (s(60 * round), tick())));
    check(
        &input,
        &[
            "S1 a opened (lane) opened n1",
            "S1 a escalated (timer) opened n2 round 1",
            "S1 a escalated (timer) opened n3 round 2",
            "S1 a escalated (timer) opened n4 round 3",
            "S1 a escalated (timer) opened n5 round 4",
            "S1 a escalated (timer) opened n6 round 5",
        ],
    );
    let (lifecycle, effects) = run(Settings::default(), &input[..3]);
    assert_eq!(effects.alerts[1].stamp.as_of, START + s(60));
    assert_eq!(lifecycle.next_due(), Some(START + s(120)));
    let (lifecycle, _) = run(Settings::default(), &input);
    assert_eq!((lifecycle.next_due(), lifecycle.open()), (None, 1), "no timer, and never closed by time");
}

#[test]
fn an_acknowledgement_ends_the_escalation_just_before_its_time_and_not_at_it() {
    check(
        &[(0, lane("S1 a")), (s(60) - 1, acknowledge("S1 a", 1)), (s(60), tick()), (s(600), tick())],
        &["S1 a opened (lane) opened n1", "S1 a acknowledged (person) acknowledged n2"],
    );
    check(
        &[(0, lane("S1 a")), (s(60), acknowledge("S1 a", 1))],
        &["S1 a opened (lane) opened n1", "S1 a escalated (timer) opened n2 round 1", "S1 a acknowledged (person) acknowledged n3 round 1"],
    );
}

#[test]
fn acknowledged_and_not_resolved_it_opens_again_and_escalates_anew() {
    let until = s(5) + 30 * MINUTE_US;
    let input = [
        (0, lane("S1 a")),
        (s(5), acknowledge("S1 a", 1)),
        (until - 1, tick()),
        (until, tick()),
        (until + s(60) - 1, tick()),
        (until + s(60), tick()),
    ];
    let effects = check(
        &input,
        &[
            "S1 a opened (lane) opened n1",
            "S1 a acknowledged (person) acknowledged n2",
            "S1 a reopened (timer) opened n3 reopened 1",
            "S1 a escalated (timer) opened n4 round 1 reopened 1",
        ],
    );
    assert!(effects.alerts[1].acknowledged_at.is_some() && effects.alerts[1].acknowledged_by_contact_id.is_some());
    assert_eq!((effects.alerts[2].acknowledged_at, effects.alerts[2].acknowledged_by_contact_id), (None, None));
    let (lifecycle, _) = run(Settings::default(), &input[..2]);
    assert_eq!(lifecycle.next_due(), Some(START + until));
    check(
        &[(0, lane("S1 a")), (s(5), acknowledge("S1 a", 1)), (until - 1, resolve("S1 a", 2)), (until, tick()), (until + DAY_US, tick())],
        &["S1 a opened (lane) opened n1", "S1 a acknowledged (person) acknowledged n2", "S1 a resolved (assisted) resolved n3"],
    );
}

#[test]
fn a_resolution_needs_a_reason_and_clears_the_technicians_log() {
    let bare = action("S1 a", 1, ActionKind::Resolve, None);
    let effects = check(
        &[(0, lane("S1 a")), (s(3), bare), (s(4), resolve("S1 a", 2)), (s(5), resolve("S1 a", 3)), (s(90), tick())],
        &[
            "S1 a opened (lane) opened n1",
            "S1 a noted (reason_missing) opened n1",
            "S1 a resolved (assisted) resolved n2",
            "S1 a noted (resolve) resolved n2",
        ],
    );
    let [clearance] = &effects.clearances[..] else { panic!("{:?}", effects.clearances) };
    assert_eq!((clearance.id.0, &*clearance.alert_id), (uuid::Uuid::from_u64_pair(8, 2), &*id("S1 a")));
    assert_eq!(clearance.reason, Some(ResolveReason::Assisted));
    assert_eq!(effects.alerts[2].resolved_at, Some(START + s(4)));
    assert!(run(Settings::default(), &[(0, lane("S1 unknown")), (1, resolve("S1 unknown", 1))]).1.clearances.is_empty());
}

#[test]
fn nothing_but_a_person_closes_it() {
    let standings = [FlagStanding::Activity, FlagStanding::LateArrival, FlagStanding::Amended, FlagStanding::Voided];
    let mut input = vec![(0, lane("S1 a"))];
    input.extend(standings.iter().enumerate().map(|(n, standing)| (s(n as i64 + 1), fold("S1 a", n as u64 + 2, *standing))));
    input.push((s(6), fold("S1 a", 9, FlagStanding::Voided)));
    input.push((s(7), raised("S1 a", 10)));
    check(&input, &["S1 a opened (lane) opened n1", "S1 a noted (voided) opened n1 voided", "S1 a noted (restored) opened n1"]);
    // Withdrawn before the lane told of it: a person looks all the same.
    check(&[(0, fold("S1 a", 2, FlagStanding::Voided)), (s(1), lane("S1 a"))], &["S1 a opened (lane) opened n1 voided"]);
}

#[test]
fn a_further_one_is_counted_until_somebody_has_acknowledged_and_pages_after() {
    let effects = check(
        &[
            (0, lane("S1 a")),
            (s(10), lane("S1 b")),
            (s(11), raised("S1 b", 7)),
            (s(12), lane("S1 x2")),
            (s(20), lane("S1 c")),
            (s(30), acknowledge("S1 a", 1)),
            (s(40), lane("S1 d")),
            (s(50), resolve("S1 b", 2)),
            (s(55), lane("S1 e")),
        ],
        &[
            "S1 a opened (lane) opened n1",
            "S1 b repeated (a) opened n0",
            "S1 a repeated (b) opened n1 repeats 1",
            "S1 x2 opened (lane) opened n1",
            "S1 c repeated (a) opened n0",
            "S1 a repeated (c) opened n1 repeats 2",
            "S1 a acknowledged (person) acknowledged n2 repeats 2",
            "S1 b acknowledged (person) acknowledged n0",
            "S1 c acknowledged (person) acknowledged n0",
            "S1 d opened (lane) opened n1",
            "S1 a resolved (assisted) resolved n3 repeats 2",
            "S1 b resolved (assisted) resolved n0",
            "S1 c resolved (assisted) resolved n0",
            "S1 e repeated (d) opened n0",
            "S1 d repeated (e) opened n1 repeats 1",
        ],
    );
    let cleared: Vec<_> = effects.clearances.iter().map(|clearance| clearance.alert_id.to_string()).collect();
    assert_eq!(cleared, [id("S1 a"), id("S1 b"), id("S1 c")]);
    let mut ids: Vec<_> = effects.clearances.iter().map(|clearance| clearance.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each emergency has a clearance of its own");
}

#[test]
fn those_that_are_counted_are_opened_again_with_the_first() {
    let again = s(2) + 30 * MINUTE_US;
    check(
        &[(0, lane("S1 a")), (s(1), lane("S1 b")), (s(2), acknowledge("S1 a", 1)), (again, tick()), (again + 1, lane("S1 c"))],
        &[
            "S1 a opened (lane) opened n1",
            "S1 b repeated (a) opened n0",
            "S1 a repeated (b) opened n1 repeats 1",
            "S1 a acknowledged (person) acknowledged n2 repeats 1",
            "S1 b acknowledged (person) acknowledged n0",
            "S1 a reopened (timer) opened n3 reopened 1 repeats 1",
            "S1 b reopened (timer) opened n0",
            "S1 c repeated (a) opened n0",
            "S1 a repeated (c) opened n3 reopened 1 repeats 2",
        ],
    );
}

#[test]
fn the_same_action_again_and_actions_on_what_nobody_opened_do_nothing() {
    let input = [
        (0, acknowledge("S1 a", 1)),
        (s(1), lane("S1 a")),
        (s(2), acknowledge("S1 a", 2)),
        (s(3), acknowledge("S1 a", 2)),
        (s(4), action("S1 a", 3, ActionKind::Note, None)),
        (s(5), action("S1 a", 3, ActionKind::Note, None)),
        (s(6), acknowledge("S1 a", 4)),
    ];
    check(
        &input,
        &[
            "S1 a opened (lane) opened n1",
            "S1 a acknowledged (person) acknowledged n2",
            "S1 a noted (note) acknowledged n2",
            "S1 a noted (acknowledge) acknowledged n2",
        ],
    );
    let counters = run(Settings::default(), &input).0.counters();
    assert_eq!((counters.unknown_alerts, counters.repeated_records), (1, 2));
    let (lifecycle, _) = run(Settings::default(), &input);
    assert_eq!(lifecycle.next_due(), Some(START + s(2) + 30 * MINUTE_US), "a second acknowledgement does not put S3 off");
}

#[test]
fn deliveries_are_noted_and_owe_nobody_anything() {
    use DeliveryOutcome::*;
    let effects = check(
        &[
            (0, lane("S1 a")),
            (s(1), delivery("S1 a", "desk", 1, Acknowledged)),
            (s(2), delivery("S1 a", "desk", 1, Acknowledged)),
            (s(3), delivery("S1 a", "mail", 1, GaveUp)),
            (s(4), delivery("S1 a", "mail", 1, GaveUp)),
            (s(5), delivery("S1 a", "desk", 9, Acknowledged)),
            (s(6), delivery("S1 z", "desk", 1, Acknowledged)),
            (s(60), tick()),
            (s(61), delivery("S1 a", "desk", 2, Acknowledged)),
            (s(62), acknowledge("S1 a", 1)),
            (s(63), delivery("S1 a", "mail", 3, Acknowledged)),
        ],
        &[
            "S1 a opened (lane) opened n1",
            "S1 a notified (desk) notified n1 desk:1",
            "S1 a undelivered (mail) notified n1 desk:1",
            "S1 a escalated (timer) notified n2 round 1 desk:1",
            "S1 a notified (desk) notified n2 round 1 desk:2",
            "S1 a acknowledged (person) acknowledged n3 round 1 desk:2",
            "S1 a notified (mail) acknowledged n3 round 1 desk:2 mail:3",
        ],
    );
    assert_eq!(effects.alerts[6].notified_at, Some(START + s(1)));
}

#[test]
fn ten_days_of_silence_forget_nothing() {
    let after = 10 * DAY_US;
    let input = [
        (0, lane("S1 a")),
        (after, tick()),
        (after + s(60) - 1, tick()),
        (after + s(60), tick()),
        (after + s(70), resolve("S1 a", 1)),
        (after + s(200), tick()),
    ];
    let effects = check(
        &input,
        &[
            "S1 a opened (lane) opened n1",
            "S1 a escalated (timer) opened n2 round 1",
            "S1 a escalated (timer) opened n3 round 2",
            "S1 a resolved (assisted) resolved n4 round 2",
        ],
    );
    assert_eq!(effects.clearances.len(), 1);
}

#[test]
fn what_is_known_for_ever_is_enough_to_open_nothing_twice() {
    let later = WHOLE_US + s(10);
    check(
        &[
            (0, lane("S1 a")),
            (s(1), resolve("S1 a", 1)),
            (later, lane("S1 a")),
            (later + 1, raised("S1 a", 5)),
            (later + 2, resolve("S1 a", 1)),
            (later + 3, resolve("S1 a", 2)),
            (later + 4, fold("S1 a", 6, FlagStanding::Voided)),
        ],
        &["S1 a opened (lane) opened n1", "S1 a resolved (assisted) resolved n2"],
    );
}

#[test]
fn thresholds_are_settings_and_a_clock_that_goes_back_changes_none() {
    let settings = Settings { escalate_after_us: s(10), rounds_max: 1, reopen_after_us: s(20), epoch: 3 };
    let input = [(s(5), lane("S1 a")), (0, tick()), (s(15) - 1, tick()), (s(15), tick()), (s(40), tick()), (s(41), acknowledge("S1 a", 1))];
    let (lifecycle, effects): (Lifecycle, _) = run(settings, &input);
    let steps: Vec<_> = effects.alerts.iter().map(|alert| (alert.step.symbol(), alert.stamp.as_of, alert.stamp.version.epoch())).collect();
    assert_eq!(steps, [("opened", START + s(5), 3), ("escalated", START + s(15), 3), ("acknowledged", START + s(41), 3)]);
    assert_eq!(lifecycle.next_due(), Some(START + s(61)));
    assert_eq!(effects.alerts[2].state, AlertState::Acknowledged);
    let never = Settings { rounds_max: 0, ..settings };
    assert_eq!(run(never, &input[..5]).1.alerts.len(), 1);
}

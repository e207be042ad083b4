//! Emergencies that the resolution of an operational event closes, and alarms (S10), which nothing but a person closes.

use crate::desk::*;
use fieldline_schemas::alerts::FlagStanding;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::MINUTE_US;

const OPENED: &str = "S1 a opened (lane) opened n1";
const CLEARED: &str = "S1 a resolved (operational_event) resolved n2";

#[test]
fn the_resolution_of_an_operational_event_closes_it_and_the_technician_hears_of_it() {
    let effects = check(&[(0, lane("S1 a")), (s(20), cleared("S1 a", 7, s(19))), (s(60), tick()), (s(3600), tick())], &[OPENED, CLEARED]);
    let alert = &effects.alerts[1];
    assert_eq!((alert.resolved_at, alert.resolve_reason), (Some(START + s(20)), None));
    assert_eq!(alert.resolved_by_contact_id, alert.actor_contact_id);
    assert!(alert.actor_contact_id.is_some() && alert.stamp.caused_by == Some(EventId(uuid::Uuid::from_u128(77))));
    let [clearance] = &effects.clearances[..] else { panic!("{:?}", effects.clearances) };
    assert_eq!((&*clearance.alert_id, clearance.created_at, clearance.reason), (&*id("S1 a"), START + s(19), None));
    assert_eq!(clearance.actor_contact_id, alert.resolved_by_contact_id);
}

#[test]
fn an_acknowledged_one_is_closed_before_it_opens_again() {
    check(
        &[(0, lane("S1 a")), (s(5), acknowledge("S1 a", 1)), (s(20), cleared("S1 a", 7, s(19))), (s(5) + 30 * MINUTE_US, tick())],
        &[OPENED, "S1 a acknowledged (person) acknowledged n2", "S1 a resolved (operational_event) resolved n3"],
    );
}

#[test]
fn it_is_closed_once_and_whatever_its_version() {
    let input = [(0, raised("S1 a", 50)), (s(20), cleared("S1 a", 7, s(19))), (s(30), cleared("S1 a", 8, s(29)))];
    let effects = check(&input, &["S1 a opened (fold) opened n1", CLEARED]);
    assert_eq!(effects.clearances.len(), 1);
    // What the fold says afterwards changes nothing.
    let again = [(0, lane("S1 a")), (s(20), cleared("S1 a", 7, s(19))), (s(30), raised("S1 a", 9)), (s(40), tick())];
    check(&again, &[OPENED, CLEARED]);
    check(&[(0, cleared("S1 a", 7, s(0))), (s(1), lane("S1 a"))], &[OPENED]);
    check(&[(0, raised("S5 a", 1)), (s(1), cleared("S5 a", 7, s(0)))], &["S5 a opened (fold) opened n1"]);
}

#[test]
fn a_void_of_the_emergency_or_of_that_event_opens_nothing_again() {
    let input = [(0, lane("S1 a")), (s(20), cleared("S1 a", 7, s(19))), (s(30), fold("S1 a", 9, FlagStanding::Voided))];
    check(&input, &[OPENED, CLEARED, "S1 a noted (voided) resolved n2 voided"]);
}

#[test]
fn those_that_are_counted_on_it_go_with_it_unless_one_happened_after_the_resolution() {
    let pressed = [(0, raised_about("S1 a", 1, 0)), (s(10), raised_about("S1 b", 2, s(10)))];
    let told = ["S1 a opened (fold) opened n1", "S1 b repeated (a) opened n0", "S1 a repeated (b) opened n1 repeats 1"];
    let with = |records: &[(i64, fieldline_schemas::AnyRecord<'static>)], steps: &[&str]| {
        check(&[&pressed[..], records].concat(), &[&told[..], steps].concat())
    };
    let both = [(s(20), cleared("S1 a", 3, s(15))), (s(20), cleared("S1 b", 3, s(15)))];
    let effects =
        with(&both, &["S1 a resolved (operational_event) resolved n2 repeats 1", "S1 b resolved (operational_event) resolved n0"]);
    let ids: Vec<_> = effects.clearances.iter().map(|clearance| clearance.id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "a clearance of each");
    let before = [(s(20), cleared("S1 a", 3, s(5)))];
    assert!(with(&before, &["S1 a noted (operational_event) opened n1 repeats 1"]).clearances.is_empty());
}

#[test]
fn the_next_press_after_the_resolution_pages() {
    check(
        &[(0, raised("S1 a", 1)), (s(20), cleared("S1 a", 3, s(15))), (s(30), raised_about("S1 b", 4, s(30)))],
        &["S1 a opened (fold) opened n1", CLEARED, "S1 b opened (fold) opened n1"],
    );
}

#[test]
fn an_alarm_stays_whatever_comes_until_a_person_resolves_it() {
    check(
        &[
            (0, raised("S10 a", 1)),
            (s(10), fold("S10 a", 2, FlagStanding::LateArrival)),
            (s(20), raised("S10 a", 3)),
            (s(30), fold("S10 a", 4, FlagStanding::Amended)),
            (s(40), resolve("S10 a", 1)),
            (s(50), raised("S10 a", 5)),
        ],
        &[
            "S10 a opened (fold) opened n1",
            "S10 a noted (late_arrival) opened n1",
            "S10 a noted (amended) opened n1",
            "S10 a resolved (assisted) resolved n2",
        ],
    );
}

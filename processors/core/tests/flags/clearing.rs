//! Emergencies that an operational event ends. Nobody is on shift, so that no S10 comes beside them.

use crate::script::{Script, technician, time};
use fieldline_processors_core::facts::SignalFact;
use fieldline_processors_core::partition::Claim;
use fieldline_schemas::events::ActivityType::EmergencyStop;
use fieldline_schemas::events::{EventCategory, Severity};
use fieldline_schemas::ids::{ContactId, TechnicianId};

const RAISED: &str = "09:00:00 S1 stop raised critical";

fn emergency() -> Script {
    Script::default().event("09:00", "stop", EmergencyStop)
}

fn resolved(at: &'static str) -> impl FnOnce(&mut Claim<SignalFact>) {
    move |claim| claim.fact.resolved_at = Some(time(at))
}

#[test]
fn the_resolution_of_a_grave_event_clears_it_with_time_and_actor() {
    let day = emergency().signal("09:21", "08:59", "alarm", |claim| {
        claim.fact.resolved_at = Some(time("09:20"));
        claim.fact.resolved_by = Some(ContactId(uuid::Uuid::from_u128(9)));
    });
    day.check("10:00", &[RAISED, "09:21:00 S1 stop cleared critical opened 09:00:00"]);
    let cleared = &day.flags("10:00")[1];
    assert_eq!(cleared.resolved_at, Some(time("09:20")));
    assert_eq!(cleared.resolved_by_contact_id, Some(ContactId(uuid::Uuid::from_u128(9))));
    assert_eq!(cleared.reasoning, "an operational event that concerns it was resolved at 2026-11-24 09:20 UTC");
    assert_ne!(cleared.caused_by, day.flags("10:00")[0].caused_by, "by the other event");
}

#[test]
fn it_must_be_resolved_after_the_emergency_began_and_by_now() {
    let day = |at: &'static str, expected: &[&str]| emergency().signal("09:10", "08:59", "alarm", resolved(at)).check("10:00", expected);
    day("08:59:59", &[RAISED]);
    day("09:00", &[RAISED, "09:10:00 S1 stop cleared critical opened 09:00:00"]);
    // Clocks differ; a resolution that is announced for later is none.
    day("09:15", &[RAISED, "09:10:00 S1 stop cleared critical opened 09:00:00"]);
    day("09:15:01", &[RAISED]);
}

#[test]
fn an_ordinary_imported_or_withdrawn_event_clears_nothing() {
    let with = |change: fn(&mut SignalFact)| {
        let day = emergency().signal("09:21", "08:59", "alarm", |claim| {
            claim.fact.resolved_at = Some(time("09:20"));
            change(&mut claim.fact);
        });
        day.check("10:00", &[RAISED]);
    };
    with(|fact| fact.event_category = EventCategory::Operational);
    with(|fact| fact.imported = true);
    with(|fact| fact.names_technician = false);
    let day = emergency().signal("09:21", "08:59", "alarm", |claim| (claim.voided, claim.fact.resolved_at) = (true, Some(time("09:20"))));
    day.check("10:00", &[RAISED]);
    let critical = emergency().signal("09:21", "08:59", "alarm", |claim| {
        (claim.fact.event_category, claim.fact.severity) = (EventCategory::System, Severity::Critical);
        claim.fact.resolved_at = Some(time("09:20"));
    });
    critical.check("10:00", &[RAISED, "09:21:00 S1 stop cleared critical opened 09:00:00"]);
}

#[test]
fn what_was_resolved_before_the_log_knew_of_the_emergency_clears_nothing() {
    let day = Script::default().signal("09:21", "08:59", "alarm", resolved("09:20")).late("09:30", "09:00", "stop", EmergencyStop);
    // Nor does an update that says so again; another time of resolution is another word.
    let day = day.signal("09:35", "08:59", "alarm", resolved("09:20"));
    day.check("10:00", &["09:30:00 S1 stop raised critical"]);
    let day = Script::default().signal("09:21", "08:59", "alarm", resolved("09:20")).late("09:30", "09:00", "stop", EmergencyStop);
    let day = day.signal("09:35", "08:59", "alarm", resolved("09:34"));
    day.check("10:00", &["09:30:00 S1 stop raised critical", "09:35:00 S1 stop cleared critical opened 09:30:00"]);
}

#[test]
fn a_void_of_the_resolving_event_takes_nothing_back() {
    let day =
        emergency().signal("09:21", "08:59", "alarm", resolved("09:20")).signal("09:30", "08:59", "alarm", |claim| claim.voided = true);
    day.check("10:00", &[RAISED, "09:21:00 S1 stop cleared critical opened 09:00:00"]);
}

#[test]
fn every_emergency_up_to_the_resolution_is_cleared_and_a_later_resolution_is_told_once_more() {
    let day = emergency().event("09:10", "again", EmergencyStop).event("09:40", "later", EmergencyStop);
    let day = day.signal("09:45", "08:59", "alarm", resolved("09:20"));
    let day = day.signal("09:46", "08:59", "alarm", resolved("09:20")).signal("09:50", "08:59", "other", resolved("09:19"));
    let day = day.signal("09:55", "08:59", "third", resolved("09:54"));
    day.check(
        "10:00",
        &[
            RAISED,
            "09:10:00 S1 again raised critical",
            "09:40:00 S1 later raised critical",
            "09:45:00 S1 stop cleared critical opened 09:00:00",
            "09:45:00 S1 again cleared critical opened 09:10:00",
            "09:55:00 S1 stop cleared critical opened 09:00:00",
            "09:55:00 S1 again cleared critical opened 09:10:00",
            "09:55:00 S1 later cleared critical opened 09:40:00",
        ],
    );
}

#[test]
fn an_sos_is_told_of_elsewhere_and_cleared_here_by_other_events() {
    let sos = |claim: &mut Claim<SignalFact>| (claim.fact.is_emergency, claim.fact.event_category) = (true, EventCategory::Operational);
    let day = Script::default().signal("09:00", "09:00", "sos", sos).signal("09:21", "08:59", "alarm", resolved("09:20"));
    day.check("10:00", &["09:21:00 S1 sos cleared critical opened 09:00:00"]);
    // Its own resolution is told of where it came from.
    let own = Script::default().signal("09:00", "09:00", "sos", sos).signal("09:21", "09:00", "sos", |claim| {
        sos(claim);
        claim.fact.event_category = EventCategory::Security;
        claim.fact.resolved_at = Some(time("09:20"));
    });
    own.check("10:00", &[]);
}

/// Reported without a name, or under another's: the alert is under that, and the emergency the technician's.
#[test]
fn an_sos_that_was_opened_under_another_name_is_cleared_under_that() {
    let subject = TechnicianId(uuid::Uuid::from_u128(99));
    let sos = move |claim: &mut Claim<SignalFact>| (claim.fact.is_emergency, claim.fact.alert_subject) = (true, Some(subject.0));
    let ids = |script: &Script| -> Vec<String> {
        script.flags("10:00").iter().map(|flag| flag.alert_id.split(':').nth(1).unwrap().to_owned()).collect()
    };
    let named = Script::default().signal("09:00", "09:00", "sos", sos);
    let cleared = named.clone().signal("09:21", "08:59", "alarm", resolved("09:20"));
    assert_eq!(ids(&cleared), [subject.to_string(), technician().to_string()]);
    // An update that names nobody changes nothing; one that names another takes it away, and its void does not.
    let unnamed = named.clone().signal("09:10", "09:00", "sos", move |claim| {
        sos(claim);
        claim.fact.names_technician = false;
    });
    assert_eq!(ids(&unnamed.signal("09:21", "08:59", "alarm", resolved("09:20"))).len(), 2);
    let moved = |voided| {
        let moved = named.clone().signal("09:10", "09:00", "sos", move |claim| {
            claim.voided = voided;
            claim.fact.names_technician = false;
        });
        ids(&moved.signal("09:21", "08:59", "alarm", resolved("09:20"))).len()
    };
    assert_eq!([moved(false), moved(true)], [0, 2]);
    // Back with the technician after the resolution was known: nobody meant it.
    let back = named.signal("09:10", "09:00", "sos", |claim| claim.fact.names_technician = false);
    let back = back.signal("09:21", "08:59", "alarm", resolved("09:20")).signal("09:30", "09:00", "sos", sos);
    assert!(ids(&back).is_empty());
}

//! What the state takes of a record.

use crate::scenario::{EPOCH, technician};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::Position;
use fieldline_processors_core::partition::Input;
use fieldline_schemas::events::{
    ActivityType, Clearance, Common, EventCategory, Location, OperationalEvent, Severity, ShiftPlan, Signal, TechnicianActivity,
};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomaly, AnyRecord, Timestamp};

fn id(n: u64) -> EventId {
    EventId(uuid::Uuid::from_u64_pair(9, n))
}

fn common() -> Common<'static> {
    Common {
        id: id(1),
        revision: 2,
        voided: false,
        created_at: EPOCH,
        utc_offset_minutes: Some(60),
        recorded_at: None,
        device_id: None,
        device_sequence: Some(4),
        source: None,
        imported: false,
        assigned: Vec::new(),
        metadata: None,
    }
}

fn activity(change: impl Fn(&mut TechnicianActivity<'static>)) -> TechnicianActivity<'static> {
    let mut record = TechnicianActivity {
        common: common(),
        technician_contact_id: technician(1),
        activity_type: ActivityType::FuelStop,
        visit_id: None,
        vehicle_id: None,
        location: None,
        notes: None,
    };
    change(&mut record);
    record
}

fn read(record: impl Into<AnyRecord<'static>>, received_at: Timestamp) -> Input {
    Input::read(&record.into(), received_at, &Definition::default())
}

fn codes(record: TechnicianActivity<'static>, received_at: Timestamp) -> Vec<&'static str> {
    match read(record, received_at) {
        Input::Activity(_, claim) => claim.fact.anomalies.iter().map(Anomaly::code).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn late_and_skewed_are_judged_by_arrival_and_not_for_imports() {
    let plain = || activity(|_| ());
    let imported = || activity(|record| record.common.imported = true);
    for (received_after_us, wanted) in
        [(72 * HOUR_US, vec![]), (72 * HOUR_US + 1, vec!["A17"]), (-5 * MINUTE_US, vec![]), (-5 * MINUTE_US - 1, vec!["A18"])]
    {
        assert_eq!(codes(plain(), EPOCH + received_after_us), wanted, "{received_after_us}");
        assert_eq!(codes(imported(), EPOCH + received_after_us), [""; 0]);
    }
}

#[test]
fn a_location_counts_or_is_flagged() {
    let at = |latitude, longitude, accuracy_meters| {
        let location = Location { latitude, longitude, accuracy_meters, address: None };
        match read(activity(|record| record.location = Some(location.clone())), EPOCH) {
            Input::Activity(_, claim) => (claim.fact.position, claim.fact.anomalies.contains(Anomaly::A21)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(at(Some(52.0), Some(4.9), None), (Some(Position { latitude: 52.0, longitude: 4.9, accuracy_meters: 0 }), false));
    assert_eq!(at(Some(52.0), None, None), (None, true));
    assert_eq!(at(Some(0.0), Some(0.0), None), (None, true));
    assert_eq!(at(Some(52.0), Some(4.9), Some(501)), (None, true));
    assert_eq!(codes(activity(|_| ()), EPOCH), [""; 0]);
}

#[test]
fn a_stop_has_the_length_it_claims_and_nothing_else_has_one() {
    let stop = |activity_type| {
        let record = activity(|record| {
            record.activity_type = activity_type;
            record.common.metadata = Some(r#"{"duration_seconds":90}"#.into());
        });
        match read(record, EPOCH) {
            Input::Activity(_, claim) => claim.fact.stop_us,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([ActivityType::FuelStop, ActivityType::VehicleInspection, ActivityType::BreakStart].map(stop), [90_000_000, 90_000_000, 0]);
}

#[test]
fn content_is_the_same_whatever_was_filled_in() {
    let content = |record| match read(record, EPOCH) {
        Input::Activity(_, claim) => claim.content,
        other => panic!("{other:?}"),
    };
    let plain = content(activity(|_| ()));
    assert_eq!(content(activity(|record| record.common.assigned.push("id".into()))), plain);
    assert_ne!(content(activity(|record| record.notes = Some("x".into()))), plain);
}

#[test]
fn a_plan_goes_by_its_start() {
    let plan = ShiftPlan {
        id: id(3),
        revision: 1,
        voided: true,
        technician_contact_id: technician(2),
        planned_start: EPOCH,
        planned_end: EPOCH + HOUR_US,
        lone_worker: true,
        time_zone: None,
    };
    match read(plan, EPOCH - HOUR_US) {
        Input::ShiftPlan(who, claim) => {
            assert_eq!((who, claim.own, claim.revision, claim.voided, claim.fact.lone_worker), (technician(2), EPOCH, 1, true, true));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn updates_of_a_signal_are_ordered_by_recording_then_by_source_position() {
    let claim = |recorded_at: Option<i64>, offset, resolved_at: Option<i64>| {
        let event = OperationalEvent {
            common: Common { recorded_at: recorded_at.map(|us| EPOCH + us), ..common() },
            event_type: None,
            event_category: EventCategory::Security,
            severity: Severity::Critical,
            source_system: None,
            title: None,
            description: None,
            resolved_at: resolved_at.map(|us| EPOCH + us),
            resolved_by_contact_id: None,
            acknowledged_at: None,
            acknowledged_by_contact_id: None,
            dedup_key: None,
            technician_contact_id: Some(technician(1)),
            vehicle_id: None,
            visit_id: None,
        };
        let signal = Signal {
            source_topic: "operations".into(),
            source_partition: 3,
            source_offset: offset,
            event,
            technician_contact_id: None,
            is_emergency: false,
            alert_id: None,
        };
        match read(signal, EPOCH + HOUR_US) {
            Input::Signal(_, claim) => claim,
            other => panic!("{other:?}"),
        }
    };
    let order = [claim(Some(-1), 9, None), claim(None, 5, None), claim(Some(0), 6, None), claim(Some(1), 1, None)];
    assert!(order.windows(2).all(|pair| pair[0].content < pair[1].content));
    let own = |resolved_at| claim(None, 0, resolved_at).own.since(EPOCH);
    assert_eq!([own(None), own(Some(60)), own(Some(-60)), own(Some(2 * HOUR_US))], [0, 60, 0, HOUR_US]);
}

#[test]
fn a_clearance_names_its_emergency() {
    let clearance = |alert_id: &str| {
        let record = Clearance {
            id: id(5),
            technician_contact_id: technician(1),
            alert_id: alert_id.to_owned().into(),
            created_at: EPOCH,
            reason: None,
            actor_contact_id: None,
        };
        match read(record, EPOCH) {
            Input::Clearance(_, claim) => Some(claim.fact.emergency_id),
            Input::Nothing => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(clearance(&format!("S1:{}:{}", technician(1), id(7))), Some(id(7)));
    assert_eq!(clearance(&format!("S4:{}:{}", technician(1), id(7))), None);
    assert_eq!(clearance("S1:unknown:3-17"), None);
}

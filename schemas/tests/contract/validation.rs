//! Limits and ranges, each at its edge; topics and keys.

use fieldline_schemas::events::*;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::limits::*;
use fieldline_schemas::results::{Identity, Kpi, KpiRecord, Stamp};
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{AnyRecord, Codec, Kind, Missing, Timestamp, Topic, Version, from_json, key_in, key_of, validate};

const NOW: Timestamp = Timestamp(1_772_452_800_000_000);

fn activity() -> TechnicianActivity<'static> {
    let line = r#"{"event":"technician_activity","id":"0190a0a0-0000-7000-8000-000000000001","created_at":"2026-03-02T08:00:00Z",
        "technician_contact_id":"0190a0a0-0000-7000-8000-00000000000a","activity_type":"work_started"}"#;
    let Ok(AnyRecord::TechnicianActivity(activity)) = from_json(line, Missing::Refuse) else { panic!() };
    activity
}

/// The outcome for an activity that `change` has changed: the reason, or nothing.
fn check(change: impl FnOnce(&mut TechnicianActivity<'static>), expect: Option<DeadLetterReason>) {
    let mut activity = activity();
    change(&mut activity);
    let outcome = validate(Topic::Activity, &activity.into(), NOW);
    assert_eq!(outcome.as_ref().err().map(|rejection| rejection.reason), expect, "{outcome:?}");
}

#[test]
fn limits_hold_at_their_edges() {
    use DeadLetterReason::{CreatedAhead, OutOfRange, TooLarge, Undecodable};
    let text = |bytes: usize| Some("x".repeat(bytes).into());
    let metadata = |bytes: usize| Some(format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into());
    let deep = |depth: usize| Some(format!("{}{}", "{\"a\":".repeat(depth - 1) + "{", "}".repeat(depth)).into());

    check(|a| a.notes = text(NOTES_BYTES_MAX), None);
    check(|a| a.notes = text(NOTES_BYTES_MAX + 1), Some(TooLarge));
    check(|a| a.common.device_id = text(NAME_BYTES_MAX), None);
    check(|a| a.common.device_id = text(NAME_BYTES_MAX + 1), Some(TooLarge));
    check(|a| a.common.metadata = metadata(METADATA_BYTES_MAX), None);
    check(|a| a.common.metadata = metadata(METADATA_BYTES_MAX + 1), Some(TooLarge));
    check(|a| a.common.metadata = deep(METADATA_DEPTH_MAX), None);
    check(|a| a.common.metadata = deep(METADATA_DEPTH_MAX + 1), Some(TooLarge));
    check(|a| a.common.metadata = Some("{ \"b\": 1, \"a\": 2 }".into()), None);
    check(|a| a.common.metadata = Some("{\"a\":1,\"a\":2}".into()), Some(Undecodable));
    check(|a| a.common.metadata = Some("[]".into()), Some(Undecodable));
    check(|a| a.common.metadata = Some("not json".into()), Some(Undecodable));
    check(|a| a.common.assigned = vec!["id".into(); ASSIGNED_MAX], None);
    check(|a| a.common.assigned = vec!["id".into(); ASSIGNED_MAX + 1], Some(TooLarge));
    check(|a| a.common.revision = REVISION_MAX, None);
    check(|a| a.common.revision = REVISION_MAX + 1, Some(OutOfRange));
    check(|a| a.common.utc_offset_minutes = Some(-UTC_OFFSET_MINUTES_MAX), None);
    check(|a| a.common.utc_offset_minutes = Some(i16::MIN), Some(OutOfRange));
    check(|a| a.common.created_at = NOW + DAY_US, None);
    check(|a| a.common.created_at = NOW + (DAY_US + 1), Some(CreatedAhead));
    check(|a| a.common.created_at = TIMESTAMP_MIN, None);
    check(|a| a.common.created_at = TIMESTAMP_MIN - 1, Some(OutOfRange));
    check(|a| a.common.created_at = Timestamp::MAX, Some(OutOfRange));
    check(|a| a.common.recorded_at = Some(TIMESTAMP_MAX), None);
    check(|a| a.common.recorded_at = Some(TIMESTAMP_MAX + 1), Some(OutOfRange));
    // Out of range and half missing is A21.
    check(|a| a.location = Some(Location { latitude: Some(1e9), ..Location::default() }), None);
    check(|a| a.location = Some(Location { latitude: Some(f64::NAN), ..Location::default() }), Some(OutOfRange));
}

#[test]
fn the_stores_range_is_what_it_says() {
    assert_eq!(TIMESTAMP_MIN.to_string(), "1900-01-01T00:00:00.000000Z");
    assert_eq!(TIMESTAMP_MAX.to_string(), "2299-12-31T23:59:59.999999Z");
}

/// The longest activity that the limits allow is within the limit of a payload; a longer payload is not even read.
#[test]
fn payloads_are_limited() {
    let mut activity = activity();
    activity.notes = Some("x".repeat(NOTES_BYTES_MAX).into());
    activity.common.metadata = Some(format!("{{\"a\":\"{}\"}}", "x".repeat(METADATA_BYTES_MAX - 8)).into());
    let codec = Codec::new();
    let mut payload = Vec::new();
    codec.encode(&activity.clone().into(), &mut payload);
    assert!(payload.len() < PAYLOAD_BYTES_MAX);
    assert!(codec.decode(&payload).is_ok());

    activity.notes = Some("x".repeat(10 << 20).into());
    payload.clear();
    codec.encode(&activity.into(), &mut payload);
    assert_eq!(codec.decode(&payload).unwrap_err().reason, DeadLetterReason::TooLarge);
}

/// A dead letter holds a whole payload, one that was too large included.
#[test]
fn a_dead_letter_holds_the_largest_payload() {
    let letter = DeadLetter {
        topic: "fieldline.activity".into(),
        partition: 3,
        offset: 7,
        received_at: NOW,
        reason: DeadLetterReason::TooLarge,
        detail: "payload of 3145728 bytes".into(),
        stage: "decode".into(),
        key: b"key"[..].into(),
        payload: vec![7; 3 << 20].into(),
    };
    let codec = Codec::new();
    let record = AnyRecord::from(letter);
    let mut payload = Vec::new();
    codec.encode(&record, &mut payload);
    assert_eq!(codec.decode(&payload).as_ref(), Ok(&record));
    assert_eq!(validate(Topic::DeadLetters, &record, NOW), Ok(()));
    assert_eq!(key_of(&record), b"fieldline.activity:3:7");
}

#[test]
fn ticks_are_in_every_topic_with_a_clock() {
    let takes: Vec<&str> = Topic::ALL.iter().filter(|topic| topic.takes(Kind::Tick)).map(|topic| topic.name()).collect();
    assert_eq!(takes, ["activity", "calls", "operations", "emergency", "recompute", "alert_events"]);
}

#[test]
fn keys_are_the_subjects() {
    let call = |rest: &str| {
        let line = format!(
            r#"{{"event":"communication_call_details","id":"0190A0A0-0000-7000-8000-000000000001","created_at":"2026-03-02T08:00:00Z",
            "call_type":"inbound","call_outcome":"answered"{rest}}}"#
        );
        String::from_utf8(key_of(&from_json(&line, Missing::Refuse).unwrap())).unwrap()
    };
    let (id, thread) = ("0190a0a0-0000-7000-8000-000000000001", "0190a0a0-0000-7000-8000-000000000002");
    assert_eq!(call(&format!(r#","queue_name":"support","thread_id":"{thread}""#)), "support");
    assert_eq!(call(&format!(r#","queue_name":"","thread_id":"{thread}""#)), thread);
    assert_eq!(call(""), id);
    assert_eq!(key_of(&activity().into()), b"0190a0a0-0000-7000-8000-00000000000a");
    assert_eq!(key_of(&Tick { since: None }.into()), b"");

    let plan = AnyRecord::from(ShiftPlan {
        id: activity().common.id,
        revision: 4,
        voided: false,
        technician_contact_id: TechnicianId::from_bytes([0; 16]),
        planned_start: NOW,
        planned_end: NOW,
        lone_worker: false,
        time_zone: None,
    });
    assert_eq!(key_of(&plan), b"00000000-0000-0000-0000-000000000000");
    assert_eq!(key_in(Topic::Plans, &plan), format!("{id}:4").as_bytes());
    assert_eq!(key_in(Topic::Activity, &plan), key_of(&plan));

    let result = |identity| {
        let stamp = Stamp { version: Version(1), as_of: NOW, caused_by: None };
        String::from_utf8(key_of(&KpiRecord { stamp, kpi: Kpi::Tombstone(identity) }.into())).unwrap()
    };
    let (technician_contact_id, shift_id) = (TechnicianId::from_bytes([0xab; 16]), EventId::from_bytes([1; 16]));
    let (technician, event) = ("abababab-abab-abab-abab-abababababab", "01010101-0101-0101-0101-010101010101");
    assert_eq!(result(Identity::Shift { technician_contact_id, shift_id }), format!("{technician}:{event}"));
    let episode = Identity::Episode { technician_contact_id, visit_id: VisitId::from_bytes([0; 16]), first_event_id: shift_id };
    assert_eq!(result(episode), format!("{technician}:00000000-0000-0000-0000-000000000000:{event}"));
}

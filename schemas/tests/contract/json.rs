//! The JSON form beyond what the golden payloads show.

use crate::generate::{Random, value};
use fieldline_schemas::events::Location;
use fieldline_schemas::json::read_json;
use fieldline_schemas::wire::from_avro_value;
use fieldline_schemas::{AnyRecord, Kind, Missing, from_json, location_is_valid, stop_duration_us, to_json};

/// Every kind can be shown as one JSON object on one line.
#[test]
fn every_kind_has_a_readable_form() {
    let random = &mut Random(11);
    for kind in Kind::ALL {
        // Random metadata is no JSON; find a record whose metadata is absent.
        let record = (0..1000).find_map(|_| {
            let record = from_avro_value(*kind, value(*kind, random)).ok()?;
            to_json(&record).ok()
        });
        let text = record.unwrap_or_else(|| panic!("{kind:?} has no form"));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["event"], kind.name());
        assert!(!text.contains('\n'));
    }
}

#[test]
fn an_event_that_is_too_long_is_refused_before_it_is_read() {
    let line = format!("{{\"event\":\"{}\"}}", "x".repeat(fieldline_schemas::limits::JSON_BYTES_MAX));
    assert_eq!(from_json(&line, Missing::Refuse).unwrap_err().reason.symbol(), "too_large");
}

#[test]
fn a_rejection_never_quotes_what_was_sent() {
    for line in [
        r#"{"event":"secret"}"#,
        r#"{"event":"technician_activity","id":"secret"}"#,
        r#"{"event":"contact","id":"0190a0a0-0000-7000-8000-000000000001","kind":"secret"}"#,
        r#"{"event":"technician_activity","id":"0190a0a0-0000-7000-8000-000000000001","created_at":"secret"}"#,
    ] {
        assert!(!from_json(line, Missing::Refuse).unwrap_err().to_string().contains("secret"), "{line}");
    }
}

/// No emergency is lost for its position: a coordinate beyond every double is absent, and kept where unknown keys are.
#[test]
fn a_coordinate_beyond_every_double_is_set_aside() {
    let read = |event: &str, location: &str| {
        let line = format!(
            r#"{{"event":"{event}","id":"0190a0a0-0000-7000-8000-000000000001","created_at":"2026-03-02T08:00:00Z","device_id":"d",
            "technician_contact_id":"0190a0a0-0000-7000-8000-00000000000a","activity_type":"emergency_stop","location":{location}}}"#
        );
        read_json(&line, Missing::Refuse)
    };
    let got = read("technician_activity", r#"{"latitude":10e399,"longitude":-1e999,"accuracy_meters":3,"altitude":7}"#).unwrap();
    let AnyRecord::TechnicianActivity(activity) = &got.record else { panic!() };
    assert_eq!(activity.location, Some(Location { accuracy_meters: Some(3), ..Location::default() }));
    assert_eq!(
        activity.common.metadata.as_deref(),
        Some(r#"{"unmapped":{"location":{"altitude":7,"latitude":1e400,"longitude":-1e999}}}"#)
    );
    assert_eq!(got.unmapped, 1);

    // Where there is no metadata it is only counted.
    let got = read("device_heartbeat", r#"{"latitude":1e400,"longitude":4}"#).unwrap();
    let AnyRecord::DeviceHeartbeat(heartbeat) = &got.record else { panic!() };
    assert_eq!(heartbeat.location, Some(Location { longitude: Some(4.0), ..Location::default() }));
    // The heartbeat has no id and no activity_type.
    assert_eq!(got.unmapped, 3);
    assert_eq!(read("technician_activity", r#"{"latitude":"1e400"}"#).unwrap_err().reason.symbol(), "undecodable");
}

#[test]
fn durations_of_stops() {
    let check = |metadata: &str, expect: i64| assert_eq!(stop_duration_us(Some(metadata)), expect, "{metadata}");
    assert_eq!(stop_duration_us(None), 0);
    check(r#"{"duration_seconds":600.5}"#, 600_500_000);
    check(r#"{"duration_seconds":1e3}"#, 1_000_000_000);
    check(r#"{"a":{"b":[]},"duration_seconds":0.0000016}"#, 2);
    check(r#"{"duration_seconds":86400}"#, 86_400_000_000);
    check(r#"{"duration_second\u0073":60}"#, 60_000_000);
    check(r#"{"a":1e999,"b":12345678901234567890123,"duration_seconds":60}"#, 60_000_000);
    for none in [
        "",
        "{}",
        "[]",
        "duration_seconds",
        r#"{"duration_seconds":86400.000001}"#,
        r#"{"duration_seconds":0}"#,
        r#"{"duration_seconds":-1}"#,
        r#"{"duration_seconds":"60"}"#,
        r#"{"duration_seconds":null}"#,
        r#"{"duration_seconds":1e999}"#,
        r#"{"stop":{"duration_seconds":60}}"#,
        r#"{"note":"duration_seconds"}"#,
    ] {
        check(none, 0);
    }
}

#[test]
fn positions_that_count() {
    let at = |latitude: f64, longitude: f64, accuracy_meters: Option<i32>| Location {
        latitude: Some(latitude),
        longitude: Some(longitude),
        accuracy_meters,
        address: None,
    };
    let valid = |location: &Location<'_>| location_is_valid(location, 500);
    for good in [at(52.0, 4.0, None), at(0.0, 4.0, Some(500)), at(-90.0, 180.0, Some(0)), at(90.0, -180.0, None)] {
        assert!(valid(&good), "{good:?}");
    }
    let one_missing = Location { longitude: None, ..at(52.0, 4.0, None) };
    let bad = [
        at(0.0, 0.0, None),
        at(90.1, 4.0, None),
        at(52.0, -180.1, None),
        at(52.0, 4.0, Some(501)),
        at(52.0, 4.0, Some(-1)),
        at(f64::NAN, 4.0, None),
    ];
    for bad in bad.into_iter().chain([one_missing, Location::default()]) {
        assert!(!valid(&bad), "{bad:?}");
    }
}

//! When two records say the same, and when they do not.

use fieldline_schemas::{AnyRecord, Missing, content_hash, from_json};

const ACTIVITY: &str = r#""event":"technician_activity","id":"0190a0a0-0000-7000-8000-000000000001",
    "technician_contact_id":"0190a0a0-0000-7000-8000-00000000000a","activity_type":"work_started""#;

fn activity(rest: &str) -> AnyRecord<'static> {
    from_json(&format!("{{{ACTIVITY},{rest}}}"), Missing::Refuse).unwrap()
}

fn hash(rest: &str) -> u128 {
    content_hash(&activity(rest))
}

const AT: &str = r#""created_at":"2026-03-02T08:00:00Z""#;

#[test]
fn absent_null_and_default_are_the_same() {
    for same in [
        r#""revision":0"#,
        r#""revision":null"#,
        r#""voided":false"#,
        r#""imported":false"#,
        r#""visit_id":"""#,
        r#""visit_id":null"#,
        r#""location":null"#,
        r#""unknown":null"#,
        r#""metadata":null"#,
        r#""utc_offset_minutes":0"#,
        r#""assigned":["id","created_at"]"#,
    ] {
        assert_eq!(hash(&format!("{AT},{same}")), hash(AT), "{same}");
    }
}

#[test]
fn every_other_difference_counts() {
    let mut hashes = vec![hash(AT)];
    for other in [
        r#""revision":1"#,
        r#""voided":true"#,
        r#""imported":true"#,
        r#""visit_id":"0190a0a0-0000-7000-8000-00000000000b""#,
        r#""vehicle_id":"0190a0a0-0000-7000-8000-00000000000b""#,
        r#""utc_offset_minutes":60"#,
        r#""recorded_at":"2026-03-02T08:00:00Z""#,
        r#""device_id":"a""#,
        r#""source":"a""#,
        r#""notes":"a""#,
        r#""notes":"""#,
        r#""device_sequence":0"#,
        r#""location":{}"#,
        r#""location":{"latitude":1}"#,
        r#""location":{"longitude":1}"#,
        r#""location":{"latitude":0}"#,
        r#""metadata":{"a":1}"#,
        r#""metadata":{"a":1.5}"#,
        r#""metadata":{"a":"1"}"#,
        r#""metadata":{"a":9007199254740993}"#,
        r#""metadata":{"a":9007199254740992}"#,
        r#""metadata":{"a":null}"#,
        r#""metadata":{"a":[1]}"#,
        r#""unknown":1"#,
    ] {
        hashes.push(hash(&format!("{AT},{other}")));
    }
    let all = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), all);
}

#[test]
fn times_are_instants_and_metadata_is_canonical() {
    let at = |created_at: &str, rest: &str| hash(&format!(r#""created_at":"{created_at}"{rest}"#));
    // The same instant with the same offset, written otherwise.
    assert_eq!(at("2026-03-02T09:00:00+01:00", ""), at("2026-03-02T08:00:00.000000999Z", r#","utc_offset_minutes":60"#));
    assert_ne!(at("2026-03-02T09:00:00+01:00", ""), at("2026-03-02T08:00:00Z", ""), "the offset is content");
    assert_ne!(at("2026-03-02T08:00:00Z", ""), at("2026-03-02T08:00:00.000001Z", ""));
    assert_eq!(
        hash(&format!(r#"{AT},"metadata":{{"b":"\u00e9","a":[1, 2]}}"#)),
        hash(&format!(r#"{AT},"metadata":{{"a":[1,2],"b":"é"}}"#))
    );
    assert_eq!(hash(&format!(r#"{AT},"location":{{"latitude":-0.0}}"#)), hash(&format!(r#"{AT},"location":{{"latitude":0}}"#)));
    for (one, other) in [("1", "1.0"), ("10", "1e1"), ("1E1", "1e1"), ("0.10", "0.1"), ("-0", "0"), ("1e400", "10e399")] {
        let metadata = |number: &str| hash(&format!(r#"{AT},"metadata":{{"a":[{number}]}}"#));
        assert_eq!(metadata(one), metadata(other), "{one} and {other}");
    }

    // Metadata that another producer wrote as it liked.
    let (mut one, mut other) = (activity(AT), activity(AT));
    let set = |record: &mut AnyRecord<'static>, metadata: &'static str| {
        let AnyRecord::TechnicianActivity(activity) = record else { panic!() };
        activity.common.metadata = Some(metadata.into());
    };
    set(&mut one, r#"{ "b": 1.0, "a": 2 }"#);
    set(&mut other, r#"{"a":2,"b":1}"#);
    assert_eq!(content_hash(&one), content_hash(&other));
}

#[test]
fn what_is_not_known_differs_from_no() {
    let call = |rest: &str| {
        let line = format!(
            r#"{{"event":"communication_call_details","id":"0190a0a0-0000-7000-8000-000000000001",{AT},"call_type":"missed","call_outcome":"no_answer"{rest}}}"#
        );
        content_hash(&from_json(&line, Missing::Refuse).unwrap())
    };
    assert_ne!(call(r#","abandoned":false"#), call(""));
    assert_eq!(call(r#","abandoned":null"#), call(""));
}

/// The hashes are stored: the same content has these for ever.
#[test]
fn hashes_are_stable_across_releases() {
    let full = r#""created_at":"2026-03-02T09:00:00+01:00","revision":3,"visit_id":"0190a0a0-0000-7000-8000-00000000000b","notes":"a",
        "location":{"latitude":52.5,"longitude":4.25,"accuracy_meters":7},"metadata":{"b":1000,"a":null,"c":[0.25,-3.5,12345678901234567890]},"device_sequence":9,"imported":true"#;
    assert_eq!(format!("{:032x}", hash(AT)), "0947b0db302f35594b3c0282836ac506");
    assert_eq!(format!("{:032x}", hash(full)), "483c810b6301bac020581d5681827f20");
}

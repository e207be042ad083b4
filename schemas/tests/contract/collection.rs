//! The contract as a collection: every kind has its schema, every schema its published versions, every topic its card.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use fieldline_schemas::alerts::*;
use fieldline_schemas::events::*;
use fieldline_schemas::results::{Finality, Quality};
use fieldline_schemas::wire::schemas;
use fieldline_schemas::{Anomaly, Codec, Kind, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names_in(name: &str, suffix: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter_map(|entry| entry.strip_suffix(suffix).map(str::to_owned)).collect()
}

fn kinds() -> BTreeSet<String> {
    Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect()
}

#[test]
fn every_kind_has_a_schema_and_no_schema_is_an_orphan() {
    assert_eq!(names_in("avro", ".avsc"), kinds());
    for (place, current) in schemas().all().iter().enumerate() {
        assert_eq!(current.kind as usize, place);
        assert_eq!(current.schema.name().unwrap().name(), current.kind.name());
        assert_eq!(current.schema.name().unwrap().namespace(), Some("fieldline"));
    }
    let fingerprints: BTreeSet<u64> = schemas().all().iter().map(|s| s.fingerprint).collect();
    assert_eq!(fingerprints.len(), Kind::ALL.len());
}

/// What Java's `SchemaNormalization.parsingFingerprint64` (Avro 1.12.0) and Python's fastavro say of the files.
#[test]
fn fingerprints_are_those_of_other_avro_tools() {
    for (kind, fingerprint) in [
        (Kind::Alert, 0x2282_df9d_fb34_bbaa),
        (Kind::AlertAction, 0x8f91_5d39_2ded_0225),
        (Kind::Clearance, 0xe09c_57e8_dc31_20bc),
        (Kind::CommunicationCall, 0x4c2b_0494_be33_d110),
        (Kind::Contact, 0xedfb_e642_fdab_ff25),
        (Kind::DeadLetter, 0x4413_d918_8f30_4c13),
        (Kind::Delivery, 0x9adf_8634_3656_72ad),
        (Kind::DeviceHeartbeat, 0x309b_b2d8_3f2d_520e),
        (Kind::EpisodeResult, 0xd23d_647c_aed3_dbbe),
        (Kind::Flag, 0x215d_50ad_1970_831f),
        (Kind::OperationalEvent, 0x8489_95d0_a78b_1b73),
        (Kind::RecomputeRequest, 0xf541_03aa_f251_cd97),
        (Kind::ShiftPlan, 0x8c7a_d65f_36a7_c4cf),
        (Kind::ShiftResult, 0x44ff_2ed9_f488_9164),
        (Kind::Signal, 0x2d99_3c29_09db_7d6c),
        (Kind::Silence, 0x6c66_9091_a835_5c35),
        (Kind::TechnicianActivity, 0x5846_176d_0097_9f8b),
        (Kind::Tick, 0x0e19_8467_a036_714f),
        (Kind::Tombstone, 0x4ea7_face_6e79_7b6e),
        (Kind::VisitPlan, 0xf39a_db39_c921_eba3),
    ] {
        let ours = schemas().of(kind).fingerprint;
        assert_eq!(ours, fingerprint, "{kind:?}: {ours:016x}; where a schema has changed, ask another tool");
    }
}

/// Versions are dense from 1; the current schema is the last of them, so that a change is a new file; and the current one
/// reads what any of them wrote (BACKWARD_TRANSITIVE).
#[test]
fn published_versions_are_dense_and_can_all_be_read() {
    assert_eq!(names_in("avro/published", ""), kinds());
    for current in schemas().all() {
        let path = format!("avro/published/{}", current.kind.name());
        let versions: BTreeSet<u32> = names_in(&path, ".avsc").iter().map(|version| version.parse().unwrap()).collect();
        assert_eq!(versions, (1..=versions.len() as u32).collect(), "{path}: versions are dense from 1");
        assert!(!versions.is_empty(), "{path}");
        for version in &versions {
            let json = std::fs::read_to_string(folder(&path).join(format!("{version}.avsc"))).unwrap();
            let published = Schema::parse_str(&json).unwrap();
            let compatible = SchemaCompatibility::can_read(&published, &current.schema);
            assert_eq!(compatible, Ok(Compatibility::Full), "{path}/{version}.avsc");
            if *version as usize == versions.len() {
                assert_eq!(json, current.json, "{path}/{version}.avsc is the current schema: publish a change as the next version");
            }
        }
    }
}

/// Logs outlive releases: what an earlier version of a schema wrote is read without anybody's registry. The fingerprints are those
/// of fastavro.
#[test]
fn what_earlier_releases_wrote_is_known() {
    let earlier = [(Kind::Flag, 0xecf9_1bf5_e424_4b90_u64), (Kind::Signal, 0x4853_938f_0de5_e498), (Kind::Signal, 0x88e3_5b75_c8c1_b39f)];
    let versions = |kind: &Kind| names_in(&format!("avro/published/{}", kind.name()), ".avsc").len();
    assert_eq!(Kind::ALL.iter().map(|kind| versions(kind) - 1).sum::<usize>(), earlier.len());
    for (kind, fingerprint) in earlier {
        let frame = [&[0xC3, 0x01][..], &fingerprint.to_le_bytes()].concat();
        let rejection = Codec::new().decode(&frame).unwrap_err();
        assert_eq!(rejection.reason, DeadLetterReason::Undecodable, "{kind:?}: {rejection}");
    }
    let frame = [&[0xC3, 0x01][..], &[7; 8]].concat();
    assert_eq!(Codec::new().decode(&frame).unwrap_err().reason, DeadLetterReason::UnknownSchema);
}

/// The checker must catch what the rule forbids.
#[test]
fn the_compatibility_check_catches_breaking_changes() {
    let published = &schemas().of(Kind::TechnicianActivity).schema;
    let changed = |change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let mut json: serde_json::Value = serde_json::from_str(schemas().of(Kind::TechnicianActivity).json).unwrap();
        change(json["fields"].as_array_mut().unwrap());
        SchemaCompatibility::can_read(published, &Schema::parse(&json).unwrap())
    };
    assert_eq!(changed(&|_| {}), Ok(Compatibility::Full));
    let optional = serde_json::json!({"name": "mood", "type": ["null", "string"], "default": null});
    assert_eq!(changed(&|fields| fields.push(optional.clone())), Ok(Compatibility::Full));
    let required = serde_json::json!({"name": "mood", "type": "string"});
    assert!(changed(&|fields| fields.push(required.clone())).is_err());
    assert!(changed(&|fields| fields[1]["type"] = "int".into()).is_err(), "a long cannot be read as an int");
    assert!(changed(&|fields| fields[1]["name"] = "revision_number".into()).is_ok(), "it has a default");
    assert!(changed(&|fields| fields[0]["name"] = "identity".into()).is_err());
}

/// Every enum of the schemas has exactly the symbols of its type, and a default that is none of them.
#[test]
fn enums_have_our_symbols_and_a_default_that_is_no_value() {
    let symbols = |all: Vec<&str>| all.into_iter().map(str::to_owned).chain(["unknown".to_owned()]).collect::<Vec<_>>();
    let ours: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        ("activity_type", symbols(ActivityType::ALL.iter().map(|s| s.symbol()).collect())),
        ("call_type", symbols(CallType::ALL.iter().map(|s| s.symbol()).collect())),
        ("call_outcome", symbols(CallOutcome::ALL.iter().map(|s| s.symbol()).collect())),
        ("event_category", symbols(EventCategory::ALL.iter().map(|s| s.symbol()).collect())),
        ("severity", symbols(Severity::ALL.iter().map(|s| s.symbol()).collect())),
        ("alert_action_kind", symbols(ActionKind::ALL.iter().map(|s| s.symbol()).collect())),
        ("resolve_reason", symbols(ResolveReason::ALL.iter().map(|s| s.symbol()).collect())),
        ("contact_kind", symbols(ContactKind::ALL.iter().map(|s| s.symbol()).collect())),
        ("dead_letter_reason", symbols(DeadLetterReason::ALL.iter().map(|s| s.symbol()).collect())),
        ("flag_code", symbols(FlagCode::ALL.iter().map(|s| s.symbol()).collect())),
        ("flag_origin", symbols(FlagOrigin::ALL.iter().map(|s| s.symbol()).collect())),
        ("flag_standing", symbols(FlagStanding::ALL.iter().map(|s| s.symbol()).collect())),
        ("alert_state", symbols(AlertState::ALL.iter().map(|s| s.symbol()).collect())),
        ("alert_step", symbols(AlertStep::ALL.iter().map(|s| s.symbol()).collect())),
        ("delivery_outcome", symbols(DeliveryOutcome::ALL.iter().map(|s| s.symbol()).collect())),
        ("quality", symbols(Quality::ALL.iter().map(|s| s.symbol()).collect())),
        ("finality", symbols(Finality::ALL.iter().map(|s| s.symbol()).collect())),
        ("anomaly", symbols(Anomaly::ALL.iter().map(|s| s.code()).collect())),
    ]);
    let mut seen = BTreeSet::new();
    for current in schemas().all() {
        walk(&serde_json::from_str(current.json).unwrap(), &mut |object| {
            assert!(object.get("doc").is_some() || object.get("name").is_none(), "{}: {} has no doc", current.kind.name(), object["name"]);
            if object.get("type").is_some_and(|t| t == "enum") {
                let name = object["name"].as_str().unwrap();
                let listed: Vec<String> = serde_json::from_value(object["symbols"].clone()).unwrap();
                assert_eq!(&listed, &ours[name], "{}: {name}", current.kind.name());
                assert_eq!(object["default"], "unknown", "{name}");
                seen.insert(name.to_owned());
            }
        });
    }
    assert_eq!(seen, ours.keys().map(|name| (*name).to_owned()).collect());
}

fn walk(json: &serde_json::Value, visit: &mut impl FnMut(&serde_json::Map<String, serde_json::Value>)) {
    match json {
        serde_json::Value::Object(object) => {
            visit(object);
            object.values().for_each(|inner| walk(inner, visit));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
        _ => {}
    }
}

/// The signal's copy of the operational event is the operational event.
#[test]
fn nested_definitions_are_the_same_everywhere() {
    let mut definitions: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for current in schemas().all() {
        walk(&serde_json::from_str(current.json).unwrap(), &mut |object| {
            let (Some(name), true) = (object.get("name"), object.contains_key("namespace")) else { return };
            let name = name.as_str().unwrap().to_owned();
            // Where the uuid is defined depends on which field comes first; what it is does not.
            let text = serde_json::to_string(object).unwrap();
            let uuid = r#"{"doc":"The 16 bytes of a uuid, most significant first.","logicalType":"uuid","name":"uuid","namespace":"fieldline","size":16,"type":"fixed"}"#;
            let text = if name == "uuid" { text } else { text.replace(uuid, r#""fieldline.uuid""#) };
            let definition = serde_json::from_str(&text).unwrap();
            if !matches!(name.as_str(), "shift_day") {
                assert_eq!(
                    definitions.entry(name.clone()).or_insert_with(|| definition_of(&definition)),
                    &definition_of(&definition),
                    "{name}"
                );
            }
        });
    }
}

/// A definition without the definitions in it, which stand as names where they were met before.
fn definition_of(definition: &serde_json::Value) -> serde_json::Value {
    fn short(json: &serde_json::Value, top: bool) -> serde_json::Value {
        match json {
            serde_json::Value::Object(object) if !top && object.contains_key("namespace") => {
                serde_json::Value::String(format!("fieldline.{}", object["name"].as_str().unwrap()))
            }
            serde_json::Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), short(value, false))).collect(),
            serde_json::Value::Array(items) => items.iter().map(|item| short(item, false)).collect(),
            other => other.clone(),
        }
    }
    short(definition, true)
}

#[test]
fn every_topic_has_a_card_and_no_card_is_an_orphan() {
    assert_eq!(names_in("topics", ".toml"), Topic::ALL.iter().map(|topic| topic.name().to_owned()).collect());
    for topic in Topic::ALL {
        let card = topic.card();
        assert_eq!(card.name, topic.name());
        assert!(card.version >= 1 && card.partitions == 8, "{card:?}: the topics of technicians must have the same count");
        assert!(!card.description.is_empty() && !card.key.is_empty() && !card.partition_by.is_empty(), "{card:?}");
        assert_eq!(topic.full_name("fieldline."), format!("fieldline.{}", topic.name()));
        assert_eq!(Topic::from_name(topic.name()), Some(*topic));
    }
}

/// Input must outlast the live window (204 h) and an outage, and beats are nobody's input; a compacted topic holds what has an id and
/// revisions.
#[test]
fn retention_covers_the_live_window() {
    const LIVE_WINDOW_US: i64 = 204 * fieldline_schemas::time::HOUR_US;
    for topic in Topic::ALL {
        let card = topic.card();
        let is_long = card.retention_us.is_none_or(|us| us > LIVE_WINDOW_US + 24 * fieldline_schemas::time::HOUR_US);
        assert_eq!(is_long, *topic != Topic::Beats, "{card:?}");
        assert_eq!(card.compacted, matches!(topic, Topic::Plans | Topic::Contacts), "{card:?}");
    }
    assert_eq!(Topic::AlertEvents.card().retention_us, None, "an open emergency is never forgotten");
}

#[test]
fn dead_letters_go_to_the_dead_letters_and_nowhere_from_there() {
    for topic in Topic::ALL {
        let expect = if *topic == Topic::DeadLetters { None } else { Some(Topic::DeadLetters) };
        assert_eq!(topic.card().dead_letters, expect, "{topic:?}");
    }
    assert_eq!(Topic::DeadLetters.card().records, [Kind::DeadLetter]);
}

#[test]
fn every_kind_has_a_topic() {
    for kind in Kind::ALL {
        assert!(Topic::ALL.iter().any(|topic| topic.takes(*kind)), "{kind:?}");
    }
}

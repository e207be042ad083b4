//! Frames that carry the id of a schema registry: ours, those of other writers, and what an id may mean.

use crate::generate::{Random, value};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use fieldline_schemas::wire::{SchemaError, SchemaId, SchemaIds, from_avro_value, schemas};
use fieldline_schemas::{AnyRecord, Codec, Kind};
use proptest::prelude::*;
use std::sync::Arc;

/// The text of a kind's schema as a registry may give it back: on one line, without what Java's parser drops.
fn normalized(kind: Kind) -> String {
    fn short(json: &mut serde_json::Value) {
        match json {
            serde_json::Value::Object(object) => {
                object.remove("doc");
                if object.get("type").is_some_and(|t| t != "record") {
                    object.remove("namespace");
                }
                object.values_mut().for_each(short);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(short),
            serde_json::Value::String(text) => *text = text.strip_prefix("fieldline.").unwrap_or(text).to_owned(),
            _ => {}
        }
    }
    let mut json = serde_json::from_str(schemas().of(kind).json).unwrap();
    short(&mut json);
    json.to_string()
}

fn adopt(ids: &SchemaIds, kind: Kind, id: u32, json: &str) -> Result<(), SchemaError> {
    ids.learn(SchemaId::Registry(id), json)?;
    ids.adopt(kind, id)
}

/// A table in which every kind has an id, from 100 on.
fn adopted() -> Arc<SchemaIds> {
    let ids = SchemaIds::default();
    for (kind, id) in Kind::ALL.iter().zip(100..) {
        adopt(&ids, *kind, id, schemas().of(*kind).json).unwrap();
    }
    Arc::new(ids)
}

fn confluent(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

fn write(schema: &Schema, value: Value) -> Vec<u8> {
    GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap()
}

/// An older writer's schema: without the fields that have a default, from the one that is drawn on. With it the value that
/// such a writer would have written.
fn older(kind: Kind, value: Value, random: &mut Random) -> (Schema, Value) {
    let mut json: serde_json::Value = serde_json::from_str(schemas().of(kind).json).unwrap();
    let fields = json["fields"].as_array_mut().unwrap();
    let mut gone = Vec::new();
    fields.retain(|field| {
        let is_definition = field.to_string().contains("\"name\":\"") && field["type"].to_string().contains("\"name\"");
        let goes = field.get("default").is_some() && !is_definition && random.chance(30);
        if goes {
            gone.push(field["name"].as_str().unwrap().to_owned());
        }
        !goes
    });
    let Value::Record(mut values) = value else { panic!("a record is a record") };
    values.retain(|(name, _)| !gone.contains(name));
    (Schema::parse(&json).unwrap(), Value::Record(values))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Ours writes, theirs reads by the registered text; theirs writes, ours reads. The bytes after the id are the same.
    #[test]
    fn our_frames_are_read_by_the_registered_schema_and_the_reverse(seed in any::<u64>()) {
        let codec = Codec::with_ids(adopted());
        let random = &mut Random(seed);
        for (kind, id) in Kind::ALL.iter().zip(100..) {
            let registered = Schema::parse_str(&normalized(*kind)).unwrap();
            let theirs = write(&registered, value(*kind, random));
            let payload = confluent(id, &theirs);
            let record = codec.decode(&payload).unwrap();
            let mut ours = Vec::new();
            codec.encode(&record, &mut ours);
            prop_assert_eq!(&ours, &payload);
            let read = GenericDatumReader::builder(&registered).build().unwrap().read_value(&mut &ours[5..]).unwrap();
            prop_assert_eq!(&from_avro_value(*kind, read).unwrap(), &record);

            let mut alone = Vec::new();
            codec.encode_single_object(&record, &mut alone);
            prop_assert_eq!(&alone[..2], &[0xC3, 0x01]);
            prop_assert_eq!(&codec.decode(&alone).unwrap(), &record);
        }
    }

    /// What an older schema wrote is read as `apache-avro` resolves it into the current one.
    #[test]
    fn older_writers_are_resolved_as_apache_avro_resolves_them(seed in any::<u64>()) {
        let random = &mut Random(seed);
        let codec = Codec::with_ids(adopted());
        // What a tombstone stands for is in its optional fields: it cannot be older.
        for (kind, id) in Kind::ALL.iter().zip(7000..).filter(|(kind, _)| **kind != Kind::Tombstone) {
            let (writer, value) = older(*kind, value(*kind, random), random);
            let datum = write(&writer, value);
            let current = &schemas().of(*kind).schema;
            let reader = GenericDatumReader::builder(&writer).reader_schema(current).build().unwrap();
            let theirs = from_avro_value(*kind, reader.read_value(&mut datum.as_slice()).unwrap()).unwrap();
            let payload = confluent(id, &datum);
            let codec = codec.clone().with_schema(SchemaId::Registry(id), &serde_json::to_string(&writer).unwrap()).unwrap();
            let ours = codec.decode(&payload).unwrap();
            prop_assert_eq!(&ours, &theirs);
            // And the same again through the fast codec.
            let mut again = Vec::new();
            codec.encode(&ours, &mut again);
            prop_assert_eq!(&codec.decode(&again).unwrap(), &ours);
        }
    }
}

/// Every published version is read under an id of its own, and the current one by the fast codec.
#[test]
fn every_published_version_is_read_under_its_id() {
    let random = &mut Random(11);
    let mut versions = 0;
    for kind in Kind::ALL {
        let folder = format!("{}/avro/published/{}", env!("CARGO_MANIFEST_DIR"), kind.name());
        for entry in std::fs::read_dir(folder).unwrap() {
            let json = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let ids = SchemaIds::default();
            let is_current = json == schemas().of(*kind).json;
            assert_eq!(ids.learn(SchemaId::Registry(4), &json).unwrap(), is_current.then_some(*kind), "{kind:?}");
            if is_current {
                let datum = write(&Schema::parse_str(&json).unwrap(), value(*kind, random));
                let record = Codec::with_ids(Arc::new(ids)).decode(&confluent(4, &datum)).map(|record| record.kind());
                assert_eq!(record.unwrap(), *kind);
            }
            versions += 1;
        }
    }
    assert!(versions >= Kind::ALL.len());
}

#[test]
fn a_registrys_own_way_of_writing_our_schema_is_ours() {
    for kind in Kind::ALL {
        assert_eq!(SchemaIds::default().learn(SchemaId::Registry(1), &normalized(*kind)).unwrap(), Some(*kind), "{kind:?}");
    }
}

#[test]
fn what_is_learned_by_one_codec_is_known_to_all_that_share_the_table() {
    let ids = Arc::new(SchemaIds::default());
    let (codec, clone) = (Codec::with_ids(Arc::clone(&ids)), Codec::with_ids(Arc::clone(&ids)).clone());
    let tick = AnyRecord::Tick(fieldline_schemas::events::Tick { since: None });
    let mut single = Vec::new();
    codec.encode(&tick, &mut single);
    assert_eq!(single[..2], [0xC3, 0x01], "no id yet");
    let payload = confluent(77, &single[10..]);
    assert_eq!((codec.unknown_id(&payload), codec.unknown_id(&single), codec.unknown_id(b"\0\0\0")), (Some(77), None, None));
    assert_eq!(codec.decode(&payload).unwrap_err().reason.symbol(), "unknown_schema");

    adopt(&ids, Kind::Tick, 77, schemas().of(Kind::Tick).json).unwrap();
    for codec in [codec, clone] {
        assert_eq!(codec.unknown_id(&payload), None);
        assert_eq!(codec.decode(&payload).unwrap(), tick);
        let mut written = Vec::new();
        codec.encode(&tick, &mut written);
        assert_eq!(written, payload);
    }
}

/// An id is written only where it means our schema, and never means two.
#[test]
fn an_id_that_means_something_else_is_not_written() {
    let json = |kind| schemas().of(kind).json;
    let ids = SchemaIds::default();
    adopt(&ids, Kind::Tick, 1, json(Kind::Tick)).unwrap();
    assert!(matches!(adopt(&ids, Kind::Contact, 1, json(Kind::Contact)), Err(SchemaError::NotOurs { .. })), "two schemas with one id");
    assert!(matches!(adopt(&ids, Kind::Contact, 2, json(Kind::ShiftPlan)), Err(SchemaError::NotOurs { .. })));
    let millis = json(Kind::TechnicianActivity).replace("timestamp-micros", "timestamp-millis");
    assert!(matches!(adopt(&ids, Kind::TechnicianActivity, 3, &millis), Err(SchemaError::NotOurs { .. })));
    assert!(matches!(adopt(&ids, Kind::Signal, 4, "not even JSON"), Err(SchemaError::Parse { .. })));
    assert!(matches!(adopt(&ids, Kind::Signal, 4, json(Kind::Signal)), Err(SchemaError::Parse { .. })), "the first meaning stays");
    assert!(matches!(ids.adopt(Kind::Signal, 5), Err(SchemaError::NotOurs { .. })), "nobody has said what it means");
    let own: Vec<_> = Kind::ALL.iter().filter_map(|kind| ids.own(*kind).map(|id| (*kind, id))).collect();
    assert_eq!(own, [(Kind::Tick, 1)]);
    assert!(ids.knows(SchemaId::Registry(4)), "it is known, as one that is not read: nobody needs to ask again");
    let rejection = Codec::with_ids(Arc::new(ids)).decode(&confluent(4, b"x")).unwrap_err();
    assert_eq!((rejection.reason.symbol(), rejection.detail.as_str()), ("unknown_schema", "cannot parse the schema with registry id 4"));
}

//! Our codec against `apache-avro`, on every kind; framings; other schemas than ours.

use crate::generate::{Random, value};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use fieldline_schemas::events::*;
use fieldline_schemas::wire::{SchemaError, SchemaId, from_avro_value, schemas, to_avro_value};
use fieldline_schemas::{AnyRecord, Codec, Kind, Rejection};
use proptest::prelude::*;

fn single_object(kind: Kind, datum: &[u8]) -> Vec<u8> {
    let mut payload = vec![0xC3, 0x01];
    payload.extend_from_slice(&schemas().of(kind).fingerprint.to_le_bytes());
    payload.extend_from_slice(datum);
    payload
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// For every kind: both decode the same bytes to the same record, and encode the same record to the same bytes.
    #[test]
    fn both_codecs_agree(seed in any::<u64>()) {
        let codec = Codec::new();
        let random = &mut Random(seed);
        for kind in Kind::ALL {
            let schema = &schemas().of(*kind).schema;
            let value = value(*kind, random);
            let theirs = GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value.clone()).unwrap();
            let payload = single_object(*kind, &theirs);
            let record = codec.decode(&payload).unwrap();
            prop_assert_eq!(record.kind(), *kind);
            let read = GenericDatumReader::builder(schema).build().unwrap().read_value(&mut theirs.as_slice()).unwrap();
            prop_assert_eq!(&from_avro_value(*kind, read).unwrap(), &record);

            let mut ours = Vec::new();
            codec.encode(&record, &mut ours);
            prop_assert_eq!(&ours, &payload);
            // The writer validates the value against the schema: same fields, same order, same types.
            let bridged = GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(to_avro_value(&record)).unwrap();
            prop_assert_eq!(&bridged, &theirs);
            let again = to_avro_value(&record);
            prop_assert_eq!(names(&again), names(&value));

            let owned = codec.decode(&payload).unwrap().into_owned();
            prop_assert_eq!(owned, record);
        }
    }
}

fn names(value: &Value) -> Vec<&str> {
    let Value::Record(fields) = value else { panic!("a record is a record") };
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn decoding_borrows_texts_from_the_payload() {
    let activity = sample();
    let mut payload = Vec::new();
    Codec::new().encode(&activity, &mut payload);
    let codec = Codec::new();
    let AnyRecord::TechnicianActivity(read) = codec.decode(&payload).unwrap() else { panic!() };
    assert!(matches!(read.notes, Some(std::borrow::Cow::Borrowed(_))));
    assert!(matches!(read.common.metadata, Some(std::borrow::Cow::Borrowed(_))));
}

fn sample() -> AnyRecord<'static> {
    let line = r#"{"event":"technician_activity","id":"0190a0a0-0000-7000-8000-000000000001","created_at":"2026-03-02T08:00:00+01:00",
        "technician_contact_id":"0190a0a0-0000-7000-8000-00000000000a","activity_type":"fuel_stop","notes":"full",
        "vehicle_id":"0190a0a0-0000-7000-8000-00000000000c","metadata":{"duration_seconds":600.5}}"#;
    fieldline_schemas::from_json(line, fieldline_schemas::Missing::Refuse).unwrap()
}

fn datum(record: &AnyRecord<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    Codec::new().encode(record, &mut payload);
    payload.split_off(10)
}

fn confluent(id: u32, datum: &[u8]) -> Vec<u8> {
    let mut payload = vec![0];
    payload.extend_from_slice(&id.to_be_bytes());
    payload.extend_from_slice(datum);
    payload
}

fn reason<T: std::fmt::Debug>(decoded: Result<T, Rejection>) -> &'static str {
    decoded.unwrap_err().reason.symbol()
}

#[test]
fn both_framings_are_read_and_others_refused() {
    let json = schemas().of(Kind::TechnicianActivity).json;
    let codec = Codec::new().with_schema(SchemaId::Registry(258), json).unwrap();
    let (record, bytes) = (sample(), datum(&sample()));
    assert_eq!(codec.decode(&single_object(Kind::TechnicianActivity, &bytes)).unwrap(), record);
    assert_eq!(codec.decode(&confluent(258, &bytes)).unwrap(), record);
    assert_eq!(confluent(258, &[])[..], [0, 0, 0, 1, 2], "the id's most significant byte comes first");

    assert_eq!(reason(codec.decode(&confluent(259, &bytes))), "unknown_schema");
    assert_eq!(reason(Codec::new().decode(&confluent(258, &bytes))), "unknown_schema");
    assert_eq!(reason(codec.decode(&[&[0xC3, 0x01], &[7; 8][..], &bytes].concat())), "unknown_schema");
    for bad in [&b""[..], b"\0\0\0", b"\xC3\x01short", b"{\"event\":\"tick\"}", &bytes] {
        assert_eq!(reason(codec.decode(bad)), "unknown_framing", "{bad:02x?}");
    }
    // A Confluent header left on in front of a single object, and the reverse.
    assert_eq!(reason(codec.decode(&confluent(258, &single_object(Kind::TechnicianActivity, &bytes)))), "undecodable");
    assert_eq!(reason(codec.decode(&single_object(Kind::TechnicianActivity, &confluent(258, &bytes)))), "undecodable");
    // Bytes left over, and one missing.
    assert_eq!(reason(codec.decode(&single_object(Kind::TechnicianActivity, &[&bytes[..], &[0]].concat()))), "undecodable");
    assert_eq!(reason(codec.decode(&single_object(Kind::TechnicianActivity, &bytes[..bytes.len() - 1]))), "undecodable");
}

/// Reads a record written with `writer`, a changed form of our own schema, whose value `change` has changed likewise.
fn read_from(writer: &str, change: impl FnOnce(&mut Vec<(String, Value)>)) -> Result<AnyRecord<'static>, Rejection> {
    let Value::Record(mut fields) = to_avro_value(&sample()) else { panic!() };
    change(&mut fields);
    let schema = apache_avro::Schema::parse_str(writer).unwrap();
    let bytes = GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(Value::Record(fields)).unwrap();
    let id = SchemaId::Registry(9);
    Codec::new().with_schema(id, writer).unwrap().decode(&confluent(9, &bytes)).map(AnyRecord::into_owned)
}

fn ours() -> serde_json::Value {
    serde_json::from_str(schemas().of(Kind::TechnicianActivity).json).unwrap()
}

fn fields_of(schema: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
    schema["fields"].as_array_mut().unwrap()
}

#[test]
fn other_writers_resolve_into_the_same_record() {
    let AnyRecord::TechnicianActivity(mut expect) = sample() else { panic!() };

    // An older writer that did not have `notes` yet.
    let mut writer = ours();
    fields_of(&mut writer).retain(|f| f["name"] != "notes");
    let read = read_from(&writer.to_string(), |fields| fields.retain(|(name, _)| name != "notes"));
    expect.notes = None;
    assert_eq!(read.unwrap(), AnyRecord::TechnicianActivity(expect));

    // A newer writer with a field more, in the middle.
    let mut writer = ours();
    fields_of(&mut writer).insert(3, serde_json::json!({"name": "mood", "type": "string"}));
    let read = read_from(&writer.to_string(), |fields| fields.insert(3, ("mood".into(), Value::String("good".into()))));
    assert_eq!(read.unwrap(), sample());

    // A writer with the fields in another order, and a narrower number.
    let mut writer = ours();
    let revision = fields_of(&mut writer).remove(1);
    fields_of(&mut writer).push(serde_json::json!({"name": revision["name"], "type": "int"}));
    let read = read_from(&writer.to_string(), |fields| {
        fields.remove(1);
        fields.push(("revision".into(), Value::Int(0)));
    });
    assert_eq!(read.unwrap(), sample());
}

#[test]
fn a_symbol_of_a_newer_writer_is_refused_and_never_taken_as_another() {
    let mut writer = ours();
    let activity_type = fields_of(&mut writer).iter_mut().find(|f| f["name"] == "activity_type").unwrap();
    activity_type["type"]["symbols"].as_array_mut().unwrap().insert(0, "lunch".into());
    let newer = |symbol: &str| {
        let (index, symbol) = if symbol == "lunch" { (0, symbol) } else { (14, symbol) };
        let value = Value::Enum(index, symbol.to_owned());
        read_from(&writer.to_string(), |fields| fields.iter_mut().filter(|(n, _)| n == "activity_type").for_each(|f| f.1 = value.clone()))
    };
    assert_eq!(reason(newer("lunch")), "unknown_symbol");
    assert_eq!(newer("fuel_stop").unwrap(), sample(), "the other symbols go by their names, not their places");

    // The default itself, sent by a writer with our schema.
    let mut bytes = datum(&sample());
    let fuel_stop = ActivityType::FuelStop as u8 * 2;
    let place = bytes
        .windows(17)
        .position(|w| w[..16] == [1, 0x90, 0xa0, 0xa0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 10] && w[16] == fuel_stop)
        .unwrap()
        + 16;
    bytes[place] = ActivityType::ALL.len() as u8 * 2;
    assert_eq!(reason(Codec::new().decode(&single_object(Kind::TechnicianActivity, &bytes))), "unknown_symbol");
    bytes[place] += 2;
    assert_eq!(reason(Codec::new().decode(&single_object(Kind::TechnicianActivity, &bytes))), "undecodable");
}

#[test]
fn a_schema_that_cannot_be_read_is_refused_at_registration() {
    let register = |json: &str| Codec::new().with_schema(SchemaId::Registry(1), json).map(drop);
    assert!(matches!(register("{"), Err(SchemaError::Parse { .. })));
    assert!(matches!(register(r#"{"type":"record","name":"stranger","fields":[]}"#), Err(SchemaError::UnknownName { .. })));
    // A required field that the writer does not have.
    let mut writer = ours();
    fields_of(&mut writer).retain(|f| f["name"] != "activity_type");
    assert!(matches!(register(&writer.to_string()), Err(SchemaError::Incompatible { .. })));
}

/// The fingerprint leaves logical types out: milliseconds have the same one as microseconds.
#[test]
fn milliseconds_are_not_taken_for_microseconds() {
    let writer = schemas().of(Kind::TechnicianActivity).json.replace("timestamp-micros", "timestamp-millis");
    let codec = Codec::new().with_schema(SchemaId::Registry(9), &writer).unwrap();
    assert_eq!(reason(codec.decode(&confluent(9, &datum(&sample())))), "undecodable");
}

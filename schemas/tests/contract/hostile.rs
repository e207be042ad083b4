//! Damaged and random bytes, through our decoder and through `apache-avro`: the same outcome, no panic, no wrong value.
//!
//! `FIELDLINE_LONG=1` runs a million inputs for each decoder.

use crate::generate::{Random, damage, value};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use fieldline_schemas::wire::{from_avro_value, schemas};
use fieldline_schemas::{AnyRecord, Codec, Kind, Missing, content_hash, from_json, to_json};
use std::io::Read;

const DEFAULT_INPUTS: usize = 20_000;
const LONG_INPUTS: usize = 1_000_000;

fn inputs() -> usize {
    if std::env::var_os("FIELDLINE_LONG").is_some_and(|long| long == "1") { LONG_INPUTS } else { DEFAULT_INPUTS }
}

/// Counts reads beyond the end, which `apache-avro` takes for nulls.
struct Watched<'a>(&'a [u8], bool);

impl Read for Watched<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let taken = self.0.read(to)?;
        self.1 |= taken < to.len();
        Ok(taken)
    }
}

/// What `apache-avro` makes of the bytes, with our rules of exact consumption and ranges on top.
fn oracle(reader: &GenericDatumReader<'_>, kind: Kind, datum: &[u8]) -> Option<AnyRecord<'static>> {
    let mut payload = Watched(datum, false);
    let value = reader.read_value(&mut payload).ok()?;
    if payload.1 || !payload.0.is_empty() { None } else { from_avro_value(kind, value).ok() }
}

fn framed(codec: &Codec, record: &AnyRecord<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(record, &mut bytes);
    bytes
}

#[test]
fn damaged_payloads_decode_as_apache_avro_decodes_them_or_not_at_all() {
    let codec = Codec::new();
    for kind in Kind::ALL {
        let schema: &Schema = &schemas().of(*kind).schema;
        let reader = GenericDatumReader::builder(schema).build().unwrap();
        let writer = GenericDatumWriter::builder(schema).build().unwrap();
        let random = &mut Random(*kind as u64);
        let (mut taken, mut refused, mut stricter, mut valid) = (0, 0, 0, Vec::new());
        for input in 0..inputs() {
            // A fresh valid payload for every 50 kinds of damage.
            if input % 50 == 0 {
                valid = writer.write_value_to_vec(value(*kind, random)).unwrap();
            }
            let mut datum = valid.clone();
            if random.chance(95) {
                damage(&mut datum, random);
            } else {
                datum = (0..random.below(400)).map(|_| random.number() as u8).collect();
            }
            let mut payload = [0xC3, 0x01].to_vec();
            payload.extend_from_slice(&schemas().of(*kind).fingerprint.to_le_bytes());
            payload.extend_from_slice(&datum);

            let ours = codec.decode(&payload);
            let theirs = oracle(&reader, *kind, &datum);
            match (&ours, &theirs) {
                (Ok(ours), Some(theirs)) => {
                    // Compared as bytes too: 0.0 equals -0.0.
                    assert_eq!(framed(&codec, ours), framed(&codec, theirs), "{kind:?}, input {input}");
                    assert_eq!(ours, theirs, "{kind:?}, input {input}");
                    taken += 1;
                }
                (Err(_), None) => refused += 1,
                // Where we are stricter by intention.
                (Err(e), Some(_)) if e.detail.contains("64 bits") || e.detail.contains("not as long as it says") => stricter += 1,
                _ => panic!("{kind:?}, input {input}: ours {ours:?}, apache-avro {theirs:?}, bytes {datum:02x?}"),
            }
        }
        // The damage must neither be harmless nor always fatal, or the test would compare nothing.
        assert!(taken > inputs() / 100 && refused > inputs() / 20, "{kind:?}: {taken} taken, {refused} refused");
        assert!(stricter < inputs() / 20, "{kind:?}: stricter {stricter} times");
    }
}

#[test]
fn damaged_frames_never_panic_and_are_refused() {
    let codec = Codec::new();
    let random = &mut Random(99);
    let tick = framed(&codec, &fieldline_schemas::events::Tick { since: None }.into());
    for length in 0..tick.len() {
        assert!(codec.decode(&tick[..length]).is_err(), "a frame cut to {length} bytes");
    }
    for _ in 0..inputs() {
        let mut bytes = tick.clone();
        damage(&mut bytes, random);
        if let Ok(record) = codec.decode(&bytes) {
            assert_eq!(framed(&codec, &record)[..10], bytes[..10]);
        }
    }
}

/// Through the resolving reader too, from a schema that is not ours.
#[test]
fn damaged_payloads_of_another_schema_never_panic() {
    let other = schemas().of(Kind::TechnicianActivity).json.replace("\"vehicle_id\"", "\"truck_id\"");
    let codec = Codec::new().with_schema(fieldline_schemas::wire::SchemaId::Registry(7), &other).unwrap();
    let writer = GenericDatumWriter::builder(&schemas().of(Kind::TechnicianActivity).schema).build().unwrap();
    let random = &mut Random(3);
    let mut taken = 0;
    for _ in 0..inputs() {
        let mut payload = vec![0, 0, 0, 0, 7];
        payload.extend(writer.write_value_to_vec(value(Kind::TechnicianActivity, random)).unwrap());
        let mut damaged = payload.split_off(5);
        if random.chance(95) {
            damage(&mut damaged, random);
        }
        payload.extend(damaged);
        if let Ok(AnyRecord::TechnicianActivity(activity)) = codec.decode(&payload) {
            assert_eq!(activity.vehicle_id, None, "the other schema has no vehicle_id");
            taken += 1;
        }
    }
    assert!(taken > inputs() / 100);
}

#[test]
fn damaged_json_is_refused_or_means_what_it_says() {
    let lines: Vec<Vec<u8>> = crate::golden::valid().into_iter().map(|golden| golden.input.to_string().into_bytes()).collect();
    let random = &mut Random(5);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..inputs() {
        let mut line = random.pick(&lines).clone();
        if random.chance(95) {
            damage(&mut line, random);
        }
        let Ok(line) = String::from_utf8(line) else { continue };
        match from_json(&line, Missing::Refuse) {
            Ok(record) => {
                // What was taken was JSON, and says the same when written and read again.
                // A number beyond every double is JSON all the same, and kept as it was sent.
                let json = serde_json::from_str::<serde_json::Value>(&line).map(drop).map_err(|e| e.to_string());
                assert!(json.as_ref().map_or_else(|e| e.starts_with("number out of range"), |()| true), "{json:?}: {line}");
                let again = from_json(&to_json(&record).unwrap(), Missing::Refuse).unwrap();
                assert_eq!(content_hash(&again), content_hash(&record), "{line}");
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > inputs() / 100 && refused > inputs() / 20, "{taken} taken, {refused} refused");
}

//! The golden payloads: readable examples of what is taken and what is not, from `schemas/golden`.

use fieldline_schemas::{AnyRecord, Codec, Missing, Rejection, Timestamp, Topic, key_in, to_json, validate};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::path::PathBuf;
use uuid::Uuid;

/// 2026-03-02T12:00:00Z: when every golden payload is received.
const RECEIVED_AT: Timestamp = Timestamp(1_772_452_800_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Valid {
    #[serde(rename = "about")]
    _about: String,
    missing: String,
    topic: String,
    pub input: Box<RawValue>,
    /// The record as `to_json` writes it.
    expect: Value,
    /// The metadata, to the letter.
    #[serde(default)]
    metadata: Option<String>,
    /// How many keys were unknown.
    unmapped: usize,
    key: String,
    /// The record as framed Avro, in hexadecimal.
    avro: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invalid {
    #[serde(rename = "about")]
    _about: String,
    topic: String,
    #[serde(rename = "received_at")]
    _received_at: String,
    /// The JSON form …
    text: Option<String>,
    /// … or the bytes of a record of the log.
    hex: Option<String>,
    reason: String,
    detail: String,
}

fn read<T: for<'de> Deserialize<'de>>(folder: &str) -> Vec<(String, T)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let parse = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let golden = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, golden)
    };
    paths.into_iter().map(parse).collect()
}

/// The valid payloads that files may hold.
pub fn valid() -> Vec<Valid> {
    read::<Valid>("valid").into_iter().map(|(_, golden)| golden).filter(|golden| golden.missing == "refuse").collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_json(text: &str, missing: &str) -> Result<fieldline_schemas::json::FromJson, Rejection> {
    let mut id = || Uuid::from_u128(0x0190a0a0_0000_7000_8000_0000000000ff);
    let missing = match missing {
        "refuse" => Missing::Refuse,
        "fill" => Missing::Fill { now: RECEIVED_AT, id: &mut id },
        other => panic!("missing: {other}"),
    };
    fieldline_schemas::json::read_json(text, missing)
}

#[test]
fn valid_payloads_are_taken_as_they_are_meant() {
    let codec = Codec::new();
    for (name, golden) in read::<Valid>("valid") {
        let topic = Topic::from_name(&golden.topic).unwrap();
        let read = read_json(golden.input.get(), &golden.missing).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Value = serde_json::from_str(&to_json(&read.record).unwrap()).unwrap();
        assert_eq!(written, golden.expect, "{name}");
        assert_eq!(read.unmapped, golden.unmapped, "{name}");
        assert_eq!(metadata(&read.record), golden.metadata.as_deref(), "{name}");
        assert_eq!(validate(topic, &read.record, RECEIVED_AT), Ok(()), "{name}");
        assert_eq!(String::from_utf8(key_in(topic, &read.record)).unwrap(), golden.key, "{name}");
        let mut payload = Vec::new();
        codec.encode(&read.record, &mut payload);
        assert_eq!(to_hex(&payload), golden.avro, "{name}");
        assert_eq!(codec.decode(&from_hex(&golden.avro)).unwrap(), read.record, "{name}");
    }
}

fn metadata<'a>(record: &'a AnyRecord<'_>) -> Option<&'a str> {
    match record {
        AnyRecord::TechnicianActivity(r) => r.common.metadata.as_deref(),
        AnyRecord::CommunicationCall(r) => r.common.metadata.as_deref(),
        AnyRecord::OperationalEvent(r) => r.common.metadata.as_deref(),
        _ => None,
    }
}

#[test]
fn invalid_payloads_are_refused_with_their_reason() {
    let codec = Codec::new();
    let mut reasons = BTreeSet::new();
    for (name, golden) in read::<Invalid>("invalid") {
        let topic = Topic::from_name(&golden.topic).unwrap();
        let payload = golden.hex.as_deref().map(from_hex);
        let outcome = match (&golden.text, &payload) {
            (Some(text), None) => read_json(text, "refuse").and_then(|read| validate(topic, &read.record, RECEIVED_AT)),
            (None, Some(payload)) => codec.decode(payload).and_then(|record| validate(topic, &record, RECEIVED_AT)),
            _ => panic!("{name}: either text or hex"),
        };
        let rejection = outcome.expect_err(&name);
        assert_eq!(rejection.reason.symbol(), golden.reason, "{name}: {rejection}");
        assert!(rejection.detail.contains(&golden.detail), "{name}: {rejection}");
        reasons.insert(rejection.reason);
    }
    assert_eq!(reasons.len(), fieldline_schemas::events::DeadLetterReason::ALL.len(), "a golden payload for every reason: {reasons:?}");
}

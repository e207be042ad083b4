//! Random values of our schemas, made from the schema files alone, and random damage to bytes. Everything follows a seed.

use apache_avro::types::Value;
use fieldline_schemas::Kind;
use fieldline_schemas::wire::schemas;
use std::collections::BTreeMap;
use uuid::Uuid;

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.number() % n as u64) as usize
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
    fn long(&mut self) -> i64 {
        let bits = self.below(64) as u32;
        let magnitude = (self.number() >> 1 >> bits) as i64;
        *self.pick(&[magnitude, -magnitude, 0, i64::MAX, i64::MIN, 1_790_000_000_000_000])
    }
    fn int(&mut self) -> i32 {
        let near = self.below(1000) as i32 - 500;
        *self.pick(&[near, 0, i32::MAX, i32::MIN])
    }
    fn double(&mut self) -> f64 {
        let x = f64::from_bits(self.number());
        let finite = if x.is_finite() { x } else { 1.5 };
        *self.pick(&[finite, 0.0, -0.0, 52.370216, f64::MAX, f64::MIN_POSITIVE])
    }
    fn text(&mut self) -> String {
        let long = "x".repeat(self.below(300));
        self.pick(&["", "a", "Grüße, 東京 🚐", "line\nline\0\"quoted\"", "{\"a\":600.5}", &long]).to_string()
    }
}

/// A random value of the current schema of `kind`.
pub fn value(kind: Kind, random: &mut Random) -> Value {
    let json: serde_json::Value = serde_json::from_str(schemas().of(kind).json).unwrap();
    let mut named = BTreeMap::new();
    collect_named(&json, &mut named);
    let value = of_type(&json, "", &named, random);
    if kind == Kind::Tombstone { one_identity(value, random) } else { value }
}

/// A tombstone has either a shift_id, or a visit_id with a first_event_id.
fn one_identity(tombstone: Value, random: &mut Random) -> Value {
    let Value::Record(mut fields) = tombstone else { unreachable!() };
    let id = |bytes: u64| Value::Union(1, Box::new(Value::Uuid(Uuid::from_u64_pair(7, bytes))));
    let none = || Value::Union(0, Box::new(Value::Null));
    let of_shift = random.chance(50);
    for (name, value) in &mut fields {
        match name.as_str() {
            "shift_id" => *value = if of_shift { id(1) } else { none() },
            "visit_id" | "first_event_id" => *value = if of_shift { none() } else { id(2) },
            _ => {}
        }
    }
    Value::Record(fields)
}

fn collect_named(json: &serde_json::Value, named: &mut BTreeMap<String, serde_json::Value>) {
    match json {
        serde_json::Value::Object(object) => {
            if let (Some(name), Some(_)) = (object.get("name"), object.get("namespace")) {
                named.insert(format!("fieldline.{}", name.as_str().unwrap()), json.clone());
            }
            object.values().for_each(|inner| collect_named(inner, named));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| collect_named(inner, named)),
        _ => {}
    }
}

/// Fields that are longs in Avro and hold what fits 32 bits without sign.
const U32_FIELDS: [&str; 8] = ["revision", "visits", "jobs", "round", "reopened", "repeats", "notification", "attempt"];

/// `field` is the name of the field that holds the value: some have a smaller range than their Avro type.
fn of_type(schema: &serde_json::Value, field: &str, named: &BTreeMap<String, serde_json::Value>, random: &mut Random) -> Value {
    if let Some(branches) = schema.as_array() {
        let branch = random.below(branches.len());
        return Value::Union(branch as u32, Box::new(of_type(&branches[branch], field, named, random)));
    }
    let logical = schema.get("logicalType").and_then(|l| l.as_str()).unwrap_or_default();
    let name = schema.as_str().or_else(|| schema["type"].as_str()).unwrap();
    match (name, logical) {
        ("null", _) => Value::Null,
        ("boolean", _) => Value::Boolean(random.chance(50)),
        ("int", "date") => Value::Int(random.int()),
        ("int", _) if field == "utc_offset_minutes" => Value::Int(random.int().clamp(i16::MIN.into(), i16::MAX.into())),
        ("int", _) => Value::Int(random.int()),
        ("long", "timestamp-micros") => Value::TimestampMicros(random.long()),
        ("long", _) if U32_FIELDS.contains(&field) => Value::Long(random.long().clamp(0, u32::MAX.into())),
        ("long", _) => Value::Long(random.long()),
        ("double", _) => Value::Double(random.double()),
        ("string", _) => Value::String(random.text()),
        ("bytes", _) => Value::Bytes(random.text().into_bytes()),
        ("fixed", "uuid") => Value::Uuid(Uuid::from_u64_pair(random.number(), random.number())),
        ("enum", _) => {
            let symbols = schema["symbols"].as_array().unwrap();
            let index = random.below(symbols.len() - 1);
            Value::Enum(index as u32, symbols[index].as_str().unwrap().to_owned())
        }
        ("array", _) => {
            let items = (0..*random.pick(&[0, 0, 1, 3])).map(|_| of_type(&schema["items"], field, named, random)).collect();
            Value::Array(if field == "anomalies" { sorted_set(items) } else { items })
        }
        ("record", _) => {
            let fields = schema["fields"].as_array().unwrap();
            let value = |f: &serde_json::Value| f["name"].as_str().unwrap().to_owned();
            Value::Record(fields.iter().map(|f| (value(f), of_type(&f["type"], &value(f), named, random))).collect())
        }
        (reference, _) => of_type(&named[reference], field, named, random),
    }
}

fn sorted_set(items: Vec<Value>) -> Vec<Value> {
    let set: BTreeMap<u32, Value> = items.into_iter().map(|v| if let Value::Enum(i, _) = &v { (*i, v) } else { unreachable!() }).collect();
    set.into_values().collect()
}

/// Bytes that were valid, damaged in one to three places.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() + 1);
        let until = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = *random.pick(&[0, 1, 2, 3, 4, 0x7f, 0x80, 0xff]),
            2 => bytes.truncate(at),
            3 => bytes.extend((0..1 + random.below(12)).map(|_| random.number() as u8)),
            4 => bytes.insert(at, random.number() as u8),
            5 => drop(bytes.drain(at.min(until)..until)),
            6 => {
                let copy = bytes[at.min(until)..until].to_vec();
                bytes.splice(at..at, copy);
            }
            // The extremes of lengths and counts, as numbers of variable length.
            7 => {
                let number = *random.pick::<&[u8]>(&[
                    &[0x01],
                    &[0xff, 0xff, 0xff, 0xff, 0x0f],
                    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
                    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                    &[0x80, 0x80, 0x00],
                ]);
                bytes.splice(at.min(until)..until, number.iter().copied());
            }
            _ => {
                let special = random.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).to_le_bytes();
                if at + 8 <= bytes.len() {
                    bytes[at..at + 8].copy_from_slice(&special);
                }
            }
        }
    }
}

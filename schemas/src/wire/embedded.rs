//! The Avro schemas that this release writes and reads, from `schemas/avro`.

use super::record::Kind;
use apache_avro::Schema;
use std::sync::OnceLock;

/// A kind's current schema.
#[derive(Debug)]
pub struct Current {
    pub kind: Kind,
    /// The text of the file.
    pub json: &'static str,
    pub schema: Schema,
    /// CRC-64-AVRO of the parsing canonical form, as single-object encoding carries it.
    pub fingerprint: u64,
}

/// The current schema of every kind, in the order of `Kind::ALL`.
#[derive(Debug)]
pub struct Schemas(Vec<Current>);

impl Schemas {
    pub fn all(&self) -> &[Current] {
        &self.0
    }
    pub fn of(&self, kind: Kind) -> &Current {
        &self.0[kind as usize]
    }
}

const fn json(kind: Kind) -> &'static str {
    match kind {
        Kind::TechnicianActivity => include_str!("../../avro/technician_activity.avsc"),
        Kind::Tick => include_str!("../../avro/tick.avsc"),
        Kind::CommunicationCall => include_str!("../../avro/communication_call_details.avsc"),
        Kind::OperationalEvent => include_str!("../../avro/operational_event.avsc"),
        Kind::EpisodeResult => include_str!("../../avro/episode_result.avsc"),
        Kind::ShiftResult => include_str!("../../avro/shift_result.avsc"),
        Kind::Tombstone => include_str!("../../avro/tombstone.avsc"),
        Kind::DeviceHeartbeat => include_str!("../../avro/device_heartbeat.avsc"),
        Kind::ShiftPlan => include_str!("../../avro/shift_plan.avsc"),
        Kind::VisitPlan => include_str!("../../avro/visit_plan.avsc"),
        Kind::Contact => include_str!("../../avro/contact.avsc"),
        Kind::AlertAction => include_str!("../../avro/alert_action.avsc"),
        Kind::Flag => include_str!("../../avro/flag.avsc"),
        Kind::Alert => include_str!("../../avro/alert.avsc"),
        Kind::Delivery => include_str!("../../avro/delivery.avsc"),
        Kind::Silence => include_str!("../../avro/silence.avsc"),
        Kind::Signal => include_str!("../../avro/signal.avsc"),
        Kind::Clearance => include_str!("../../avro/clearance.avsc"),
        Kind::RecomputeRequest => include_str!("../../avro/recompute_request.avsc"),
        Kind::DeadLetter => include_str!("../../avro/dead_letter.avsc"),
    }
}

/// What earlier releases wrote: every published version but the current one. Logs outlive releases.
pub const EARLIER: &[(Kind, &str)] = &[
    (Kind::Flag, include_str!("../../avro/published/flag/1.avsc")),
    (Kind::Signal, include_str!("../../avro/published/signal/1.avsc")),
    (Kind::Signal, include_str!("../../avro/published/signal/2.avsc")),
];

/// The embedded schemas, parsed once.
#[expect(clippy::expect_used, reason = "the files are part of the program, and a test parses each")]
pub fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let current = |kind: Kind| {
            let schema = Schema::parse_str(json(kind)).expect("an embedded schema parses");
            let fingerprint = fingerprint(&schema);
            Current { kind, json: json(kind), schema, fingerprint }
        };
        Schemas(Kind::ALL.iter().map(|kind| current(*kind)).collect())
    })
}

/// CRC-64-AVRO of a schema's parsing canonical form.
pub(crate) fn fingerprint(schema: &Schema) -> u64 {
    crc_64_avro(canonical_form(schema).as_bytes())
}

/// The parsing canonical form. `apache-avro` leaves a type with a logical type at `{"type":"long"}` where Java's
/// `SchemaNormalization`, and by it everybody else, has `"long"`: the fingerprint would be one that nobody knows.
fn canonical_form(schema: &Schema) -> String {
    const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
    // There is no white space in it, and no name holds a quotation mark.
    PRIMITIVES.iter().fold(schema.canonical_form(), |form, name| form.replace(&format!(r#"{{"type":"{name}"}}"#), &format!("\"{name}\"")))
}

/// As the Avro specification has it.
fn crc_64_avro(bytes: &[u8]) -> u64 {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    bytes.iter().fold(EMPTY, |crc, byte| {
        let low = (0..8).fold((crc ^ u64::from(*byte)) & 0xff, |low, _| low >> 1 ^ EMPTY & (low & 1).wrapping_neg());
        crc >> 8 ^ low
    })
}

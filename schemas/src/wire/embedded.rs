//! The Avro schemas that this release writes and reads, from `schemas/avro`.

use super::record::Kind;
use apache_avro::Schema;
use apache_avro::rabin::Rabin;
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
        Kind::Signal => include_str!("../../avro/signal.avsc"),
        Kind::Clearance => include_str!("../../avro/clearance.avsc"),
        Kind::RecomputeRequest => include_str!("../../avro/recompute_request.avsc"),
        Kind::DeadLetter => include_str!("../../avro/dead_letter.avsc"),
    }
}

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
    let bytes = schema.fingerprint::<Rabin>().bytes;
    // The digest is the number's eight bytes, least significant first.
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

//! The JSON form of records: HTTP bodies and NDJSON files.

use crate::events::DeadLetterReason;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::wire::AnyRecord;
use uuid::Uuid;

/// What to do about an absent `id` or `created_at`.
pub enum Missing<'f> {
    /// They are required: files.
    Refuse,
    /// They are filled in and named in `assigned`: the gateway and the publisher. What only the pipeline may set
    /// (`imported`, `received_at`, `assigned`) counts as an unknown key.
    Fill { now: Timestamp, id: &'f mut dyn FnMut() -> Uuid },
}

/// A record read from JSON, and what came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct FromJson {
    pub record: AnyRecord<'static>,
    /// How many keys were no field of the kind. Where the kind has metadata they are kept there under `unmapped`.
    pub unmapped: usize,
    /// `received_at` of an exported file; never part of the record.
    pub received_at: Option<Timestamp>,
}

/// One JSON object as a record.
pub fn from_json(line: &str, missing: Missing<'_>) -> Result<AnyRecord<'static>, Rejection> {
    read_json(line, missing).map(|read| read.record)
}

/// One JSON object as a record, with the number of unknown keys and `received_at`.
pub fn read_json(_line: &str, _missing: Missing<'_>) -> Result<FromJson, Rejection> {
    Err(Rejection::new(DeadLetterReason::Undecodable, "the JSON form is not read yet"))
}

/// The JSON form of a record: one object on one line.
pub fn to_json(_record: &AnyRecord<'_>) -> Result<String, Rejection> {
    Err(Rejection::new(DeadLetterReason::Undecodable, "the JSON form is not written yet"))
}

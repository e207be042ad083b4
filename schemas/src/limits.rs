//! Every limit of the contract, with its unit in its name. What is beyond one is a dead letter (`TooLarge`, `OutOfRange`).

use crate::time::{DAY_US, Timestamp};

/// The largest payload of a record, framing included. Kafka's default for a message is the same.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The largest payload of a dead letter: it holds a whole other payload, which may itself have been too large.
pub const DEAD_LETTER_BYTES_MAX: usize = 4 * PAYLOAD_BYTES_MAX;
/// The longest JSON text of one event. JSON is longer than Avro, but not than this for an event that fits.
pub const JSON_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;

/// `notes` of an activity, `note` of an action.
pub const NOTES_BYTES_MAX: usize = 64 << 10;
/// `description` of an operational event.
pub const DESCRIPTION_BYTES_MAX: usize = 64 << 10;
/// `transcription` of a call.
pub const TRANSCRIPTION_BYTES_MAX: usize = 512 << 10;
/// Addresses, titles, urls.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// Names and codes: device_id, source, queue_name, event_type, time_zone, alert_id, …
pub const NAME_BYTES_MAX: usize = 1 << 10;

/// `metadata` and `ivr_path`, as canonical text.
pub const METADATA_BYTES_MAX: usize = 64 << 10;
/// Objects and arrays inside each other; `{"a":1}` has depth 1. One level more is allowed where `unmapped` is added.
pub const METADATA_DEPTH_MAX: usize = 16;

/// Names in `assigned`: there are only so many fields that a gateway can fill in.
pub const ASSIGNED_MAX: usize = 16;
/// Receivers of alerts in one configuration.
pub const RECEIVERS_MAX: usize = 64;
/// Ids in one recompute request.
pub const RECOMPUTE_IDS_MAX: usize = 10_000;

/// How far `created_at` may lie ahead of the append time; exactly this much is fine.
pub const CREATED_AHEAD_MAX_US: i64 = DAY_US;
/// The instants that every store of the pipeline can hold: 1900-01-01 to the end of 2299 (ClickHouse's DateTime64).
pub const TIMESTAMP_MIN: Timestamp = Timestamp(-2_208_988_800_000_000);
pub const TIMESTAMP_MAX: Timestamp = Timestamp(10_413_791_999_999_999);
/// RFC 3339 has no offset beyond 23:59.
pub const UTC_OFFSET_MINUTES_MAX: i16 = 23 * 60 + 59;
/// Revisions are stored and compared as signed 32-bit numbers elsewhere.
pub const REVISION_MAX: u32 = i32::MAX as u32;

/// The longest stop that metadata.duration_seconds can claim.
pub const STOP_SECONDS_MAX: f64 = 86_400.0;

//! The contract of the pipeline: what a record is, in the log and in results.
//!
//! Pure: no I/O, no clock, no randomness. Every other crate speaks in these types.

pub mod alerts;
pub mod anomaly;
pub mod beat;
pub mod content;
mod derived;
pub mod events;
pub mod ids;
pub mod json;
pub mod limits;
mod rejection;
pub mod results;
pub mod sos;
pub mod time;
pub mod topics;
pub mod validate;
pub mod version;
pub mod wire;

pub use alerts::subject_of;
pub use anomaly::{Anomalies, Anomaly};
pub use content::content_hash;
pub use derived::{location_is_valid, stop_duration_us};
pub use json::{Missing, from_json, to_json};
pub use rejection::Rejection;
pub use sos::SosTypes;
pub use time::Timestamp;
pub use topics::{Card, Topic, key_in, key_of, put_key};
pub use validate::validate;
pub use version::Version;
pub use wire::{AnyRecord, Codec, Kind};

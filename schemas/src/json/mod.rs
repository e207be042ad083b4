//! The JSON form of records: HTTP bodies and NDJSON files.

pub(crate) mod field;
mod number;
mod read;
pub(crate) mod scan;
pub(crate) mod text;
mod write;

pub use read::{FromJson, Missing, from_json, read_json};
pub use write::to_json;

//! The contract of the pipeline: what a record is, in the log and in results.
//!
//! Pure: no I/O, no clock, no randomness. Every other crate speaks in these types.

pub mod anomaly;
pub mod events;
pub mod ids;
pub mod results;
pub mod time;
pub mod version;

pub use anomaly::{Anomalies, Anomaly};
pub use time::Timestamp;
pub use version::Version;

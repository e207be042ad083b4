//! Rows of the ClickHouse tables, encoded as Native blocks. Pure: bytes out, no I/O.
//!
//! One file per table; `native` and `dictionary` are the column types. The names and types here are those of the
//! migrations in `sinks/service`, and a test holds them equal.

pub mod activity;
pub mod alert_actions;
pub mod alerts;
pub mod calls;
mod common;
pub mod contacts;
pub mod dead_letters;
pub mod deliveries;
pub mod dictionary;
pub mod episodes;
pub mod facts;
pub mod native;
pub mod operations;
pub mod rowbinary;
pub mod shifts;

pub use activity::ActivityRows;
pub use alert_actions::AlertActionRows;
pub use alerts::AlertRows;
pub use calls::CallRows;
pub use common::Position;
pub use contacts::{ContactRows, SilenceRows};
pub use dead_letters::DeadLetterRows;
pub use deliveries::DeliveryRows;
pub use episodes::EpisodeRows;
pub use facts::{Fact, FactKind, FactRows};
pub use native::Rows;
pub use operations::OperationRows;
pub use shifts::ShiftRows;

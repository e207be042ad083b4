//! The binary as its users run it: real processes, the embedded log and the real engine, each test with a data folder
//! of its own. The engine is fetched by the first test that needs it.
//!
//! `on_kafka` starts real Apache Kafka, where Java and Maven are; `FIELDLINE_DEMAND_KAFKA=1` makes their absence a failure.
//! `FIELDLINE_LONG=1` runs the same tests longer; `FIELDLINE_EMS_FILE=FILE`, `FIELDLINE_CALLS_FILE=FILE` and
//! `FIELDLINE_INCIDENTS_FILE=FILE` add runs over files of real records.
//!
//! The oracle is the brute-force computation of `processors/core/tests/oracle`, which shares no code with the fold.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod alerts;
mod arrival;
mod cli;
mod kills;
mod office;
mod on_kafka;
mod people;
mod real;
mod recompute;
mod refused;
mod support;
mod tidy;
mod verify;
mod whole;

#[path = "../processors/core/tests/oracle/order.rs"]
mod order;
#[path = "../processors/core/tests/oracle/rows.rs"]
mod rows;
#[path = "../processors/core/tests/oracle/stretch.rs"]
mod stretch;
#[path = "../processors/core/tests/oracle/walk/mod.rs"]
mod walk;

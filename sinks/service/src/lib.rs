//! Sinks: the log's records and results into ClickHouse, and ClickHouse itself where none is configured.
//!
//! * `raw_sink`, `results_sink`: what goes into which table; `sink`: how both work.
//! * `writer`: one insert until it is acknowledged or must stop; `clickhouse`: the only file that names the client.
//! * `migrate`: brings a database to what this release expects, from `migrations/`.
//! * `roles`: who may read what, on a server that has users.
//! * `engine`: the embedded ClickHouse. `deliver`: alerts to receivers.
//! * `histogram`: what is observed of inserts. `history`: computes the past again; `recompute`: what is asked of it for a new definition.
//! * `verify`: proves that what is stored follows from the log. `watch`: whether emergencies would get through.

pub mod clickhouse;
pub mod deliver;
pub mod engine;
mod histogram;
pub mod history;
pub mod migrate;
pub mod raw_sink;
pub mod recompute;
pub mod results_sink;
pub mod roles;
pub mod sink;
pub mod verify;
pub mod watch;
pub mod writer;

pub use clickhouse::{Answer, ClickHouseTarget, Connection, Database, Deadlines};
pub use histogram::{Histogram, Observed};
pub use migrate::{Engines, MigrateError, migrate};
pub use sink::{BatchLimits, SinkConfig, SinkControl, SinkError};

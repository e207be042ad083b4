//! One file per command: what was typed becomes calls of the libraries.

pub mod demo;
pub mod engine;
pub mod import;
pub mod run;
pub mod simulate;
pub mod sql;
pub mod verify;

use anyhow::Result;
use fieldline_sinks::clickhouse::ClickHouseTarget;
use fieldline_sinks::migrate::{Engines, migrate as apply};

/// Brings the tables and views up to date.
pub fn migrate(target: &ClickHouseTarget) -> Result<()> {
    apply(target, Engines::Single, Default::default())?;
    Ok(())
}

//! One file per command: what was typed becomes calls of the libraries.

pub mod demo;
pub mod engine;
pub mod import;
pub mod run;
pub mod simulate;
pub mod sql;
pub mod topics;
pub mod verify;

use crate::config::Config;
use crate::engine::Database;
use anyhow::Result;
use fieldline_sinks::clickhouse::ClickHouseTarget;
use fieldline_sinks::migrate::{Engines, migrate as apply};

/// `fieldline migrate`: for whoever starts sinks only when the tables are there.
pub fn migrate_only(config: &Config) -> Result<()> {
    let database = Database::reach(config)?;
    migrate(&database.target)?;
    println!("the tables and views of {} at {} are up to date", database.target.database, database.target.url);
    Ok(())
}

/// Brings the tables and views up to date.
pub fn migrate(target: &ClickHouseTarget) -> Result<()> {
    apply(target, Engines::Single, Default::default())?;
    Ok(())
}

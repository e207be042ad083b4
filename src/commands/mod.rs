//! One file per command: what was typed becomes calls of the libraries.

pub mod alerts;
pub mod backtest;
pub mod demo;
pub mod engine;
pub mod import;
pub mod recompute;
pub mod roles;
pub mod run;
pub mod simulate;
pub mod sql;
pub mod topics;
pub mod verify;

use crate::config::Config;
use crate::engine::Database as Reached;
use anyhow::{Context, Result};
use fieldline_schemas::Timestamp;
use fieldline_sinks::clickhouse::{Answer, ClickHouseTarget, Database};
use fieldline_sinks::migrate::{Engines, migrate as apply};
use std::io::Write;

/// What was typed can not be meant: exit code 2.
#[derive(Debug)]
pub struct WrongCommand(pub String);

impl std::error::Error for WrongCommand {}

impl std::fmt::Display for WrongCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whoever only looks makes no folder, so that a mistyped one does not pass for an empty one. Data in Kafka or in a
/// ClickHouse of somebody's own are looked for there.
pub fn ensure_data(config: &Config, place: Place) -> Result<()> {
    let has = |name: &str| config.data_dir.join(name).exists();
    let is_there = match place {
        Place::Log => config.kafka.is_some() || has("log"),
        Place::Tables => config.clickhouse.is_some() || has("log") || has("clickhouse"),
    };
    let folder = config.data_dir.display();
    let hint = "name another folder with --data-dir, or make this one with `fieldline import` or `run`";
    if is_there { Ok(()) } else { Err(WrongCommand(format!("there is no data in {folder}: {hint}")).into()) }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Log,
    Tables,
}

/// `fieldline migrate`: for whoever starts sinks only when the tables are there.
pub fn migrate_only(config: &Config) -> Result<()> {
    let database = Reached::reach(config)?;
    migrate(&database.target)?;
    tell!("the tables and views of {} at {} are up to date", database.target.database, database.target.url)?;
    Ok(())
}

/// An RFC 3339 time of the command line.
pub fn instant(flag: &str, text: &str) -> Result<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|_| WrongCommand(format!("{flag} {text:?}: RFC 3339 with an offset is wanted, as 2026-03-29T06:00:00Z")))?;
    Ok(Timestamp(time.timestamp_micros()))
}

/// Writes a result; whoever reads may have seen enough.
pub fn to_stdout(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("writing the result")
}

/// Brings the tables and views up to date. A server that is not there is waited for, which is said: whoever asks `sql` sees nothing
/// else of it for two minutes.
pub fn migrate(target: &ClickHouseTarget) -> Result<()> {
    let anywhere = ClickHouseTarget { database: "default".into(), ..target.clone() };
    let asked = Database::open(&anywhere, Default::default()).and_then(|database| database.query("SELECT 1", "TSV"));
    if let Err(answer @ Answer::Unreachable(_)) = asked {
        remark!("{answer}: {} is asked again for up to two minutes", target.url);
    }
    apply(target, Engines::Single, Default::default()).with_context(|| format!("preparing the tables at {}", target.url))?;
    Ok(())
}

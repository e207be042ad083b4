//! `fieldline sql`: a query and its result, nothing else on standard output.

use super::{Place, WrongCommand};
use crate::cli::Sql;
use crate::config::Config;
use crate::engine::Database;
use anyhow::{Context, Result};
use fieldline_sinks::clickhouse::Database as Connection;
use std::io::{Read, Write};

/// A statement larger than this is no statement.
const QUERY_BYTES_MAX: u64 = 16 << 20;

pub fn run(config: &Config, arguments: &Sql) -> Result<()> {
    let mut query = arguments.query.clone();
    if query == "-" {
        query.clear();
        std::io::stdin().take(QUERY_BYTES_MAX).read_to_string(&mut query).context("reading the query from standard input")?;
    }
    let is_plain = !arguments.format.is_empty() && arguments.format.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_plain {
        let wanted = "a ClickHouse format such as CSVWithNames or JSONEachRow is wanted";
        return Err(WrongCommand(format!("--format {:?}: {wanted}", arguments.format)).into());
    }
    super::ensure_data(config, Place::Tables)?;
    let database = Database::reach(config)?;
    super::migrate(&database.target)?;
    // A retried insert may stand twice in a table until ClickHouse merges it; FINAL makes tables as exact as the views.
    let connection = Connection::open(&database.target, Default::default())?.with_setting("final", "1");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    connection.query_to(query.trim().trim_end_matches(';'), &arguments.format, &mut out)?;
    out.flush().context("writing the result")?;
    Ok(())
}

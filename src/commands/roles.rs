//! `fieldline roles`: who may read what, on a ClickHouse server of somebody's own.

use super::{Place, WrongCommand};
use crate::cli::Roles;
use crate::config::Config;
use crate::engine::Database;
use anyhow::Result;
use fieldline_sinks::roles;

pub fn run(config: &Config, arguments: &Roles) -> Result<()> {
    if config.clickhouse.is_none() && !arguments.print {
        let why = "the embedded engine has no users and no roles; whoever can read the data folder can read everything";
        return Err(WrongCommand(format!("{why}: set clickhouse.url, or see what would be run with --print")).into());
    }
    super::ensure_data(config, Place::Tables)?;
    let database = Database::reach(config)?;
    super::migrate(&database.target)?;
    // From the system's source of randomness: whoever guesses the key can find out who is who.
    let key = uuid::Uuid::new_v4().as_u128();
    if arguments.print {
        for sql in roles::statements(&database.target.database, &roles::find(&database.target, Default::default())?, key) {
            tell!("{sql};")?;
        }
        return Ok(());
    }
    let count = roles::apply(&database.target, Default::default(), key)?;
    let name = &database.target.database;
    tell!("{count} statements applied; `GRANT {name}_analyst TO …` gives a role to a user, who then reads the database {name}_analyst")?;
    Ok(())
}

//! Who may read what, on a ClickHouse server that has users.
//!
//! ```text
//! fieldline            tables and views, for the writer and the administrator
//!    ▲ read as the owner of the views, a user who can not log in
//! fieldline_analyst    views of the same names with the columns that the role may see   ◄── role fieldline_analyst
//! fieldline_safety     …                                                                ◄── role fieldline_safety
//! ```
//!
//! A role has a database of its own, so that the same query runs for everybody and `SELECT *` shows what may be seen. Its
//! views name their columns, so that a column which a later release adds is seen by nobody until this was applied again.
//! `policy` says who sees what.

mod policy;

pub use policy::{Role, Shown, VIEWS, shown};

use crate::clickhouse::{Answer, ClickHouseTarget, Database, Deadlines};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// ClickHouse's code for "not enough privileges".
const ACCESS_DENIED: u32 = 497;
/// Where its key for pseudonyms is: no role but writer and administrator can read it, and no view's text shows it.
const KEY_TABLE: &str = "pseudonym_key";

/// The views of a database, and what is in the databases of the roles already.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Comment and columns of each view: name, type, comment.
    views: BTreeMap<String, (String, Vec<[String; 3]>)>,
    /// (role, view)
    shared: BTreeSet<(Role, String)>,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolesError {
    #[error("reading the views of {database}: {answer}")]
    Reading { database: String, answer: Answer },
    #[error(
        "{user} may not make roles and users ({answer}): run this as an administrator with access management, or give the output of \
         `fieldline roles --print` to one"
    )]
    Denied { user: String, answer: Answer },
    #[error("statement {number} of {count}: {answer}")]
    Statement { number: usize, count: usize, answer: Answer },
}

/// Reads what the statements depend on. The tables and views must be up to date.
pub fn find(target: &ClickHouseTarget, deadlines: Deadlines) -> Result<Found, RolesError> {
    let reading = |answer| RolesError::Reading { database: target.database.clone(), answer };
    let database = Database::open(target, deadlines).map_err(reading)?;
    let lines = |sql: &str| -> Result<Vec<Vec<String>>, RolesError> {
        let text = String::from_utf8_lossy(&database.query(sql, "TabSeparatedRaw").map_err(reading)?).into_owned();
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    };
    let mut found = Found::default();
    let views = "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View'";
    for mut line in lines(views)? {
        if let [name, comment] = &mut line[..] {
            found.views.insert(std::mem::take(name), (std::mem::take(comment), Vec::new()));
        }
    }
    let columns = "SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position";
    for line in lines(columns)? {
        if let [table, name, kind, comment] = &line[..]
            && let Some((_, columns)) = found.views.get_mut(table)
        {
            columns.push([name.clone(), kind.clone(), comment.clone()]);
        }
    }
    for role in Role::ALL {
        let shared = format!("SELECT name FROM system.tables WHERE database = '{}'", of(&target.database, role.name()));
        found.shared.extend(lines(&shared)?.into_iter().flatten().map(|view| (role, view)));
    }
    Ok(found)
}

/// The statements that make users, roles, and their views; each can be repeated. `key` is used where there is none yet:
/// pseudonyms stay what they are.
pub fn statements(database: &str, found: &Found, key: u128) -> Vec<String> {
    let owner = of(database, "views_owner");
    let mut sql = vec![
        format!("CREATE USER IF NOT EXISTS {owner} IDENTIFIED WITH no_password HOST NONE"),
        format!("GRANT SELECT ON {database}.* TO {owner}"),
        format!(
            "CREATE TABLE IF NOT EXISTS {database}.{KEY_TABLE} (key_0 UInt64, key_1 UInt64) ENGINE = MergeTree ORDER BY tuple() \
             COMMENT 'The secret by which analysts'' pseudonyms are made; whoever has it can find out who is who'"
        ),
        format!(
            "INSERT INTO {database}.{KEY_TABLE} SELECT {}, {} WHERE (SELECT count() FROM {database}.{KEY_TABLE}) = 0",
            (key >> 64) as u64,
            key as u64
        ),
    ];
    for role in Role::ALL {
        let name = of(database, role.name());
        sql.push(format!("CREATE ROLE IF NOT EXISTS {name}"));
        sql.push(format!("CREATE DATABASE IF NOT EXISTS {name}"));
        let is_seen = |view: &str| VIEWS.iter().any(|(listed, roles)| *listed == view && roles.contains(&role));
        for (_, view) in found.shared.iter().filter(|(other, view)| *other == role && !is_seen(view)) {
            sql.push(format!("DROP VIEW IF EXISTS {name}.{view}"));
        }
        for (view, (comment, columns)) in found.views.iter().filter(|(view, _)| is_seen(view)) {
            sql.push(shared_view(database, &owner, role, view, comment, columns));
        }
        sql.push(format!("GRANT SELECT ON {name}.* TO {name}"));
    }
    let (writer, admin) = (of(database, "writer"), of(database, "admin"));
    sql.push(format!("CREATE ROLE IF NOT EXISTS {writer}"));
    sql.push(format!("GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW ON {database}.* TO {writer}"));
    sql.push(format!("CREATE ROLE IF NOT EXISTS {admin}"));
    for database in std::iter::once(database.to_owned()).chain(Role::ALL.map(|role| of(database, role.name()))) {
        sql.push(format!("GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON {database}.* TO {admin}"));
    }
    sql
}

fn of(database: &str, what: &str) -> String {
    format!("{database}_{what}")
}

/// A view in the role's database, read with the rights of the views' owner.
fn shared_view(database: &str, owner: &str, role: Role, view: &str, comment: &str, columns: &[[String; 3]]) -> String {
    let (mut declared, mut selected) = (String::new(), String::new());
    let key = format!("(SELECT (key_0, key_1) FROM {database}.{KEY_TABLE} LIMIT 1)");
    for [name, kind, comment] in columns {
        let pseudonym = |id: &str| format!("reinterpretAsUUID(sipHash128Keyed({key}, {id}))");
        let value = match (shown(role, view, name, kind), kind.as_str()) {
            (Shown::Nothing, _) => continue,
            (Shown::AsItIs, _) => format!("v.{name}"),
            (Shown::Pseudonym, "UUID") => pseudonym(&format!("v.{name}")),
            (Shown::Pseudonym, "Nullable(UUID)") => {
                format!("if(v.{name} IS NULL, NULL, toNullable({}))", pseudonym(&format!("assumeNotNull(v.{name})")))
            }
            (Shown::Pseudonym, "Array(UUID)") => format!("arrayMap(person -> {}, v.{name})", pseudonym("person")),
            // Nobody has said how to hide a person in such a type.
            (Shown::Pseudonym, _) => continue,
        };
        let separator = if declared.is_empty() { "" } else { ", " };
        // Writing to a String can not fail.
        let _ = write!(declared, "{separator}{name} {kind} COMMENT {}", quoted(comment));
        let _ = write!(selected, "{separator}{value} AS {name}");
    }
    let name = of(database, role.name());
    format!(
        "CREATE OR REPLACE VIEW {name}.{view} ({declared}) DEFINER = {owner} SQL SECURITY DEFINER AS SELECT {selected} FROM {database}.{view} AS v \
         COMMENT {}",
        quoted(comment)
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Applies the statements, in order. Returns how many there were.
pub fn apply(target: &ClickHouseTarget, deadlines: Deadlines, key: u128) -> Result<usize, RolesError> {
    let statements = statements(&target.database, &find(target, deadlines)?, key);
    let count = statements.len();
    let failed = |number: usize| {
        move |answer: Answer| match answer.code() {
            Some(ACCESS_DENIED) => RolesError::Denied { user: target.user.clone(), answer },
            _ => RolesError::Statement { number, count, answer },
        }
    };
    let database = Database::open(target, deadlines).map_err(failed(0))?;
    for (number, sql) in (1..).zip(&statements) {
        database.execute(sql).map_err(failed(number))?;
    }
    Ok(count)
}

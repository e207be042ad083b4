//! Brings a database to what this binary expects: numbered statements, each applied once and recorded. Views hold nothing,
//! so one whose text has changed is made again; a table that was made by another text is refused.

use crate::clickhouse::{Answer, ClickHouseTarget, Connection, Deadlines, runtime};
use crate::writer::{Action, WriterConfig, decide};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long a server that does not answer, or is just starting, is tried again for one statement.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the statement of a view begins.
const VIEW: &str = "CREATE OR REPLACE VIEW ";

/// One statement. Idempotent, so that a crash between it and its record does no harm.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub number: u32,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($file:literal)*) => {
        /// All of them, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration::embedded($file, include_str!(concat!("../migrations/", $file))),)*];
    };
}

migrations! {
    "0001_schema_migrations.sql"
    "0002_technician_activity_log.sql"
    "0003_communication_call_details_log.sql"
    "0004_operational_event_log.sql"
    "0005_technician_facts_log.sql"
    "0006_dead_letters_log.sql"
    "0007_shift_results.sql"
    "0008_shift_results_history.sql"
    "0009_episode_results.sql"
    "0010_episode_results_history.sql"
    "0011_view_technician_activity.sql"
    "0012_view_communication_call_details.sql"
    "0013_view_operational_event.sql"
    "0014_view_shifts.sql"
    "0015_view_shifts_history.sql"
    "0016_view_visits.sql"
    "0017_view_visits_history.sql"
    "0018_view_technician_days.sql"
    "0019_view_dead_letters.sql"
    "0020_view_near_duplicates.sql"
    "0021_view_data_quality.sql"
    "0022_alert_results.sql"
    "0023_alert_history.sql"
    "0024_alert_deliveries_log.sql"
    "0025_view_alerts.sql"
    "0026_view_alerts_history.sql"
    "0027_view_alert_deliveries.sql"
    "0028_view_technician_positions.sql"
    "0029_view_safety_board.sql"
    "0030_view_emergencies_undelivered.sql"
    "0031_view_calls.sql"
    "0032_view_queue_service_levels.sql"
    "0033_view_queue_service_levels_by_threshold.sql"
    "0034_view_queue_days.sql"
    "0035_view_call_journeys.sql"
    "0036_view_call_repeats.sql"
    "0037_view_queue_repeats.sql"
    "0038_view_call_backs.sql"
    "0039_view_queue_sentiment.sql"
    "0040_view_incidents.sql"
    "0041_view_incident_statistics.sql"
    "0042_view_technician_activity_order.sql"
    "0043_view_technician_travels.sql"
    "0044_view_calls_during_travel.sql"
    "0045_view_calls_after_visits.sql"
    "0046_view_visit_incidents.sql"
    "0047_view_technician_timeline.sql"
    "0048_view_alarms_without_emergency.sql"
    "0049_contacts_log.sql"
    "0050_silences_log.sql"
    "0051_alert_actions_log.sql"
    "0052_view_contacts.sql"
    "0053_view_silences.sql"
    "0054_view_alert_actions.sql"
    "0055_view_shift_plans.sql"
    "0056_view_visit_plans.sql"
    "0057_view_log_clock.sql"
    "0058_view_visit_punctuality.sql"
    "0059_view_punctuality_days.sql"
    "0060_view_shift_adherence.sql"
    "0061_view_plan_adherence.sql"
    "0062_view_adherence_days.sql"
    "0063_view_job_fixes.sql"
    "0064_view_first_time_fixes.sql"
    "0065_view_technician_weeks.sql"
    "0066_view_team_weeks.sql"
}

impl Migration {
    /// `file` is `NNNN_name.sql`.
    const fn embedded(file: &'static str, sql: &'static str) -> Self {
        let digits = file.as_bytes();
        let mut number = 0;
        let mut at = 0;
        while at < 4 {
            number = number * 10 + (digits[at] - b'0') as u32;
            at += 1;
        }
        Self { number, name: file.split_at(5).1, sql }
    }

    /// What is recorded of its text.
    pub fn hash(&self) -> String {
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(self.sql.as_bytes()))
    }

    /// Whether it makes a view, and so can be applied over any other text of its number.
    fn is_view(&self) -> bool {
        self.sql.starts_with(VIEW)
    }

    fn statement(&self, engines: Engines) -> String {
        self.sql.replace("{engine_prefix}", engines.prefix())
    }
}

/// The family of the tables' engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engines {
    /// One server.
    #[default]
    Single,
    /// A cluster with a Keeper and the server's own default for replica paths.
    Replicated,
}

impl Engines {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Single => "",
            Self::Replicated => "Replicated",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    #[error("{doing} of database {database}: {answer}")]
    ClickHouse { doing: String, database: String, answer: Answer },
    #[error(
        "database {database} has migration {found}, this release knows {known}: run the newer release, or restore a backup made before it"
    )]
    Ahead { database: String, found: u32, known: u32 },
    #[error(
        "migration {number} of database {database} was applied with another text than this release has: the database was made by another build; \
         run that one, or import into a new database"
    )]
    Changed { database: String, number: u32 },
    #[error("database name {0:?} is not a letter followed by letters, digits and underscores")]
    Name(String),
}

/// Makes the database if it is missing and applies what is missing in it, or is a view of another text. Returns how many statements were applied.
pub fn migrate(target: &ClickHouseTarget, engines: Engines, deadlines: Deadlines) -> Result<usize, MigrateError> {
    let database = &target.database;
    let starts_well = database.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !database.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(MigrateError::Name(database.clone()));
    }
    let failed = |doing: &str| {
        let (doing, database) = (doing.to_owned(), database.clone());
        move |answer| MigrateError::ClickHouse { doing, database, answer }
    };
    let runtime = runtime().map_err(failed("migration"))?;
    runtime.block_on(async {
        let server = Connection::without_database(target, deadlines);
        execute(&server, &format!("CREATE DATABASE IF NOT EXISTS `{database}`"), deadlines).await.map_err(failed("creation"))?;
        let connection = Connection::new(target, deadlines);
        let applied = applied(&connection).await.map_err(failed("reading the migrations"))?;
        let missing = plan(&applied, MIGRATIONS, database)?;
        for migration in &missing {
            let doing = format!("migration {:04}_{}", migration.number, migration.name);
            execute(&connection, &migration.statement(engines), deadlines).await.map_err(failed(&doing))?;
            let record = format!(
                "INSERT INTO schema_migrations (number, name, hash) VALUES ({}, '{}', '{}')",
                migration.number,
                migration.name,
                migration.hash()
            );
            execute(&connection, &record, deadlines).await.map_err(failed(&doing))?;
        }
        Ok(missing.len())
    })
}

/// Runs a statement that can be repeated until it is answered.
async fn execute(connection: &Connection, sql: &str, deadlines: Deadlines) -> Result<(), Answer> {
    let patience = WriterConfig { deadlines, total: PATIENCE, ..WriterConfig::default() };
    let began = Instant::now();
    for attempt in 1.. {
        let Err(answer) = connection.execute(sql).await else { return Ok(()) };
        match decide(&answer, attempt, began.elapsed(), &patience) {
            Action::Stop(_) => return Err(answer),
            Action::Retry { after } => tokio::time::sleep(after).await,
        }
    }
    Ok(())
}

/// Numbers and hashes of what was applied; nothing where the table is not there yet.
async fn applied(connection: &Connection) -> Result<BTreeMap<u32, String>, Answer> {
    const UNKNOWN_TABLE: u32 = 60;
    let mut text = Vec::new();
    let query = "SELECT number, hash FROM schema_migrations FINAL ORDER BY number";
    match connection.fetch(query, "TabSeparated", |piece| text.write_all(piece)).await {
        Err(answer) if answer.code() == Some(UNKNOWN_TABLE) => return Ok(BTreeMap::new()),
        other => other?,
    }
    let line = |line: &str| line.split_once('\t').and_then(|(number, hash)| Some((number.parse().ok()?, hash.to_owned())));
    let rows = String::from_utf8_lossy(&text).lines().map(line).collect::<Option<_>>();
    rows.ok_or_else(|| Answer::Impossible("the table schema_migrations is not readable".to_owned()))
}

/// What of `known` is still to be applied.
fn plan<'a>(applied: &BTreeMap<u32, String>, known: &'a [Migration], database: &str) -> Result<Vec<&'a Migration>, MigrateError> {
    let newest_known = known.last().map_or(0, |migration| migration.number);
    if let Some((found, _)) = applied.last_key_value().filter(|(found, _)| **found > newest_known) {
        return Err(MigrateError::Ahead { database: database.to_owned(), found: *found, known: newest_known });
    }
    let mut missing = Vec::new();
    for migration in known {
        match applied.get(&migration.number) {
            None => missing.push(migration),
            Some(hash) if *hash == migration.hash() => {}
            Some(_) if migration.is_view() => missing.push(migration),
            Some(_) => return Err(MigrateError::Changed { database: database.to_owned(), number: migration.number }),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] =
        &[Migration { number: 1, name: "a", sql: "A" }, Migration { number: 2, name: "b", sql: "CREATE OR REPLACE VIEW b" }];

    fn numbers(applied: &[(u32, String)]) -> Result<Vec<u32>, MigrateError> {
        let applied = applied.iter().cloned().collect();
        plan(&applied, KNOWN, "d").map(|missing| missing.iter().map(|m| m.number).collect())
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        assert_eq!(numbers(&[]).unwrap(), [1, 2]);
        assert_eq!(numbers(&[(1, KNOWN[0].hash())]).unwrap(), [2]);
        assert_eq!(numbers(&[(1, KNOWN[0].hash()), (2, KNOWN[1].hash())]).unwrap(), Vec::<u32>::new());
    }

    #[test]
    fn a_view_that_changed_is_made_again() {
        assert_eq!(numbers(&[(1, KNOWN[0].hash()), (2, "other".into())]).unwrap(), [2]);
    }

    #[test]
    fn a_database_ahead_or_of_another_build_is_refused() {
        assert!(matches!(numbers(&[(3, String::new())]), Err(MigrateError::Ahead { found: 3, known: 2, .. })));
        assert!(matches!(numbers(&[(1, "other".into())]), Err(MigrateError::Changed { number: 1, .. })));
    }

    #[test]
    fn the_list_is_the_folder_and_its_numbers_are_dense() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<_> = MIGRATIONS.iter().map(|m| format!("{:04}_{}", m.number, m.name)).collect();
        assert_eq!(files, listed);
        assert!(MIGRATIONS.iter().enumerate().all(|(index, m)| m.number as usize == index + 1));
    }

    #[test]
    fn every_statement_can_be_repeated() {
        for migration in MIGRATIONS {
            let repeatable = ["CREATE TABLE IF NOT EXISTS ", VIEW, "ALTER TABLE "].iter().any(|p| migration.sql.starts_with(p));
            assert!(repeatable && !migration.sql.lines().any(|line| line.ends_with(';')), "{:04}_{}", migration.number, migration.name);
        }
    }
}

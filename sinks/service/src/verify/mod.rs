//! Proves that what is stored follows from the log: computes every result again from the log tables alone, and compares.
//!
//! * `conservation`: whether the tables hold what the log holds.
//! * `stored`: result rows, read back whole. `compare`: where two rows differ. `report`: what was found.

mod compare;
mod conservation;
mod report;
mod stored;

pub use compare::Column;
pub use conservation::{Conservation, Place, conservation};
pub use report::{Apart, ApartBecause, Difference, FINDINGS_MAX, Findings, Report, RowName};

use crate::clickhouse::{Answer, ClickHouseTarget, Database, Deadlines};
use crate::history::log_rows::{
    self, ACTIVITY_COLUMNS, ACTIVITY_TABLE, FACT_COLUMNS, FACT_KINDS, FACT_TABLE, LogRow, RowError, StreamError, technician, time,
};
use crate::history::query::technicians;
use compare::{ResultRow, differing};
use fieldline_log::partition_for_key;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold::fold;
use fieldline_processors_core::partition::WholeLog;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::results::{EpisodeResult, Identity, ShiftResult};
use fieldline_schemas::{Anomaly, Codec, Timestamp};
use fieldline_sinks_rows::rowbinary::Reader;
use std::collections::BTreeMap;
use std::convert::Infallible;
use stored::Stored;

/// Technicians whose rows are compared together.
const TECHNICIANS_MAX: usize = 1_000;
/// Result rows that are held at once, one technician's aside.
const ROWS_MAX: u64 = 20_000;

/// How the results were made.
#[derive(Clone, Copy, Debug)]
pub struct VerifyConfig {
    pub definition: Definition,
    /// Partitions of `activity`: a technician's records count in the partition of the technician.
    pub partitions: i32,
    pub deadlines: Deadlines,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    pub technicians_done: u64,
    pub technicians: u64,
}

/// Why results could not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    #[error("verifying: {0}")]
    Answer(#[from] Answer),
    #[error("verifying: {0}")]
    Row(String),
    #[error("verifying: reading {topic} partition {partition} of the log: {source}")]
    Log { topic: String, partition: i32, source: fieldline_log::Error },
}

impl From<StreamError<Infallible>> for VerifyError {
    fn from(error: StreamError<Infallible>) -> Self {
        match error {
            StreamError::Answer(answer) => Self::Answer(answer),
            StreamError::Row(what) => Self::Row(what),
            StreamError::Taker(never) => match never {},
        }
    }
}

/// Computes every result again and compares it with what is stored.
pub fn verify(
    clickhouse: &ClickHouseTarget,
    config: &VerifyConfig,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<Report, VerifyError> {
    let database = Database::open(clickhouse, config.deadlines)?;
    let everybody = everybody(&database)?;
    let clocks = clocks(&database, config, &everybody)?;
    let mut verification = Verification { database, config, codec: Codec::new(), clocks, report: Report::default() };
    let technicians = everybody.len() as u64;
    let mut rest = &everybody[..];
    while !rest.is_empty() {
        progress(VerifyProgress { technicians_done: technicians - rest.len() as u64, technicians });
        let mut rows = 0;
        let fits = |known: &&Known| {
            let is_first = rows == 0;
            rows += known.results + 1;
            is_first || rows <= ROWS_MAX
        };
        let count = rest.iter().take(TECHNICIANS_MAX).take_while(fits).count();
        let (chunk, others) = rest.split_at(count);
        verification.chunk(chunk)?;
        rest = others;
    }
    progress(VerifyProgress { technicians_done: technicians, technicians });
    Ok(verification.report)
}

/// A technician who has records or results.
struct Known {
    technician_contact_id: TechnicianId,
    results: u64,
    as_of: Timestamp,
}

fn everybody(database: &Database) -> Result<Vec<Known>, VerifyError> {
    const SQL: &str = "SELECT technician_contact_id, sum(results), max(as_of) FROM ( \
         SELECT technician_contact_id, count() AS results, max(toUnixTimestamp64Micro(as_of)) AS as_of FROM shift_results GROUP BY 1 \
         UNION ALL \
         SELECT technician_contact_id, count() AS results, max(toUnixTimestamp64Micro(as_of)) AS as_of FROM episode_results GROUP BY 1 \
         UNION ALL \
         SELECT technician_contact_id, toUInt64(0), toInt64(-9223372036854775808) FROM technician_activity_log GROUP BY 1 \
         ) GROUP BY 1 ORDER BY 1";
    let mut everybody = Vec::new();
    let parse = |row: &mut Reader<'_>| -> Result<Known, RowError> {
        Ok(Known { technician_contact_id: technician(row)?, results: row.u64()?, as_of: time(row)? })
    };
    log_rows::stream(database, SQL, parse, |known| {
        everybody.push(known);
        Ok::<(), Infallible>(())
    })?;
    Ok(everybody)
}

/// The latest time that is known of each partition: of its records, and of the results of its technicians.
fn clocks(database: &Database, config: &VerifyConfig, everybody: &[Known]) -> Result<BTreeMap<i32, Timestamp>, VerifyError> {
    const SQL: &str = "SELECT partition, max(at) FROM ( \
         SELECT partition, max(received_at) AS at FROM technician_activity_log GROUP BY 1 \
         UNION ALL \
         SELECT partition, max(received_at) AS at FROM technician_facts_log GROUP BY 1 \
         ) GROUP BY 1";
    let mut clocks: BTreeMap<i32, Timestamp> = BTreeMap::new();
    let mut advance = |partition: i32, at: Timestamp| {
        let clock = clocks.entry(partition).or_insert(at);
        *clock = (*clock).max(at);
    };
    let parse = |row: &mut Reader<'_>| -> Result<(i32, Timestamp), RowError> { Ok((row.i32()?, time(row)?)) };
    log_rows::stream(database, SQL, parse, |(partition, at)| {
        advance(partition, at);
        Ok::<(), Infallible>(())
    })?;
    for known in everybody {
        advance(home(known.technician_contact_id, config), known.as_of);
    }
    Ok(clocks)
}

/// The partition of a technician.
fn home(technician: TechnicianId, config: &VerifyConfig) -> i32 {
    partition_for_key(technician.to_string().as_bytes(), config.partitions.max(1))
}

struct Verification<'a> {
    database: Database,
    config: &'a VerifyConfig,
    codec: Codec,
    clocks: BTreeMap<i32, Timestamp>,
    report: Report,
}

/// What is known of one technician.
#[derive(Default)]
struct Pile {
    records: Vec<LogRow>,
    shifts: Vec<Stored<ShiftResult>>,
    episodes: Vec<Stored<EpisodeResult>>,
}

impl Verification<'_> {
    fn chunk(&mut self, chunk: &[Known]) -> Result<(), VerifyError> {
        let list = technicians(chunk.iter().map(|known| known.technician_contact_id));
        let mut piles: BTreeMap<TechnicianId, Pile> = chunk.iter().map(|known| (known.technician_contact_id, Pile::default())).collect();
        log_rows::stream(&self.database, &stored::shifts_sql(&list), stored::shift, |shift| {
            piles.entry(shift.row.technician_contact_id).or_default().shifts.push(shift);
            Ok::<(), Infallible>(())
        })?;
        log_rows::stream(&self.database, &stored::episodes_sql(&list), stored::episode, |episode| {
            piles.entry(episode.row.technician_contact_id).or_default().episodes.push(episode);
            Ok::<(), Infallible>(())
        })?;
        let Self { database, config, codec, .. } = &*self;
        let sql = format!("SELECT {FACT_COLUMNS} FROM {FACT_TABLE} WHERE technician_contact_id IN ({list}) AND {FACT_KINDS}");
        log_rows::stream(
            database,
            &sql,
            |row| log_rows::fact(row, codec, &config.definition),
            |row| {
                piles.entry(row.technician_contact_id).or_default().records.push(row);
                Ok::<(), Infallible>(())
            },
        )?;
        let sql = format!(
            "SELECT {ACTIVITY_COLUMNS} FROM {ACTIVITY_TABLE} WHERE technician_contact_id IN ({list}) ORDER BY technician_contact_id"
        );
        // One technician after the other: the records of the one before are done with.
        let mut current: Option<(TechnicianId, Pile)> = None;
        let mut report = std::mem::take(&mut self.report);
        let streamed = log_rows::stream(
            &self.database,
            &sql,
            |row| log_rows::activity(row, &self.config.definition),
            |row| {
                if current.as_ref().is_none_or(|(technician, _)| *technician != row.technician_contact_id) {
                    if let Some((technician, pile)) = current.take() {
                        self.compare(technician, pile, &mut report);
                    }
                    current = Some((row.technician_contact_id, piles.remove(&row.technician_contact_id).unwrap_or_default()));
                }
                if let Some((_, pile)) = &mut current {
                    pile.records.push(row);
                }
                Ok::<(), Infallible>(())
            },
        );
        if let Some((technician, pile)) = current {
            self.compare(technician, pile, &mut report);
        }
        for (technician, pile) in piles {
            self.compare(technician, pile, &mut report);
        }
        self.report = report;
        Ok(streamed?)
    }

    fn compare(&self, technician: TechnicianId, mut pile: Pile, report: &mut Report) {
        let home = home(technician, self.config);
        let clock = self.clocks.get(&home).copied().unwrap_or(Timestamp::MIN);
        report.technicians += 1;
        report.records += pile.records.len() as u64;
        pile.records.retain(|record| record.partition == home);
        pile.records.sort_unstable_by_key(|record| record.offset);
        let mut log = WholeLog::default();
        for record in &pile.records {
            log.insert(&record.input);
        }
        let units = fold(log.facts(technician), clock, &self.config.definition);
        drop(log);
        let number = self.config.definition.number;
        let leans = |codes: fieldline_schemas::Anomalies| codes.contains(Anomaly::A29);
        let saw_less = pile.shifts.iter().any(|stored| !stored.is_of_history() && leans(stored.row.anomalies))
            || pile.episodes.iter().any(|stored| !stored.is_of_history() && leans(stored.row.anomalies));
        compare_rows(pile.shifts, units.shifts, saw_less, number, report);
        compare_rows(pile.episodes, units.episodes, saw_less, number, report);
    }
}

/// `saw_less`: some rows of the technician were published by the live path and lean on context that it may not have had.
/// `number`: of the definition that was computed with.
fn compare_rows<R: ResultRow>(stored: Vec<Stored<R>>, computed: Vec<R>, saw_less: bool, number: u16, report: &mut Report) {
    let leans = |row: &R| row.anomalies().contains(Anomaly::A29);
    let mut computed: BTreeMap<Identity, R> = computed.into_iter().map(|row| (row.identity(), row)).collect();
    for stored in stored {
        let identity = stored.row.identity();
        let row = RowName(identity);
        let may_lack_context = |other: Option<&R>| !stored.is_of_history() && (leans(&stored.row) || other.is_some_and(leans));
        match computed.remove(&identity) {
            None if may_lack_context(None) => report.apart.add(|| Apart { row, because: ApartBecause::Context, columns: Vec::new() }),
            None => report.extra.add(|| row),
            Some(computed) => {
                report.compared += 1;
                if stored.row == computed {
                    continue;
                }
                let columns = || differing(&stored.row, &computed);
                if may_lack_context(Some(&computed)) {
                    report.apart.add(|| Apart { row, because: ApartBecause::Context, columns: columns() });
                } else if stored.row.without_positions() == computed.without_positions() {
                    report.apart.add(|| Apart { row, because: ApartBecause::Positions, columns: columns() });
                } else if stored.version.definition() != number && columns().iter().all(|column| column.name == "finality") {
                    report.apart.add(|| Apart { row, because: ApartBecause::Definition, columns: columns() });
                } else {
                    report.changed.add(|| Difference { row, columns: columns() });
                }
            }
        }
    }
    for (identity, row) in computed {
        let name = RowName(identity);
        if saw_less && leans(&row) {
            report.apart.add(|| Apart { row: name, because: ApartBecause::Context, columns: Vec::new() });
        } else {
            report.missing.add(|| name);
        }
    }
}

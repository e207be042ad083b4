//! Reads what the jobs need, many technicians per query, and hands over what follows.

use super::HistoryError;
use super::job::{Conclusion, Job, Published, Reach};
use super::log_rows::{self, LogRow, StreamError};
use super::query::{self, Selection};
use crate::clickhouse::Database;
use crate::sink::SinkControl;
use crate::writer::{Action, GivenUp, WriterConfig, decide};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::Codec;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::results::{Identity, KpiRecord};
use fieldline_schemas::time::DAY_US;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Technicians in one query, where only some days are read.
const NEAR_TECHNICIANS_MAX: usize = 1_000;
/// Technicians in one query, where years may be read: their published rows are held together.
const FAR_TECHNICIANS_MAX: usize = 64;

/// Computes jobs until all are concluded.
pub struct Computer<'a> {
    pub database: &'a Database,
    pub patience: WriterConfig,
    pub definition: Definition,
    pub codec: &'a Codec,
    pub control: &'a SinkControl,
}

/// Spans that begin within the same so long are near in time.
const NEAR_US: i64 = 30 * DAY_US;

/// Jobs of one query, and what was read for them.
struct Chunk<'a> {
    computer: &'a Computer<'a>,
    jobs: BTreeMap<TechnicianId, Job>,
    facts: BTreeMap<TechnicianId, Vec<LogRow>>,
    published: BTreeMap<TechnicianId, Vec<Published>>,
    unfinished: Vec<Job>,
}

type Publish<'p> = dyn FnMut(Vec<KpiRecord>) -> Result<(), HistoryError> + 'p;

impl Computer<'_> {
    /// Hands the rows of every job to `publish`. An attempt that fails is made again as a whole: what it had handed over
    /// is handed over again, with the same versions.
    pub fn run(&self, mut jobs: Vec<Job>, publish: &mut Publish<'_>) -> Result<(), HistoryError> {
        while !jobs.is_empty() {
            let mut unfinished = Vec::new();
            for chunk in chunks(std::mem::take(&mut jobs)) {
                let mut remaining = self.patiently(|| self.chunk(&chunk, publish))?;
                unfinished.append(&mut remaining);
            }
            jobs = unfinished;
        }
        Ok(())
    }

    fn chunk(&self, jobs: &[Job], publish: &mut Publish<'_>) -> Result<Vec<Job>, StreamError<HistoryError>> {
        let selection = Selection::of(jobs);
        let mut chunk = Chunk {
            computer: self,
            jobs: jobs.iter().map(|job| (job.technician_contact_id, job.clone())).collect(),
            facts: BTreeMap::new(),
            published: BTreeMap::new(),
            unfinished: Vec::new(),
        };
        let definition = &self.definition;
        log_rows::stream(
            self.database,
            &selection.facts(),
            |row| log_rows::fact(row, self.codec, definition),
            |row| {
                chunk.facts.entry(row.technician_contact_id).or_default().push(row);
                Ok(())
            },
        )?;
        let mut note = |row: Published| {
            chunk.published.entry(technician(&row.identity)).or_default().push(row);
            Ok(())
        };
        log_rows::stream(self.database, &selection.shifts(), query::shift, &mut note)?;
        log_rows::stream(self.database, &selection.episodes(), query::episode, &mut note)?;

        let mut rows: Vec<LogRow> = Vec::new();
        log_rows::stream(
            self.database,
            &selection.activities(),
            |row| log_rows::activity(row, definition),
            |row| {
                if rows.first().is_some_and(|first| first.technician_contact_id != row.technician_contact_id) {
                    chunk.finish(&mut rows, publish)?;
                }
                rows.push(row);
                Ok(())
            },
        )?;
        if !rows.is_empty() {
            chunk.finish(&mut rows, publish).map_err(StreamError::Taker)?;
        }
        // Who has no activity left may still have published rows.
        for technician in chunk.jobs.keys().copied().collect::<Vec<_>>() {
            chunk.conclude(technician, Vec::new(), publish).map_err(StreamError::Taker)?;
        }
        Ok(chunk.unfinished)
    }

    /// As patient as the writer: what may pass is tried again, what a person must mend stops.
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, StreamError<HistoryError>>) -> Result<T, HistoryError> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let answer = match attempt() {
                Ok(done) => return Ok(done),
                Err(StreamError::Taker(error)) => return Err(error),
                Err(StreamError::Row(what)) => return Err(HistoryError::Row(what)),
                Err(StreamError::Answer(answer)) => answer,
            };
            let stopped = Action::Stop(GivenUp::Stopped);
            match if self.control.is_stopping() { stopped } else { decide(&answer, attempts, began.elapsed(), &self.patience) } {
                Action::Stop(reason) => return Err(HistoryError::Read { attempts, reason, answer }),
                Action::Retry { after } => {
                    tracing::warn!(attempts, error = %answer, "reading the past failed, trying again in {after:?}");
                    std::thread::sleep(after);
                }
            }
        }
    }
}

impl Chunk<'_> {
    /// Every activity of a technician is there.
    fn finish(&mut self, rows: &mut Vec<LogRow>, publish: &mut Publish<'_>) -> Result<(), HistoryError> {
        let rows = std::mem::take(rows);
        match rows.first() {
            Some(first) => self.conclude(first.technician_contact_id, rows, publish),
            None => Ok(()),
        }
    }

    fn conclude(&mut self, technician: TechnicianId, mut rows: Vec<LogRow>, publish: &mut Publish<'_>) -> Result<(), HistoryError> {
        let Some(mut job) = self.jobs.remove(&technician) else { return Ok(()) };
        rows.append(&mut self.facts.remove(&technician).unwrap_or_default());
        let published = self.published.remove(&technician).unwrap_or_default();
        match job.conclude(&mut rows, &published, &self.computer.definition) {
            Conclusion::Publish(kpis) => publish(kpis)?,
            Conclusion::ReadMore => self.unfinished.push(job),
        }
        Ok(())
    }
}

/// Jobs that are read together: with the same reach, near in time, neighbours in the tables, each technician once.
fn chunks(mut jobs: Vec<Job>) -> Vec<Vec<Job>> {
    jobs.sort_by_cached_key(|job| (job.reach(), job.window().from.0.div_euclid(NEAR_US), table_order(job.technician_contact_id)));
    let mut chunks: Vec<Vec<Job>> = Vec::new();
    let mut technicians = BTreeSet::new();
    for job in jobs {
        let size_max = if job.reach() == Reach::Near { NEAR_TECHNICIANS_MAX } else { FAR_TECHNICIANS_MAX };
        let fits = |chunk: &Vec<Job>| chunk.len() < size_max && chunk[0].reach() == job.reach();
        match chunks.last_mut().filter(|chunk| fits(chunk)) {
            Some(chunk) if technicians.insert(job.technician_contact_id) => chunk.push(job),
            _ => {
                technicians = BTreeSet::from([job.technician_contact_id]);
                chunks.push(vec![job]);
            }
        }
    }
    chunks
}

/// ClickHouse sorts a UUID by its second half first. Neighbours lie in the same granules, which are then read once.
fn table_order(technician: TechnicianId) -> (u64, u64) {
    let (first, second) = technician.0.as_u64_pair();
    (second, first)
}

fn technician(identity: &Identity) -> TechnicianId {
    match identity {
        Identity::Shift { technician_contact_id, .. } | Identity::Episode { technician_contact_id, .. } => *technician_contact_id,
    }
}

//! The questions that history and `verify` ask the database.

use super::job::{Job, Published, Reach, Span};
use super::log_rows::{ACTIVITY_COLUMNS, ACTIVITY_TABLE, FACT_COLUMNS, FACT_KINDS, FACT_TABLE, RowError, technician, time};
use fieldline_schemas::Version;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::results::Identity;
use fieldline_sinks_rows::rowbinary::Reader;
use std::fmt::Write;

/// Which records of the log tables.
pub struct Selection {
    technicians: String,
    partitions: String,
    offset_max: i64,
    /// `None`: all.
    span: Option<Span>,
}

impl Selection {
    /// What any of the jobs needs; they have the same reach.
    pub fn of(jobs: &[Job]) -> Self {
        let mut partitions: Vec<i32> = jobs.iter().map(|job| job.truth.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let hull = jobs.iter().map(Job::window).reduce(|a, b| Span { from: a.from.min(b.from), to: a.to.max(b.to) });
        Self {
            technicians: technicians(jobs.iter().map(|job| job.technician_contact_id)),
            partitions: partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(","),
            offset_max: jobs.iter().map(|job| job.truth.offset).max().unwrap_or(-1),
            span: hull.filter(|_| jobs.iter().any(|job| job.reach() != Reach::Everything)),
        }
    }

    fn records(&self) -> String {
        let Self { technicians, partitions, offset_max, .. } = self;
        format!("technician_contact_id IN ({technicians}) AND partition IN ({partitions}) AND offset <= {offset_max}")
    }

    /// Of a log table: the records within the span, and every other revision of their ids.
    fn from(&self, table: &str, time_column: &str) -> String {
        let records = self.records();
        match self.span {
            None => format!("{table} WHERE {records}"),
            Some(span) => {
                let within = within(time_column, span);
                format!("{table} WHERE {records} AND id IN (SELECT id FROM {table} WHERE {records} AND {within})")
            }
        }
    }

    /// Activities, technician by technician.
    pub fn activities(&self) -> String {
        let from = self.from(ACTIVITY_TABLE, "created_at");
        format!("SELECT {ACTIVITY_COLUMNS} FROM {from} ORDER BY technician_contact_id")
    }

    /// Plans, signals and clearances.
    pub fn facts(&self) -> String {
        format!("SELECT {FACT_COLUMNS} FROM {} AND {FACT_KINDS}", self.from(FACT_TABLE, "fact_at"))
    }

    /// The shifts that are published there.
    pub fn shifts(&self) -> String {
        self.published("shift_results", "shift_id", "started_at", "closed_at")
    }

    /// The episodes that are published there.
    pub fn episodes(&self) -> String {
        self.published("episode_results", "visit_id, first_event_id", "first_event_at", "greatest(last_event_at, settles_at)")
    }

    fn published(&self, table: &str, identity: &str, begins_at: &str, ends_at: &str) -> String {
        // Which row of an identity stands is decided before any of these conditions is looked at: a skip index could
        // leave out the newest one and let an older one stand.
        let mut sql = format!(
            "SELECT technician_contact_id, {identity}, version, {begins_at}, {ends_at}, has(anomalies, 'A29') FROM {table} FINAL \
             WHERE technician_contact_id IN ({}) AND NOT is_deleted",
            self.technicians
        );
        if let Some(span) = self.span {
            let _ = write!(sql, " AND {begins_at} <= {} AND {ends_at} >= {}", instant(span.to.0), instant(span.from.0));
        }
        sql + " SETTINGS use_skip_indexes_if_final = 0"
    }
}

/// A list of technicians for `IN (…)`.
pub fn technicians(ids: impl Iterator<Item = TechnicianId>) -> String {
    let mut list = String::new();
    for id in ids {
        // Writing to a string does not fail.
        let _ = write!(list, "{}'{id}'", if list.is_empty() { "" } else { "," });
    }
    list
}

fn within(column: &str, span: Span) -> String {
    format!("{column} BETWEEN {} AND {}", instant(span.from.0), instant(span.to.0))
}

pub fn instant(us: i64) -> String {
    format!("fromUnixTimestamp64Micro({us}, 'UTC')")
}

/// A row of `Selection::shifts`.
pub fn shift(row: &mut Reader<'_>) -> Result<Published, RowError> {
    let (technician_contact_id, shift_id) = (technician(row)?, EventId::from_bytes(row.uuid()?));
    published(row, Identity::Shift { technician_contact_id, shift_id })
}

/// A row of `Selection::episodes`.
pub fn episode(row: &mut Reader<'_>) -> Result<Published, RowError> {
    let (technician_contact_id, visit_id) = (technician(row)?, VisitId::from_bytes(row.uuid()?));
    let first_event_id = EventId::from_bytes(row.uuid()?);
    published(row, Identity::Episode { technician_contact_id, visit_id, first_event_id })
}

fn published(row: &mut Reader<'_>, identity: Identity) -> Result<Published, RowError> {
    let version = Version(row.u64()?);
    Ok(Published { identity, version, begins_at: time(row)?, ends_at: time(row)?, leans_on_context: row.bool()? })
}

//! What `fieldline recompute` asks for: which pasts there are in the tables, cut into requests of a limited size.
//!
//! ```text
//! log tables ─► technicians, times ─► pieces ─► rounds of requests ─► topic recompute ─► history worker
//! ```
//! * `pieces`: how a past is cut, and which pieces are asked for together (pure).
//! * here: the questions to the database; nothing is changed there.

mod pieces;

pub use pieces::{PIECE_RECORDS_MAX, Piece, ROUND_RECORDS_MAX, ROUND_REQUESTS_MAX, rounds};

use crate::clickhouse::{Answer, Database};
use crate::history::log_rows::{self, ACTIVITY_TABLE, FACT_KINDS, FACT_TABLE, RowError, StreamError, technician, time};
use crate::history::query::{instant, technicians};
pub use crate::history::{READ_AFTER_US, READ_BEFORE_US, Span};
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::limits::{TIMESTAMP_MAX, TIMESTAMP_MIN};
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{Timestamp, Version};
use fieldline_sinks_rows::rowbinary::Reader;
use pieces::{Day, cut};
use std::convert::Infallible;

/// Technicians in one question: a list of their ids must fit in a statement of ClickHouse (256 KiB).
const TECHNICIANS_MAX: usize = 2_000;

/// A unit that overlaps a span has facts within it, or this long before it: a shift of 24 h whose bounds end 24 h later.
const UNIT_US: i64 = 2 * DAY_US;

/// Whose past, and when: of event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Empty: everybody.
    pub technicians: Vec<TechnicianId>,
    pub span: Span,
}

/// Why the past can not be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecomputeError {
    #[error("looking for what is to be recomputed: {0}")]
    Answer(#[from] Answer),
    #[error("looking for what is to be recomputed: {0}")]
    Row(String),
}

impl From<StreamError<Infallible>> for RecomputeError {
    fn from(error: StreamError<Infallible>) -> Self {
        match error {
            StreamError::Answer(answer) => Self::Answer(answer),
            StreamError::Row(what) => Self::Row(what),
            StreamError::Taker(never) => match never {},
        }
    }
}

/// Results that nothing in the log tables gives any more: their records have expired, or were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    pub results: u64,
    /// The last of them begins here.
    pub last: Option<Timestamp>,
}

/// A request for a piece that is true through `offset` of a partition of `activity`, whose clock was `clock` there.
pub fn request(piece: &Piece, partition: i32, offset: i64, clock: Timestamp) -> RecomputeRequest {
    let Piece { technician_contact_id, span, .. } = *piece;
    RecomputeRequest {
        technician_contact_id,
        event_ids: Vec::new(),
        from: span.from,
        to: span.to,
        partition,
        offset,
        clock,
        caused_by: None,
    }
}

/// Every past within the scope, in pieces, technician by technician. Reads the times of all records of the scope.
///
/// # Errors
/// What the database answered.
pub fn pieces(database: &Database, scope: &Scope) -> Result<Vec<Piece>, RecomputeError> {
    let mut pieces = Vec::new();
    let around = Span { from: (scope.span.from - UNIT_US).max(TIMESTAMP_MIN), ..scope.span };
    for condition in conditions(&scope.technicians) {
        let sql =
            format!("SELECT technician_contact_id, min(at), max(at), count() FROM ({}) GROUP BY 1 ORDER BY 1", times(&condition, around));
        let parse = |row: &mut Reader<'_>| -> Result<Piece, RowError> {
            let technician_contact_id = technician(row)?;
            let from = time(row)?.max(scope.span.from);
            Ok(Piece { technician_contact_id, span: Span { from, to: time(row)?.max(from) }, records: row.u64()? })
        };
        log_rows::stream(database, &sql, parse, |piece| {
            pieces.push(piece);
            Ok::<(), Infallible>(())
        })?;
    }
    let (large, mut whole): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| piece.records > PIECE_RECORDS_MAX);
    for piece in large {
        let one = format!("technician_contact_id = '{}'", piece.technician_contact_id);
        let sql =
            format!("SELECT toInt64(floor(at / {DAY_US})) AS day, count() FROM ({}) GROUP BY day ORDER BY day", times(&one, scope.span));
        let parse = |row: &mut Reader<'_>| -> Result<Day, RowError> { Ok(Day { number: row.i64()?, records: row.u64()? }) };
        let mut days = Vec::new();
        log_rows::stream(database, &sql, parse, |day| {
            days.push(day);
            Ok::<(), Infallible>(())
        })?;
        whole.extend(cut(&piece, &days));
    }
    Ok(whole)
}

/// Published results that a computation of the pieces would withdraw only because their records are not there any more.
///
/// # Errors
/// What the database answered.
pub fn orphans(database: &Database, pieces: &[Piece]) -> Result<Orphans, RecomputeError> {
    let mut orphans = Orphans::default();
    for some in pieces.chunks(TECHNICIANS_MAX) {
        let list = technicians(some.iter().map(|piece| piece.technician_contact_id));
        let hull = some.iter().map(|piece| piece.span).reduce(|a, b| Span { from: a.from.min(b.from), to: a.to.max(b.to) });
        let Some(Span { from, to }) = hull else { continue };
        let within = |begins_at: &str| {
            let (from, to) = ((from - READ_BEFORE_US).max(TIMESTAMP_MIN), (to + READ_AFTER_US).min(TIMESTAMP_MAX));
            format!("{begins_at} BETWEEN {} AND {}", instant(from.0), instant(to.0))
        };
        let there = format!("(SELECT id FROM {ACTIVITY_TABLE} WHERE technician_contact_id IN ({list}))");
        let of = |table: &str, id: &str, begins_at: &str| {
            format!(
                "SELECT toUnixTimestamp64Micro({begins_at}) AS at FROM {table} FINAL WHERE technician_contact_id IN ({list}) \
                 AND NOT is_deleted AND {} AND {id} NOT IN {there}",
                within(begins_at)
            )
        };
        let sql = format!(
            "SELECT count(), max(at) FROM ({} UNION ALL {}) SETTINGS use_skip_indexes_if_final = 0",
            of("shift_results", "shift_id", "started_at"),
            of("episode_results", "first_event_id", "first_event_at")
        );
        let parse = |row: &mut Reader<'_>| -> Result<(u64, Timestamp), RowError> { Ok((row.u64()?, time(row)?)) };
        log_rows::stream(database, &sql, parse, |(results, last)| {
            if results > 0 {
                orphans.results += results;
                orphans.last = orphans.last.max(Some(last));
            }
            Ok::<(), Infallible>(())
        })?;
    }
    Ok(orphans)
}

/// How many results of the scope stand, and how many of these are of a definition before `number`.
///
/// # Errors
/// What the database answered.
pub fn standing(database: &Database, scope: &Scope, number: u16) -> Result<(u64, u64), RecomputeError> {
    let Span { from, to } = scope.span;
    let mut counts = (0, 0);
    for condition in conditions(&scope.technicians) {
        let of = |table: &str, begins_at: &str, ends_at: &str| {
            format!(
                "SELECT version FROM {table} FINAL WHERE {condition} AND NOT is_deleted AND {begins_at} <= {} AND {ends_at} >= {}",
                instant(to.0),
                instant(from.0)
            )
        };
        let sql = format!(
            "SELECT count(), countIf(bitAnd(bitShiftRight(version, 48), {}) < {number}) FROM ({} UNION ALL {}) \
             SETTINGS use_skip_indexes_if_final = 0",
            Version::DEFINITION_MAX,
            of("shift_results", "started_at", "closed_at"),
            of("episode_results", "first_event_at", "greatest(last_event_at, settles_at)")
        );
        let parse = |row: &mut Reader<'_>| -> Result<(u64, u64), RowError> { Ok((row.u64()?, row.u64()?)) };
        log_rows::stream(database, &sql, parse, |(all, older)| {
            counts = (counts.0 + all, counts.1 + older);
            Ok::<(), Infallible>(())
        })?;
    }
    Ok(counts)
}

/// The times of all records that are facts, or may have been.
fn times(condition: &str, span: Span) -> String {
    let within = |column: &str| format!("{column} BETWEEN {} AND {}", instant(span.from.0), instant(span.to.0));
    format!(
        "SELECT technician_contact_id, toUnixTimestamp64Micro(created_at) AS at FROM {ACTIVITY_TABLE} WHERE {condition} AND {} \
         UNION ALL SELECT technician_contact_id, toUnixTimestamp64Micro(fact_at) AS at FROM {FACT_TABLE} WHERE {condition} AND {} \
         AND {FACT_KINDS}",
        within("created_at"),
        within("fact_at")
    )
}

/// One condition for everybody, or one for each list of technicians.
fn conditions(named: &[TechnicianId]) -> Vec<String> {
    if named.is_empty() {
        return vec!["1".to_owned()];
    }
    named.chunks(TECHNICIANS_MAX).map(|some| format!("technician_contact_id IN ({})", technicians(some.iter().copied()))).collect()
}

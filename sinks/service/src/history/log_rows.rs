//! Rows of the log tables, read back as what the fold takes: for history and `verify`.

use crate::clickhouse::{Answer, Database};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::partition::Input;
use fieldline_schemas::events::{ActivityType, Common, Location, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::wire::Codec;
use fieldline_schemas::{AnyRecord, Timestamp};
use fieldline_sinks_rows::rowbinary::{Malformed, Reader};
use std::io::{self, Write};

/// What a fact needs of an activity, in the order in which `activity` reads it. The text of other activities stays there.
pub const ACTIVITY_COLUMNS: &str = "technician_contact_id, partition, offset, received_at, id, revision, voided, created_at, \
     utc_offset_minutes, device_sequence, imported, CAST(activity_type AS String), visit_id, has_location, latitude, longitude, \
     accuracy_meters, if(activity_type IN ('fuel_stop', 'vehicle_inspection'), metadata, NULL), content_hash";
pub const ACTIVITY_TABLE: &str = "technician_activity_log";

/// The record's own bytes say everything.
pub const FACT_COLUMNS: &str = "technician_contact_id, partition, offset, received_at, fact_at, payload";
pub const FACT_TABLE: &str = "technician_facts_log";
/// The kinds that can change a result.
pub const FACT_KINDS: &str = "kind IN ('shift_plan', 'visit_plan', 'signal', 'clearance')";

/// A record of a technician's log.
#[derive(Clone, Copy, Debug)]
pub struct LogRow {
    pub technician_contact_id: TechnicianId,
    pub partition: i32,
    pub offset: i64,
    /// The fact's own time.
    pub own: Timestamp,
    pub id: EventId,
    pub input: Input,
}

/// A row that is not what the table's columns say.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Content(String),
}

/// Why a query's rows could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E> {
    #[error(transparent)]
    Answer(#[from] Answer),
    #[error("reading a row: {0}")]
    Row(String),
    /// What the taker said.
    #[error("{0}")]
    Taker(E),
}

/// Runs a query and hands its rows over one by one, as they come in.
pub fn stream<T, E>(
    database: &Database,
    sql: &str,
    parse: impl FnMut(&mut Reader<'_>) -> Result<T, RowError>,
    take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), StreamError<E>> {
    let mut splitter = Splitter { tail: Vec::new(), parse, take, failed: None };
    let answer = database.query_to(sql, "RowBinary", &mut splitter);
    if let Some(failed) = splitter.failed {
        return Err(failed);
    }
    answer?;
    if splitter.tail.is_empty() { Ok(()) } else { Err(StreamError::Row(format!("{} bytes are left over", splitter.tail.len()))) }
}

/// Cuts pieces of an answer into rows; the start of a row that has not arrived whole is kept.
struct Splitter<P, F, E> {
    tail: Vec<u8>,
    parse: P,
    take: F,
    failed: Option<StreamError<E>>,
}

impl<T, E, P, F> Splitter<P, F, E>
where
    P: FnMut(&mut Reader<'_>) -> Result<T, RowError>,
    F: FnMut(T) -> Result<(), E>,
{
    /// The number of bytes that were whole rows.
    fn rows(&mut self, bytes: &[u8]) -> Result<usize, StreamError<E>> {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let before = reader;
            match (self.parse)(&mut reader) {
                Ok(row) => (self.take)(row).map_err(StreamError::Taker)?,
                Err(RowError::Malformed(Malformed::Short | Malformed::Length(_))) => return Ok(bytes.len() - before.rest().len()),
                Err(error) => return Err(StreamError::Row(error.to_string())),
            }
        }
        Ok(bytes.len())
    }
}

impl<T, E, P, F> Write for Splitter<P, F, E>
where
    P: FnMut(&mut Reader<'_>) -> Result<T, RowError>,
    F: FnMut(T) -> Result<(), E>,
{
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut tail = std::mem::take(&mut self.tail);
        let outcome = if tail.is_empty() {
            self.rows(piece).map(|used| tail.extend_from_slice(&piece[used..]))
        } else {
            tail.extend_from_slice(piece);
            self.rows(&tail).map(|used| drop(tail.drain(..used)))
        };
        self.tail = tail;
        outcome.map_err(|failed| {
            self.failed = Some(failed);
            io::Error::other("the rows are not taken")
        })?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn technician(row: &mut Reader<'_>) -> Result<TechnicianId, Malformed> {
    Ok(TechnicianId::from_bytes(row.uuid()?))
}

pub fn time(row: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    Ok(Timestamp(row.i64()?))
}

/// A row of `ACTIVITY_COLUMNS`.
pub fn activity(row: &mut Reader<'_>, definition: &Definition) -> Result<LogRow, RowError> {
    let technician_contact_id = technician(row)?;
    let (partition, offset, received_at) = (row.i32()?, row.i64()?, time(row)?);
    let id = EventId::from_bytes(row.uuid()?);
    let (revision, voided, created_at) = (row.u32()?, row.bool()?, time(row)?);
    let utc_offset_minutes = row.nullable(Reader::i16)?;
    let device_sequence = row.nullable(Reader::i64)?;
    let imported = row.bool()?;
    let activity_type = row.text()?;
    let visit_id = row.nullable(Reader::uuid)?.map(VisitId::from_bytes);
    let has_location = row.bool()?;
    let (latitude, longitude) = (row.nullable(Reader::f64)?, row.nullable(Reader::f64)?);
    let accuracy_meters = row.nullable(Reader::i32)?;
    let metadata = row.nullable(Reader::text)?;
    let content = row.u128()?;
    let activity_type = ActivityType::from_symbol(activity_type).ok_or_else(|| {
        RowError::Content(format!("partition {partition} offset {offset} of {ACTIVITY_TABLE} has an unknown activity_type"))
    })?;
    let record = TechnicianActivity {
        common: Common {
            id,
            revision,
            voided,
            created_at,
            utc_offset_minutes,
            recorded_at: None,
            device_id: None,
            device_sequence,
            source: None,
            imported,
            assigned: Vec::new(),
            metadata: metadata.map(Into::into),
        },
        technician_contact_id,
        activity_type,
        visit_id,
        vehicle_id: None,
        location: has_location.then_some(Location { latitude, longitude, accuracy_meters, address: None }),
        notes: None,
    };
    let input = Input::of_activity(&record, content, received_at, definition);
    Ok(LogRow { technician_contact_id, partition, offset, own: created_at, id, input })
}

/// A row of `FACT_COLUMNS`.
pub fn fact(row: &mut Reader<'_>, codec: &Codec, definition: &Definition) -> Result<LogRow, RowError> {
    let technician_contact_id = technician(row)?;
    let (partition, offset, received_at) = (row.i32()?, row.i64()?, time(row)?);
    let own = time(row)?;
    let payload = row.bytes()?;
    let at = || format!("partition {partition} offset {offset} of {FACT_TABLE}");
    let record = codec.decode(payload).map_err(|rejection| RowError::Content(format!("{}: {rejection}", at())))?;
    let id = match &record {
        AnyRecord::ShiftPlan(plan) => plan.id,
        AnyRecord::VisitPlan(plan) => plan.id,
        AnyRecord::Signal(signal) => signal.event.common.id,
        AnyRecord::Clearance(clearance) => clearance.id,
        other => return Err(RowError::Content(format!("{} holds a {}", at(), other.kind().name()))),
    };
    let input = Input::read(&record, received_at, definition);
    Ok(LogRow { technician_contact_id, partition, offset, own, id, input })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_however_the_answer_is_cut() {
        let rows: Vec<Vec<u8>> = (0..50u8).map(|n| [vec![n % 7], vec![n; usize::from(n % 7)], vec![n, 0]].concat()).collect();
        let bytes = rows.concat();
        for size in 1..bytes.len() {
            let mut found = Vec::new();
            let parse = |row: &mut Reader<'_>| Ok((row.bytes()?.to_vec(), row.u16()?));
            let take = |row| -> Result<(), ()> {
                found.push(row);
                Ok(())
            };
            let mut splitter = Splitter { tail: Vec::new(), parse, take, failed: None };
            bytes.chunks(size).for_each(|piece| splitter.write_all(piece).unwrap());
            assert!(splitter.tail.is_empty());
            let expected: Vec<_> = (0..50u8).map(|n| (vec![n; usize::from(n % 7)], u16::from(n))).collect();
            assert_eq!(found, expected, "pieces of {size}");
        }
    }
}

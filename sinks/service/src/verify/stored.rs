//! Result rows as they stand in the tables, read back whole.

use crate::history::log_rows::{RowError, technician, time};
use fieldline_schemas::ids::{EventId, VisitId};
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Quality, ShiftDay, ShiftDurations, ShiftResult};
use fieldline_schemas::{Anomalies, Anomaly, Version};
use fieldline_sinks_rows::rowbinary::{Malformed, Reader};

const SHIFT_MEASURES: &str = "shift, travel, travel_net, work, pause, break, site_wait, site_wrap, on_site, emergency, stop, idle";
const EPISODE_MEASURES: &str = "travel, on_site, site_wait, work, pause, wrap";

/// A row and the version under which it was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<R> {
    pub version: Version,
    pub row: R,
}

impl<R> Stored<R> {
    /// It was computed from the log tables, with all the context there was.
    pub fn is_of_history(&self) -> bool {
        self.version.step() == Version::STEP_RECOMPUTE
    }
}

/// The current shifts of some technicians.
pub fn shifts_sql(technicians: &str) -> String {
    let measures = measure_columns(SHIFT_MEASURES);
    format!(
        "SELECT technician_contact_id, shift_id, version, shift_date, utc_offset_minutes, started_at, ended_at, closed_at, {measures}, \
         visits, jobs, distance_meters_lower_bound, anomalies, finality, days FROM shift_results FINAL \
         WHERE technician_contact_id IN ({technicians}) AND NOT is_deleted"
    )
}

/// The current episodes of some technicians.
pub fn episodes_sql(technicians: &str) -> String {
    let measures = measure_columns(EPISODE_MEASURES);
    format!(
        "SELECT technician_contact_id, visit_id, first_event_id, version, first_event_at, last_event_at, settles_at, is_loose, \
         has_visit_event, has_travel, has_attendance, first_in_shift_at, shift_id, travel_started_at, arrived_at, left_at, completed_at, \
         {measures}, anomalies, finality FROM episode_results FINAL \
         WHERE technician_contact_id IN ({technicians}) AND NOT is_deleted"
    )
}

fn measure_columns(names: &str) -> String {
    let columns = |name: &str| format!("{name}_seconds, {name}_seconds_lo, {name}_seconds_hi, {name}_seconds_quality");
    names.split(", ").map(columns).collect::<Vec<_>>().join(", ")
}

/// A row of `shifts_sql`.
pub fn shift(row: &mut Reader<'_>) -> Result<Stored<ShiftResult>, RowError> {
    let (technician_contact_id, shift_id) = (technician(row)?, EventId::from_bytes(row.uuid()?));
    let version = Version(row.u64()?);
    let result = ShiftResult {
        technician_contact_id,
        shift_id,
        shift_date: row.i32()?,
        utc_offset_minutes: row.i16()?,
        started_at: time(row)?,
        ended_at: row.nullable(time)?,
        closed_at: time(row)?,
        durations: durations(row)?,
        visits: row.u32()?,
        jobs: row.u32()?,
        distance_meters_lower_bound: row.f64()?,
        anomalies: codes(row)?,
        finality: finality(row)?,
        days: days(row)?,
    };
    Ok(Stored { version, row: result })
}

/// A row of `episodes_sql`.
pub fn episode(row: &mut Reader<'_>) -> Result<Stored<EpisodeResult>, RowError> {
    let (technician_contact_id, visit_id) = (technician(row)?, VisitId::from_bytes(row.uuid()?));
    let first_event_id = EventId::from_bytes(row.uuid()?);
    let version = Version(row.u64()?);
    let result = EpisodeResult {
        technician_contact_id,
        visit_id,
        first_event_id,
        first_event_at: time(row)?,
        last_event_at: time(row)?,
        settles_at: time(row)?,
        is_loose: row.bool()?,
        has_visit_event: row.bool()?,
        has_travel: row.bool()?,
        has_attendance: row.bool()?,
        first_in_shift_at: row.nullable(time)?,
        shift_id: row.nullable(Reader::uuid)?.map(EventId::from_bytes),
        travel_started_at: row.nullable(time)?,
        arrived_at: row.nullable(time)?,
        left_at: row.nullable(time)?,
        completed_at: row.nullable(time)?,
        travel: measure(row)?,
        on_site: measure(row)?,
        site_wait: measure(row)?,
        work: measure(row)?,
        pause: measure(row)?,
        wrap: measure(row)?,
        anomalies: codes(row)?,
        finality: finality(row)?,
    };
    Ok(Stored { version, row: result })
}

fn days(row: &mut Reader<'_>) -> Result<Vec<ShiftDay>, RowError> {
    // `list` reads what can only be malformed; a symbol that we do not know is another matter, and told below.
    let mut failed = None;
    let days = row.list(|row| {
        let day = |row: &mut Reader<'_>| -> Result<ShiftDay, RowError> {
            Ok(ShiftDay {
                local_date: row.i32()?,
                durations: durations(row)?,
                completed_visits: row.list(|row| row.uuid().map(VisitId::from_bytes))?,
                anomalies: codes(row)?,
            })
        };
        day(row).map_err(|error| match error {
            RowError::Malformed(malformed) => malformed,
            content => {
                failed = Some(content);
                Malformed::Text
            }
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(days?),
    }
}

fn durations(row: &mut Reader<'_>) -> Result<ShiftDurations, RowError> {
    Ok(ShiftDurations {
        shift: measure(row)?,
        travel: measure(row)?,
        travel_net: measure(row)?,
        work: measure(row)?,
        pause: measure(row)?,
        r#break: measure(row)?,
        site_wait: measure(row)?,
        site_wrap: measure(row)?,
        on_site: measure(row)?,
        emergency: measure(row)?,
        stop: measure(row)?,
        idle: measure(row)?,
    })
}

/// Decimal seconds of six digits are whole microseconds.
fn measure(row: &mut Reader<'_>) -> Result<Measure, RowError> {
    let (value_us, lo_us, hi_us) = (row.nullable(Reader::i64)?, row.i64()?, row.nullable(Reader::i64)?);
    let quality = row.u8()?;
    let quality = *Quality::ALL.get(usize::from(quality)).ok_or_else(|| unknown("quality"))?;
    Ok(Measure { value_us, lo_us, hi_us, quality })
}

fn finality(row: &mut Reader<'_>) -> Result<Finality, RowError> {
    let finality = row.u8()?;
    Finality::ALL.get(usize::from(finality)).copied().ok_or_else(|| unknown("finality"))
}

fn codes(row: &mut Reader<'_>) -> Result<Anomalies, RowError> {
    let codes = row.list(Reader::text)?;
    codes.into_iter().map(|code| Anomaly::from_code(code).ok_or_else(|| unknown("anomaly code"))).collect()
}

fn unknown(what: &str) -> RowError {
    RowError::Content(format!("a result row has an unknown {what}: it was written by another release"))
}

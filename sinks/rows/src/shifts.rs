//! `shift_results` and `shift_results_history`: one row per published revision of a shift, tombstones included.

use crate::common::{Codes, MeasureColumns, push_codes};
use crate::native::{Bool, Date, FinalityCode, Float64, Instant, Int16, List, Nullable, Plain, Rows, Tuple, UInt32, UInt64, Uuid, columns};
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::results::{Finality, Measure, ShiftDurations, ShiftResult, Stamp};

columns! {
    /// What every result row carries beside its content.
    pub struct StampColumns {
        version: Plain<UInt64>,
        is_deleted: Plain<Bool>,
        as_of: Plain<Instant>,
        caused_by: Nullable<Uuid>,
        published_at: Plain<Instant>,
    }
}

impl StampColumns {
    pub fn push(&mut self, stamp: &Stamp, is_deleted: bool, published_at: Timestamp) {
        self.version.push(stamp.version.0);
        self.is_deleted.push(is_deleted);
        self.as_of.push(stamp.as_of.0);
        self.caused_by.push(stamp.caused_by.map(|id| *id.as_bytes()));
        self.published_at.push(published_at.0);
    }
}

columns! {
    pub struct ShiftDurationColumns {
        shift_seconds: MeasureColumns,
        travel_seconds: MeasureColumns,
        travel_net_seconds: MeasureColumns,
        work_seconds: MeasureColumns,
        pause_seconds: MeasureColumns,
        break_seconds: MeasureColumns,
        site_wait_seconds: MeasureColumns,
        site_wrap_seconds: MeasureColumns,
        on_site_seconds: MeasureColumns,
        emergency_seconds: MeasureColumns,
        stop_seconds: MeasureColumns,
        idle_seconds: MeasureColumns,
    }
}

impl ShiftDurationColumns {
    fn push(&mut self, durations: &ShiftDurations) {
        self.shift_seconds.push(&durations.shift);
        self.travel_seconds.push(&durations.travel);
        self.travel_net_seconds.push(&durations.travel_net);
        self.work_seconds.push(&durations.work);
        self.pause_seconds.push(&durations.pause);
        self.break_seconds.push(&durations.r#break);
        self.site_wait_seconds.push(&durations.site_wait);
        self.site_wrap_seconds.push(&durations.site_wrap);
        self.on_site_seconds.push(&durations.on_site);
        self.emergency_seconds.push(&durations.emergency);
        self.stop_seconds.push(&durations.stop);
        self.idle_seconds.push(&durations.idle);
    }
}

columns! {
    pub struct DayColumns {
        local_date: Plain<Date>,
        durations: ShiftDurationColumns,
        completed_visits: List<Plain<Uuid>>,
        anomalies: Codes,
    }
}

columns! {
    pub struct ShiftColumns {
        technician_contact_id: Plain<Uuid>,
        shift_id: Plain<Uuid>,
        stamp: StampColumns,
        shift_date: Plain<Date>,
        utc_offset_minutes: Plain<Int16>,
        started_at: Plain<Instant>,
        ended_at: Nullable<Instant>,
        closed_at: Plain<Instant>,
        durations: ShiftDurationColumns,
        visits: Plain<UInt32>,
        jobs: Plain<UInt32>,
        distance_meters_lower_bound: Plain<Float64>,
        anomalies: Codes,
        finality: Plain<FinalityCode>,
        days: List<Tuple<DayColumns>>,
    }
}

pub type ShiftRows = Rows<ShiftColumns>;

const NO_DURATIONS: ShiftDurations = ShiftDurations {
    shift: Measure::UNKNOWN,
    travel: Measure::UNKNOWN,
    travel_net: Measure::UNKNOWN,
    work: Measure::UNKNOWN,
    pause: Measure::UNKNOWN,
    r#break: Measure::UNKNOWN,
    site_wait: Measure::UNKNOWN,
    site_wrap: Measure::UNKNOWN,
    on_site: Measure::UNKNOWN,
    emergency: Measure::UNKNOWN,
    stop: Measure::UNKNOWN,
    idle: Measure::UNKNOWN,
};

impl ShiftRows {
    /// `published_at` is the append time of the record on `kpis`.
    pub fn push(&mut self, stamp: &Stamp, published_at: Timestamp, shift: &ShiftResult) {
        self.push_row(stamp, published_at, shift, false);
    }

    /// An identity that is no longer derived: its row stays, so that an older one that comes later cannot win.
    pub fn push_tombstone(&mut self, stamp: &Stamp, published_at: Timestamp, technician_contact_id: TechnicianId, shift_id: EventId) {
        let nothing = ShiftResult {
            technician_contact_id,
            shift_id,
            shift_date: 0,
            utc_offset_minutes: 0,
            started_at: Timestamp(0),
            ended_at: None,
            closed_at: Timestamp(0),
            durations: NO_DURATIONS,
            visits: 0,
            jobs: 0,
            distance_meters_lower_bound: 0.0,
            anomalies: Default::default(),
            finality: Finality::Provisional,
            days: Vec::new(),
        };
        self.push_row(stamp, published_at, &nothing, true);
    }

    fn push_row(&mut self, stamp: &Stamp, published_at: Timestamp, shift: &ShiftResult, is_deleted: bool) {
        let columns = &mut self.columns;
        columns.technician_contact_id.push(*shift.technician_contact_id.as_bytes());
        columns.shift_id.push(*shift.shift_id.as_bytes());
        columns.stamp.push(stamp, is_deleted, published_at);
        columns.shift_date.push(shift.shift_date);
        columns.utc_offset_minutes.push(shift.utc_offset_minutes);
        columns.started_at.push(shift.started_at.0);
        columns.ended_at.push(shift.ended_at.map(|t| t.0));
        columns.closed_at.push(shift.closed_at.0);
        columns.durations.push(&shift.durations);
        columns.visits.push(shift.visits);
        columns.jobs.push(shift.jobs);
        columns.distance_meters_lower_bound.push(shift.distance_meters_lower_bound);
        push_codes(&mut columns.anomalies, shift.anomalies);
        columns.finality.push(shift.finality as u8);
        let days = &mut columns.days.items.elements;
        for day in &shift.days {
            days.local_date.push(day.local_date);
            days.durations.push(&day.durations);
            day.completed_visits.iter().for_each(|visit| days.completed_visits.items.push(*visit.as_bytes()));
            days.completed_visits.close(day.completed_visits.len());
            push_codes(&mut days.anomalies, day.anomalies);
        }
        columns.days.close(shift.days.len());
        self.rows += 1;
    }
}

//! What is computed, as it travels on `kpis`. Durations are whole microseconds.

use crate::anomaly::Anomalies;
use crate::ids::{EventId, TechnicianId, VisitId};
use crate::time::Timestamp;
use crate::version::Version;

/// How far a duration can be trusted; a later variant is the worse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Quality {
    /// Both ends are the real events that the KPI names.
    Observed,
    /// An end that another event implies.
    Imputed,
    /// An end is missing.
    Open,
}

impl Quality {
    pub const ALL: &'static [Self] = &[Self::Observed, Self::Imputed, Self::Open];
    /// The symbol as stored.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Imputed => "imputed",
            Self::Open => "open",
        }
    }
}

/// A duration: what it is (only when observed), and what it is at least and at most. Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    pub value_us: Option<i64>,
    pub lo_us: i64,
    /// `None`: no upper bound is known (there was nothing to measure).
    pub hi_us: Option<i64>,
    pub quality: Quality,
}

impl Measure {
    /// A part that did not occur.
    pub const ZERO: Self = Self { value_us: Some(0), lo_us: 0, hi_us: Some(0), quality: Quality::Observed };
    /// There was nothing that could have been measured.
    pub const UNKNOWN: Self = Self { value_us: None, lo_us: 0, hi_us: None, quality: Quality::Open };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Finality {
    Provisional,
    Final,
}

impl Finality {
    pub const ALL: &'static [Self] = &[Self::Provisional, Self::Final];
    /// The symbol as stored.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
        }
    }
}

/// What every published row carries beside its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub version: Version,
    /// The partition's clock at `version`.
    pub as_of: Timestamp,
    /// The event whose processing changed the row; `None` for a timer.
    pub caused_by: Option<EventId>,
}

/// The twelve durations of a shift, or of one local day of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftDurations {
    pub shift: Measure,
    /// Gross: the union of the technician's travels.
    pub travel: Measure,
    /// The TRAVEL bucket.
    pub travel_net: Measure,
    pub work: Measure,
    pub pause: Measure,
    pub r#break: Measure,
    pub site_wait: Measure,
    pub site_wrap: Measure,
    /// Gross: the union of the attendances.
    pub on_site: Measure,
    pub emergency: Measure,
    pub stop: Measure,
    pub idle: Measure,
}

/// The part of a shift that lies on one local date of the shift_start's offset.
#[derive(Clone, Debug, PartialEq)]
pub struct ShiftDay {
    /// Days since 1970-01-01.
    pub local_date: i32,
    pub durations: ShiftDurations,
    /// Visits with a work_completed on that date, sorted.
    pub completed_visits: Vec<VisitId>,
    pub anomalies: Anomalies,
}

/// One shift. Identity: `shift_id`.
#[derive(Clone, Debug, PartialEq)]
pub struct ShiftResult {
    pub technician_contact_id: TechnicianId,
    /// The id of its shift_start.
    pub shift_id: EventId,
    /// Local date of the shift_start, days since 1970-01-01.
    pub shift_date: i32,
    pub utc_offset_minutes: i16,
    pub started_at: Timestamp,
    /// The shift_end, if there is one.
    pub ended_at: Option<Timestamp>,
    /// Where the shift ends or is closed without an end.
    pub closed_at: Timestamp,
    pub durations: ShiftDurations,
    pub visits: u32,
    pub jobs: u32,
    pub distance_meters_lower_bound: f64,
    pub anomalies: Anomalies,
    pub finality: Finality,
    pub days: Vec<ShiftDay>,
}

/// One episode of a visit, or a loose event of it. Identity: `first_event_id` within technician and visit.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeResult {
    pub technician_contact_id: TechnicianId,
    pub visit_id: VisitId,
    /// The event that began it, or the loose event itself.
    pub first_event_id: EventId,
    pub first_event_at: Timestamp,
    pub last_event_at: Timestamp,
    /// The last event and the close of every shift that holds one: from here finality counts.
    pub settles_at: Timestamp,
    /// A loose event lies in no episode: it gives codes and times, no durations.
    pub is_loose: bool,
    /// A travel_*, arrived, work_* or left_site is among its events: what makes a `visits` row.
    pub has_visit_event: bool,
    pub has_travel: bool,
    /// A real or imputed arrival.
    pub has_attendance: bool,
    /// The first of its events that lies in a shift, and that shift.
    pub first_in_shift_at: Option<Timestamp>,
    pub shift_id: Option<EventId>,
    pub travel_started_at: Option<Timestamp>,
    pub arrived_at: Option<Timestamp>,
    /// The left_site that ended the attendance.
    pub left_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub travel: Measure,
    pub on_site: Measure,
    pub site_wait: Measure,
    pub work: Measure,
    pub pause: Measure,
    pub wrap: Measure,
    pub anomalies: Anomalies,
    pub finality: Finality,
}

/// An identity that is no longer derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    Shift { technician_contact_id: TechnicianId, shift_id: EventId },
    Episode { technician_contact_id: TechnicianId, visit_id: VisitId, first_event_id: EventId },
}

/// What `kpis` carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Kpi {
    Shift(Box<ShiftResult>),
    Episode(Box<EpisodeResult>),
    Tombstone(Identity),
}

/// A row of `kpis`, stamped.
#[derive(Clone, Debug, PartialEq)]
pub struct KpiRecord {
    pub stamp: Stamp,
    pub kpi: Kpi,
}

//! A record before it is one: small, so that a day of ten thousand technicians fits in memory.

use super::faults::FaultKind;
use fieldline_schemas::events::ActivityType;

/// A position in units of 1e-6 degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub latitude: i32,
    pub longitude: i32,
}

/// What a draft becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Activity(ActivityType),
    /// From `created_at` for `span_s`.
    ShiftPlan,
    VisitPlan,
    /// Of the emergency whose number is `visit`.
    Clearance,
}

/// How the payload of a draft differs from what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    /// Other content under the same id and revision.
    Changed,
    /// Damaged bytes; the number says how.
    Corrupt(u16),
    /// A position out of range (even) or half missing (odd).
    BadPlace(u16),
}

/// One record of one technician.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    /// When the broker takes it, in microseconds.
    pub at: i64,
    /// When it happened by the device's clock.
    pub created_at: i64,
    /// Seconds from planned start to planned end, or the duration of a stop.
    pub span_s: i32,
    /// Which event of the technician: the id and the device's sequence follow from it.
    pub number: u32,
    /// Which visit of the technician; 0 is none.
    pub visit: u32,
    pub place: Place,
    pub kind: Kind,
    pub twist: Twist,
    pub fault: Option<FaultKind>,
    pub revision: u8,
    pub voided: bool,
}

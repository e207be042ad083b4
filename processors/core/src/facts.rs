//! What the fold needs of a record, and no text: compact, so that a week of a technician stays in the cache.

use fieldline_schemas::events::{ActivityType, EventCategory, Severity};
use fieldline_schemas::ids::{ContactId, EventId, TechnicianId, VisitId};
use fieldline_schemas::{Anomalies, Timestamp};
use uuid::Uuid;

/// A position that was sent, checked only for A21.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    pub latitude: f64,
    pub longitude: f64,
    /// 0 where none was sent.
    pub accuracy_meters: i32,
}

/// A technician_activity that stands: the highest revision of its id, not voided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivityFact {
    pub id: EventId,
    pub created_at: Timestamp,
    pub device_sequence: Option<i64>,
    pub activity_type: ActivityType,
    pub visit_id: Option<VisitId>,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i16,
    /// A valid position (not A21).
    pub position: Option<Position>,
    /// Of fuel_stop and vehicle_inspection: `metadata.duration_seconds` where it is a number > 0 and ≤ 86,400; else 0.
    pub stop_us: i64,
    /// What the record alone shows: A17, A18, A21, A27.
    pub anomalies: Anomalies,
    /// History: it raises no flag.
    pub imported: bool,
}

/// A shift_plan that stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShiftPlanFact {
    pub id: EventId,
    pub planned_start: Timestamp,
    pub planned_end: Timestamp,
    pub lone_worker: bool,
}

/// A visit_plan that stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VisitPlanFact {
    pub id: EventId,
    pub visit_id: VisitId,
    pub window_start: Timestamp,
    pub window_end: Timestamp,
    /// The place, where it is a valid position.
    pub position: Option<Position>,
    pub geofence_radius_meters: Option<f64>,
}

/// An operational event that names the technician, or has, its last update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalFact {
    pub id: EventId,
    pub created_at: Timestamp,
    pub event_category: EventCategory,
    pub severity: Severity,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by: Option<ContactId>,
    /// History: it raises no flag and closes no alert.
    pub imported: bool,
    /// Whether the event names the technician still. One that does not is only kept because it decides.
    pub names_technician: bool,
    /// An SOS: an emergency of its own. Not where it names another technician by now.
    pub is_emergency: bool,
    /// The subject of its alert, where that is another than the technician.
    pub alert_subject: Option<Uuid>,
}

impl SignalFact {
    /// One that names the technician, came as it happened, and that nobody is known to have resolved by name.
    pub fn new(
        id: EventId,
        created_at: Timestamp,
        event_category: EventCategory,
        severity: Severity,
        resolved_at: Option<Timestamp>,
    ) -> Self {
        let (imported, names_technician, is_emergency, resolved_by, alert_subject) = (false, true, false, None, None);
        Self { id, created_at, event_category, severity, resolved_at, resolved_by, imported, names_technician, is_emergency, alert_subject }
    }

    /// Whether it is of the kind that can end an emergency, or should have been one.
    pub fn is_grave(&self) -> bool {
        self.names_technician && (self.event_category == EventCategory::Security || self.severity == Severity::Critical)
    }
}

/// The resolution of an emergency's alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClearanceFact {
    /// The action's id.
    pub id: EventId,
    /// The emergency_stop that the alert is about.
    pub emergency_id: EventId,
    pub created_at: Timestamp,
}

/// Everything that stands about one technician. `activities` may be in any order and hold near-duplicates.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub technician_contact_id: TechnicianId,
    pub activities: &'a [ActivityFact],
    pub shift_plans: &'a [ShiftPlanFact],
    pub visit_plans: &'a [VisitPlanFact],
    pub signals: &'a [SignalFact],
    pub clearances: &'a [ClearanceFact],
}

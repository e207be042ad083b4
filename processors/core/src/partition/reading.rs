//! From a decoded and validated record to what the state takes of it.
//!
//! History reads the log tables through the same function, so that both mean the same by a fact.

use super::input::Input;
use super::standing::Claim;
use crate::definition::Definition;
use crate::facts::{ActivityFact, ClearanceFact, Position, ShiftPlanFact, SignalFact, VisitPlanFact};
use crate::flags::Device;
use fieldline_schemas::events::{ActivityType, Clearance, Location, ShiftPlan, Signal, TechnicianActivity, VisitPlan};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::{Anomalies, Anomaly, AnyRecord, Timestamp, content_hash, location_is_valid, stop_duration_us, subject_of};
use uuid::Uuid;

/// Bits of a log offset in the order of signals; a partition number takes the 16 above.
const OFFSET_BITS: u32 = 48;

impl Input {
    /// Reads a record of `activity` that was appended at `received_at`. Whatever has no business there is `Nothing`.
    pub fn read(record: &AnyRecord<'_>, received_at: Timestamp, definition: &Definition) -> Self {
        match record {
            AnyRecord::TechnicianActivity(activity) => {
                Input::Activity(activity.technician_contact_id, self::activity(activity, content_hash(record), received_at, definition))
            }
            AnyRecord::ShiftPlan(plan) => Input::ShiftPlan(plan.technician_contact_id, shift_plan(plan, content_hash(record))),
            AnyRecord::VisitPlan(plan) => Input::VisitPlan(plan.technician_contact_id, visit_plan(plan, content_hash(record), definition)),
            AnyRecord::Signal(signal) => match signal.technician() {
                Some(technician) => Input::Signal(technician, self::signal(signal, received_at)),
                None => Input::Nothing,
            },
            AnyRecord::Clearance(clearance) => match emergency_id(&clearance.alert_id) {
                Some(id) => Input::Clearance(clearance.technician_contact_id, self::clearance(clearance, id, content_hash(record))),
                None => Input::Nothing,
            },
            AnyRecord::DeviceHeartbeat(heartbeat) => {
                Input::Heartbeat(heartbeat.technician_contact_id, Device::new(&heartbeat.device_id), heartbeat.created_at)
            }
            AnyRecord::Tick(tick) => Input::Tick { since: tick.since },
            _ => Input::Nothing,
        }
    }

    /// The same for an activity from the log tables: they hold its content hash, and not all of its text is needed.
    pub fn of_activity(activity: &TechnicianActivity<'_>, content: u128, received_at: Timestamp, definition: &Definition) -> Self {
        Input::Activity(activity.technician_contact_id, self::activity(activity, content, received_at, definition))
    }
}

fn activity(record: &TechnicianActivity<'_>, content: u128, received_at: Timestamp, definition: &Definition) -> Claim<ActivityFact> {
    let common = &record.common;
    let mut anomalies = Anomalies::NONE;
    if !common.imported {
        if received_at.since(common.created_at) > definition.late_us {
            anomalies.insert(Anomaly::A17);
        }
        if common.created_at.since(received_at) > definition.skew_us {
            anomalies.insert(Anomaly::A18);
        }
    }
    let position = record.location.as_ref().and_then(|location| position(location, definition));
    if record.location.is_some() && position.is_none() {
        anomalies.insert(Anomaly::A21);
    }
    let is_stop = matches!(record.activity_type, ActivityType::FuelStop | ActivityType::VehicleInspection);
    let fact = ActivityFact {
        id: common.id,
        created_at: common.created_at,
        device_sequence: common.device_sequence,
        activity_type: record.activity_type,
        visit_id: record.visit_id,
        utc_offset_minutes: common.utc_offset_minutes.unwrap_or(0),
        position,
        stop_us: if is_stop { stop_duration_us(common.metadata.as_deref()) } else { 0 },
        anomalies,
        imported: common.imported,
    };
    Claim { id: common.id, revision: common.revision, voided: common.voided, content, own: common.created_at, fact }
}

fn shift_plan(plan: &ShiftPlan<'_>, content: u128) -> Claim<ShiftPlanFact> {
    let ShiftPlan { id, revision, voided, planned_start, planned_end, lone_worker, .. } = *plan;
    Claim { id, revision, voided, content, own: planned_start, fact: ShiftPlanFact { id, planned_start, planned_end, lone_worker } }
}

fn visit_plan(plan: &VisitPlan<'_>, content: u128, definition: &Definition) -> Claim<VisitPlanFact> {
    let VisitPlan { id, revision, voided, visit_id, window_start, window_end, geofence_radius_meters, .. } = *plan;
    let position = plan.location.as_ref().and_then(|location| position(location, definition));
    let fact = VisitPlanFact { id, visit_id, window_start, window_end, position, geofence_radius_meters };
    Claim { id, revision, voided, content, own: window_start, fact }
}

/// Updates of one revision are ordered by recorded_at, else created_at, then by position in the log they come from.
fn signal(signal: &Signal<'_>, received_at: Timestamp) -> Claim<SignalFact> {
    let event = &signal.event;
    let common = &event.common;
    let time = common.recorded_at.unwrap_or(common.created_at);
    let ordered_time = (time.0 as u64) ^ (1 << 63);
    let partition = signal.source_partition as u16;
    let place = u64::from(partition) << OFFSET_BITS | (signal.source_offset as u64 & ((1 << OFFSET_BITS) - 1));
    let technician = signal.technician();
    let names_another = event.technician_contact_id.is_some_and(|named| Some(named) != technician);
    let alert_subject = signal.alert_id.as_deref().and_then(subject_of).and_then(|subject| Uuid::parse_str(subject).ok());
    let fact = SignalFact {
        resolved_by: event.resolved_by_contact_id,
        imported: common.imported,
        names_technician: event.technician_contact_id.is_some() && !names_another,
        is_emergency: signal.is_emergency && !names_another,
        alert_subject: alert_subject.filter(|subject| technician.is_none_or(|technician| technician.0 != *subject)),
        ..SignalFact::new(common.id, common.created_at, event.event_category, event.severity, event.resolved_at)
    };
    Claim {
        id: common.id,
        revision: common.revision,
        voided: common.voided,
        content: u128::from(ordered_time) << 64 | u128::from(place),
        own: common.created_at.max(event.resolved_at.unwrap_or(Timestamp::MIN)).min(received_at),
        fact,
    }
}

fn clearance(clearance: &Clearance<'_>, emergency_id: EventId, content: u128) -> Claim<ClearanceFact> {
    let Clearance { id, created_at, .. } = *clearance;
    Claim { id, revision: 0, voided: false, content, own: created_at, fact: ClearanceFact { id, emergency_id, created_at } }
}

/// The cause of an emergency's alert, `S1:<technician>:<id of the emergency_stop>`.
fn emergency_id(alert_id: &str) -> Option<EventId> {
    let (alert, cause) = alert_id.rsplit_once(':')?;
    alert.starts_with("S1:").then_some(())?;
    Uuid::parse_str(cause).ok().map(EventId)
}

fn position(location: &Location<'_>, definition: &Definition) -> Option<Position> {
    let (Some(latitude), Some(longitude)) = (location.latitude, location.longitude) else { return None };
    let accuracy_meters = location.accuracy_meters.unwrap_or(0);
    location_is_valid(location, definition.accuracy_max_meters).then_some(Position { latitude, longitude, accuracy_meters })
}

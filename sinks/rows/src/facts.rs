//! `technician_facts_log`: every other record of the technician's log but ticks: released plans, signals, clearances
//! and heartbeats. The payload is kept as it was, so that a recompute decodes exactly what the fold saw.

use crate::common::{LocationColumns, Position, PositionColumns};
use crate::dictionary::{Symbols, Words, symbol};
use crate::native::{Bool, Float64, Instant, Int32, Int64, Nullable, NullableText, Plain, Rows, Text, UInt32, UInt128, Uuid, columns};
use crate::operations::OperationDetailColumns;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{Clearance, DeviceHeartbeat, Location, ShiftPlan, Signal, VisitPlan};
use fieldline_schemas::ids::TechnicianId;

/// What a row of `technician_facts_log` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FactKind {
    ShiftPlan,
    VisitPlan,
    Signal,
    Clearance,
    DeviceHeartbeat,
}

impl FactKind {
    pub const ALL: &'static [Self] = &[Self::ShiftPlan, Self::VisitPlan, Self::Signal, Self::Clearance, Self::DeviceHeartbeat];
    pub const fn text(self) -> &'static str {
        match self {
            Self::ShiftPlan => "shift_plan",
            Self::VisitPlan => "visit_plan",
            Self::Signal => "signal",
            Self::Clearance => "clearance",
            Self::DeviceHeartbeat => "device_heartbeat",
        }
    }
}
symbol! { FactKind: text; }

/// A fact of the technician's log that is no activity.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    ShiftPlan(&'a ShiftPlan<'a>),
    VisitPlan(&'a VisitPlan<'a>),
    Signal(&'a Signal<'a>),
    Clearance(&'a Clearance<'a>),
    DeviceHeartbeat(&'a DeviceHeartbeat<'a>),
}

impl Fact<'_> {
    const fn kind(&self) -> FactKind {
        match self {
            Self::ShiftPlan(_) => FactKind::ShiftPlan,
            Self::VisitPlan(_) => FactKind::VisitPlan,
            Self::Signal(_) => FactKind::Signal,
            Self::Clearance(_) => FactKind::Clearance,
            Self::DeviceHeartbeat(_) => FactKind::DeviceHeartbeat,
        }
    }

    fn technician(&self) -> Option<TechnicianId> {
        match self {
            Self::ShiftPlan(plan) => Some(plan.technician_contact_id),
            Self::VisitPlan(plan) => Some(plan.technician_contact_id),
            Self::Signal(signal) => signal.technician(),
            Self::Clearance(clearance) => Some(clearance.technician_contact_id),
            Self::DeviceHeartbeat(heartbeat) => Some(heartbeat.technician_contact_id),
        }
    }

    /// The fact's own time, by which window, lateness and recompute go.
    pub fn time(&self, received_at: Timestamp) -> Timestamp {
        match self {
            Self::ShiftPlan(plan) => plan.planned_start,
            Self::VisitPlan(plan) => plan.window_start,
            Self::Signal(signal) => {
                let created_at = signal.event.common.created_at;
                signal.event.resolved_at.map_or(created_at, |resolved_at| resolved_at.max(created_at)).min(received_at)
            }
            Self::Clearance(clearance) => clearance.created_at,
            Self::DeviceHeartbeat(heartbeat) => heartbeat.created_at,
        }
    }

    fn location(&self) -> Option<&Location<'_>> {
        match self {
            Self::VisitPlan(plan) => plan.location.as_ref(),
            Self::DeviceHeartbeat(heartbeat) => heartbeat.location.as_ref(),
            _ => None,
        }
    }
}

columns! {
    pub struct FactColumns {
        position: PositionColumns,
        kind: Symbols<FactKind>,
        technician_contact_id: Plain<Uuid>,
        id: Nullable<Uuid>,
        revision: Plain<UInt32>,
        voided: Plain<Bool>,
        fact_at: Plain<Instant>,
        created_at: Nullable<Instant>,
        content_hash: Plain<UInt128>,
        planned_start: Nullable<Instant>,
        planned_end: Nullable<Instant>,
        lone_worker: Nullable<Bool>,
        time_zone: Words,
        visit_id: Nullable<Uuid>,
        window_start: Nullable<Instant>,
        window_end: Nullable<Instant>,
        promised_at: Nullable<Instant>,
        requested_at: Nullable<Instant>,
        job_id: Nullable<Uuid>,
        priority: Words,
        location: LocationColumns,
        geofence_radius_meters: Nullable<Float64>,
        source_topic: Words,
        source_partition: Nullable<Int32>,
        source_offset: Nullable<Int64>,
        event_category: Words,
        severity: Words,
        detail: OperationDetailColumns,
        vehicle_id: Nullable<Uuid>,
        metadata: NullableText,
        alert_id: NullableText,
        reason: Words,
        actor_contact_id: Nullable<Uuid>,
        device_id: Words,
        battery_percent: Nullable<Float64>,
        payload: Text,
    }
}

pub type FactRows = Rows<FactColumns>;

impl FactRows {
    /// `payload` is the record's value as it stands in the log.
    pub fn push(&mut self, position: Position, content_hash: u128, fact: Fact<'_>, payload: &[u8]) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.kind.push(fact.kind());
        // Validation lets no signal without a technician into a technician's log; the nil uuid would show one.
        columns.technician_contact_id.push(fact.technician().map_or([0; 16], |id| *id.as_bytes()));
        let (id, revision, voided, created_at) = match fact {
            Fact::ShiftPlan(plan) => (Some(plan.id), plan.revision, plan.voided, None),
            Fact::VisitPlan(plan) => (Some(plan.id), plan.revision, plan.voided, None),
            Fact::Signal(s) => (Some(s.event.common.id), s.event.common.revision, s.event.common.voided, Some(s.event.common.created_at)),
            Fact::Clearance(clearance) => (Some(clearance.id), 0, false, Some(clearance.created_at)),
            Fact::DeviceHeartbeat(heartbeat) => (None, 0, false, Some(heartbeat.created_at)),
        };
        columns.id.push(id.map(|id| *id.as_bytes()));
        columns.revision.push(revision);
        columns.voided.push(voided);
        columns.fact_at.push(fact.time(position.received_at).0);
        columns.created_at.push(created_at.map(|t| t.0));
        columns.content_hash.push(content_hash);

        let shift_plan = if let Fact::ShiftPlan(plan) = fact { Some(plan) } else { None };
        columns.planned_start.push(shift_plan.map(|p| p.planned_start.0));
        columns.planned_end.push(shift_plan.map(|p| p.planned_end.0));
        columns.lone_worker.push(shift_plan.map(|p| p.lone_worker));
        columns.time_zone.push(shift_plan.and_then(|p| p.time_zone.as_deref()));

        let visit_plan = if let Fact::VisitPlan(plan) = fact { Some(plan) } else { None };
        let signal = if let Fact::Signal(signal) = fact { Some(signal) } else { None };
        let visit_id = visit_plan.map(|p| p.visit_id).or(signal.and_then(|s| s.event.visit_id));
        columns.visit_id.push(visit_id.map(|id| *id.as_bytes()));
        columns.window_start.push(visit_plan.map(|p| p.window_start.0));
        columns.window_end.push(visit_plan.map(|p| p.window_end.0));
        columns.promised_at.push(visit_plan.and_then(|p| p.promised_at).map(|t| t.0));
        columns.requested_at.push(visit_plan.and_then(|p| p.requested_at).map(|t| t.0));
        columns.job_id.push(visit_plan.and_then(|p| p.job_id).map(|id| *id.as_bytes()));
        columns.priority.push(visit_plan.and_then(|p| p.priority.as_deref()));
        columns.location.push(fact.location());
        columns.geofence_radius_meters.push(visit_plan.and_then(|p| p.geofence_radius_meters));

        columns.source_topic.push(signal.map(|s| &*s.source_topic));
        columns.source_partition.push(signal.map(|s| s.source_partition));
        columns.source_offset.push(signal.map(|s| s.source_offset));
        columns.event_category.push(signal.map(|s| s.event.event_category.symbol()));
        columns.severity.push(signal.map(|s| s.event.severity.symbol()));
        columns.detail.push(signal.map(|s| &s.event));
        columns.vehicle_id.push(signal.and_then(|s| s.event.vehicle_id).map(|id| *id.as_bytes()));
        columns.metadata.push(signal.and_then(|s| s.event.common.metadata.as_deref()));

        let clearance = if let Fact::Clearance(clearance) = fact { Some(clearance) } else { None };
        columns.alert_id.push(clearance.map(|c| &*c.alert_id));
        columns.reason.push(clearance.and_then(|c| c.reason).map(|r| r.symbol()));
        columns.actor_contact_id.push(clearance.and_then(|c| c.actor_contact_id).map(|id| *id.as_bytes()));

        let heartbeat = if let Fact::DeviceHeartbeat(heartbeat) = fact { Some(heartbeat) } else { None };
        let device_id = heartbeat.map(|h| &*h.device_id).or(signal.and_then(|s| s.event.common.device_id.as_deref()));
        columns.device_id.push(device_id);
        columns.battery_percent.push(heartbeat.and_then(|h| h.battery_percent));
        columns.payload.push(payload);
        self.rows += 1;
    }
}

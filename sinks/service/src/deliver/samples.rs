//! Alerts for tests of these modules.

use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, Delivered, FlagCode};
use fieldline_schemas::events::{Location, Severity};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::results::Stamp;
use fieldline_schemas::{Timestamp, Version};

pub fn alert(id: &str, flag: FlagCode, notification: u32) -> Alert<'static> {
    Alert {
        stamp: Stamp { version: Version(u64::from(notification) << 8), as_of: Timestamp(0), caused_by: None },
        alert_id: id.to_owned().into(),
        flag,
        severity: if matches!(flag, FlagCode::S1 | FlagCode::S6) { Severity::Critical } else { Severity::Warning },
        technician_contact_id: Some(TechnicianId::from_bytes([7; 16])),
        visit_id: None,
        state: AlertState::Opened,
        step: AlertStep::Opened,
        cause: "timer".into(),
        actor_contact_id: None,
        opened_at: Timestamp(1_772_438_400_000_000),
        about_at: Timestamp(1_772_438_390_000_000),
        notified_at: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        resolved_at: None,
        resolved_by_contact_id: None,
        resolve_reason: None,
        round: 0,
        reopened: 0,
        repeats: 0,
        notification,
        is_late: false,
        is_voided: false,
        location: Some(Location { latitude: Some(52.5), longitude: Some(13.25), accuracy_meters: Some(12), address: None }),
        reasoning: "said \"help\" <now>\nat once".into(),
        note: None,
        delivered: Vec::new(),
    }
}

pub fn delivered(mut alert: Alert<'static>, receiver: &'static str, notification: u32) -> Alert<'static> {
    alert.delivered.push(Delivered { receiver: receiver.into(), notification });
    alert
}

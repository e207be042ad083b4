//! `alert_results` and `alert_history`: one row per revision of an alert.

use crate::common::{LocationColumns, Position, PositionColumns};
use crate::dictionary::{Names, Symbols, Words, symbol};
use crate::native::{Bool, Instant, List, Nullable, NullableText, Plain, Rows, Text, UInt32, UInt64, Uuid, columns};
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, DeliveryOutcome, FlagCode};
use fieldline_schemas::events::Severity;
use fieldline_schemas::subject_of;

symbol! { FlagCode: symbol; AlertState: symbol; AlertStep: symbol; DeliveryOutcome: symbol; }

columns! {
    pub struct AlertColumns {
        alert_id: Text,
        version: Plain<UInt64>,
        as_of: Plain<Instant>,
        caused_by: Nullable<Uuid>,
        position: PositionColumns,
        flag: Symbols<FlagCode>,
        severity: Symbols<Severity>,
        technician_contact_id: Nullable<Uuid>,
        visit_id: Nullable<Uuid>,
        subject: Text,
        state: Symbols<AlertState>,
        step: Symbols<AlertStep>,
        cause: Text,
        actor_contact_id: Nullable<Uuid>,
        opened_at: Plain<Instant>,
        about_at: Plain<Instant>,
        notified_at: Nullable<Instant>,
        acknowledged_at: Nullable<Instant>,
        acknowledged_by_contact_id: Nullable<Uuid>,
        resolved_at: Nullable<Instant>,
        resolved_by_contact_id: Nullable<Uuid>,
        resolve_reason: Words,
        round: Plain<UInt32>,
        reopened: Plain<UInt32>,
        repeats: Plain<UInt32>,
        notification: Plain<UInt32>,
        is_late: Plain<Bool>,
        is_voided: Plain<Bool>,
        location: LocationColumns,
        reasoning: Text,
        note: NullableText,
        delivered_receivers: List<Names>,
        delivered_notifications: List<Plain<UInt32>>,
    }
}

pub type AlertRows = Rows<AlertColumns>;

impl AlertRows {
    /// `position` is that of the record on `alerts`.
    pub fn push(&mut self, position: Position, alert: &Alert<'_>) {
        let columns = &mut self.columns;
        columns.alert_id.push(alert.alert_id.as_bytes());
        columns.version.push(alert.stamp.version.0);
        columns.as_of.push(alert.stamp.as_of.0);
        columns.caused_by.push(alert.stamp.caused_by.map(|id| *id.as_bytes()));
        columns.position.push(position);
        columns.flag.push(alert.flag);
        columns.severity.push(alert.severity);
        columns.technician_contact_id.push(alert.technician_contact_id.map(|id| *id.as_bytes()));
        columns.visit_id.push(alert.visit_id.map(|id| *id.as_bytes()));
        columns.subject.push(subject_of(&alert.alert_id).unwrap_or_default().as_bytes());
        columns.state.push(alert.state);
        columns.step.push(alert.step);
        columns.cause.push(alert.cause.as_bytes());
        columns.actor_contact_id.push(alert.actor_contact_id.map(|id| *id.as_bytes()));
        columns.opened_at.push(alert.opened_at.0);
        columns.about_at.push(alert.about_at.0);
        columns.notified_at.push(alert.notified_at.map(|t| t.0));
        columns.acknowledged_at.push(alert.acknowledged_at.map(|t| t.0));
        columns.acknowledged_by_contact_id.push(alert.acknowledged_by_contact_id.map(|id| *id.as_bytes()));
        columns.resolved_at.push(alert.resolved_at.map(|t| t.0));
        columns.resolved_by_contact_id.push(alert.resolved_by_contact_id.map(|id| *id.as_bytes()));
        columns.resolve_reason.push(alert.resolve_reason.map(|reason| reason.symbol()));
        columns.round.push(alert.round);
        columns.reopened.push(alert.reopened);
        columns.repeats.push(alert.repeats);
        columns.notification.push(alert.notification);
        columns.is_late.push(alert.is_late);
        columns.is_voided.push(alert.is_voided);
        columns.location.push(alert.location.as_ref());
        columns.reasoning.push(alert.reasoning.as_bytes());
        columns.note.push(alert.note.as_deref());
        for delivered in &alert.delivered {
            columns.delivered_receivers.items.push(Some(&delivered.receiver));
            columns.delivered_notifications.items.push(delivered.notification);
        }
        columns.delivered_receivers.close(alert.delivered.len());
        columns.delivered_notifications.close(alert.delivered.len());
        self.rows += 1;
    }
}

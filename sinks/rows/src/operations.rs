//! `operational_event_log`: one row per record of operational_event, updates included.

use crate::common::{CommonColumns, Position, PositionColumns};
use crate::dictionary::{Symbols, Words};
use crate::native::{Instant, Nullable, NullableText, Rows, Uuid, columns};
use fieldline_schemas::events::{EventCategory, OperationalEvent, Severity};

columns! {
    pub struct OperationColumns {
        position: PositionColumns,
        common: CommonColumns,
        event_category: Symbols<EventCategory>,
        severity: Symbols<Severity>,
        detail: OperationDetailColumns,
        technician_contact_id: Nullable<Uuid>,
        vehicle_id: Nullable<Uuid>,
        visit_id: Nullable<Uuid>,
    }
}

columns! {
    pub struct OperationDetailColumns {
        event_type: Words,
        source_system: Words,
        title: NullableText,
        description: NullableText,
        resolved_at: Nullable<Instant>,
        resolved_by_contact_id: Nullable<Uuid>,
        acknowledged_at: Nullable<Instant>,
        acknowledged_by_contact_id: Nullable<Uuid>,
        dedup_key: NullableText,
    }
}

impl OperationDetailColumns {
    #[inline]
    pub fn push(&mut self, record: Option<&OperationalEvent<'_>>) {
        self.event_type.push(record.and_then(|r| r.event_type.as_deref()));
        self.source_system.push(record.and_then(|r| r.source_system.as_deref()));
        self.title.push(record.and_then(|r| r.title.as_deref()));
        self.description.push(record.and_then(|r| r.description.as_deref()));
        self.resolved_at.push(record.and_then(|r| r.resolved_at).map(|t| t.0));
        self.resolved_by_contact_id.push(record.and_then(|r| r.resolved_by_contact_id).map(|id| *id.as_bytes()));
        self.acknowledged_at.push(record.and_then(|r| r.acknowledged_at).map(|t| t.0));
        self.acknowledged_by_contact_id.push(record.and_then(|r| r.acknowledged_by_contact_id).map(|id| *id.as_bytes()));
        self.dedup_key.push(record.and_then(|r| r.dedup_key.as_deref()));
    }
}

pub type OperationRows = Rows<OperationColumns>;

impl OperationRows {
    #[inline]
    pub fn push(&mut self, position: Position, content_hash: u128, record: &OperationalEvent<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.common.push(&record.common, content_hash);
        columns.event_category.push(record.event_category);
        columns.severity.push(record.severity);
        columns.detail.push(Some(record));
        columns.technician_contact_id.push(record.technician_contact_id.map(|id| *id.as_bytes()));
        columns.vehicle_id.push(record.vehicle_id.map(|id| *id.as_bytes()));
        columns.visit_id.push(record.visit_id.map(|id| *id.as_bytes()));
        self.rows += 1;
    }
}

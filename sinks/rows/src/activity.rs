//! `technician_activity_log`: one row per record of technician_activity.

use crate::common::{CommonColumns, LocationColumns, Position, PositionColumns};
use crate::dictionary::Symbols;
use crate::native::{Nullable, NullableText, Plain, Rows, Uuid, columns};
use fieldline_schemas::events::{ActivityType, TechnicianActivity};

columns! {
    pub struct ActivityColumns {
        position: PositionColumns,
        common: CommonColumns,
        technician_contact_id: Plain<Uuid>,
        activity_type: Symbols<ActivityType>,
        visit_id: Nullable<Uuid>,
        vehicle_id: Nullable<Uuid>,
        location: LocationColumns,
        notes: NullableText,
    }
}

pub type ActivityRows = Rows<ActivityColumns>;

impl ActivityRows {
    #[inline]
    pub fn push(&mut self, position: Position, content_hash: u128, record: &TechnicianActivity<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.common.push(&record.common, content_hash);
        columns.technician_contact_id.push(*record.technician_contact_id.as_bytes());
        columns.activity_type.push(record.activity_type);
        columns.visit_id.push(record.visit_id.map(|id| *id.as_bytes()));
        columns.vehicle_id.push(record.vehicle_id.map(|id| *id.as_bytes()));
        columns.location.push(record.location.as_ref());
        columns.notes.push(record.notes.as_deref());
        self.rows += 1;
    }
}

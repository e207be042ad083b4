//! `alert_actions_log`: one row per alert_action on `alert_events`.

use crate::common::{Position, PositionColumns};
use crate::dictionary::{Symbols, Words, symbol};
use crate::native::{Instant, Nullable, NullableText, Plain, Rows, Text, UInt128, Uuid, columns};
use fieldline_schemas::events::{ActionKind, AlertAction};

symbol! { ActionKind: symbol; }

columns! {
    pub struct AlertActionColumns {
        position: PositionColumns,
        id: Plain<Uuid>,
        alert_id: Text,
        created_at: Plain<Instant>,
        action: Symbols<ActionKind>,
        reason: Words,
        actor_contact_id: Nullable<Uuid>,
        note: NullableText,
        content_hash: Plain<UInt128>,
    }
}

pub type AlertActionRows = Rows<AlertActionColumns>;

impl AlertActionRows {
    pub fn push(&mut self, position: Position, content_hash: u128, action: &AlertAction<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.id.push(*action.id.as_bytes());
        columns.alert_id.push(action.alert_id.as_bytes());
        columns.created_at.push(action.created_at.0);
        columns.action.push(action.action);
        columns.reason.push(action.reason.map(|reason| reason.symbol()));
        columns.actor_contact_id.push(action.actor_contact_id.map(|id| *id.as_bytes()));
        columns.note.push(action.note.as_deref());
        columns.content_hash.push(content_hash);
        self.rows += 1;
    }
}

//! `contacts_log` and `silences_log`: one row per record of `contacts`, revisions included.

use crate::common::{Position, PositionColumns};
use crate::dictionary::{Symbols, Words, symbol};
use crate::native::{Bool, Instant, Nullable, NullableText, Plain, Rows, UInt32, UInt128, Uuid, columns};
use fieldline_schemas::alerts::Silence;
use fieldline_schemas::events::{Contact, ContactKind};

symbol! { ContactKind: symbol; }

columns! {
    pub struct ContactColumns {
        position: PositionColumns,
        id: Plain<Uuid>,
        revision: Plain<UInt32>,
        contact_kind: Symbols<ContactKind>,
        display_name: NullableText,
        team: Words,
        content_hash: Plain<UInt128>,
    }
}

pub type ContactRows = Rows<ContactColumns>;

impl ContactRows {
    pub fn push(&mut self, position: Position, content_hash: u128, contact: &Contact<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.id.push(*contact.id.as_bytes());
        columns.revision.push(contact.revision);
        columns.contact_kind.push(contact.kind);
        columns.display_name.push(contact.display_name.as_deref());
        columns.team.push(contact.team.as_deref());
        columns.content_hash.push(content_hash);
        self.rows += 1;
    }
}

columns! {
    pub struct SilenceColumns {
        position: PositionColumns,
        id: Plain<Uuid>,
        revision: Plain<UInt32>,
        voided: Plain<Bool>,
        created_at: Plain<Instant>,
        until: Plain<Instant>,
        flag: Words,
        technician_contact_id: Nullable<Uuid>,
        team: Words,
        actor_contact_id: Nullable<Uuid>,
        note: NullableText,
        content_hash: Plain<UInt128>,
    }
}

pub type SilenceRows = Rows<SilenceColumns>;

impl SilenceRows {
    pub fn push(&mut self, position: Position, content_hash: u128, silence: &Silence<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.id.push(*silence.id.as_bytes());
        columns.revision.push(silence.revision);
        columns.voided.push(silence.voided);
        columns.created_at.push(silence.created_at.0);
        columns.until.push(silence.until.0);
        columns.flag.push(silence.flag.map(|flag| flag.symbol()));
        columns.technician_contact_id.push(silence.technician_contact_id.map(|id| *id.as_bytes()));
        columns.team.push(silence.team.as_deref());
        columns.actor_contact_id.push(silence.actor_contact_id.map(|id| *id.as_bytes()));
        columns.note.push(silence.note.as_deref());
        columns.content_hash.push(content_hash);
        self.rows += 1;
    }
}

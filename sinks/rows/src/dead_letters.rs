//! `dead_letters_log`: one row per record of the topic `dead_letters`.

use crate::common::{Position, PositionColumns};
use crate::dictionary::{Names, Symbols};
use crate::native::{Instant, Int32, Int64, Plain, Rows, Text, columns};
use fieldline_schemas::events::{DeadLetter, DeadLetterReason};

columns! {
    pub struct DeadLetterColumns {
        position: PositionColumns,
        source_topic: Names,
        source_partition: Plain<Int32>,
        source_offset: Plain<Int64>,
        source_received_at: Plain<Instant>,
        reason: Symbols<DeadLetterReason>,
        detail: Text,
        stage: Names,
        key: Text,
        payload: Text,
    }
}

pub type DeadLetterRows = Rows<DeadLetterColumns>;

impl DeadLetterRows {
    pub fn push(&mut self, position: Position, letter: &DeadLetter<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        columns.source_topic.push(Some(&letter.topic));
        columns.source_partition.push(letter.partition);
        columns.source_offset.push(letter.offset);
        columns.source_received_at.push(letter.received_at.0);
        columns.reason.push(letter.reason);
        columns.detail.push(letter.detail.as_bytes());
        columns.stage.push(Some(&letter.stage));
        columns.key.push(&letter.key);
        columns.payload.push(&letter.payload);
        self.rows += 1;
    }
}

//! `communication_call_details_log`: one row per record of communication_call_details.

use crate::common::{CommonColumns, Position, PositionColumns};
use crate::dictionary::{Symbols, Words};
use crate::native::{Bool, Float64, Instant, Int32, Nullable, NullableText, Rows, Text, Uuid, columns};
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};

columns! {
    pub struct CallColumns {
        position: PositionColumns,
        subject: Text,
        common: CommonColumns,
        communication_message_id: Nullable<Uuid>,
        call_type: Symbols<CallType>,
        call_outcome: Symbols<CallOutcome>,
        duration_seconds: Nullable<Int32>,
        wait_time_seconds: Nullable<Int32>,
        recording_url: NullableText,
        transcription: NullableText,
        sentiment_score: Nullable<Float64>,
        sentiment_basis: Words,
        transferred_to_contact_id: Nullable<Uuid>,
        queue_name: Words,
        ivr_path: NullableText,
        channel_type: Words,
        direction: Words,
        started_at: Nullable<Instant>,
        agent_contact_id: Nullable<Uuid>,
        thread_id: Nullable<Uuid>,
        root_call_id: Nullable<Uuid>,
        abandoned: Nullable<Bool>,
    }
}

pub type CallRows = Rows<CallColumns>;

impl CallRows {
    #[inline]
    pub fn push(&mut self, position: Position, content_hash: u128, record: &CommunicationCall<'_>) {
        let columns = &mut self.columns;
        columns.position.push(position);
        push_subject(&mut columns.subject, record);
        columns.common.push(&record.common, content_hash);
        columns.communication_message_id.push(record.communication_message_id.map(|id| *id.as_bytes()));
        columns.call_type.push(record.call_type);
        columns.call_outcome.push(record.call_outcome);
        columns.duration_seconds.push(record.duration_seconds);
        columns.wait_time_seconds.push(record.wait_time_seconds);
        columns.recording_url.push(record.recording_url.as_deref());
        columns.transcription.push(record.transcription.as_deref());
        columns.sentiment_score.push(record.sentiment_score);
        columns.sentiment_basis.push(record.sentiment_basis.as_deref());
        columns.transferred_to_contact_id.push(record.transferred_to_contact_id.map(|id| *id.as_bytes()));
        columns.queue_name.push(record.queue_name.as_deref());
        columns.ivr_path.push(record.ivr_path.as_deref());
        columns.channel_type.push(record.channel_type.as_deref());
        columns.direction.push(record.direction.as_deref());
        columns.started_at.push(record.started_at.map(|t| t.0));
        columns.agent_contact_id.push(record.agent_contact_id.map(|id| *id.as_bytes()));
        columns.thread_id.push(record.thread_id.map(|id| *id.as_bytes()));
        columns.root_call_id.push(record.root_call_id.map(|id| *id.as_bytes()));
        columns.abandoned.push(record.abandoned);
        self.rows += 1;
    }
}

/// The subject of a call is what its topic is keyed by: the queue, else the thread, else the call itself.
#[inline]
fn push_subject(column: &mut Text, record: &CommunicationCall<'_>) {
    match (record.queue_name.as_deref().filter(|name| !name.is_empty()), record.thread_id) {
        (Some(queue), _) => column.push(queue.as_bytes()),
        (None, Some(thread)) => column.push(hyphenated(thread.as_bytes()).as_slice()),
        (None, None) => column.push(hyphenated(record.common.id.as_bytes()).as_slice()),
    }
}

/// The 36 lowercase characters of a uuid.
fn hyphenated(bytes: &[u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldline_schemas::ids::EventId;

    #[test]
    fn hyphenated_is_the_display_of_an_id() {
        let bytes = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        assert_eq!(hyphenated(&bytes).as_slice(), EventId::from_bytes(bytes).to_string().as_bytes());
    }
}

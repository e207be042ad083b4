//! Whether a decoded record can be taken: limits, ranges, and whether it belongs in its topic. Illogical events are facts
//! that somebody asserted and pass; only what cannot be understood or stored is refused.

use crate::Timestamp;
use crate::events::*;
use crate::limits::*;
use crate::rejection::{Fault, Rejection, Trouble};
use crate::topics::Topic;
use crate::wire::AnyRecord;

/// Checks a record that was appended to `topic` at `received_at`. Processors and sinks both ask this, so that both
/// dead-letter the same records.
pub fn validate(topic: Topic, record: &AnyRecord<'_>, received_at: Timestamp) -> Result<(), Rejection> {
    let kind = record.kind();
    if !topic.takes(kind) {
        return Err(Rejection::new(DeadLetterReason::WrongKind, format!("{} has no business in {}", kind.name(), topic.name())));
    }
    let happened_at = match record {
        AnyRecord::TechnicianActivity(r) => Some(r.common.created_at),
        AnyRecord::CommunicationCall(r) => Some(r.common.created_at),
        AnyRecord::OperationalEvent(r) => Some(r.common.created_at),
        AnyRecord::DeviceHeartbeat(r) => Some(r.created_at),
        AnyRecord::AlertAction(r) => Some(r.created_at),
        _ => None,
    };
    if happened_at.is_some_and(|at| at.0.saturating_sub(received_at.0) > CREATED_AHEAD_MAX_US) {
        let detail = format!("{}.created_at: more than 24 h ahead of the append time", kind.name());
        return Err(Rejection::new(DeadLetterReason::CreatedAhead, detail));
    }
    Ok(())
}

//! Whether a decoded record can be taken: limits, ranges, and whether it belongs in its topic. Illogical events are facts
//! that somebody asserted and pass; only what cannot be understood or stored is refused.

use crate::Timestamp;
use crate::events::*;
use crate::json::scan::is_canonical;
use crate::json::text::canonical;
use crate::limits::*;
use crate::rejection::{Fault, Rejection, Trouble};
use crate::topics::Topic;
use crate::wire::AnyRecord;

/// Checks a record that was appended to `topic` at `received_at`. Processors and sinks both ask this, so that both
/// dead-letter the same records; producers ask it before they send.
pub fn validate(topic: Topic, record: &AnyRecord<'_>, received_at: Timestamp) -> Result<(), Rejection> {
    let kind = record.kind();
    if !topic.takes(kind) {
        return Err(Rejection::new(DeadLetterReason::WrongKind, format!("{} has no business in {}", kind.name(), topic.name())));
    }
    check_record(record).map_err(|fault| fault.reject(kind.name()))?;
    if happened_at(record).is_some_and(|at| at.0.saturating_sub(received_at.0) > CREATED_AHEAD_MAX_US) {
        let detail = format!("{}.created_at: more than 24 h ahead of the append time", kind.name());
        return Err(Rejection::new(DeadLetterReason::CreatedAhead, detail));
    }
    Ok(())
}

/// The event time that a sender asserts. Plans lie ahead by nature; the pipeline's own records are about others' times.
fn happened_at(record: &AnyRecord<'_>) -> Option<Timestamp> {
    match record {
        AnyRecord::TechnicianActivity(r) => Some(r.common.created_at),
        AnyRecord::CommunicationCall(r) => Some(r.common.created_at),
        AnyRecord::OperationalEvent(r) => Some(r.common.created_at),
        AnyRecord::DeviceHeartbeat(r) => Some(r.created_at),
        AnyRecord::AlertAction(r) => Some(r.created_at),
        AnyRecord::Silence(r) => Some(r.created_at),
        _ => None,
    }
}

fn check_record(record: &AnyRecord<'_>) -> Result<(), Fault> {
    match record {
        AnyRecord::TechnicianActivity(r) => {
            common(&r.common)?;
            location(r.location.as_ref())?;
            text("notes", r.notes.as_deref(), NOTES_BYTES_MAX)
        }
        AnyRecord::CommunicationCall(r) => call(r),
        AnyRecord::OperationalEvent(r) => operational_event(r),
        AnyRecord::ShiftPlan(r) => {
            revision(r.revision)?;
            instant("planned_start", Some(r.planned_start))?;
            instant("planned_end", Some(r.planned_end))?;
            text("time_zone", r.time_zone.as_deref(), NAME_BYTES_MAX)
        }
        AnyRecord::VisitPlan(r) => {
            revision(r.revision)?;
            instant("window_start", Some(r.window_start))?;
            instant("window_end", Some(r.window_end))?;
            instant("promised_at", r.promised_at)?;
            instant("requested_at", r.requested_at)?;
            text("priority", r.priority.as_deref(), NAME_BYTES_MAX)?;
            location(r.location.as_ref())?;
            finite("geofence_radius_meters", r.geofence_radius_meters)
        }
        AnyRecord::Contact(r) => {
            revision(r.revision)?;
            text("display_name", r.display_name.as_deref(), LINE_BYTES_MAX)?;
            text("team", r.team.as_deref(), NAME_BYTES_MAX)
        }
        AnyRecord::DeviceHeartbeat(r) => {
            text("device_id", Some(&r.device_id), NAME_BYTES_MAX)?;
            instant("created_at", Some(r.created_at))?;
            finite("battery_percent", r.battery_percent)?;
            location(r.location.as_ref())
        }
        AnyRecord::AlertAction(r) => {
            instant("created_at", Some(r.created_at))?;
            text("alert_id", Some(&r.alert_id), NAME_BYTES_MAX)?;
            text("note", r.note.as_deref(), NOTES_BYTES_MAX)
        }
        AnyRecord::Flag(r) => {
            instant("as_of", Some(r.as_of))?;
            instant("opened_at", Some(r.opened_at))?;
            instant("about_at", Some(r.about_at))?;
            instant("resolved_at", r.resolved_at)?;
            text("alert_id", Some(&r.alert_id), NAME_BYTES_MAX)?;
            location(r.location.as_ref())?;
            text("reasoning", Some(&r.reasoning), LINE_BYTES_MAX)
        }
        AnyRecord::Alert(r) => {
            instant("as_of", Some(r.stamp.as_of))?;
            text("alert_id", Some(&r.alert_id), NAME_BYTES_MAX)?;
            count("delivered", r.delivered.len(), RECEIVERS_MAX)
        }
        AnyRecord::Delivery(r) => {
            instant("attempted_at", Some(r.attempted_at))?;
            text("alert_id", Some(&r.alert_id), NAME_BYTES_MAX)?;
            text("receiver", Some(&r.receiver), NAME_BYTES_MAX)?;
            text("detail", Some(&r.detail), LINE_BYTES_MAX)
        }
        AnyRecord::Silence(r) => {
            revision(r.revision)?;
            instant("created_at", Some(r.created_at))?;
            instant("until", Some(r.until))?;
            text("team", r.team.as_deref(), NAME_BYTES_MAX)?;
            text("note", r.note.as_deref(), NOTES_BYTES_MAX)
        }
        AnyRecord::Signal(r) => {
            text("source_topic", Some(&r.source_topic), NAME_BYTES_MAX)?;
            // The signal is in a technician's log because its event names the technician, or has.
            if r.technician().is_none() {
                return Err(Fault::from(Trouble::Missing).within("technician_contact_id"));
            }
            operational_event(&r.event)
        }
        AnyRecord::Clearance(r) => {
            instant("created_at", Some(r.created_at))?;
            text("alert_id", Some(&r.alert_id), NAME_BYTES_MAX)
        }
        AnyRecord::Tick(r) => instant("since", r.since),
        AnyRecord::RecomputeRequest(r) => {
            instant("from", Some(r.from))?;
            instant("to", Some(r.to))?;
            instant("clock", Some(r.clock))?;
            count("event_ids", r.event_ids.len(), RECOMPUTE_IDS_MAX)
        }
        AnyRecord::Kpi(r) => instant("as_of", Some(r.stamp.as_of)),
        AnyRecord::DeadLetter(r) => {
            instant("received_at", Some(r.received_at))?;
            text("topic", Some(&r.topic), NAME_BYTES_MAX)?;
            text("detail", Some(&r.detail), LINE_BYTES_MAX)
        }
    }
}

fn common(common: &Common<'_>) -> Result<(), Fault> {
    revision(common.revision)?;
    instant("created_at", Some(common.created_at))?;
    instant("recorded_at", common.recorded_at)?;
    if common.utc_offset_minutes.is_some_and(|minutes| minutes.unsigned_abs() > UTC_OFFSET_MINUTES_MAX.unsigned_abs()) {
        return Err(Fault::from(Trouble::Range).within("utc_offset_minutes"));
    }
    text("device_id", common.device_id.as_deref(), NAME_BYTES_MAX)?;
    text("source", common.source.as_deref(), NAME_BYTES_MAX)?;
    count("assigned", common.assigned.len(), ASSIGNED_MAX)?;
    common.assigned.iter().try_for_each(|name| text("assigned", Some(name), NAME_BYTES_MAX))?;
    json("metadata", common.metadata.as_deref())?;
    // Readers ask for keys of the metadata; what is no object has none.
    if common.metadata.as_deref().is_some_and(|metadata| !metadata.trim_start().starts_with('{')) {
        return Err(Fault::from(Trouble::Type).within("metadata"));
    }
    Ok(())
}

fn call(call: &CommunicationCall<'_>) -> Result<(), Fault> {
    common(&call.common)?;
    text("recording_url", call.recording_url.as_deref(), LINE_BYTES_MAX)?;
    text("transcription", call.transcription.as_deref(), TRANSCRIPTION_BYTES_MAX)?;
    finite("sentiment_score", call.sentiment_score)?;
    text("sentiment_basis", call.sentiment_basis.as_deref(), NAME_BYTES_MAX)?;
    text("queue_name", call.queue_name.as_deref(), NAME_BYTES_MAX)?;
    json("ivr_path", call.ivr_path.as_deref())?;
    text("channel_type", call.channel_type.as_deref(), NAME_BYTES_MAX)?;
    text("direction", call.direction.as_deref(), NAME_BYTES_MAX)?;
    instant("started_at", call.started_at)
}

fn operational_event(event: &OperationalEvent<'_>) -> Result<(), Fault> {
    common(&event.common)?;
    text("event_type", event.event_type.as_deref(), NAME_BYTES_MAX)?;
    text("source_system", event.source_system.as_deref(), NAME_BYTES_MAX)?;
    text("title", event.title.as_deref(), LINE_BYTES_MAX)?;
    text("description", event.description.as_deref(), DESCRIPTION_BYTES_MAX)?;
    instant("resolved_at", event.resolved_at)?;
    instant("acknowledged_at", event.acknowledged_at)?;
    text("dedup_key", event.dedup_key.as_deref(), NAME_BYTES_MAX)
}

fn location(location: Option<&Location<'_>>) -> Result<(), Fault> {
    let Some(location) = location else { return Ok(()) };
    let checked = finite("latitude", location.latitude)
        .and_then(|()| finite("longitude", location.longitude))
        .and_then(|()| text("address", location.address.as_deref(), LINE_BYTES_MAX));
    checked.map_err(|fault| fault.within("location"))
}

fn revision(revision: u32) -> Result<(), Fault> {
    if revision > REVISION_MAX { Err(Fault::from(Trouble::Range).within("revision")) } else { Ok(()) }
}

fn instant(field: &'static str, at: Option<Timestamp>) -> Result<(), Fault> {
    match at {
        Some(at) if !(TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&at) => Err(Fault::from(Trouble::Range).within(field)),
        _ => Ok(()),
    }
}

fn finite(field: &'static str, number: Option<f64>) -> Result<(), Fault> {
    match number {
        Some(number) if !number.is_finite() => Err(Fault::from(Trouble::NotFinite).within(field)),
        _ => Ok(()),
    }
}

fn text(field: &'static str, text: Option<&str>, bytes_max: usize) -> Result<(), Fault> {
    count(field, text.map_or(0, str::len), bytes_max)
}

fn count(field: &'static str, count: usize, max: usize) -> Result<(), Fault> {
    if count > max { Err(Fault::from(Trouble::TooLong).within(field)) } else { Ok(()) }
}

/// JSON as text: well-formed, no key twice in an object, not too long, not too deep. Canonical text, which is what our own
/// producers write, is recognised without building anything.
fn json(field: &'static str, json: Option<&str>) -> Result<(), Fault> {
    let Some(json) = json else { return Ok(()) };
    text(field, Some(json), METADATA_BYTES_MAX)?;
    if is_canonical(json, METADATA_DEPTH_MAX) {
        return Ok(());
    }
    canonical(json, METADATA_DEPTH_MAX).map(drop).map_err(|trouble| Fault::from(trouble).within(field))
}

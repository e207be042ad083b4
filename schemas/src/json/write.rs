//! One record becomes one JSON object on one line.

use super::field::{JsonRecord, put_field};
use crate::events::Signal;
use crate::rejection::{Fault, Rejection};
use crate::results::Kpi;
use crate::wire::AnyRecord;
use crate::wire::tombstone::Tombstone;

/// The JSON form of a record: what `from_json` reads, for the kinds that are sent as JSON; a form for people for the
/// others (bytes in hexadecimal). `created_at` is in UTC, the offset beside it. Fails only where a record that was not
/// validated holds metadata that is no JSON.
pub fn to_json(record: &AnyRecord<'_>) -> Result<String, Rejection> {
    let kind = record.kind().name();
    let mut out = format!("{{\"event\":\"{kind}\"");
    put_record(record, &mut out).map_err(|fault| fault.reject(kind))?;
    out.push('}');
    Ok(out)
}

fn put_record(record: &AnyRecord<'_>, out: &mut String) -> Result<(), Fault> {
    match record {
        AnyRecord::TechnicianActivity(r) => r.put_fields(out),
        AnyRecord::CommunicationCall(r) => r.put_fields(out),
        AnyRecord::OperationalEvent(r) => r.put_fields(out),
        AnyRecord::ShiftPlan(r) => r.put_fields(out),
        AnyRecord::VisitPlan(r) => r.put_fields(out),
        AnyRecord::Contact(r) => r.put_fields(out),
        AnyRecord::DeviceHeartbeat(r) => r.put_fields(out),
        AnyRecord::AlertAction(r) => r.put_fields(out),
        AnyRecord::Flag(r) => r.put_fields(out),
        AnyRecord::Alert(r) => r.put_fields(out),
        AnyRecord::Delivery(r) => r.put_fields(out),
        AnyRecord::Silence(r) => r.put_fields(out),
        AnyRecord::Signal(r) => put_signal(r, out),
        AnyRecord::Clearance(r) => r.put_fields(out),
        AnyRecord::Tick(r) => r.put_fields(out),
        AnyRecord::RecomputeRequest(r) => r.put_fields(out),
        AnyRecord::DeadLetter(r) => r.put_fields(out),
        AnyRecord::Kpi(r) => {
            r.stamp.put_fields(out)?;
            match &r.kpi {
                Kpi::Shift(shift) => shift.put_fields(out),
                Kpi::Episode(episode) => episode.put_fields(out),
                Kpi::Tombstone(identity) => Tombstone::of(*identity).put_fields(out),
            }
        }
    }
}

/// A signal's own `event` would collide with the name of the kind.
fn put_signal(signal: &Signal<'_>, out: &mut String) -> Result<(), Fault> {
    put_field(&signal.source_topic, "source_topic", out)?;
    put_field(&signal.source_partition, "source_partition", out)?;
    put_field(&signal.source_offset, "source_offset", out)?;
    put_field(&signal.event, "operational_event", out)?;
    put_field(&signal.technician_contact_id, "technician_contact_id", out)?;
    put_field(&signal.is_emergency, "is_emergency", out)?;
    put_field(&signal.alert_id, "alert_id", out)
}

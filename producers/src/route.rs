//! Where a record of a sender goes: its topic, and by what it is partitioned there.

use fieldline_log::{Destination, partition_for_key};
use fieldline_schemas::events::{ActivityType, DeadLetterReason};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{AnyRecord, Rejection, SosTypes, Timestamp, Topic};

/// How long before its start a plan goes into its technician's log. Plans that start later wait in `plans`.
pub const PLAN_RELEASED_BEFORE_US: i64 = DAY_US;

/// The topic of a record that a producer may send; a rejection for what only the pipeline itself writes.
pub fn topic_of(record: &AnyRecord<'_>) -> Result<Topic, Rejection> {
    match record {
        AnyRecord::TechnicianActivity(_)
        | AnyRecord::ShiftPlan(_)
        | AnyRecord::VisitPlan(_)
        | AnyRecord::DeviceHeartbeat(_)
        | AnyRecord::Signal(_)
        | AnyRecord::Clearance(_) => Ok(Topic::Activity),
        AnyRecord::CommunicationCall(_) => Ok(Topic::Calls),
        AnyRecord::OperationalEvent(_) => Ok(Topic::Operations),
        AnyRecord::Contact(_) | AnyRecord::Silence(_) => Ok(Topic::Contacts),
        AnyRecord::AlertAction(_) => Ok(Topic::AlertEvents),
        AnyRecord::DeadLetter(_) => Ok(Topic::DeadLetters),
        AnyRecord::Flag(_)
        | AnyRecord::Alert(_)
        | AnyRecord::Delivery(_)
        | AnyRecord::Tick(_)
        | AnyRecord::RecomputeRequest(_)
        | AnyRecord::Kpi(_) => {
            let detail = format!("{} is written by the pipeline only", record.kind().name());
            Err(Rejection::new(DeadLetterReason::WrongKind, detail))
        }
    }
}

/// The second topic of a record: an emergency_stop that is no import has a copy in the priority lane, and so has the first report of
/// an SOS. What becomes of an SOS later is not urgent, and an update that names somebody else would page as another one.
pub fn lane_of(record: &AnyRecord<'_>, sos: &SosTypes) -> Option<Topic> {
    match record {
        AnyRecord::OperationalEvent(r) if r.common.revision == 0 && r.resolved_at.is_none() => {
            (!r.common.imported && !r.common.voided && sos.has(r)).then_some(Topic::Emergency)
        }
        AnyRecord::TechnicianActivity(r) if r.activity_type == ActivityType::EmergencyStop && !r.common.imported => Some(Topic::Emergency),
        _ => None,
    }
}

/// The event that a record tells of, where records of one event may be emergencies.
pub(crate) fn event_of(record: &AnyRecord<'_>) -> Option<EventId> {
    match record {
        AnyRecord::TechnicianActivity(r) => Some(r.common.id),
        AnyRecord::OperationalEvent(r) => Some(r.common.id),
        _ => None,
    }
}

/// Whether a plan's day has not come yet.
pub fn is_later_plan(record: &AnyRecord<'_>, now: Timestamp) -> bool {
    plan_start(record).is_some_and(|start| start.since(now) > PLAN_RELEASED_BEFORE_US)
}

/// Whose plan it is: in `plans` it lies where its technician's log does.
pub fn planned_for(record: &AnyRecord<'_>) -> Option<TechnicianId> {
    match record {
        AnyRecord::ShiftPlan(r) => Some(r.technician_contact_id),
        AnyRecord::VisitPlan(r) => Some(r.technician_contact_id),
        _ => None,
    }
}

/// When the thing that a plan plans begins; `None` for what is no plan.
pub fn plan_start(record: &AnyRecord<'_>) -> Option<Timestamp> {
    match record {
        AnyRecord::ShiftPlan(r) => Some(r.planned_start),
        AnyRecord::VisitPlan(r) => Some(r.window_start),
        _ => None,
    }
}

/// An alert's records share the partition of its subject, the text between the first and the last colon of its id; a plan
/// that waits lies in the partition of its technician; everything else is partitioned by its key.
pub(crate) fn destination(topic: Topic, key: &[u8], planned_for: Option<TechnicianId>, partitions: i32) -> Destination {
    if let Some(technician) = planned_for.filter(|_| topic == Topic::Plans) {
        return Destination::Partition(partition_for_key(technician.to_string().as_bytes(), partitions));
    }
    match std::str::from_utf8(key) {
        Ok(alert_id) if topic == Topic::AlertEvents => Destination::of_alert(alert_id, partitions),
        _ => Destination::ByKey,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_go_by_their_subject() {
        let at = |key: &str| destination(Topic::AlertEvents, key.as_bytes(), None, 8);
        assert_eq!(at("S5:abc:1"), Destination::Partition(partition_for_key(b"abc", 8)));
        assert_eq!(at("S1:unknown:3-17"), Destination::Partition(partition_for_key(b"unknown", 8)));
        assert_eq!(at("nothing"), Destination::ByKey);
        assert_eq!(destination(Topic::Calls, b"a:b:c", None, 8), Destination::ByKey);
    }

    #[test]
    fn a_plan_waits_where_its_technicians_log_is() {
        let technician = TechnicianId::from_bytes([7; 16]);
        let home = Destination::Partition(partition_for_key(technician.to_string().as_bytes(), 8));
        assert_eq!(destination(Topic::Plans, b"some-id:3", Some(technician), 8), home);
        assert_eq!(destination(Topic::Activity, b"key", Some(technician), 8), Destination::ByKey);
    }
}

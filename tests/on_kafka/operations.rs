//! Operational events and calls on real Kafka: whom they concern, what is told of them and how soon, and that the tables agree.

use super::alerts::{FLUSH_WAIT_MAX, Watched};
use super::shared_kafka;
use crate::support::folder::wait_until;
use fieldline_log::{Append, Destination};
use fieldline_schemas::events::*;
use fieldline_schemas::ids::{ContactId, TechnicianId};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

fn event(watched: &Watched, created_at: Timestamp, event_type: &'static str, technician: TechnicianId) -> OperationalEvent<'static> {
    OperationalEvent {
        common: Common { created_at, ..watched.publisher.new_common() },
        event_type: Some(event_type.into()),
        event_category: EventCategory::Security,
        severity: Severity::Warning,
        source_system: Some("panel".into()),
        title: Some("a person's words".into()),
        description: None,
        resolved_at: None,
        resolved_by_contact_id: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        dedup_key: None,
        technician_contact_id: Some(technician),
        vehicle_id: None,
        visit_id: None,
    }
}

fn resolved(event: &OperationalEvent<'static>) -> OperationalEvent<'static> {
    let mut event = event.clone();
    event.common.revision += 1;
    event.resolved_at = Some(now());
    event.resolved_by_contact_id = Some(ContactId(Uuid::now_v7()));
    event
}

/// What another client of Kafka appends, that knows nothing of lanes.
fn append(watched: &mut Watched, topic: Topic, record: &AnyRecord<'_>) {
    let mut value = Vec::new();
    Codec::new().encode(record, &mut value);
    let name = topic.full_name(watched.deployment.prefix());
    let append = Append { destination: Destination::ByKey, key: &key_of(record), value: &value, append_time: None };
    watched.side_door.append(&name, append).unwrap();
    watched.side_door.flush(FLUSH_WAIT_MAX).unwrap();
}

fn start_shift(watched: &mut Watched) -> TechnicianId {
    let technician = TechnicianId(Uuid::now_v7());
    let (_, mut start) = watched.emergency_stop(technician);
    (start.activity_type, start.common.created_at) = (ActivityType::ShiftStart, now() - 60 * MINUTE_US);
    watched.publisher.publish_activity(start).unwrap();
    watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
    technician
}

/// Waits until the desk is told, and when that was after `due`.
fn told(watched: &Watched, alert_id: &str, step: &str, due: Timestamp) -> Duration {
    let found = || watched.desk.told().into_iter().find(|told| told.alert_id().starts_with(alert_id) && told.step() == step);
    wait_until(&format!("{alert_id} is {step}"), || found().is_some());
    let at = found().unwrap().at.duration_since(UNIX_EPOCH).unwrap();
    at.checked_sub(Duration::from_micros(due.0.unsigned_abs())).unwrap_or_else(|| panic!("{alert_id} was {step} before its time"))
}

#[test]
fn operational_events_reach_technicians_and_alerts_and_the_tables_agree() {
    let Some(kafka) = shared_kafka() else { return };
    let mut watched = Watched::new(&kafka.bootstrap());
    for setting in ["flags.unresolved_minutes=1", "flags.quiet_seconds=1"] {
        watched.deployment.settings.extend(["--set".into(), setting.into()]);
    }
    let _processors = watched.deployment.start("processors");
    let _sinks = watched.deployment.start("sinks");

    // S10: it happened almost two minutes ago, and opens when they are over.
    let technician = start_shift(&mut watched);
    let due = now() + 4 * SECOND_US;
    let alarm = event(&watched, due - 2 * MINUTE_US, "alarm_triggered", technician);
    append(&mut watched, Topic::Operations, &alarm.clone().into());
    let took = told(&watched, &format!("S10:{technician}:{}", alarm.common.id), "opened", due);
    println!("S10: a desk was told {took:?} after its time");
    assert!(took < Duration::from_secs(30), "{took:?}");

    // An emergency, closed by the resolution of an operational event.
    let alert_id = watched.press(technician);
    watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
    told(&watched, &alert_id, "opened", Timestamp(0));
    wait_until("the technician's log knows of it", || {
        watched.deployment.folder.number("SELECT count() FROM technician_activity WHERE activity_type = 'emergency_stop'") == 1
    });
    let sent = now();
    append(&mut watched, Topic::Operations, &resolved(&alarm).into());
    println!(
        "S1: a desk was told of its end {:?} after the resolution of an operational event",
        told(&watched, &alert_id, "resolved", sent)
    );
    let causes =
        format!("SELECT cause, actor_contact_id IS NOT NULL FROM alerts_history WHERE alert_id = '{alert_id}' AND step = 'resolved'");
    wait_until("the tables know it", || watched.deployment.folder.rows(&causes) == [["operational_event", "1"]]);

    // An SOS of a client that knows no lane, and its end.
    let sent = now();
    let sos = event(&watched, sent, "PANIC_BUTTON", technician);
    append(&mut watched, Topic::Operations, &sos.clone().into());
    let alert_id = format!("S1:{technician}:{}", sos.common.id);
    println!("S1 of an SOS in operations alone: a desk was told after {:?}", told(&watched, &alert_id, "opened", sent));
    append(&mut watched, Topic::Operations, &resolved(&sos).into());
    told(&watched, &alert_id, "resolved", sent);

    // S13 and S14 in partitions on which nothing else happens.
    let due = now() + 4 * SECOND_US;
    let mut critical = event(&watched, due - MINUTE_US, "outage", technician);
    (critical.technician_contact_id, critical.event_category, critical.severity) = (None, EventCategory::System, Severity::Critical);
    append(&mut watched, Topic::Operations, &critical.clone().into());
    println!("S13: a desk was told {:?} after its time", told(&watched, &format!("S13:{}:", critical.common.id), "opened", due));
    let sent = now();
    for _ in 0..10 {
        let call = CommunicationCall {
            common: watched.publisher.new_common(),
            communication_message_id: None,
            call_type: CallType::Missed,
            call_outcome: CallOutcome::NoAnswer,
            duration_seconds: None,
            wait_time_seconds: Some(90),
            recording_url: None,
            transcription: None,
            sentiment_score: None,
            sentiment_basis: None,
            transferred_to_contact_id: None,
            queue_name: Some("service desk: west".into()),
            ivr_path: None,
            channel_type: None,
            direction: None,
            started_at: None,
            agent_contact_id: None,
            thread_id: None,
            root_call_id: None,
            abandoned: Some(true),
        };
        watched.publisher.publish_call(call).unwrap();
    }
    watched.publisher.flush(FLUSH_WAIT_MAX).unwrap();
    println!("S14: a desk was told {:?} after the calls", told(&watched, "S14:service desk: west:", "opened", sent));

    // Both updates of both events that name the technician; nobody was told of anything else, or in anybody's words.
    let signals =
        format!("SELECT count() FROM technician_facts_log FINAL WHERE kind = 'signal' AND technician_contact_id = '{technician}'");
    wait_until("every signal is in the technician's log", || watched.deployment.folder.number(&signals) == 4);
    let opened: Vec<_> = watched.desk.told().into_iter().filter(|told| told.step() == "opened").collect();
    assert_eq!(opened.len(), 5, "{opened:?}");
    assert!(!format!("{opened:?}").contains("a person's words"));
    wait_until("what is computed again equals the tables", || {
        let verified = watched.deployment.run(&["verify"]);
        // 5: the sinks have not written everything yet.
        assert!(matches!(verified.code, Some(0 | 5)), "{verified:?}");
        verified.code == Some(0)
    });
}

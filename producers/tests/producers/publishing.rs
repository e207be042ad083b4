//! The publisher: what it fills in, refuses and acknowledges.

use crate::records::{memory_log, records_of};
use fieldline_log::{Log, partition_for_key};
use fieldline_producers::{PublishError, Publisher, PublisherConfig};
use fieldline_schemas::events::{ActivityType, Common, DeadLetterReason, TechnicianActivity};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_schemas::{AnyRecord, SosTypes, Timestamp, Topic};
use std::sync::Arc;
use std::time::Duration;

/// 2025-03-03T08:00:00Z
const NOW: Timestamp = Timestamp(1_740_988_800_000_000);
const TECHNICIAN: &str = "126e3ab1-b189-5b22-8abe-bc5abc119d0f";

fn publisher(log: &Arc<impl Log + 'static>) -> Publisher {
    let log: Arc<dyn Log> = Arc::clone(log) as Arc<dyn Log>;
    Publisher::new(log, PublisherConfig { now: Some(|| NOW), ..PublisherConfig::default() }).unwrap()
}

#[test]
fn the_models_minimal_examples_are_accepted() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let examples = [
        (Topic::Activity, format!(r#"{{"event":"technician_activity","technician_contact_id":"{TECHNICIAN}","activity_type":"shift_start","location":{{"latitude":52.37,"longitude":4.89}}}}"#)),
        (Topic::Activity, format!(r#"{{"event":"technician_activity","technician_contact_id":"{TECHNICIAN}","activity_type":"travel_start","visit_id":"1c232514-9d40-5222-bd3e-8d89c609bc22","vehicle_id":"3aca1dd0-dd49-5313-8c60-978ba1413cb5"}}"#)),
        (Topic::Calls, r#"{"event":"communication_call_details","call_type":"inbound","call_outcome":"answered","duration_seconds":182,"queue_name":"service"}"#.to_owned()),
        (Topic::Operations, r#"{"event":"operational_event","event_category":"system","severity":"warning"}"#.to_owned()),
    ];
    for (topic, text) in &examples {
        let (receipt, record) = publisher.publish_json(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(receipt.topic, *topic, "{text}");
        let common = match &record {
            AnyRecord::TechnicianActivity(r) => &r.common,
            AnyRecord::CommunicationCall(r) => &r.common,
            AnyRecord::OperationalEvent(r) => &r.common,
            other => panic!("{other:?}"),
        };
        assert_eq!(common.assigned, ["id", "created_at"]);
        assert_eq!((common.created_at, common.id.0.get_version_num()), (NOW, 7));
    }
    publisher.flush(Duration::from_secs(1)).unwrap();
    assert_eq!(publisher.acknowledged().unwrap(), examples.len() as u64);
    let activity = records_of(&log, Topic::Activity);
    assert_eq!(activity.len(), 2);
    assert!(activity.iter().all(|r| r.key == TECHNICIAN && r.partition == partition_for_key(TECHNICIAN.as_bytes(), 8)));
    assert_eq!(records_of(&log, Topic::Calls)[0].key, "service");
    assert_eq!(records_of(&log, Topic::Operations).len(), 1);
}

#[test]
fn what_a_reader_would_refuse_is_refused_before_the_log() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let long = "x".repeat(70_000);
    let activity = |rest: &str| format!(r#"{{"event":"technician_activity","technician_contact_id":"{TECHNICIAN}",{rest}}}"#);
    let cases = [
        (activity(r#""activity_type":"nap""#), DeadLetterReason::UnknownSymbol),
        (activity(r#""notes":"no type""#), DeadLetterReason::MissingField),
        (activity(r#""activity_type":"shift_start","visit_id":"nonsense""#), DeadLetterReason::MalformedUuid),
        (activity(r#""activity_type":"shift_start","created_at":"2025-03-03T08:00:00""#), DeadLetterReason::MalformedTime),
        (activity(r#""activity_type":"shift_start","created_at":"2025-03-04T08:00:01Z""#), DeadLetterReason::CreatedAhead),
        (activity(&format!(r#""activity_type":"shift_start","notes":"{long}""#)), DeadLetterReason::TooLarge),
        ("{".to_owned(), DeadLetterReason::Undecodable),
    ];
    for (text, reason) in &cases {
        match publisher.publish_json(text) {
            Err(PublishError::Refused(rejection)) => assert_eq!(rejection.reason, *reason, "{rejection}"),
            other => panic!("{reason:?} expected, not {other:?}"),
        }
    }
    publisher.flush(Duration::from_secs(1)).unwrap();
    assert!(records_of(&log, Topic::Activity).is_empty());
}

/// A typed record passes no JSON reader: its limits are checked all the same.
#[test]
fn a_typed_record_beyond_the_limits_is_refused() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let activity = |notes: String, publisher: &Publisher| TechnicianActivity {
        common: publisher.new_common(),
        technician_contact_id: TechnicianId(TECHNICIAN.parse().unwrap()),
        activity_type: ActivityType::ShiftStart,
        visit_id: None,
        vehicle_id: None,
        location: None,
        notes: Some(notes.into()),
    };
    let fine = activity("fine".to_owned(), &publisher);
    publisher.publish_activity(fine).unwrap();
    let long = activity("x".repeat(70_000), &publisher);
    match publisher.publish_activity(long) {
        Err(PublishError::Refused(rejection)) => assert_eq!(rejection.reason, DeadLetterReason::TooLarge),
        other => panic!("{other:?}"),
    }
    publisher.flush(Duration::from_secs(1)).unwrap();
    assert_eq!(records_of(&log, Topic::Activity).len(), 1);
}

#[test]
fn an_emergency_goes_to_the_technicians_log_and_to_the_lane() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let text = format!(r#"{{"event":"technician_activity","technician_contact_id":"{TECHNICIAN}","activity_type":"emergency_stop"}}"#);
    let (receipt, sent) = publisher.publish_json(&text).unwrap();
    assert_eq!(receipt.topic, Topic::Activity);
    publisher.flush(Duration::from_secs(1)).unwrap();
    for topic in [Topic::Activity, Topic::Emergency] {
        let found = records_of(&log, topic);
        assert_eq!(found.len(), 1, "{topic:?}");
        assert_eq!((&found[0].record, found[0].key.as_str()), (&sent, TECHNICIAN));
    }
}

/// The log of this process is given records when it is asked for acknowledgements, or when a batch is full.
#[test]
fn an_emergency_leaves_at_once_and_only_of_its_own_event_behind_what_was_published_before() {
    let activity = |id: u32, kind: &str, rest: &str| {
        format!(
            r#"{{"event":"technician_activity","id":"c14361c9-8a9a-51b6-80ae-{id:012}","created_at":"{NOW}","technician_contact_id":"{TECHNICIAN}","activity_type":"{kind}"{rest}}}"#
        )
    };
    let operation = |id: u32, rest: &str| {
        format!(
            r#"{{"event":"operational_event","id":"c14361c9-8a9a-51b6-80ae-{id:012}","created_at":"{NOW}","event_category":"operational","severity":"info"{rest}}}"#
        )
    };
    let stop = activity(2, "emergency_stop", "");
    let sos = operation(3, r#","event_type":"sos""#);
    // What is published before, then what is in the log without being asked for, and what is only behind the rest.
    let cases: [(&[String], &String, bool); 5] = [
        (&[activity(1, "travel_start", "")], &stop, true),
        (&[activity(2, "travel_start", "")], &stop, false),
        (&[operation(1, "")], &sos, true),
        // An update of the same revision: the last in the log stands.
        (&[operation(3, "")], &sos, false),
        (&[operation(3, ""), operation(3, r#","event_type":"door""#)], &sos, false),
    ];
    for (before, emergency, is_at_once) in cases {
        let log = memory_log();
        let mut publisher = publisher(&log);
        before.iter().for_each(|text| drop(publisher.publish_json(text).unwrap()));
        let (receipt, sent) = publisher.publish_json(emergency).unwrap();
        assert_eq!(receipt.number, before.len() as u64 + 2, "its own and the lane's");
        let found = |topic| records_of(&log, topic).into_iter().map(|found| found.record).collect::<Vec<_>>();
        let expected = if is_at_once { vec![sent.clone()] } else { vec![] };
        assert_eq!(found(receipt.topic), expected, "{emergency} behind {before:?}");
        assert_eq!(found(Topic::Emergency), expected, "{emergency} behind {before:?}");
        // What follows in its own event goes the same way.
        let ended = emergency.replace(r#""event_type":"sos""#, &format!(r#""event_type":"sos","resolved_at":"{NOW}""#));
        publisher.publish_json(&ended).unwrap();
        publisher.flush(Duration::from_secs(1)).unwrap();
        assert!(publisher.acknowledged().unwrap() >= receipt.number);
        let all = records_of(&log, receipt.topic);
        assert_eq!(all.len(), before.len() + 2);
        let partition = all.iter().find(|found| found.record == sent).unwrap().partition;
        let at = all.iter().filter(|found| found.partition == partition).position(|found| found.record == sent).unwrap();
        assert_eq!(at, if is_at_once { 0 } else { before.len() }, "{emergency} behind {before:?}");
    }
}

/// Event time stands for append time there: a record before its turn would move the log's clock.
#[test]
fn where_event_time_stands_for_append_time_everything_keeps_its_order() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let kinds = [ActivityType::ShiftStart, ActivityType::EmergencyStop, ActivityType::TravelStart];
    for (activity_type, at) in kinds.into_iter().zip([NOW, NOW + HOUR_US, NOW + 2 * HOUR_US]) {
        let activity = TechnicianActivity {
            common: Common { created_at: at, ..publisher.new_common() },
            technician_contact_id: TechnicianId(TECHNICIAN.parse().unwrap()),
            activity_type,
            visit_id: None,
            vehicle_id: None,
            location: None,
            notes: None,
        };
        publisher.publish_at(&activity.into(), at).unwrap();
    }
    publisher.flush(Duration::from_secs(1)).unwrap();
    let times: Vec<Timestamp> = records_of(&log, Topic::Activity).iter().map(|found| found.append_time).collect();
    assert_eq!(times, [NOW, NOW + HOUR_US, NOW + 2 * HOUR_US]);
}

#[test]
fn the_first_report_of_an_sos_goes_to_operations_and_to_the_lane() {
    let event = |id: u32, rest: &str| {
        let id = format!("c14361c9-8a9a-51b6-80ae-{id:012}");
        format!(
            r#"{{"event":"operational_event","id":"{id}","created_at":"{NOW}","event_category":"operational","severity":"info"{rest}}}"#
        )
    };
    let named = format!(r#","event_type":"Man_Down","technician_contact_id":"{TECHNICIAN}""#);
    let sent = [
        event(1, &named),
        event(2, r#","event_type":" sos ""#),
        event(3, r#","event_type":"alarm_triggered""#),
        event(4, ""),
        event(5, &format!(r#"{named},"revision":1"#)),
        event(6, &format!(r#"{named},"resolved_at":"{NOW}""#)),
        event(7, &format!(r#"{named},"voided":true"#)),
    ];
    let keys = |sos: &str| {
        let log = memory_log();
        let config = PublisherConfig { now: Some(|| NOW), sos: SosTypes::of_list(sos), ..PublisherConfig::default() };
        let mut publisher = Publisher::new(log.clone(), config).unwrap();
        sent.iter().for_each(|text| drop(publisher.publish_json(text).unwrap()));
        publisher.flush(Duration::from_secs(1)).unwrap();
        assert_eq!(records_of(&log, Topic::Operations).len(), sent.len());
        let mut keys: Vec<String> = records_of(&log, Topic::Emergency).into_iter().map(|found| found.key).collect();
        keys.sort();
        keys
    };
    // By the technician whom it names, else by itself.
    let mut expected = [TECHNICIAN.to_owned(), "c14361c9-8a9a-51b6-80ae-000000000002".to_owned()];
    expected.sort();
    assert_eq!(keys("sos,panic_button,man_down,duress"), expected);
    assert_eq!(keys("ALARM_triggered , "), ["c14361c9-8a9a-51b6-80ae-000000000003"]);
    assert!(keys("").is_empty());
}

#[test]
fn plans_of_the_next_day_go_to_the_technicians_log_and_all_wait_in_plans() {
    let log = memory_log();
    let mut publisher = publisher(&log);
    let plan = |start: Timestamp| {
        format!(
            r#"{{"event":"shift_plan","id":"c14361c9-8a9a-51b6-80ae-32253fb51c99","revision":0,"technician_contact_id":"{TECHNICIAN}","planned_start":"{start}","planned_end":"{}"}}"#,
            start + 8 * HOUR_US
        )
    };
    for start in [NOW - 400 * DAY_US, NOW, NOW + DAY_US] {
        publisher.publish_json(&plan(start)).unwrap();
    }
    let (later, sent) = publisher.publish_json(&plan(NOW + DAY_US + 1)).unwrap();
    assert_eq!(later.topic, Topic::Plans);
    publisher.flush(Duration::from_secs(1)).unwrap();
    let known = records_of(&log, Topic::Activity);
    assert_eq!(known.len(), 3);
    // All of them are where an amendment looks for them, in the partition of the technician's log.
    let waiting = records_of(&log, Topic::Plans);
    assert_eq!(waiting.len(), 4);
    assert_eq!((&waiting[3].record, waiting[3].key.as_str()), (&sent, "c14361c9-8a9a-51b6-80ae-32253fb51c99:0"));
    assert!(waiting.iter().all(|found| found.partition == known[0].partition));
}

#[test]
fn absent_topics_are_an_error_where_they_are_not_to_be_made() {
    let log: Arc<dyn Log> = memory_log();
    let config = PublisherConfig { makes_topics: false, ..PublisherConfig::default() };
    let error = Publisher::new(log, config).err().unwrap();
    assert_eq!(error.to_string(), "preparing topic fieldline.activity");
}

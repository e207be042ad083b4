//! Tables and views of alerts, and the audit of emergencies: written with our rows and sinks, read with SQL texts.

use crate::setup::{TestDatabase, activity, at, event, technician};
use crate::world::World;
use fieldline_log::{Append, Destination, Log};
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, Delivered, Delivery, DeliveryOutcome, FlagCode};
use fieldline_schemas::events::{ActivityType, Location, Severity, TechnicianActivity};
use fieldline_schemas::results::Stamp;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, Version, content_hash, key_of};
use fieldline_sinks_rows::{ActivityRows, AlertRows, DeliveryRows, Position};
use std::time::{Duration, Instant};

fn position(offset: i64) -> Position {
    Position { partition: 0, offset, received_at: at(offset) }
}

fn alert(flag: FlagCode, number: u8, step: u64) -> Alert<'static> {
    Alert {
        stamp: Stamp { version: Version::pack(0, 0, step, 0).unwrap(), as_of: at(step as i64), caused_by: Some(event(number)) },
        alert_id: format!("{}:{}:{}", flag.symbol(), technician(1), event(number)).into(),
        flag,
        severity: if flag == FlagCode::S1 { Severity::Critical } else { Severity::Warning },
        technician_contact_id: Some(technician(1)),
        visit_id: None,
        state: AlertState::Opened,
        step: AlertStep::Opened,
        cause: "timer".into(),
        actor_contact_id: None,
        opened_at: at(0),
        about_at: at(-1),
        notified_at: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        resolved_at: None,
        resolved_by_contact_id: None,
        resolve_reason: None,
        round: 0,
        reopened: 0,
        repeats: 0,
        notification: 1,
        is_late: false,
        is_voided: false,
        location: None,
        reasoning: "open since 08:00".into(),
        note: None,
        delivered: Vec::new(),
    }
}

fn delivery(of: &Alert<'_>, attempt: u32, outcome: DeliveryOutcome) -> Delivery<'static> {
    Delivery {
        alert_id: of.alert_id.clone().into_owned().into(),
        notification: of.notification,
        receiver: "desk".into(),
        channel: "webhook".into(),
        attempt,
        outcome,
        attempted_at: at(i64::from(attempt)),
        waited_us: 2_500,
        took_us: 1_000_001,
        status: (outcome == DeliveryOutcome::Acknowledged).then_some(200),
        detail: if outcome == DeliveryOutcome::Acknowledged { "".into() } else { "it answers 503".into() },
    }
}

/// Writes to the table and its history, as the sink does.
fn insert(test: &TestDatabase, alerts: &[(i64, Alert<'_>)]) {
    let mut rows = AlertRows::default();
    alerts.iter().for_each(|(offset, alert)| rows.push(position(*offset), alert));
    test.insert("alert_results", &rows);
    test.insert("alert_history", &rows);
}

#[test]
fn the_highest_version_of_an_alert_stands_and_its_history_is_kept() {
    let test = TestDatabase::new("alerts");
    let opened = alert(FlagCode::S5, 1, 10);
    let notified = Alert {
        stamp: alert(FlagCode::S5, 1, 11).stamp,
        state: AlertState::Notified,
        step: AlertStep::Notified,
        cause: "desk".into(),
        notified_at: Some(at(11)),
        location: Some(Location { latitude: Some(52.5), longitude: Some(13.25), accuracy_meters: None, address: None }),
        delivered: vec![Delivered { receiver: "desk".into(), notification: 1 }, Delivered { receiver: "pager".into(), notification: 1 }],
        ..opened.clone()
    };
    insert(&test, &[(5, notified.clone())]);
    // A late older one, and the same again from a lifecycle that was restarted.
    insert(&test, &[(6, opened.clone()), (7, notified)]);
    let id = &opened.alert_id;
    test.check(
        "SELECT alert_id, flag, severity, subject, state, cause, opened_at, notified_at, resolved_at, location.1, delivered_to FROM alerts",
        &[&format!(
            "{id}\tS5\twarning\t{}\tnotified\tdesk\t2026-03-02 08:00:00.000000\t2026-03-02 08:11:00.000000\t\\N\t52.5\t['desk','pager']",
            technician(1)
        )],
    );
    test.check(
        "SELECT step, published_at FROM alerts_history ORDER BY version",
        &["opened\t2026-03-02 08:06:00.000000", "notified\t2026-03-02 08:05:00.000000"],
    );
    test.database.execute("OPTIMIZE TABLE alert_history FINAL").unwrap();
    test.check("SELECT count() FROM alerts_history", &["2"]);
}

#[test]
fn every_attempt_is_one_row() {
    let test = TestDatabase::new("deliveries");
    let of = alert(FlagCode::S1, 1, 10);
    let mut rows = DeliveryRows::default();
    rows.push(position(1), &delivery(&of, 1, DeliveryOutcome::Failed));
    rows.push(position(2), &delivery(&of, 2, DeliveryOutcome::Acknowledged));
    // The sink's insert is repeated.
    test.insert("alert_deliveries_log", &rows);
    test.insert("alert_deliveries_log", &rows);
    test.check(
        "SELECT flag, subject, receiver, attempt, outcome, waited_seconds, took_seconds, status, detail FROM alert_deliveries ORDER BY attempt",
        &[
            &format!("S1\t{}\tdesk\t1\tfailed\t0.0025\t1.000001\t\\N\tit answers 503", technician(1)),
            &format!("S1\t{}\tdesk\t2\tacknowledged\t0.0025\t1.000001\t200\t", technician(1)),
        ],
    );
}

fn located(number: u8, minutes: i64, latitude: f64, longitude: f64) -> TechnicianActivity<'static> {
    let location = Location { latitude: Some(latitude), longitude: Some(longitude), accuracy_meters: Some(900), address: None };
    TechnicianActivity { location: Some(location), ..activity(number, minutes, ActivityType::TravelStart) }
}

fn insert_activities(test: &TestDatabase, activities: &[TechnicianActivity<'static>]) {
    let mut rows = ActivityRows::default();
    for (offset, activity) in (0..).zip(activities) {
        rows.push(position(offset), content_hash(&AnyRecord::TechnicianActivity(activity.clone())), activity);
    }
    test.insert("technician_activity_log", &rows);
}

#[test]
fn the_board_shows_what_is_open_with_the_last_position() {
    let test = TestDatabase::new("board");
    // Of the latest four one has none, one lies nowhere, one is withdrawn.
    let mut withdrawn = located(4, 30, 3.0, 3.0);
    withdrawn.common.voided = true;
    let activities =
        [located(1, 5, 1.0, 1.0), located(2, 10, 2.0, 2.0), activity(3, 20, ActivityType::TravelEnd), withdrawn, located(5, 40, 0.0, 0.0)];
    insert_activities(&test, &activities);
    test.check(
        "SELECT latitude, longitude, accuracy_meters, located_at, event_id, abs(age_seconds - (now64(6) - located_at)) < 5 FROM technician_positions",
        &[&format!("2\t2\t900\t2026-03-02 08:10:00.000000\t{}\t1", event(2))],
    );
    let nobody =
        Alert { technician_contact_id: None, alert_id: "S14:queue:1".into(), severity: Severity::Error, ..alert(FlagCode::S14, 3, 10) };
    let seen = Alert { state: AlertState::Acknowledged, acknowledged_at: Some(at(3)), opened_at: at(-9), ..alert(FlagCode::S1, 2, 10) };
    let over = Alert { state: AlertState::Resolved, resolved_at: Some(at(3)), ..alert(FlagCode::S1, 9, 10) };
    insert(&test, &[(1, alert(FlagCode::S5, 1, 10)), (2, nobody), (3, seen), (4, over), (5, alert(FlagCode::S1, 1, 10))]);
    test.check(
        "SELECT urgency, flag, state, latitude, located_at, position_age_seconds > 0, age_seconds > 0 FROM safety_board",
        &[
            "0\tS1\topened\t2\t2026-03-02 08:10:00.000000\t1\t1",
            "1\tS1\tacknowledged\t2\t2026-03-02 08:10:00.000000\t1\t1",
            "2\tS14\topened\t\\N\t\\N\t\\N\t1",
            "3\tS5\topened\t2\t2026-03-02 08:10:00.000000\t1\t1",
        ],
    );
}

/// The audit is empty where each emergency has reached somebody, and shows each gap that is planted.
#[test]
fn the_audit_finds_what_reached_nobody() {
    let test = TestDatabase::new("audit");
    let emergency = |number| activity(number, i64::from(number), ActivityType::EmergencyStop);
    let (mut imported, mut withdrawn) = (emergency(5), emergency(6));
    imported.common.imported = true;
    withdrawn.common.voided = true;
    insert_activities(
        &test,
        &[emergency(1), emergency(2), emergency(3), emergency(4), imported, withdrawn, activity(7, 7, ActivityType::ShiftEnd)],
    );
    // Too young to be missed.
    let mut rows = ActivityRows::default();
    let young = emergency(8);
    let now = Timestamp(test.lines("SELECT toUnixTimestamp64Micro(now64(6))")[0].parse().unwrap());
    rows.push(Position { partition: 0, offset: 99, received_at: now - 30_000_000 }, 0, &young);
    test.insert("technician_activity_log", &rows);

    let first = alert(FlagCode::S1, 1, 10);
    // The second is counted on the first; later it is resolved along with it.
    let counted = Alert { notification: 0, step: AlertStep::Repeated, cause: first.alert_id.clone(), ..alert(FlagCode::S1, 2, 11) };
    let closed = Alert { notification: 0, state: AlertState::Resolved, step: AlertStep::Resolved, ..alert(FlagCode::S1, 2, 14) };
    let counting = Alert { step: AlertStep::Repeated, cause: counted.alert_id.clone(), repeats: 1, ..alert(FlagCode::S1, 1, 11) };
    let third = alert(FlagCode::S1, 3, 12);
    insert(&test, &[(1, first.clone()), (2, counted), (3, counting), (4, third.clone()), (5, closed)]);
    let audit = "SELECT event_id, state, attempts, last_detail, counted_on FROM emergencies_undelivered";
    let mut rows = DeliveryRows::default();
    rows.push(position(1), &delivery(&third, 1, DeliveryOutcome::Failed));
    rows.push(position(2), &delivery(&third, 2, DeliveryOutcome::GaveUp));
    test.insert("alert_deliveries_log", &rows);
    test.insert("alert_deliveries_log", &rows);
    let line = |number, text: &str| format!("{}\t{text}", event(number));
    test.check(
        audit,
        &[
            &line(1, "opened\t0\t\t"),
            &line(2, &format!("resolved\t0\t\t{}", first.alert_id)),
            &line(3, "opened\t2\tit answers 503\t"),
            // Nobody has even opened an alert.
            &line(4, "\t0\t\t"),
        ],
    );
    let mut rows = DeliveryRows::default();
    rows.push(position(3), &delivery(&first, 1, DeliveryOutcome::Acknowledged));
    rows.push(position(4), &delivery(&alert(FlagCode::S1, 4, 10), 1, DeliveryOutcome::Acknowledged));
    // A silence is no delivery.
    rows.push(position(5), &delivery(&third, 3, DeliveryOutcome::Suppressed));
    test.insert("alert_deliveries_log", &rows);
    test.check(audit, &[&line(3, "opened\t2\tit answers 503\t")]);
    let mut rows = DeliveryRows::default();
    rows.push(position(6), &delivery(&third, 4, DeliveryOutcome::Acknowledged));
    test.insert("alert_deliveries_log", &rows);
    test.check(audit, &[]);
}

#[test]
fn the_results_sink_writes_alerts_and_deliveries() {
    let world = World::new("alerts_sink", at(0));
    let of = alert(FlagCode::S1, 1, 10);
    let records = [
        (Topic::Alerts, AnyRecord::Alert(of.clone())),
        (Topic::Alerts, AnyRecord::Alert(Alert { state: AlertState::Notified, step: AlertStep::Notified, ..alert(FlagCode::S1, 1, 11) })),
        (Topic::Deliveries, AnyRecord::Delivery(delivery(&of, 1, DeliveryOutcome::Acknowledged))),
        // It does not belong there: a dead letter.
        (Topic::Deliveries, AnyRecord::Alert(of)),
    ];
    let (codec, mut producer) = (Codec::new(), world.log.producer().unwrap());
    for (topic, record) in &records {
        let mut value = Vec::new();
        codec.encode(record, &mut value);
        let append = Append { destination: Destination::ByKey, key: &key_of(record), value: &value, append_time: None };
        producer.append(&topic.full_name("fieldline."), append).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
    let counts = "SELECT (SELECT count() FROM alerts WHERE state = 'notified'), (SELECT count() FROM alerts_history), \
                  (SELECT count() FROM alert_deliveries), (SELECT count() FROM dead_letters WHERE topic = 'deliveries')";
    let began = Instant::now();
    while world.test.lines(counts) != ["1\t2\t1\t1"] {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", world.test.lines(counts));
        std::thread::sleep(Duration::from_millis(50));
    }
}

//! Silences, teams, routes and rates.

use crate::bench::{Running, alert, append, append_alerts, config, deliveries, key, log, now, resolved, wait_until, webhook};
use crate::receiver::{Answer, Receiver};
use fieldline_log::Log;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode, Silence};
use fieldline_schemas::events::{Contact, ContactKind, Severity};
use fieldline_schemas::ids::{ContactId, EventId};
use fieldline_schemas::{AnyRecord, Topic};
use fieldline_sinks::deliver::{DeliverConfig, Route};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn silence(revision: u32, seconds: i64) -> Silence<'static> {
    Silence {
        id: EventId::from_bytes([1; 16]),
        revision,
        voided: false,
        created_at: now() - 1_000_000,
        until: now() + seconds * 1_000_000,
        flag: None,
        technician_contact_id: None,
        team: None,
        actor_contact_id: None,
        note: None,
    }
}

fn contact(number: u32, team: &'static str) -> AnyRecord<'static> {
    let id = ContactId(alert(number, FlagCode::S5, 1).technician_contact_id.unwrap().0);
    AnyRecord::Contact(Contact {
        id,
        revision: 0,
        display_name: Some("Kim".into()),
        team: Some(team.into()),
        kind: ContactKind::Technician,
    })
}

fn suppressed(log: &dyn Log) -> Vec<String> {
    let records = deliveries(log, Topic::Deliveries);
    let mut keys: Vec<_> = records
        .iter()
        .filter(|record| record.outcome == DeliveryOutcome::Suppressed)
        .map(|record| format!("{}:{}", record.alert_id, record.notification))
        .collect();
    keys.sort();
    keys
}

#[test]
fn what_is_silenced_is_recorded_and_sent_when_the_silence_ends() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let began = Instant::now();
    append(log.as_ref(), Topic::Contacts, [AnyRecord::Silence(silence(0, 2))]);
    append_alerts(
        log.as_ref(),
        [alert(1, FlagCode::S5, 1), alert(2, FlagCode::S5, 1), alert(3, FlagCode::S1, 1), alert(4, FlagCode::S6, 1)],
    );
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), log.clone());
    wait_until("the emergencies pass", || receiver.taken().len() == 2);
    wait_until("two are suppressed", || suppressed(log.as_ref()).len() == 2);
    // One of the two is over before the silence is: nobody has heard of it, nobody need hear.
    append_alerts(log.as_ref(), [resolved(alert(2, FlagCode::S5, 2))]);
    wait_until("the silence ends", || receiver.taken().len() == 3);
    assert!(began.elapsed() >= Duration::from_millis(1_900), "after {:?}", began.elapsed());
    std::thread::sleep(Duration::from_millis(300));
    running.end().unwrap();
    let mut sent: Vec<_> = receiver.taken().into_keys().collect();
    sent.sort();
    assert_eq!(sent, [key(&alert(3, FlagCode::S1, 1)), key(&alert(1, FlagCode::S5, 1)), key(&alert(4, FlagCode::S6, 1))]);
    assert_eq!(suppressed(log.as_ref()), [key(&alert(1, FlagCode::S5, 1)), key(&alert(2, FlagCode::S5, 1))]);
}

#[test]
fn a_silence_that_is_taken_back_and_one_of_a_team() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let of_north = Silence { team: Some("north".into()), ..silence(0, 3_600) };
    append(log.as_ref(), Topic::Contacts, [contact(1, "north"), contact(2, "south"), AnyRecord::Silence(of_north.clone())]);
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 1), alert(2, FlagCode::S5, 1), alert(3, FlagCode::S5, 1)]);
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), log.clone());
    wait_until("two do not fit it", || receiver.taken().len() == 2);
    wait_until("one does", || suppressed(log.as_ref()) == [key(&alert(1, FlagCode::S5, 1))]);
    append(log.as_ref(), Topic::Contacts, [AnyRecord::Silence(Silence { revision: 1, voided: true, ..of_north })]);
    wait_until("it is taken back", || receiver.taken().len() == 3);
    running.end().unwrap();
    let of = |number| receiver.received().iter().find(|r| r.key() == key(&alert(number, FlagCode::S5, 1))).unwrap().json();
    assert_eq!((of(1)["team"].as_str(), of(1)["technician_name"].as_str()), (Some("north"), Some("Kim")));
    assert_eq!(of(3)["team"].as_str(), None);
}

#[test]
fn routes_by_flag_severity_and_team() {
    let log = log();
    let receivers: Vec<_> = (0..4).map(|_| Receiver::start(|_, _| Answer::Status(200))).collect();
    let names = ["emergencies", "severe", "north", "all"];
    let route = |number: usize| Route { receiver: names[number].to_owned(), ..Route::default() };
    let routes = vec![
        Route { flags: vec![FlagCode::S1], ..route(0) },
        Route { severity_min: Some(Severity::Error), ..route(1) },
        Route { teams: vec!["north".to_owned()], stop: true, ..route(2) },
        route(3),
    ];
    let configured = names.iter().zip(&receivers).map(|(name, receiver)| webhook(name, &receiver.url())).collect();
    let log_of: Arc<dyn Log> = log.clone();
    append(log.as_ref(), Topic::Contacts, [contact(1, "north"), contact(2, "south")]);
    let running = Running::start(DeliverConfig { routes, ..config(configured) }, log_of);
    append_alerts(
        log.as_ref(),
        [alert(1, FlagCode::S1, 1), alert(1, FlagCode::S5, 1), alert(2, FlagCode::S5, 1), alert(3, FlagCode::S6, 1)],
    );
    let counts = || receivers.iter().map(|receiver| receiver.taken().len()).collect::<Vec<_>>();
    wait_until("each has its own", || counts() == [1, 2, 2, 2]);
    // The team becomes known later: an alert that had no route there gets one.
    append(log.as_ref(), Topic::Contacts, [contact(3, "north")]);
    wait_until("the route is found", || counts() == [1, 2, 3, 2]);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(counts(), [1, 2, 3, 2]);
    running.end().unwrap();
}

/// Beyond the rate it waits and is not dropped; emergencies do not wait, and do not count.
#[test]
fn a_rate_holds_back_what_can_wait() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut limited = webhook("desk", &receiver.url());
    limited.per_minute_max = Some(5);
    append_alerts(log.as_ref(), (0..20).map(|number| alert(number, FlagCode::S5, 1)));
    let running = Running::start(config(vec![limited]), log.clone());
    wait_until("five are sent", || receiver.taken().len() == 5);
    append_alerts(log.as_ref(), (100..110).map(|number| alert(number, FlagCode::S1, 1)));
    wait_until("every emergency is sent", || receiver.taken().len() == 15);
    wait_until("the others are owed", || running.control.receivers[0].owed() == 15);
    assert_eq!(receiver.taken().len(), 15);
    assert_eq!(running.control.receivers[0].attempts(DeliveryOutcome::GaveUp), 0);
    running.end().unwrap();
}

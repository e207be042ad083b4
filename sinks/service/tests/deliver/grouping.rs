//! Several alerts in one message: who waits, who does not, and that each is recorded and none is lost.

use crate::bench::{Running, alert, append_alerts, config, deliveries, key, log, resolved, wait_until, webhook};
use crate::receiver::{Answer, Received, Receiver};
use crate::restart::Mortal;
use fieldline_log::Log;
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::{DeliverConfig, GROUP_MAX, GroupBy, Route};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

const GROUP_WAIT: Duration = Duration::from_millis(400);

fn grouped(url: &str) -> DeliverConfig {
    let route = Route { receiver: "desk".into(), group_wait: GROUP_WAIT, group_by: vec![GroupBy::Flag], ..Route::default() };
    DeliverConfig { routes: vec![route], ..config(vec![webhook("desk", url)]) }
}

/// `alert_id:notification` of everything in a message.
fn keys(received: &Received) -> Vec<String> {
    let body = received.json();
    let key = |alert: &serde_json::Value| format!("{}:{}", alert["alert_id"].as_str().unwrap(), alert["notification"]);
    body["alerts"].as_array().map_or_else(|| vec![key(&body)], |alerts| alerts.iter().map(key).collect())
}

fn acknowledged(log: &dyn Log, topic: Topic) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for delivery in deliveries(log, topic).iter().filter(|delivery| delivery.outcome == DeliveryOutcome::Acknowledged) {
        *count.entry(format!("{}:{}", delivery.alert_id, delivery.notification)).or_default() += 1;
    }
    count
}

#[test]
fn what_can_wait_goes_together_and_an_emergency_alone_and_at_once() {
    let log = log();
    let desk = Receiver::start(|_, _| Answer::Status(200));
    let running = Running::start(grouped(&desk.url()), log.clone());
    append_alerts(log.as_ref(), [alert(0, FlagCode::S1, 1)]);
    wait_until("it runs", || desk.received().len() == 1);
    let of = |flag, numbers: std::ops::Range<u32>| numbers.map(move |number| alert(number, flag, 1));
    append_alerts(
        log.as_ref(),
        of(FlagCode::S5, 1..6).chain(of(FlagCode::S11, 6..8)).chain(of(FlagCode::S6, 8..10)).chain([alert(10, FlagCode::S8, 1)]),
    );
    wait_until("all are recorded", || acknowledged(log.as_ref(), Topic::AlertEvents).len() == 11);
    running.end().unwrap();
    let mut messages: Vec<(String, usize)> = desk
        .received()
        .iter()
        .skip(1)
        .map(|received| (keys(received)[0][..3].trim_end_matches(':').to_owned(), keys(received).len()))
        .collect();
    assert_eq!(messages[..2].iter().map(|(flag, _)| flag.as_str()).collect::<Vec<_>>(), ["S6", "S6"], "they wait for nothing");
    messages.sort();
    let expect = [("S11", 2), ("S5", 5), ("S6", 1), ("S6", 1), ("S8", 1)];
    assert_eq!(messages, expect.map(|(flag, count)| (flag.to_owned(), count)));
    // Each has its own record; one that went alone is told as ever.
    assert!(acknowledged(log.as_ref(), Topic::Deliveries).values().all(|count| *count == 1));
    let alone = desk.received().into_iter().find(|received| received.key() == key(&alert(10, FlagCode::S8, 1))).unwrap();
    assert_eq!(alone.json()["type"], "alert.opened");
    let group = desk.received().into_iter().find(|received| keys(received).len() == 5).unwrap();
    assert!(group.key().starts_with("group:") && group.json()["title"] == "[warning] 5 alerts: S5 shift end missing (5)", "{}", group.body);
}

#[test]
fn what_changes_while_it_waits_is_told_as_it_stands_then_and_nothing_resolved_is_left_out() {
    let log = log();
    let desk = Receiver::start(|_, _| Answer::Status(200));
    let running = Running::start(grouped(&desk.url()), log.clone());
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 1), alert(2, FlagCode::S5, 1)]);
    append_alerts(log.as_ref(), [resolved(alert(1, FlagCode::S5, 2))]);
    wait_until("both are told", || acknowledged(log.as_ref(), Topic::AlertEvents).len() == 2);
    running.end().unwrap();
    let told: Vec<_> = desk.received().iter().flat_map(keys).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&key(&alert(1, FlagCode::S5, 2))) && told.contains(&key(&alert(2, FlagCode::S5, 1))), "{told:?}");
}

/// However many: each message is bounded, a group that is refused is tried again, and each alert is acknowledged once.
#[test]
fn groups_are_bounded_and_a_refused_one_is_tried_again() {
    let log = log();
    let desk = Receiver::start(|_, number| if number % 3 == 1 { Answer::Status(503) } else { Answer::Status(200) });
    let all = GROUP_MAX * 4 + 7;
    append_alerts(log.as_ref(), (0..all as u32).map(|number| alert(number, FlagCode::S5, 1)));
    let running = Running::start(grouped(&desk.url()), log.clone());
    wait_until("all are recorded", || acknowledged(log.as_ref(), Topic::AlertEvents).len() == all);
    running.end().unwrap();
    assert!(desk.received().iter().all(|received| keys(received).len() <= GROUP_MAX));
    assert!(desk.received().len() < 40, "{} messages", desk.received().len());
    assert!(acknowledged(log.as_ref(), Topic::Deliveries).values().all(|count| *count == 1));
    let failed = deliveries(log.as_ref(), Topic::Deliveries).iter().filter(|delivery| delivery.outcome == DeliveryOutcome::Failed).count();
    assert!(failed > 0, "no group was refused");
}

/// Tells alerts 0 to 6 in a group to a receiver that answers so; how often each went with others, and how each ended.
fn refused(desk: &Receiver) -> (Vec<usize>, Vec<DeliveryOutcome>) {
    let log = log();
    append_alerts(log.as_ref(), (0..7).map(|number| alert(number, FlagCode::S5, 1)));
    let running = Running::start(grouped(&desk.url()), log.clone());
    wait_until("all have ended", || deliveries(log.as_ref(), Topic::AlertEvents).len() == 7);
    running.end().unwrap();
    let (received, records) = (desk.received(), deliveries(log.as_ref(), Topic::Deliveries));
    // Each attempt is recorded, numbered from 1, and but for the last one is a failure.
    assert_eq!(records.len(), received.iter().map(|received| keys(received).len()).sum::<usize>());
    let of = |number| {
        let alert = alert(number, FlagCode::S5, 1);
        let records: Vec<_> = records.iter().filter(|record| record.alert_id == alert.alert_id).collect();
        assert!(records.iter().zip(1..).all(|(record, attempt)| record.attempt == attempt), "{records:?}");
        let (last, before) = records.split_last().unwrap();
        assert!(before.iter().all(|record| record.outcome == DeliveryOutcome::Failed), "{records:?}");
        (received.iter().map(keys).filter(|keys| keys.len() > 1 && keys.contains(&key(&alert))).count(), last.outcome)
    };
    (0..7).map(of).unzip()
}

/// What fails when it goes alone goes alone again.
#[test]
fn a_receiver_that_refuses_groups_gets_each_alone() {
    let desk = Receiver::start(|received, number| match keys(received).len() {
        1 if number % 4 == 2 => Answer::Status(503),
        1 => Answer::Status(200),
        _ => Answer::Status(413),
    });
    assert_eq!(refused(&desk), (vec![1; 7], vec![DeliveryOutcome::Acknowledged; 7]));
    assert!(desk.received().len() > 8, "none failed alone");
}

#[test]
fn an_alert_that_is_refused_takes_no_other_along() {
    let poison = key(&alert(3, FlagCode::S5, 1));
    let desk = Receiver::start(move |received, _| Answer::Status(if keys(received).contains(&poison) { 422 } else { 200 }));
    let ends = (0..7).map(|number| if number == 3 { DeliveryOutcome::GaveUp } else { DeliveryOutcome::Acknowledged });
    assert_eq!(refused(&desk), (vec![1; 7], ends.collect()));
}

/// Killed anywhere, also between the records of one group: nothing is lost.
#[test]
fn groups_survive_kills() {
    let log = log();
    let desk = Receiver::start(|_, _| Answer::Status(200));
    append_alerts(log.as_ref(), (0..60).map(|number| alert(number, FlagCode::S5, 1)));
    for appends in [1, 2, 15, 40] {
        let mortal = Mortal { log: log.clone(), left: Arc::new(AtomicI64::new(appends)) };
        let running = Running::start(grouped(&desk.url()), Arc::new(mortal));
        wait_until("it dies", || running.is_finished());
        assert!(running.end().is_err());
    }
    let running = Running::start(grouped(&desk.url()), log.clone());
    wait_until("all are recorded", || acknowledged(log.as_ref(), Topic::AlertEvents).len() == 60);
    running.end().unwrap();
    let told: BTreeMap<String, usize> = desk.received().iter().flat_map(keys).fold(BTreeMap::new(), |mut told, key| {
        *told.entry(key).or_default() += 1;
        told
    });
    assert_eq!(told.len(), 60);
    // A kill repeats what was not recorded yet: a group at most.
    assert!(told.values().all(|times| *times <= 5), "{told:?}");
}

//! Receivers that refuse, hang, break off, redirect and are slow.

use crate::bench::{Running, alert, append_alerts, config, deliveries, key, log, resolved, wait_until, webhook};
use crate::receiver::{Answer, Receiver};
use fieldline_log::Log;
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::policy::Settings;
use fieldline_sinks::deliver::{Deadlines, DeliverConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn of(log: &Arc<fieldline_log::memory::MemoryLog>) -> Arc<dyn Log> {
    log.clone()
}

fn count(log: &dyn Log, topic: Topic, outcome: DeliveryOutcome) -> usize {
    deliveries(log, topic).iter().filter(|delivery| delivery.outcome == outcome).count()
}

/// Every kind of failure in turn, each alert in the end; never two of one alert at once.
#[test]
fn nothing_is_lost_whatever_the_receiver_does() {
    let log = log();
    let receiver = Receiver::start(|_, number| match number % 11 {
        0 => Answer::Status(500),
        1 => Answer::With(503, "Retry-After: 0\r\n"),
        2 => Answer::Hang,
        3 => Answer::Close,
        4 => Answer::BreakOff,
        5 => Answer::Status(408),
        6 => Answer::Slow(Duration::from_millis(30)),
        7 => Answer::With(429, "Retry-After: 0\r\n"),
        8 => Answer::Status(502),
        _ => Answer::Status(204),
    });
    let alerts: Vec<_> = (0..200).map(|number| alert(number, if number % 10 == 0 { FlagCode::S1 } else { FlagCode::S5 }, 1)).collect();
    append_alerts(log.as_ref(), alerts.clone());
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), of(&log));
    wait_until("all are taken", || receiver.taken().len() == alerts.len());
    wait_until("all are recorded", || count(log.as_ref(), Topic::AlertEvents, DeliveryOutcome::Acknowledged) == alerts.len());
    running.end().unwrap();

    let taken = receiver.taken();
    assert!(alerts.iter().all(|alert| taken.contains_key(&key(alert))));
    assert!(taken.values().all(|times| *times == 1), "an answer that was given in full is an acknowledgement: {taken:?}");
    let received = receiver.received();
    assert!(received.iter().all(|received| received.at_once == 1), "two requests of one alert at once");
    // Each kind of failure really came.
    let records = deliveries(log.as_ref(), Topic::Deliveries);
    for expected in ["it answers 500", "it answers 503", "it answers 408", "it answers 429", "no answer within"] {
        assert!(records.iter().any(|record| record.detail.starts_with(expected)), "{expected} never happened");
    }
    assert!(records.iter().filter(|record| record.outcome == DeliveryOutcome::Failed && record.status.is_none()).count() > 20);
    // Every attempt is recorded, numbered from 1, and no text tells of a person.
    assert_eq!(records.len(), received.len());
    let mut attempts: BTreeMap<_, u32> = BTreeMap::new();
    for record in &records {
        let last = attempts.entry(record.alert_id.clone()).or_default();
        assert_eq!(record.attempt, *last + 1, "{}", record.alert_id);
        *last = record.attempt;
        assert!(!record.detail.contains("left_site") && !record.detail.contains("70707070"), "{}", record.detail);
    }
}

#[test]
fn redirects_and_refusals_are_given_up_and_nobody_else_is_asked() {
    let log = log();
    let elsewhere = Receiver::start(|_, _| Answer::Status(200));
    let location: &'static str = Box::leak(format!("Location: {}\r\n", elsewhere.url()).into_boxed_str());
    let receiver = Receiver::start(move |received, _| match received.json()["flag"].as_str().unwrap() {
        "S1" => Answer::With(307, location),
        "S5" => Answer::Status(410),
        "S7" => Answer::Status(400),
        _ => Answer::Status(200),
    });
    let flags = [FlagCode::S1, FlagCode::S5, FlagCode::S7, FlagCode::S8];
    append_alerts(log.as_ref(), (0..).zip(flags).map(|(number, flag)| alert(number, flag, 1)));
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), of(&log));
    wait_until("all have ended", || deliveries(log.as_ref(), Topic::AlertEvents).len() == 4);
    // Given up is for one notification: the next one is tried.
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 2)]);
    wait_until("the next is tried", || deliveries(log.as_ref(), Topic::AlertEvents).len() == 5);
    running.end().unwrap();
    assert_eq!(elsewhere.received().len(), 0);
    let mut ends: Vec<_> = deliveries(log.as_ref(), Topic::AlertEvents)
        .iter()
        .map(|delivery| (delivery.alert_id[..2].to_owned(), delivery.outcome, delivery.attempt, delivery.status.unwrap()))
        .collect();
    ends.sort();
    let (gave_up, acknowledged) = (DeliveryOutcome::GaveUp, DeliveryOutcome::Acknowledged);
    let expect =
        [("S1", gave_up, 1, 307), ("S5", gave_up, 1, 410), ("S5", gave_up, 1, 410), ("S7", gave_up, 1, 400), ("S8", acknowledged, 1, 200)];
    assert_eq!(ends, expect.map(|(flag, outcome, attempt, status)| (flag.to_owned(), outcome, attempt, status)));
}

#[test]
fn an_old_notification_is_given_up_and_an_emergency_never() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(503));
    let policy = Settings { give_up_after: Duration::from_millis(400), ..config(Vec::new()).policy };
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 1), alert(2, FlagCode::S1, 1), alert(3, FlagCode::S6, 1)]);
    let running = Running::start(DeliverConfig { policy, ..config(vec![webhook("desk", &receiver.url())]) }, of(&log));
    wait_until("one is given up", || count(log.as_ref(), Topic::AlertEvents, DeliveryOutcome::GaveUp) == 1);
    std::thread::sleep(Duration::from_secs(1));
    running.end().unwrap();
    let ends = deliveries(log.as_ref(), Topic::AlertEvents);
    assert_eq!(ends.len(), 1);
    assert_eq!(&ends[0].alert_id[..2], "S5");
    for flag in ["S1", "S6"] {
        let attempts = deliveries(log.as_ref(), Topic::Deliveries).iter().filter(|delivery| delivery.alert_id.starts_with(flag)).count();
        assert!(attempts > 20, "{flag} was tried {attempts} times only");
    }
}

/// Ten thousand at once: emergencies first, and an emergency that comes in the middle of them does not stand in line.
#[test]
fn severity_comes_first_among_ten_thousand() {
    const ALL: u32 = 10_000;
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let alerts: Vec<_> = (0..ALL).map(|number| alert(number, if number % 100 == 99 { FlagCode::S1 } else { FlagCode::S5 }, 1)).collect();
    append_alerts(log.as_ref(), alerts);
    // With the deadlines of production: a machine that is busy is no part of this.
    let patient = fieldline_sinks::deliver::Receiver { deadlines: Deadlines::default(), ..webhook("desk", &receiver.url()) };
    let running = Running::start(config(vec![patient]), of(&log));
    wait_until("half are sent", || receiver.received().len() > ALL as usize / 2);
    let before = receiver.received().len();
    append_alerts(log.as_ref(), [alert(ALL, FlagCode::S6, 1)]);
    wait_until("all are taken", || receiver.taken().len() == ALL as usize + 1);
    running.end().unwrap();
    let received = receiver.received();
    assert_eq!(received.len(), ALL as usize + 1, "none was sent twice");
    // Eight at once may overtake each other by eight.
    let emergencies: Vec<_> = received.iter().enumerate().filter(|(_, r)| r.key().starts_with("S1")).map(|(at, _)| at).collect();
    assert_eq!(emergencies.len(), 100);
    let repeated: Vec<_> =
        deliveries(log.as_ref(), Topic::Deliveries).into_iter().filter(|d| d.outcome != DeliveryOutcome::Acknowledged).collect();
    assert!(emergencies.iter().all(|at| *at < 108), "{emergencies:?} {repeated:?}");
    let late = received.iter().position(|r| r.key().starts_with("S6")).unwrap();
    assert!(late < ALL as usize * 9 / 10, "sent as number {late}, though only {before} had been sent when it came");
}

#[test]
fn a_dead_receiver_and_a_slow_one_delay_no_other() {
    let log = log();
    let dead = Receiver::start(|_, _| Answer::Hang);
    let slow = Receiver::start(|_, _| Answer::Slow(Duration::from_millis(400)));
    let well = Receiver::start(|_, _| Answer::Status(200));
    // Nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let receivers = vec![
        webhook("dead", &dead.url()),
        webhook("gone", &format!("http://{gone}/")),
        webhook("slow", &slow.url()),
        webhook("well", &well.url()),
    ];
    let running = Running::start(config(receivers), of(&log));
    append_alerts(log.as_ref(), (0..500).map(|number| alert(number, FlagCode::S5, 1)));
    wait_until("the one that is well has all", || well.taken().len() == 500);
    // While the others have hundreds in hand, an emergency is there at once.
    let began = Instant::now();
    append_alerts(log.as_ref(), [alert(1_000, FlagCode::S1, 1)]);
    wait_until("the emergency is there", || well.taken().len() == 501);
    assert!(began.elapsed() < Duration::from_millis(300), "after {:?}", began.elapsed());
    // A receiver whose slots all hang tries the emergency in those that are kept free.
    wait_until("the dead one is tried", || dead.received().iter().any(|received| received.key().starts_with("S1")));
    let after = dead.received().iter().find(|received| received.key().starts_with("S1")).unwrap().at.duration_since(began);
    assert!(after < Duration::from_millis(300), "after {after:?}");
    let slow_after = || slow.received().iter().find(|received| received.key().starts_with("S1")).map(|r| r.at.duration_since(began));
    wait_until("the slow one is tried", || slow_after().is_some());
    assert!(slow_after().unwrap() < Duration::from_millis(300), "after {:?}", slow_after());
    wait_until("what is owed is shown", || running.control.receivers[1].owed() == 501);
    assert!(running.control.receivers[1].owed_since().is_some());
    wait_until("nothing is owed where all is taken", || running.control.receivers[3].owed() == 0);
    running.end().unwrap();
}

#[test]
fn only_the_newest_notification_of_an_alert_is_sent() {
    let log = log();
    let receiver = Receiver::start(|_, number| if number < 3 { Answer::Slow(Duration::from_millis(100)) } else { Answer::Status(200) });
    append_alerts(log.as_ref(), (1..=5).map(|notification| alert(1, FlagCode::S1, notification)));
    append_alerts(log.as_ref(), [resolved(alert(2, FlagCode::S5, 2)), alert(3, FlagCode::S5, 0)]);
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), of(&log));
    wait_until("the first are under way", || receiver.received().len() >= 2);
    // While one is under way two newer ones come: the last of them follows it.
    append_alerts(log.as_ref(), [alert(1, FlagCode::S1, 6), alert(1, FlagCode::S1, 7)]);
    wait_until("all are taken", || receiver.taken().len() == 3);
    running.end().unwrap();
    let mut keys: Vec<_> = receiver.taken().into_keys().collect();
    keys.sort();
    let expect = [key(&alert(1, FlagCode::S1, 5)), key(&alert(1, FlagCode::S1, 7)), key(&alert(2, FlagCode::S5, 2))];
    assert_eq!(keys, expect);
    assert!(receiver.received().iter().all(|received| received.at_once == 1));
}

#[test]
fn retry_after_holds_back_all_but_emergencies() {
    let log = log();
    let receiver = Receiver::start(|_, number| if number == 0 { Answer::With(429, "Retry-After: 1\r\n") } else { Answer::Status(200) });
    append_alerts(log.as_ref(), [alert(1, FlagCode::S5, 1)]);
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), of(&log));
    wait_until("it is refused", || receiver.received().len() == 1);
    let refused_at = receiver.received()[0].at;
    std::thread::sleep(Duration::from_millis(50));
    append_alerts(log.as_ref(), [alert(2, FlagCode::S5, 1), alert(3, FlagCode::S1, 1)]);
    wait_until("all are taken", || receiver.taken().len() == 3);
    running.end().unwrap();
    for received in receiver.received().iter().skip(1) {
        let after = received.at.duration_since(refused_at);
        let is_emergency = received.key().starts_with("S1");
        assert_eq!(after < Duration::from_millis(900), is_emergency, "{} after {after:?}", received.key());
    }
}

/// From the append of an alert to the arrival of its first attempt, one at a time, while another receiver is dead.
#[test]
fn an_emergency_is_there_within_milliseconds() {
    const ALL: usize = 300;
    let log = log();
    let (dead, well) = (Receiver::start(|_, _| Answer::Hang), Receiver::start(|_, _| Answer::Status(200)));
    let running = Running::start(config(vec![webhook("dead", &dead.url()), webhook("well", &well.url())]), of(&log));
    append_alerts(log.as_ref(), [alert(0, FlagCode::S1, 1)]);
    wait_until("it runs", || well.taken().len() == 1);
    let mut took: Vec<Duration> = (1..=ALL)
        .map(|number| {
            let began = Instant::now();
            append_alerts(log.as_ref(), [alert(number as u32, FlagCode::S1, 1)]);
            wait_until("it is there", || well.received().len() > number);
            well.received()[number].at.duration_since(began)
        })
        .collect();
    running.end().unwrap();
    took.sort();
    let (p50, p99, max) = (took[ALL / 2], took[ALL * 99 / 100], took[ALL - 1]);
    println!("append to first attempt of {ALL} emergencies: p50 {p50:?}, p99 {p99:?}, max {max:?}");
    // Far from what an idle machine shows, near enough to notice a poll that waits for its timeout.
    assert!(p50 < Duration::from_millis(50), "p50 {p50:?}, p99 {p99:?}, max {max:?}");
}

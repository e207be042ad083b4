//! From an emergency to its alert: lane, lifecycle, takeover.

use crate::bench::{Bench, PARTITIONS, PREFIX, START, activity, activity_partition, encode, home, technician};
use fieldline_log::memory::MemoryOptions;
use fieldline_log::{Destination, Log, TopicPartition};
use fieldline_processors::{Driver, StageConfig, StopToken, run_lane, run_lifecycle};
use fieldline_processors_core::lifecycle::Settings;
use fieldline_schemas::alerts::{Alert, AlertStep};
use fieldline_schemas::events::{ActionKind, ActivityType, AlertAction, Location, ResolveReason};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp, Topic, key_of, subject_of};
use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn driver(bench: &Bench) -> Driver {
    Driver::with_alerts(bench.config(), Settings::default(), bench.log()).unwrap()
}

/// An emergency_stop that happened then.
fn emergency(who: u64, n: u64, created_at: Timestamp) -> AnyRecord<'static> {
    let AnyRecord::TechnicianActivity(mut record) = activity(who, n, created_at, ActivityType::EmergencyStop) else { unreachable!() };
    record.common.source = Some(Cow::Borrowed("mobile"));
    record.location = Some(Location { latitude: Some(52.1), longitude: Some(4.9), accuracy_meters: Some(9), address: None });
    record.into()
}

fn alert_id(who: u64, n: u64) -> String {
    format!("S1:{}:{}", technician(who), EventId(uuid::Uuid::from_u64_pair(who + 1, n)))
}

fn to_lane(bench: &Bench, at: Timestamp, record: &AnyRecord<'_>) {
    bench.send_to(Topic::Emergency, Destination::ByKey, Some(at), &key_of(record), &encode(record));
}

fn act(bench: &Bench, at: Timestamp, n: u64, id: &str, action: ActionKind) {
    let record = AnyRecord::AlertAction(AlertAction {
        id: EventId(uuid::Uuid::from_u64_pair(99, n)),
        created_at: at,
        alert_id: Cow::Borrowed(id),
        action,
        reason: Some(ResolveReason::Assisted),
        actor_contact_id: None,
        note: None,
    });
    let partition = fieldline_log::partition_for_key(subject_of(id).unwrap().as_bytes(), PARTITIONS);
    bench.send_to(Topic::AlertEvents, Destination::Partition(partition), Some(at), &key_of(&record), &encode(&record));
}

/// Alerts in order, without what only adds to the words of one: the fold of the technician's log says the same as the lane in
/// words of its own.
fn alerts(bench: &Bench) -> Vec<(i32, Timestamp, Alert<'static>)> {
    let all = bench.read(Topic::Alerts).into_iter().map(|(partition, at, record)| match record {
        AnyRecord::Alert(alert) => (partition, at, alert),
        other => panic!("{other:?}"),
    });
    all.filter(|(_, _, alert)| alert.step != AlertStep::Noted).collect()
}

fn steps(bench: &Bench) -> Vec<(i64, &'static str, u32)> {
    alerts(bench).iter().map(|(_, at, alert)| (at.since(START) / SECOND_US, alert.step.symbol(), alert.notification)).collect()
}

#[test]
fn an_emergency_is_an_alert_in_its_technicians_partition_at_its_instant_and_escalates_by_log_time() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    to_lane(&bench, START, &emergency(1, 0, START - 70 * SECOND_US));
    driver.advance_to(START + 2 * MINUTE_US + SECOND_US).unwrap();
    act(&bench, START + 130 * SECOND_US, 1, &alert_id(1, 0), ActionKind::Acknowledge);
    driver.advance_to(START + 3 * HOUR_US).unwrap();
    act(&bench, START + 3 * HOUR_US, 2, &alert_id(1, 0), ActionKind::Resolve);
    driver.advance_to(START + 4 * HOUR_US).unwrap();

    let again = 130 + 1800;
    let mut expected =
        vec![(0, "opened", 1), (60, "escalated", 2), (120, "escalated", 3), (130, "acknowledged", 4), (again, "reopened", 5)];
    expected.extend((1..=5).map(|round: i64| (again + 60 * round, "escalated", 5 + round as u32)));
    expected.push((3 * 3600, "resolved", 11));
    assert_eq!(steps(&bench), expected);
    let (partition, _, first) = &alerts(&bench)[0];
    assert_eq!((*partition, &*first.alert_id), (home(technician(1)), &*alert_id(1, 0)));
    assert_eq!(first.reasoning, "emergency_stop at 23:58 UTC, reported by mobile");
    assert_eq!((first.about_at, first.opened_at, first.is_late), (START - 70 * SECOND_US, START, false));
    assert!(first.location.is_some());
    let known = bench.read(Topic::Activity);
    let kinds: Vec<_> = known.iter().map(|(partition, at, record)| (*partition, *at, record.kind().name())).collect();
    let own = home(technician(1));
    assert_eq!(kinds, [(own, START, "technician_activity"), (own, START + 3 * HOUR_US, "clearance")], "the fact, and its clearance");
}

#[test]
fn fold_and_lane_and_a_crash_between_the_publishers_two_writes_page_once_and_lose_neither() {
    // Written to the lane alone: the fact comes into the technician's log all the same, once for the KPIs however often it comes.
    for copies_in_activity in [0, 1] {
        let bench = Bench::new(MemoryOptions::default());
        let mut driver = driver(&bench);
        let record = emergency(1, 0, START);
        for _ in 0..copies_in_activity {
            bench.send(&[(START, record.clone())]);
        }
        to_lane(&bench, START, &record);
        to_lane(&bench, START + SECOND_US, &record);
        driver.advance_to(START + 2 * SECOND_US).unwrap();
        assert_eq!(steps(&bench), [(0, "opened", 1)]);
        assert!(bench.read(Topic::Activity).iter().all(|(_, _, found)| *found == record));
        assert!(bench.read(Topic::Kpis).len() <= 1, "a duplicate has no effect");
    }
}

#[test]
fn what_the_lane_can_not_read_pages_and_is_kept_and_what_pages_nobody_is_only_copied() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    bench.send_to(Topic::Emergency, Destination::Partition(2), Some(START), b"k", b"garbage");
    let ahead = emergency(2, 0, START + 2 * DAY_US);
    to_lane(&bench, START, &ahead);
    let late = emergency(3, 0, START - 72 * HOUR_US - 1);
    to_lane(&bench, START, &late);
    let change = |record: AnyRecord<'static>, voided, imported| {
        let AnyRecord::TechnicianActivity(mut record) = record else { unreachable!() };
        (record.common.voided, record.common.imported) = (voided, imported);
        record.into()
    };
    to_lane(&bench, START, &change(emergency(4, 0, START), true, false));
    to_lane(&bench, START, &change(emergency(5, 0, START), false, true));
    to_lane(&bench, START, &activity(6, 0, START, ActivityType::FuelStop));
    driver.advance_to(START + SECOND_US).unwrap();

    let mut told: Vec<_> = alerts(&bench).into_iter().map(|(_, _, alert)| (alert.alert_id.into_owned(), alert.is_late)).collect();
    told.sort();
    let mut expected = vec![("S1:unknown:2-0".to_owned(), false), (alert_id(2, 0), false), (alert_id(3, 0), true)];
    expected.sort();
    assert_eq!(told, expected);
    let letters: Vec<_> = bench.read(Topic::DeadLetters).into_iter().map(|(_, _, record)| record).collect();
    let mut found: Vec<_> = letters
        .iter()
        .map(|record| match record {
            AnyRecord::DeadLetter(letter) => (letter.topic.to_string(), letter.stage.to_string(), letter.payload.to_vec()),
            other => panic!("{other:?}"),
        })
        .collect();
    found.sort();
    let letter = |stage: &str, payload: &[u8]| ("emergency".to_owned(), stage.to_owned(), payload.to_vec());
    assert_eq!(found, [letter("decode", b"garbage"), letter("validate", &encode(&ahead))]);
    let mut copied: Vec<_> = bench.read(Topic::Activity).iter().map(|(_, _, record)| String::from_utf8(key_of(record)).unwrap()).collect();
    copied.sort();
    let mut expected: Vec<_> = [3, 4, 5, 6].map(|who| technician(who).to_string()).into();
    expected.sort();
    assert_eq!(copied, expected);
}

#[test]
fn what_is_no_record_of_alert_events_is_set_aside_and_blocks_nothing() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    let own = home(technician(1));
    bench.send_to(Topic::AlertEvents, Destination::Partition(own), Some(START), b"k", b"\x00");
    bench.send_to(Topic::AlertEvents, Destination::Partition(own), Some(START), b"k", &encode(&emergency(1, 9, START)));
    to_lane(&bench, START, &emergency(1, 0, START));
    driver.drain().unwrap();
    assert_eq!(steps(&bench), [(0, "opened", 1)]);
    assert_eq!(bench.read(Topic::DeadLetters).len(), 2);
}

/// A day of emergencies, acknowledged late or never; killed and started again wherever `dies` says.
fn play(dies: impl Fn(i64) -> bool, commits: impl Fn(i64) -> bool) -> Bench {
    let bench = Bench::new(MemoryOptions::default());
    let mut now = driver(&bench);
    for n in 0..60_i64 {
        let at = START + n * 7 * MINUTE_US;
        now.advance_to(at).unwrap();
        match n % 3 {
            0 => to_lane(&bench, at, &emergency(n as u64 % 5, n as u64, at)),
            1 => act(&bench, at, n as u64, &alert_id((n as u64 - 1) % 5, n as u64 - 1), ActionKind::Acknowledge),
            _ if n % 2 == 0 => act(&bench, at, n as u64, &alert_id((n as u64 - 2) % 5, n as u64 - 2), ActionKind::Resolve),
            _ => {}
        }
        now.drain().unwrap();
        if commits(n) {
            now.commit().unwrap();
        }
        if dies(n) {
            drop(now);
            now = driver(&bench);
        }
    }
    now.advance_to(START + DAY_US).unwrap();
    now.commit().unwrap();
    bench
}

#[test]
fn kills_bring_no_other_alert_and_two_runs_the_same_bytes() {
    let straight = play(|_| false, |_| false);
    let expected = alerts(&straight);
    assert!(expected.len() > 100, "{}", expected.len());
    assert!(alerts(&play(|_| false, |_| false)) == expected, "two runs differ");
    for (every, commit_every) in [(1, 1), (4, 3), (7, 1000)] {
        let killed = play(|n| n % every == 0, |n| n % commit_every == 0);
        let found = alerts(&killed);
        // What was put out after the last commit is put out again, the same; nothing else is. Flags of what was
        // not committed, as the unfinished second of the fold never is, are told again: no effect, but they take offsets.
        let mark = |alerts: &[(i32, Timestamp, Alert<'_>)]| -> Vec<String> {
            let mut marks: Vec<_> = alerts
                .iter()
                .map(|(partition, at, alert)| {
                    let Alert { alert_id, step, state, notification, round, .. } = alert;
                    format!("{partition} {at} {alert_id} {step:?} {state:?} {notification} {round} {:?}", alert.stamp.as_of)
                })
                .collect();
            marks.sort();
            marks.dedup();
            marks
        };
        assert!(mark(&found) == mark(&expected), "killed at every {every}th, committed at every {commit_every}th");
        if commit_every == 1 {
            assert_eq!(found.len(), expected.len(), "everything was committed, so a successor suppresses what its predecessor has told");
        }
    }
}

#[test]
fn a_group_that_was_left_ten_days_ago_still_escalates_and_a_person_closes_it() {
    let bench = Bench::new(MemoryOptions::default());
    let mut first = driver(&bench);
    to_lane(&bench, START, &emergency(1, 0, START));
    first.drain().unwrap();
    first.commit().unwrap();
    drop(first);
    let mut second = driver(&bench);
    let later = START + 10 * DAY_US;
    // The first record after the outage is of somebody else.
    let stranger = emergency(5, 0, later);
    to_lane(&bench, later, &stranger);
    second.advance_to(later + 3 * MINUTE_US).unwrap();
    act(&bench, later + 4 * MINUTE_US, 1, &alert_id(1, 0), ActionKind::Resolve);
    second.drain().unwrap();
    let of_first = alerts(&bench).into_iter().filter(|(_, _, alert)| alert.alert_id == alert_id(1, 0));
    let told: Vec<_> = of_first.map(|(_, _, alert)| (alert.step.symbol(), alert.state.symbol())).collect();
    assert_eq!(told[0], ("opened", "opened"));
    assert!(told[1..told.len() - 1].iter().all(|step| *step == ("escalated", "opened")) && told.len() > 2, "{told:?}");
    assert_eq!(told[told.len() - 1], ("resolved", "resolved"));
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

#[test]
fn threads_are_woken_by_what_arrives_and_ticks_come_only_while_a_timer_waits() {
    let bench = Bench::new(MemoryOptions { event_time: false, waits: true, clock: now() });
    // So long that whoever waited for it would be seen.
    let poll_wait = Duration::from_secs(2);
    let config = StageConfig {
        commit_every: Duration::from_millis(20),
        tick_every: Some(Duration::from_millis(20)),
        poll_wait,
        ..StageConfig::new(PREFIX)
    };
    let settings = Settings { escalate_after_us: 200_000, rounds_max: 2, ..Settings::default() };
    let stop = StopToken::default();
    let threads = {
        let (lane, lifecycle) = ((config.clone(), bench.log(), stop.clone()), (config.clone(), bench.log(), stop.clone()));
        [
            std::thread::spawn(move || run_lane(&lane.0, lane.1, &lane.2)),
            std::thread::spawn(move || run_lifecycle(settings, &lifecycle.0, lifecycle.1, &lifecycle.2)),
        ]
    };
    let begun = Instant::now();
    while config.readings.snapshot().len() < 2 * PARTITIONS as usize {
        assert!(begun.elapsed() < Duration::from_secs(10), "no partition is owned");
        std::thread::sleep(Duration::from_millis(5));
    }
    let ends = || -> i64 {
        let of = |partition| bench.log.watermarks(&TopicPartition { topic: Topic::Alerts.full_name(PREFIX), partition }).unwrap().end;
        (0..PARTITIONS).map(of).sum()
    };
    let wait_for = |count: i64| {
        let begun = Instant::now();
        while ends() < count {
            assert!(begun.elapsed() < Duration::from_secs(10), "{count} alerts do not come, only {}", ends());
            bench.log.set_clock(now());
            std::thread::sleep(Duration::from_micros(200));
        }
        begun.elapsed()
    };
    let mut waited: Vec<_> = (0..20_u64)
        .map(|n| {
            bench.log.set_clock(now());
            let record = emergency(n, n, now());
            bench.send_to(Topic::Emergency, Destination::ByKey, None, &key_of(&record), &encode(&record));
            wait_for(n as i64 + 1)
        })
        .collect();
    waited.sort();
    // Nobody waits for a poll to end: what arrives ends it. The better half is looked at, as other tests run beside this one.
    assert!(waited[9] < poll_wait / 2, "{waited:?}");
    wait_for(20 * 3);
    std::thread::sleep(Duration::from_millis(100));
    let ticks = || -> i64 {
        let of = |partition| bench.log.watermarks(&TopicPartition { topic: Topic::AlertEvents.full_name(PREFIX), partition }).unwrap().end;
        (0..PARTITIONS).map(of).sum()
    };
    let after_the_last_round = ticks();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ticks(), after_the_last_round, "no timer waits, so no tick is appended");
    stop.stop();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    let committed: i64 = (0..PARTITIONS)
        .filter_map(|partition| {
            let at = TopicPartition { topic: Topic::AlertEvents.full_name(PREFIX), partition };
            bench.log.committed(&format!("{PREFIX}lifecycle"), &at).unwrap()
        })
        .map(|committed| committed.offset)
        .sum();
    assert_eq!(committed, after_the_last_round, "everything is committed at the end");
    assert_eq!(bench.log.committed(&format!("{PREFIX}lane"), &activity_partition(0)).unwrap(), None);
}

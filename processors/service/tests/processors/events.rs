//! From operational events and calls to signals, flags and alerts.

use crate::bench::{Bench, PARTITIONS, PREFIX, START, activity, encode, home, technician};
use fieldline_log::memory::MemoryOptions;
use fieldline_log::{Destination, Log, TopicPartition, partition_for_key};
use fieldline_processors::{Driver, ProcessorConfig, StopToken, run};
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::lifecycle::Settings;
use fieldline_schemas::alerts::{Alert, AlertStep, FlagCode};
use fieldline_schemas::events::*;
use fieldline_schemas::ids::{ContactId, EventId};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp, Topic, key_in, key_of, subject_of};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn driver(bench: &Bench) -> Driver {
    Driver::with_alerts(bench.config(), Settings::default(), bench.log()).unwrap()
}

fn common(n: u64, created_at: Timestamp) -> Common<'static> {
    let AnyRecord::TechnicianActivity(record) = activity(0, 0, created_at, ActivityType::ShiftStart) else { unreachable!() };
    Common { id: EventId(uuid::Uuid::from_u64_pair(0x09, n)), recorded_at: Some(created_at), ..record.common }
}

/// A security alarm, number `n`, that names a technician.
fn alarm(n: u64, created_at: Timestamp, who: Option<u64>) -> OperationalEvent<'static> {
    OperationalEvent {
        common: common(n, created_at),
        event_type: Some("alarm_triggered".into()),
        event_category: EventCategory::Security,
        severity: Severity::Warning,
        source_system: Some("panel".into()),
        title: Some("title".into()),
        description: Some("description".into()),
        resolved_at: None,
        resolved_by_contact_id: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        dedup_key: None,
        technician_contact_id: who.map(technician),
        vehicle_id: None,
        visit_id: None,
    }
}

fn sos(n: u64, created_at: Timestamp, who: Option<u64>) -> OperationalEvent<'static> {
    OperationalEvent { event_type: Some("man_down".into()), event_category: EventCategory::Operational, ..alarm(n, created_at, who) }
}

/// The next update of an event: resolved by person 9 as it comes.
fn resolved(event: &OperationalEvent<'static>, at: Timestamp) -> OperationalEvent<'static> {
    let mut event = event.clone();
    event.common.revision += 1;
    event.resolved_at = Some(at);
    event.resolved_by_contact_id = Some(ContactId(uuid::Uuid::from_u64_pair(9, 9)));
    event
}

fn call(n: u64, entered_at: Timestamp, queue: &'static str, wait_seconds: i32) -> AnyRecord<'static> {
    AnyRecord::CommunicationCall(CommunicationCall {
        common: common(n, entered_at),
        communication_message_id: None,
        call_type: CallType::Inbound,
        call_outcome: CallOutcome::Answered,
        duration_seconds: Some(60),
        wait_time_seconds: Some(wait_seconds),
        recording_url: None,
        transcription: None,
        sentiment_score: None,
        sentiment_basis: None,
        transferred_to_contact_id: None,
        queue_name: Some(queue.into()),
        ivr_path: None,
        channel_type: None,
        direction: None,
        started_at: Some(entered_at),
        agent_contact_id: None,
        thread_id: None,
        root_call_id: None,
        abandoned: None,
    })
}

fn send(bench: &Bench, topic: Topic, at: Timestamp, record: &AnyRecord<'_>) {
    bench.send_to(topic, Destination::ByKey, Some(at), &key_in(topic, record), &encode(record));
}

fn operations(bench: &Bench, at: Timestamp, event: &OperationalEvent<'static>) {
    send(bench, Topic::Operations, at, &event.clone().into());
}

fn signals(bench: &Bench) -> Vec<(i32, Timestamp, Signal<'static>)> {
    let found = bench.read(Topic::Activity).into_iter().filter_map(|(partition, at, record)| match record {
        AnyRecord::Signal(signal) => Some((partition, at, signal)),
        _ => None,
    });
    found.collect()
}

fn alerts(bench: &Bench) -> Vec<(i32, Alert<'static>)> {
    let all = bench.read(Topic::Alerts).into_iter().map(|(partition, _, record)| match record {
        AnyRecord::Alert(alert) => (partition, alert),
        other => panic!("{other:?}"),
    });
    all.filter(|(_, alert)| alert.step != AlertStep::Noted && alert.step != AlertStep::Escalated).collect()
}

/// `seconds flag step (cause)`, in order of time; what a successor puts out again is told once.
fn steps(bench: &Bench) -> Vec<String> {
    let mut told = alerts(bench);
    told.sort_by_key(|(_, alert)| alert.stamp.as_of);
    let line = |alert: &Alert<'_>| {
        let seconds = alert.stamp.as_of.since(START) / SECOND_US;
        format!("{seconds} {} {} ({})", alert.flag.symbol(), alert.step.symbol(), alert.cause)
    };
    told.dedup_by_key(|(_, alert)| (alert.alert_id.clone(), alert.stamp.version));
    told.iter().map(|(_, alert)| line(alert)).collect()
}

#[test]
fn a_signal_is_the_whole_event_with_its_place_in_the_log_of_whom_it_names() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    let mut event = alarm(1, START, Some(1));
    event.common.imported = true;
    operations(&bench, START, &event);
    let mut moved = event.clone();
    (moved.common.revision, moved.technician_contact_id) = (1, Some(technician(2)));
    operations(&bench, START + SECOND_US, &moved);
    driver.advance_to(START + MINUTE_US).unwrap();

    let id = event.common.id.to_string();
    let source_partition = partition_for_key(id.as_bytes(), PARTITIONS);
    let signal = |source_offset, event: &OperationalEvent<'static>, technician_contact_id| Signal {
        source_topic: Cow::Borrowed("operations"),
        source_partition,
        source_offset,
        event: event.clone(),
        technician_contact_id,
        is_emergency: false,
        alert_id: None,
    };
    let mut expected = vec![
        (home(technician(1)), START, signal(0, &event, None)),
        (home(technician(1)), START + SECOND_US, signal(1, &moved, Some(technician(1)))),
        (home(technician(2)), START + SECOND_US, signal(1, &moved, None)),
    ];
    expected.sort_by_key(|(partition, at, _)| (*partition, *at));
    let mut found = signals(&bench);
    found.sort_by_key(|(partition, at, _)| (*partition, *at));
    assert_eq!(found, expected, "an import stays one");
    assert!(alerts(&bench).is_empty());
}

#[test]
fn a_kill_between_signal_and_commit_puts_it_out_again_and_changes_nothing() {
    let play = |is_killed: bool| {
        let bench = Bench::new(MemoryOptions::default());
        let mut now = driver(&bench);
        send(&bench, Topic::Activity, START, &activity(1, 0, START, ActivityType::ShiftStart));
        send(&bench, Topic::Activity, START, &activity(1, 1, START + HOUR_US, ActivityType::EmergencyStop));
        now.advance_to(START + 2 * HOUR_US).unwrap();
        now.commit().unwrap();
        let event = alarm(1, START + HOUR_US, Some(1));
        operations(&bench, START + 2 * HOUR_US, &event);
        operations(&bench, START + 2 * HOUR_US, &resolved(&event, START + 90 * MINUTE_US));
        now.drain().unwrap();
        if is_killed {
            // The signals are acknowledged, the offsets are not committed.
            drop(now);
            now = driver(&bench);
        }
        now.advance_to(START + 3 * HOUR_US).unwrap();
        now.commit().unwrap();
        bench
    };
    let (straight, killed) = (play(false), play(true));
    assert_eq!((signals(&straight).len(), signals(&killed).len()), (2, 4), "the fault did not occur");
    let distinct = |bench: &Bench| {
        let distinct: BTreeSet<Vec<u8>> = signals(bench).into_iter().map(|(_, _, signal)| encode(&signal.into())).collect();
        distinct
    };
    assert_eq!(distinct(&killed), distinct(&straight), "a copy is the same record");
    let rows = |bench: &Bench| {
        let mut rows: Vec<String> = bench
            .read(Topic::Kpis)
            .into_iter()
            .filter_map(|(_, _, record)| match record {
                AnyRecord::Kpi(kpi) => Some(format!("{:?}", kpi.kpi)),
                _ => None,
            })
            .collect();
        rows.sort();
        rows.dedup();
        rows
    };
    assert_eq!(rows(&killed), rows(&straight));
    let expected = ["0 S1 opened (fold)", "7200 S1 resolved (operational_event)"];
    assert_eq!(steps(&straight), expected);
    assert_eq!(steps(&killed), expected);
}

#[test]
fn an_operational_event_that_is_resolved_closes_the_emergency_of_whom_it_names() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    let stop = activity(1, 0, START, ActivityType::EmergencyStop);
    send(&bench, Topic::Activity, START, &stop);
    send(&bench, Topic::Emergency, START, &stop);
    let event = alarm(1, START, Some(1));
    operations(&bench, START + SECOND_US, &event);
    driver.advance_to(START + 10 * MINUTE_US).unwrap();
    operations(&bench, START + 10 * MINUTE_US, &resolved(&event, START + 9 * MINUTE_US));
    driver.advance_to(START + DAY_US).unwrap();
    assert_eq!(steps(&bench), ["0 S1 opened (fold)", "600 S1 resolved (operational_event)"]);
    let (_, last) = alerts(&bench).pop().unwrap();
    let actor = Some(ContactId(uuid::Uuid::from_u64_pair(9, 9)));
    assert_eq!((last.actor_contact_id, last.resolved_by_contact_id, last.stamp.caused_by), (actor, actor, Some(event.common.id)));
    let clearances = bench.read(Topic::Activity).into_iter().filter_map(|(partition, _, record)| match record {
        AnyRecord::Clearance(clearance) => Some((partition, clearance.created_at, clearance.alert_id.into_owned())),
        _ => None,
    });
    assert_eq!(clearances.collect::<Vec<_>>(), [(home(technician(1)), START + 9 * MINUTE_US, last.alert_id.to_string())]);
}

#[test]
fn an_sos_pages_once_whichever_way_it_comes_and_is_closed_by_its_own_resolution() {
    for who in [Some(1), None] {
        for (by_lane, by_operations) in [(true, true), (true, false), (false, true)] {
            let bench = Bench::new(MemoryOptions::default());
            let mut driver = driver(&bench);
            send(&bench, Topic::Activity, START - HOUR_US, &activity(1, 0, START - HOUR_US, ActivityType::ShiftStart));
            let event = sos(1, START, who);
            for (topic, goes) in [(Topic::Operations, by_operations), (Topic::Emergency, by_lane)] {
                if goes {
                    send(&bench, topic, START, &event.clone().into());
                }
            }
            driver.advance_to(START + HOUR_US).unwrap();
            operations(&bench, START + HOUR_US, &resolved(&event, START + HOUR_US));
            driver.advance_to(START + 3 * HOUR_US).unwrap();
            let told = steps(&bench);
            assert_eq!(told.len(), 2, "{who:?}, lane {by_lane}, operations {by_operations}: {told:?}");
            assert!(told[0].starts_with("0 S1 opened") && told[1] == "3600 S1 resolved (operational_event)", "{told:?}");
            let subject = who.map_or(event.common.id.to_string(), |who| technician(who).to_string());
            let (partition, alert) = &alerts(&bench)[0];
            assert_eq!(alert.alert_id, format!("S1:{subject}:{}", event.common.id));
            assert_eq!(*partition, partition_for_key(subject.as_bytes(), PARTITIONS));
            let own: BTreeSet<u64> = signals(&bench)
                .iter()
                .map(|(_, _, signal)| u64::from(signal.event.common.revision) + u64::from(signal.is_emergency))
                .collect();
            assert_eq!(own.len(), if who.is_some() { 2 } else { 0 }, "{own:?}: both updates, as of an SOS");
        }
    }
}

/// First reported without a technician, its alert lies with the event; what resolves the technician's emergencies is told where the
/// technician is. Whatever the two partitions are, it closes it, and only it.
#[test]
fn an_sos_that_is_named_later_is_closed_by_what_closes_an_emergency_of_that_technician() {
    let mut apart = 0;
    for n in 1..=6 {
        let bench = Bench::new(MemoryOptions::default());
        let mut driver = driver(&bench);
        let (nameless, other) = (sos(n, START, None), sos(n + 50, START, None));
        for event in [&nameless, &other] {
            operations(&bench, START, event);
        }
        let mut named = nameless.clone();
        (named.common.revision, named.technician_contact_id) = (1, Some(technician(1)));
        operations(&bench, START + 10 * SECOND_US, &named);
        // Which of two partitions is read first where both wait is nobody's to say.
        driver.advance_to(START + 15 * SECOND_US).unwrap();
        let alarm = resolved(&alarm(n + 100, START - MINUTE_US, Some(1)), START + 20 * SECOND_US);
        operations(&bench, START + 30 * SECOND_US, &alarm);
        driver.advance_to(START + 2 * MINUTE_US).unwrap();
        let id = nameless.common.id.to_string();
        let of_it: Vec<_> = alerts(&bench).into_iter().filter(|(_, alert)| alert.alert_id.ends_with(&id)).collect();
        let steps: Vec<String> = of_it.iter().map(|(_, alert)| format!("{} {}", alert.step.symbol(), alert.cause)).collect();
        assert_eq!(steps, ["opened fold", "resolved operational_event"]);
        let whose: Vec<_> = of_it.iter().map(|(_, alert)| alert.technician_contact_id).collect();
        assert_eq!(whose, [None, Some(technician(1))]);
        let open = alerts(&bench).iter().filter(|(_, alert)| alert.alert_id.ends_with(&other.common.id.to_string())).count();
        assert_eq!(open, 1, "the other one was opened, and nothing else");
        apart += usize::from(partition_for_key(id.as_bytes(), PARTITIONS) != home(technician(1)));
    }
    assert!(apart > 0, "no alert lay elsewhere than its technician");
}

#[test]
fn an_alarm_without_an_emergency_stop_is_an_alert_two_minutes_later() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = driver(&bench);
    send(&bench, Topic::Activity, START, &activity(1, 0, START, ActivityType::ShiftStart));
    operations(&bench, START + HOUR_US, &alarm(1, START + HOUR_US, Some(1)));
    driver.advance_to(START + 3 * HOUR_US).unwrap();
    assert_eq!(steps(&bench), ["3720 S10 opened (fold)"]);
}

#[test]
fn time_alone_tells_of_what_nobody_resolves_and_of_a_queue_and_a_restart_between_cause_and_due_changes_nothing() {
    for restarts in [0, 1, 2] {
        let bench = Bench::new(MemoryOptions::default());
        let mut now = driver(&bench);
        let critical = OperationalEvent { severity: Severity::Critical, event_category: EventCategory::System, ..alarm(1, START, None) };
        operations(&bench, START, &critical);
        for n in 0..12 {
            let entered_at = START + n as i64 * SECOND_US;
            send(&bench, Topic::Calls, START + MINUTE_US, &call(n, entered_at, "a:b", if n < 3 { 60 } else { 5 }));
        }
        now.advance_to(START + 2 * MINUTE_US).unwrap();
        for n in 0..restarts {
            now.commit().unwrap();
            drop(now);
            now = driver(&bench);
            now.advance_to(START + (20 + n) * MINUTE_US).unwrap();
        }
        now.advance_to(START + 40 * MINUTE_US).unwrap();
        operations(&bench, START + 40 * MINUTE_US, &resolved(&critical, START + 39 * MINUTE_US));
        now.advance_to(START + 2 * HOUR_US).unwrap();
        let expected = [
            // The second is over.
            "61 S14 opened (fold)",
            // The first of the three slow ones has left; nine of eleven.
            "1800 S14 resolved (activity)",
            "1800 S13 opened (fold)",
            "2400 S13 resolved (activity)",
        ];
        let mut expected = expected.map(str::to_owned);
        expected.sort();
        let mut told = steps(&bench);
        told.sort();
        assert_eq!(told, expected, "{restarts} restarts");
        for (partition, alert) in alerts(&bench) {
            let subject = subject_of(&alert.alert_id).unwrap();
            assert_eq!(partition, partition_for_key(subject.as_bytes(), PARTITIONS), "{}", alert.alert_id);
            match alert.flag {
                FlagCode::S14 => assert_eq!(subject, "a:b"),
                _ => assert_eq!(subject, critical.common.id.to_string()),
            }
        }
    }
}

#[test]
fn kills_bring_no_other_alert() {
    let play = |dies: &dyn Fn(i64) -> bool, commits: &dyn Fn(i64) -> bool| {
        let bench = Bench::new(MemoryOptions::default());
        let mut now = driver(&bench);
        for who in 0..4 {
            send(&bench, Topic::Activity, START, &activity(who, 0, START, ActivityType::ShiftStart));
        }
        for n in 0..60_i64 {
            let at = START + n * 7 * MINUTE_US;
            now.advance_to(at).unwrap();
            let (who, number) = (Some(n as u64 % 4), n as u64);
            match n % 5 {
                0 => operations(&bench, at, &alarm(number, at, who)),
                1 => operations(&bench, at, &sos(number, at, who.filter(|_| n % 2 == 0))),
                2 => operations(&bench, at, &OperationalEvent { severity: Severity::Critical, ..alarm(number, at - HOUR_US, None) }),
                3 => operations(&bench, at, &resolved(&sos(number - 2, at - 14 * MINUTE_US, None), at)),
                _ => (0..12).for_each(|call_number| {
                    send(&bench, Topic::Calls, at, &call(number * 100 + call_number, at - MINUTE_US, "q", (n % 3 * 15) as i32));
                }),
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
    };
    let marks = |bench: &Bench| -> BTreeSet<String> {
        let mark = |(partition, alert): &(i32, Alert<'_>)| {
            format!("{partition} {} {} {:?} {}", alert.alert_id, alert.stamp.as_of, alert.step, alert.notification)
        };
        alerts(bench).iter().map(mark).collect()
    };
    let straight = play(&|_| false, &|_| false);
    let expected = marks(&straight);
    assert!(expected.len() > 50, "{}", expected.len());
    for flag in [FlagCode::S1, FlagCode::S10, FlagCode::S13, FlagCode::S14] {
        assert!(alerts(&straight).iter().any(|(_, alert)| alert.flag == flag), "no {flag:?}");
    }
    assert_eq!(alerts(&play(&|_| false, &|_| false)), alerts(&straight), "two runs differ");
    for (every, commit_every) in [(1, 1), (4, 3), (7, 1000)] {
        let killed = play(&|n| n % every == 0, &|n| n % commit_every == 0);
        assert_eq!(marks(&killed), expected, "killed at every {every}th, committed at every {commit_every}th");
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

/// In a silent partition of operations a tick comes when something is due, and once after a takeover; else none does.
#[test]
fn a_timer_falls_due_in_a_silent_partition_and_no_tick_comes_without_one() {
    let bench = Bench::new(MemoryOptions { event_time: false, waits: true, clock: now() });
    let flags = FlagSettings { unresolved_us: 300_000, quiet_us: 300_000, ..FlagSettings::default() };
    let config =
        ProcessorConfig { tick_every: Some(Duration::from_millis(50)), commit_every: Duration::from_millis(20), flags, ..bench.config() };
    let (progress, stop) = (config.progress.clone(), StopToken::default());
    let (log, token) = (bench.log(), stop.clone());
    let processors = std::thread::spawn(move || run(config, log, token));
    let wait_for = |what: &str, holds: &mut dyn FnMut() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
            bench.log.set_clock(now());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for("no partition is owned", &mut || progress.snapshot().len() == 3 * PARTITIONS as usize);
    let quiet = alarm(1, now(), None);
    let critical = OperationalEvent { severity: Severity::Critical, ..alarm(2, now(), None) };
    for event in [&quiet, &critical] {
        let record = AnyRecord::OperationalEvent(event.clone());
        bench.send_to(Topic::Operations, Destination::ByKey, None, &key_of(&record), &encode(&record));
    }
    wait_for("nothing is told of", &mut || !bench.read(Topic::AlertEvents).is_empty());
    let end = |n: &OperationalEvent<'_>| {
        let partition = partition_for_key(n.common.id.to_string().as_bytes(), PARTITIONS);
        bench.log.watermarks(&TopicPartition { topic: Topic::Operations.full_name(PREFIX), partition }).unwrap().end
    };
    assert_ne!(
        partition_for_key(quiet.common.id.to_string().as_bytes(), PARTITIONS),
        partition_for_key(critical.common.id.to_string().as_bytes(), PARTITIONS),
        "the test needs two partitions"
    );
    let after = end(&critical);
    assert!(after > 1, "a tick told it");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((end(&quiet), end(&critical)), (1, after), "nothing is due, so no tick is appended");
    stop.stop();
    processors.join().unwrap().unwrap();
}

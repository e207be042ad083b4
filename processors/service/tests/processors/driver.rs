//! Event time in one thread.

use crate::bench::{Bench, START, activity, days, encode, home, technician};
use fieldline_log::Destination;
use fieldline_log::memory::MemoryOptions;
use fieldline_processors::Driver;
use fieldline_schemas::events::{ActivityType, DeadLetterReason};
use fieldline_schemas::results::Kpi;
use fieldline_schemas::time::{DAY_US, HOUR_US, SECOND_US};
use fieldline_schemas::{Anomaly, AnyRecord, Topic, key_of};

/// Plays records as if they were live, advancing before each one.
fn play(records: &[(fieldline_schemas::Timestamp, AnyRecord<'_>)]) -> Bench {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    for (at, record) in records {
        driver.advance_to(*at).unwrap();
        bench.send(&[(*at, record.clone())]);
    }
    driver.advance_to(records[records.len() - 1].0 + 5 * DAY_US).unwrap();
    driver.commit().unwrap();
    bench
}

#[test]
fn two_runs_give_the_same_bytes_and_timers_have_their_own_instant() {
    let records = days(5, 4);
    let (a, b) = (play(&records).read(Topic::Kpis), play(&records).read(Topic::Kpis));
    assert_eq!(a, b);
    assert!(a.len() > 100, "{}", a.len());
    let (mut missing, mut finals) = (0, 0);
    for (_, appended_at, record) in &a {
        let AnyRecord::Kpi(kpi) = record else { panic!("{record:?}") };
        if kpi.stamp.caused_by.is_none() {
            assert_eq!(*appended_at, kpi.stamp.as_of, "a timer's row goes out at its instant");
            let Kpi::Shift(shift) = &kpi.kpi else { continue };
            if shift.finality == fieldline_schemas::results::Finality::Final {
                finals += 1;
                assert_eq!(kpi.stamp.as_of, shift.closed_at + 72 * HOUR_US);
            } else if shift.anomalies.contains(Anomaly::A02) {
                missing += 1;
                assert_eq!(kpi.stamp.as_of, shift.started_at + 11 * HOUR_US);
            }
        }
    }
    assert!(missing >= 5 && finals >= 20, "{missing} missing ends, {finals} final shifts");
}

#[test]
fn records_at_once_give_the_same_rows_as_records_one_by_one() {
    let records = days(5, 4);
    let bench = Bench::new(MemoryOptions::default());
    bench.send(&records);
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.advance_to(records[records.len() - 1].0 + 5 * DAY_US).unwrap();
    let rows = |bench: &Bench| {
        let rows = bench.read(Topic::Kpis).into_iter().map(|(_, _, record)| match record {
            AnyRecord::Kpi(kpi) => (format!("{:?}", kpi.kpi), kpi.stamp.as_of, kpi.stamp.caused_by),
            other => panic!("{other:?}"),
        });
        rows.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(rows(&bench), rows(&play(&records)));
}

#[test]
fn what_can_not_be_understood_is_kept_with_its_position_and_blocks_nothing() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    let at = |seconds: i64| START + seconds * SECOND_US;
    let who = technician(1);
    let key = who.to_string();
    let partition = home(who);
    let good = |n, seconds| activity(1, n, at(seconds), ActivityType::TravelStart);
    bench.send(&[(at(1), activity(1, 0, at(0), ActivityType::ShiftStart))]);
    let valid = encode(&good(9, 3));
    let cut = &valid[..valid.len() - 1];
    let ahead = encode(&activity(1, 8, at(2) + DAY_US + 1, ActivityType::FuelStop));
    let contact = encode(&AnyRecord::Contact(fieldline_schemas::events::Contact {
        id: fieldline_schemas::ids::ContactId(who.0),
        revision: 0,
        display_name: None,
        team: None,
        kind: fieldline_schemas::events::ContactKind::Technician,
    }));
    for bytes in [b"{}".as_slice(), cut, &ahead, &contact] {
        bench.send_to(Topic::Activity, Destination::Partition(partition), Some(at(2)), key.as_bytes(), bytes);
    }
    bench.send_to(Topic::Calls, Destination::Partition(0), Some(at(2)), b"queue", b"\x00");
    bench.send(&[(at(3), good(7, 3))]);
    driver.drain().unwrap();
    driver.advance_to(at(10)).unwrap();
    let mut letters: Vec<_> = bench.read(Topic::DeadLetters).into_iter().map(|(_, _, record)| record).collect();
    letters.sort_by_key(|record| String::from_utf8(key_of(record)).unwrap());
    let seen: Vec<_> = letters
        .iter()
        .map(|record| {
            let AnyRecord::DeadLetter(letter) = record else { panic!("{record:?}") };
            (letter.topic.to_string(), letter.partition, letter.offset, letter.reason, letter.stage.to_string(), letter.payload.to_vec())
        })
        .collect();
    let activity_at =
        |offset, reason, stage: &str, bytes: &[u8]| ("activity".to_owned(), partition, offset, reason, stage.to_owned(), bytes.to_vec());
    assert_eq!(
        seen,
        [
            activity_at(1, DeadLetterReason::UnknownFraming, "decode", b"{}"),
            activity_at(2, DeadLetterReason::Undecodable, "decode", cut),
            activity_at(3, DeadLetterReason::CreatedAhead, "validate", &ahead),
            activity_at(4, DeadLetterReason::WrongKind, "validate", &contact),
            ("calls".to_owned(), 0, 0, seen[4].3, "decode".to_owned(), b"\x00".to_vec()),
        ]
    );
    let kpis = bench.read(Topic::Kpis);
    assert!(kpis.iter().any(|(_, _, record)| matches!(record, AnyRecord::Kpi(kpi) if matches!(kpi.kpi, Kpi::Episode(_)))), "{kpis:?}");
}

#[test]
fn a_record_in_the_wrong_partition_moves_and_counts_once() {
    let bench = Bench::new(MemoryOptions::default());
    let config = bench.config();
    let progress = config.progress.clone();
    let mut driver = Driver::new(config, bench.log()).unwrap();
    let record = activity(1, 0, START, ActivityType::ShiftStart);
    let (right, wrong) = (home(technician(1)), (home(technician(1)) + 1) % 4);
    bench.send_to(Topic::Activity, Destination::Partition(wrong), Some(START), &key_of(&record), &encode(&record));
    driver.drain().unwrap();
    driver.advance_to(START + 10 * SECOND_US).unwrap();
    let kpis = bench.read(Topic::Kpis);
    assert_eq!(kpis.len(), 1, "{kpis:?}");
    let snapshot = progress.snapshot();
    let at = |partition| snapshot[&crate::bench::activity_partition(partition)];
    assert_eq!((at(wrong).counters.misplaced, at(wrong).kpis, at(right).counters.misplaced, at(right).kpis), (1, 0, 0, 1));
    assert_eq!(bench.read(Topic::Activity).iter().filter(|(partition, _, _)| *partition == right).count(), 1);
}

#[test]
fn a_fact_that_is_too_old_is_asked_of_history() {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    bench.send(&[(START, activity(1, 0, START - 100 * DAY_US, ActivityType::ShiftStart))]);
    driver.drain().unwrap();
    driver.advance_to(START + SECOND_US).unwrap();
    let requests = bench.read(Topic::Recompute);
    assert_eq!(requests.len(), 1);
    let AnyRecord::RecomputeRequest(request) = &requests[0].2 else { panic!("{requests:?}") };
    assert_eq!((request.partition, request.offset, request.clock), (home(technician(1)), 0, START));
    assert_eq!(request.from, START - 100 * DAY_US);
}

/// A flag is on `alert_events` where the records of its technician's alerts are, once, whoever put it out.
#[test]
fn flags_go_where_the_alerts_of_the_technician_are() {
    use fieldline_schemas::alerts::FlagStanding;
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    let start = |who| activity(who, 0, START, ActivityType::ShiftStart);
    for who in 0..6 {
        bench.send(&[(START, start(who))]);
    }
    bench.send(&[(START, activity(6, 1, START, ActivityType::EmergencyStop))]);
    driver.advance_to(START + 10 * HOUR_US).unwrap();
    driver.commit().unwrap();
    drop(driver);
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.advance_to(START + 12 * HOUR_US).unwrap();
    driver.commit().unwrap();
    drop(driver);
    Driver::new(bench.config(), bench.log()).unwrap().advance_to(START + 13 * HOUR_US).unwrap();
    let found = bench.read(Topic::AlertEvents);
    assert_eq!(found.len(), 7);
    for (partition, at, record) in &found {
        let AnyRecord::Flag(flag) = record else { panic!("{record:?}") };
        assert_eq!(*partition, home(flag.technician_contact_id.unwrap()));
        assert_eq!((flag.standing, *at), (FlagStanding::Raised, flag.opened_at));
        assert_eq!(flag.opened_at, if flag.alert_id.starts_with("S5:") { START + 11 * HOUR_US } else { START });
    }
}

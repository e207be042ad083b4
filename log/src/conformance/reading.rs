//! Reading: watermarks, seek, pause, limits, waking up.

use super::member::{Member, Start};
use super::{Suite, number, partition};
use crate::{Append, Destination, Polled, Watermarks};
use std::time::Instant;

pub(super) fn watermarks(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    let (filled, empty) = (partition(&topic, 0), partition(&topic, 1));
    assert_eq!(log.watermarks(&filled).unwrap(), Watermarks { begin: 0, end: 0 });
    suite.append(&log, &filled, (0..10).map(number));
    let found = log.watermarks(&filled).unwrap();
    assert!(found.begin == 0 && found.end >= 10, "{found:?}");
    assert_eq!(log.watermarks(&empty).unwrap(), Watermarks { begin: 0, end: 0 });
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 10);
    assert_eq!(member.consumer.watermarks(&filled).unwrap(), found);
    let seen = &member.seen[&filled];
    assert!(seen[0].offset >= found.begin && seen[9].offset < found.end);
    member.poll_idle();
}

pub(super) fn nothing_before_seek(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    for p in 0..2 {
        suite.append(&log, &partition(&topic, p), (0..3).map(number));
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Never);
    member.poll_until_owning(suite, 2);
    member.poll_idle();
    member.seek(&partition(&topic, 1), 0);
    member.poll_until_seen(suite, 3);
    member.poll_idle();
    assert_eq!(member.values(&partition(&topic, 1)), [number(0), number(1), number(2)]);
}

pub(super) fn records_max(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    suite.append(&log, &partition(&topic, 0), (0..100).map(number));
    for records_max in [1, 7, 1000] {
        let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
        member.records_max = records_max;
        member.poll_until_seen(suite, 100);
        assert!(member.values(&partition(&topic, 0)).into_iter().eq((0..100).map(number)), "by {records_max}");
    }
}

pub(super) fn seek(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let only = partition(&topic, 0);
    suite.append(&log, &only, (0..50).map(number));
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.records_max = 8;
    member.poll_until_seen(suite, 8);
    let mut others = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    others.poll_until_seen(suite, 50);
    let offsets: Vec<i64> = others.seen[&only].iter().map(|s| s.offset).collect();
    let end = log.watermarks(&only).unwrap().end;
    for from in [0, 33, 3, 49, 10] {
        member.seen.clear();
        member.seek(&only, offsets[from]);
        member.poll_until_seen(suite, 50 - from);
        assert!(member.values(&only).into_iter().eq((from as u32..50).map(number)), "from {from}");
    }
    member.seen.clear();
    member.seek(&only, end);
    member.poll_idle();
    suite.append(&log, &only, [number(50)]);
    member.poll_until_seen(suite, 1);
    assert_eq!(member.values(&only), [number(50)]);
    // Beyond what there is: told at once, or at the latest by polls, never silently elsewhere.
    if member.consumer.seek(&only, end + 1_000_000).is_ok() {
        suite.until("the error", || match member.consumer.poll(std::time::Duration::ZERO, 1) {
            Ok(Polled::Records(batch)) => panic!("offset {:?} where {} was asked for", batch.first_offset(), end + 1_000_000),
            Ok(_) => false,
            Err(_) => true,
        });
    }
}

pub(super) fn pause(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    let (one, two) = (partition(&topic, 0), partition(&topic, 1));
    for p in [&one, &two] {
        suite.append(&log, p, (0..20).map(number));
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Never);
    member.records_max = 5;
    member.poll_until_owning(suite, 2);
    member.seek(&one, 0);
    member.poll_until_seen(suite, 5);
    // In the middle of what was read ahead.
    member.consumer.pause(&one).unwrap();
    let before = member.count();
    member.poll_idle();
    member.seek(&two, 0);
    member.poll_until_seen(suite, before + 20);
    suite.append(&log, &one, [number(20)]);
    member.poll_idle();
    assert_eq!(member.values(&one).len(), before);
    member.consumer.resume(&one).unwrap();
    member.poll_until_seen(suite, 41);
    assert!(member.values(&one).into_iter().eq((0..=20).map(number)));
    assert!(member.values(&two).into_iter().eq((0..20).map(number)));
}

pub(super) fn append_wakes_poll(suite: &Suite<'_>) {
    if !suite.options.waits {
        return;
    }
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_owning(suite, 1);
    let (deadline, name) = (suite.options.deadline, topic.clone());
    let producer = std::thread::spawn({
        let mut producer = log.producer().unwrap();
        move || {
            producer.append(&name, Append { destination: Destination::Partition(0), key: b"", value: b"", append_time: None }).unwrap();
            producer.flush(deadline).unwrap();
        }
    });
    let started = Instant::now();
    let polled = member.consumer.poll(deadline, 1).unwrap();
    assert!(matches!(polled, Polled::Records(_)), "{polled:?}");
    assert!(started.elapsed() < deadline, "the poll waited its time out");
    producer.join().unwrap();
}

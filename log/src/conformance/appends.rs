//! Appending: partitioning, order, numbers, acknowledgements, limits.

use super::member::{Member, Start};
use super::{Suite, number, partition};
use crate::limits::{KEY_BYTES_MAX, RECORD_BYTES_MAX};
use crate::{Append, Destination, Error, partition_for_key};
use std::collections::BTreeMap;

pub(super) fn partition_by_key(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 8);
    let mut producer = log.producer().unwrap();
    let mut expected: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for n in 0..200u32 {
        let (key, value) = (format!("{n:08x}-0000-4000-8000-000000000000").into_bytes(), vec![n as u8; n as usize % 7]);
        let explicit = (n % 5 == 0).then_some(n as i32 % 8);
        let destination = explicit.map_or(Destination::ByKey, Destination::Partition);
        producer.append(&topic, Append { destination, key: &key, value: &value, append_time: None }).unwrap();
        let target = explicit.unwrap_or_else(|| partition_for_key(&key, 8));
        expected.entry(partition(&topic, target)).or_default().push((key, value));
    }
    assert_eq!(expected.len(), 8);
    producer.flush(suite.options.deadline).unwrap();
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 200);
    let seen: BTreeMap<_, Vec<_>> =
        member.seen.into_iter().map(|(p, all)| (p, all.into_iter().map(|s| (s.key, s.value)).collect())).collect();
    assert_eq!(seen, expected);
}

pub(super) fn order_is_kept(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 3);
    let mut producer = log.producer().unwrap();
    let count = 20_000u32;
    for n in 0..count {
        // Small and large records, so that batches of all sizes follow each other.
        let mut value = number(n);
        value.resize(if n % 1000 == 0 { 200_000 } else { 20 }, 7);
        let destination = Destination::Partition(n as i32 % 3);
        producer.append(&topic, Append { destination, key: b"", value: &value, append_time: None }).unwrap();
        if n % 777 == 0 {
            producer.acknowledged().unwrap();
        }
    }
    producer.flush(suite.options.deadline).unwrap();
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.records_max = 500;
    member.poll_until_seen(suite, count as usize);
    for p in 0..3 {
        let seen = &member.seen[&partition(&topic, p)];
        let numbers = seen.iter().map(|s| u32::from_be_bytes(*s.value.first_chunk().unwrap()));
        assert!(numbers.eq((p as u32..count).step_by(3)), "order of partition {p}");
    }
}

pub(super) fn acknowledgements(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    let mut producer = log.producer().unwrap();
    assert_eq!(producer.acknowledged().unwrap(), 0);
    producer.flush(suite.options.deadline).unwrap();
    let mut frontier = 0;
    for n in 1..=100u32 {
        let taken = producer
            .append(&topic, Append { destination: Destination::Partition(n as i32 % 2), key: b"k", value: b"v", append_time: None });
        assert_eq!(taken.unwrap(), u64::from(n));
        if n % 10 == 0 {
            let acknowledged = producer.acknowledged().unwrap();
            assert!((frontier..=u64::from(n)).contains(&acknowledged), "{acknowledged} after {frontier}, {n} taken");
            frontier = acknowledged;
        }
    }
    // What is handed over is acknowledged without further calls to append or flush.
    suite.until("the acknowledgement", || producer.acknowledged().unwrap() == 100);
    let ends: i64 = (0..2).map(|p| log.watermarks(&partition(&topic, p)).unwrap()).map(|w| w.end - w.begin).sum();
    assert!(ends >= 100, "acknowledged records can be read: {ends}");
    let mut second = log.producer().unwrap();
    assert_eq!(second.append(&topic, Append { destination: Destination::ByKey, key: b"k", value: b"v", append_time: None }).unwrap(), 1);
    second.flush(suite.options.deadline).unwrap();
    assert_eq!(second.acknowledged().unwrap(), 1);
}

pub(super) fn two_producers(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let mut producers = [log.producer().unwrap(), log.producer().unwrap()];
    for n in 0..1000u32 {
        for (who, producer) in producers.iter_mut().enumerate() {
            let key = [who as u8];
            producer
                .append(&topic, Append { destination: Destination::Partition(0), key: &key, value: &number(n), append_time: None })
                .unwrap();
            if n % 97 == who as u32 {
                producer.acknowledged().unwrap();
            }
        }
    }
    for producer in &mut producers {
        producer.flush(suite.options.deadline).unwrap();
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 2000);
    for who in 0..2u8 {
        let own = member.seen[&partition(&topic, 0)].iter().filter(|s| s.key == [who]).map(|s| s.value.clone());
        assert!(own.eq((0..1000).map(number)), "order of producer {who}");
    }
}

pub(super) fn oversize_is_refused(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let mut producer = log.producer().unwrap();
    let to = Destination::Partition(0);
    producer.append(&topic, Append { destination: to, key: b"", value: &number(1), append_time: None }).unwrap();
    let value = vec![0; RECORD_BYTES_MAX + 1];
    let refused = producer.append(&topic, Append { destination: to, key: b"", value: &value, append_time: None });
    assert!(matches!(refused, Err(Error::TooLarge { bytes, max: RECORD_BYTES_MAX, .. }) if bytes == value.len()), "{refused:?}");
    let key = vec![0; KEY_BYTES_MAX + 1];
    let refused = producer.append(&topic, Append { destination: to, key: &key, value: b"", append_time: None });
    assert!(matches!(refused, Err(Error::TooLarge { max: KEY_BYTES_MAX, .. })), "{refused:?}");
    assert_eq!(producer.append(&topic, Append { destination: to, key: b"", value: &number(2), append_time: None }).unwrap(), 2);
    producer.flush(suite.options.deadline).unwrap();
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 2);
    assert_eq!(member.values(&partition(&topic, 0)), [number(1), number(2)]);
}

pub(super) fn large_payload_passes(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let value: Vec<u8> = (0..1u32 << 20).map(|n| (n * 31 % 251) as u8).collect();
    suite.append(&log, &partition(&topic, 0), [value.clone(), number(1), value.clone()]);
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 3);
    assert!(member.values(&partition(&topic, 0)) == [value.clone(), number(1), value]);
}

//! Committed positions and the notes beside them.

use super::member::{Member, Start};
use super::{Suite, number, partition};
use crate::Committed;
use crate::limits::NOTE_BYTES_MAX;

pub(super) fn survive_reopening(suite: &Suite<'_>) {
    let mut log = suite.open();
    let topic = suite.topic(&log, 3);
    let group = suite.name("group");
    let mut member = Member::join(&log, &group, &[&topic], Start::Committed);
    for p in 0..3 {
        suite.append(&log, &partition(&topic, p), (0..10).map(number));
    }
    member.poll_until_seen(suite, 30);
    let note = |offset: i64| Committed { offset, metadata: format!("{{\"definition\":1,\"clock_us\":{offset},\"text\":\"ü☃\"}}") };
    for round in 1..=5 {
        let positions: Vec<_> = (0..2).map(|p| (partition(&topic, p), note(round + i64::from(p)))).collect();
        member.consumer.commit(&positions).unwrap();
    }
    let expected = [Some(note(5)), Some(note(6)), None];
    for reopened in [false, true] {
        for (p, expected) in expected.iter().enumerate() {
            let p = partition(&topic, p as i32);
            assert_eq!(log.committed(&group, &p).unwrap(), *expected, "reopened: {reopened}");
            assert_eq!(member.consumer.committed(&p).unwrap(), *expected, "reopened: {reopened}");
        }
        if !reopened {
            drop(member);
            drop(log);
            log = suite.open();
            member = Member::join(&log, &group, &[&topic], Start::Committed);
            member.poll_until_seen(suite, 30 - 5 - 6);
            member.poll_idle();
            assert_eq!(member.seen[&partition(&topic, 1)][0].value, number(6));
        }
    }
    assert_eq!(log.committed(&suite.name("nobody"), &partition(&topic, 0)).unwrap(), None);
}

pub(super) fn resume(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let (only, group) = (partition(&topic, 0), suite.name("group"));
    suite.append(&log, &only, (0..30).map(number));
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut member = Member::join(&log, &group, &[&topic], Start::Committed);
        member.records_max = 10;
        member.poll_until_seen(suite, 10);
        member.commit();
        seen.extend(member.values(&only));
    }
    assert!(seen.into_iter().eq((0..30).map(number)), "each took up where the one before had committed");
    let mut member = Member::join(&log, &group, &[&topic], Start::Committed);
    member.poll_until_owning(suite, 1);
    member.poll_idle();
}

pub(super) fn back_and_limits(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let (only, group) = (partition(&topic, 0), suite.name("group"));
    suite.append(&log, &only, (0..30).map(number));
    let mut member = Member::join(&log, &group, &[&topic], Start::Committed);
    member.poll_until_seen(suite, 30);
    for offset in [20, 4] {
        let committed = Committed { offset, metadata: "x".repeat(NOTE_BYTES_MAX) };
        member.consumer.commit(&[(only.clone(), committed.clone())]).unwrap();
        assert_eq!(log.committed(&group, &only).unwrap(), Some(committed));
    }
    let long = Committed { offset: 9, metadata: "x".repeat(NOTE_BYTES_MAX + 1) };
    assert!(member.consumer.commit(&[(only.clone(), long)]).is_err());
    assert_eq!(log.committed(&group, &only).unwrap().map(|c| c.offset), Some(4));
    member.consumer.commit(&[]).unwrap();
}

//! Members come, go, are missed and come back.

use crate::{Member, append, at, config, make_topic, name, open, position, until};
use fieldline_log::kafka::{KafkaConfig, Timeouts};
use fieldline_log::{Error, Log, Polled};
use fieldline_test_kafka::Kafka;
use std::time::Duration;

/// The shortest session that brokers take by default.
const SESSION: Duration = Duration::from_secs(6);

#[test]
fn only_what_moves_is_revoked_and_commits_end_with_ownership() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let (topic, group) = (make_topic(&*log, 4), name("group"));
    let mut first = Member::join(&*log, &group, &topic);
    first.until_owning(4);
    let mut second = Member::join(&*log, &group, &topic);
    let mut revoked = Vec::new();
    until("a revocation", || {
        second.poll();
        first.poll();
        revoked.clone_from(&first.revoking);
        !revoked.is_empty()
    });
    assert_eq!(revoked.len(), 2, "half moves, the rest stays with its owner: {revoked:?}");
    // Still owned: what was handled may be committed. Nobody else has it yet.
    let moving = revoked[0].clone();
    first.consumer.commit(&[(moving.clone(), position(7))]).unwrap();
    assert!(second.owned.is_empty());
    first.poll();
    let refused = first.consumer.commit(&[(moving.clone(), position(8))]);
    assert!(matches!(&refused, Err(Error::NotOwned { topic: named, partition }) if (named, *partition) == (&topic, moving.partition)));
    assert_eq!(log.committed(&group, &moving).unwrap(), Some(position(7)));
    // The second one resumes at 7, where there is nothing yet: an offset beyond the end, which is refused.
    let mut told = None;
    until("the assignment to the second", || {
        first.poll();
        match second.consumer.poll(Duration::from_millis(20), 1).unwrap() {
            Polled::Assigned(partitions) => {
                assert_eq!(partitions.len(), 2);
                told = Some(second.consumer.resume_from_committed(&moving));
                true
            }
            _ => false,
        }
    });
    assert!(matches!(told, Some(Err(Error::OffsetOutOfRange { offset: 7, begin: 0, end: 0, .. }))), "{told:?}");
    assert_eq!(first.owned.len(), 2, "never interrupted");
    drop(second);
    // Back to the first, which is told of the two alone.
    first.consumer.commit(&[]).unwrap();
    let mut back = Vec::new();
    until("their return", || {
        if let Polled::Assigned(partitions) = first.consumer.poll(Duration::from_millis(20), 1).unwrap() {
            back = partitions;
        }
        !back.is_empty()
    });
    back.sort();
    revoked.sort();
    assert_eq!(back, revoked);
}

#[test]
fn who_does_not_poll_loses_its_partitions_and_cannot_commit() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let timeouts = Timeouts { session: SESSION, poll_interval: SESSION, ..Timeouts::default() };
    let log = open(KafkaConfig { timeouts, ..config(kafka.bootstrap()) });
    let (topic, group) = (make_topic(&*log, 1), name("group"));
    let only = at(&topic, 0);
    append(&*log, &only, 0..10);
    let mut sleeper = Member::join(&*log, &group, &topic);
    sleeper.until_seen(&only, 10);
    sleeper.positions.insert(only.clone(), 4);
    // It handles a record for too long, and another takes over.
    let mut other = Member::join(&*log, &group, &topic);
    other.until_owning(1);
    other.until_seen(&only, 10);
    other.commit_at(&only).unwrap();
    let refused = sleeper.commit_at(&only);
    assert!(matches!(&refused, Err(Error::OwnershipLost { group: named }) if *named == group), "{refused:?}");
    assert_eq!(log.committed(&group, &only).unwrap(), Some(position(10)), "the commit of one that is gone changes nothing");
    until("the loss is told", || {
        sleeper.poll();
        other.poll();
        sleeper.lost.contains(&only)
    });
    let refused = sleeper.consumer.commit(&[(only.clone(), position(4))]);
    assert!(matches!(refused, Err(Error::NotOwned { .. })), "{refused:?}");
    // It is a member again, and the next in line.
    drop(other);
    sleeper.seen.clear();
    sleeper.until_owning(1);
    append(&*log, &only, 10..12);
    sleeper.until_seen(&only, 2);
    assert_eq!(sleeper.seen[&only], [10, 11]);
    sleeper.commit_at(&only).unwrap();
}

#[test]
fn a_static_member_that_comes_back_disturbs_nobody() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let process = |id: &str| open(KafkaConfig { instance_id: Some(id.to_owned()), ..config(kafka.bootstrap()) });
    let (one, two) = (process("one"), process("two"));
    let (topic, group) = (make_topic(&*one, 4), name("group"));
    let mut first = Member::join(&*one, &group, &topic);
    first.until_owning(4);
    let mut second = Member::join(&*two, &group, &topic);
    until("both own", || {
        first.poll();
        second.poll();
        first.owned.len() == 2 && second.owned.len() == 2
    });
    let held = second.owned.clone();
    drop(second);
    drop(two);
    let two = process("two");
    let mut second = Member::join(&*two, &group, &topic);
    until("the second is back", || {
        first.poll();
        assert!(first.revoking.is_empty() && first.owned.len() == 2, "the other was disturbed");
        second.poll();
        second.owned.len() == 2
    });
    assert_eq!(second.owned, held, "it has what it had");
}

#[test]
fn a_second_process_with_the_same_instance_id_fences_the_first() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let process = || open(KafkaConfig { instance_id: Some("same".to_owned()), ..config(kafka.bootstrap()) });
    let (one, two) = (process(), process());
    let (topic, group) = (make_topic(&*one, 1), name("group"));
    let mut first = Member::join(&*one, &group, &topic);
    first.until_owning(1);
    let mut second = Member::join(&*two, &group, &topic);
    let mut error = None;
    until("the first is told", || {
        second.poll();
        error = first.consumer.poll(Duration::from_millis(20), 1).err();
        error.is_some()
    });
    let text = error.unwrap().to_string();
    assert!(text.contains("instance id") && text.contains(&group), "{text}");
    drop(first);
    second.until_owning(1);
}

#[test]
fn a_member_that_leaves_is_not_waited_for() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let (topic, group) = (make_topic(&*log, 2), name("group"));
    let mut first = Member::join(&*log, &group, &topic);
    let mut second = Member::join(&*log, &group, &topic);
    until("both own", || {
        first.poll();
        second.poll();
        first.owned.len() == 1 && second.owned.len() == 1
    });
    let left_at = std::time::Instant::now();
    drop(first);
    second.until_owning(2);
    // The session lasts 45 s.
    assert!(left_at.elapsed() < Duration::from_secs(30), "{:?}", left_at.elapsed());
    // In the middle of being told: what nobody answered must not hold the group up.
    let mut third = log.consumer(&group, &[&topic]).unwrap();
    until("a step of the group", || {
        second.poll();
        matches!(third.poll(Duration::from_millis(20), 1).unwrap(), Polled::Assigned(_))
    });
    drop(third);
    until("everything is back", || {
        second.poll();
        second.revoking.is_empty() && second.owned.len() == 2
    });
}

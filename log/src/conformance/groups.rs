//! Groups: assignment and revocation with one to three members, and what is owned.

use super::member::{Member, Start};
use super::{Suite, number, partition};
use crate::{Committed, Error, TopicPartition};
use std::collections::BTreeSet;

fn all_of(topics: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
    topics.iter().flat_map(|(topic, count)| (0..*count).map(|p| partition(topic, p))).collect()
}

/// Polls every member until they own all between them, each at least one, nobody the same.
fn settle(suite: &Suite<'_>, members: &mut [Member], all: &BTreeSet<TopicPartition>) {
    suite.until("the assignment among the members", || {
        for member in members.iter_mut() {
            member.poll();
        }
        let owned: Vec<_> = members.iter().flat_map(|m| &m.owned).collect();
        let distinct: BTreeSet<_> = owned.iter().copied().collect();
        distinct.len() == all.len() && owned.len() == all.len() && members.iter().all(|m| !m.owned.is_empty())
    });
    let owned: BTreeSet<_> = members.iter().flat_map(|m| m.owned.iter().cloned()).collect();
    assert_eq!(owned, *all);
}

pub(super) fn members_share(suite: &Suite<'_>) {
    let log = suite.open();
    let (first, second) = (suite.topic(&log, 6), suite.topic(&log, 3));
    let group = suite.name("group");
    let join = || Member::join(&log, &group, &[&first, &second], Start::Committed);
    let all = all_of(&[(&first, 6), (&second, 3)]);
    let mut members = vec![join()];
    settle(suite, &mut members, &all);
    members.push(join());
    settle(suite, &mut members, &all);
    members.push(join());
    settle(suite, &mut members, &all);
    members.remove(0);
    settle(suite, &mut members, &all);
    members.remove(1);
    settle(suite, &mut members, &all);
    // Everyone goes, somebody comes back.
    members.clear();
    members.push(join());
    settle(suite, &mut members, &all);
}

pub(super) fn nothing_lost_in_rebalance(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 4);
    let group = suite.name("group");
    let join = || {
        let mut member = Member::join(&log, &group, &[&topic], Start::Committed);
        member.commits = true;
        member.records_max = 3;
        member
    };
    let mut members = vec![join()];
    let mut gone: Vec<Member> = Vec::new();
    let mut appended = 0;
    for round in 0..6 {
        for p in 0..4 {
            suite.append(&log, &partition(&topic, p), (appended..appended + 10).map(number));
        }
        appended += 10;
        for member in &mut members {
            for _ in 0..3 {
                member.poll();
            }
        }
        match round {
            0 | 1 | 3 => members.push(join()),
            2 | 4 => {
                // Leaves in good order: what it has handled is committed.
                let mut leaving = members.remove(0);
                leaving.commit();
                let stays = std::mem::replace(&mut leaving.consumer, log.consumer(&suite.name("none"), &[&topic]).unwrap());
                drop(stays);
                gone.push(leaving);
            }
            _ => {}
        }
    }
    suite.until("every record at some member", || {
        for member in &mut members {
            member.poll();
        }
        (0..4).all(|p| {
            let p = partition(&topic, p);
            let seen: BTreeSet<_> = members.iter().chain(&gone).flat_map(|m| m.values(&p)).collect();
            seen.len() == appended as usize
        })
    });
}

pub(super) fn independent_groups(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    for p in 0..2 {
        suite.append(&log, &partition(&topic, p), (0..10).map(number));
    }
    let (one, two) = (suite.name("one"), suite.name("two"));
    for group in [&one, &two] {
        let mut member = Member::join(&log, group, &[&topic], Start::Committed);
        member.poll_until_seen(suite, 20);
        if *group == one {
            member.commit();
        }
    }
    for p in 0..2 {
        let p = partition(&topic, p);
        let committed = log.committed(&one, &p).unwrap().unwrap();
        assert_eq!(committed.metadata, format!("note {}", committed.offset));
        assert_eq!(log.committed(&two, &p).unwrap(), None);
    }
}

pub(super) fn not_owned_is_refused(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    let group = suite.name("group");
    let mut first = Member::join(&log, &group, &[&topic], Start::Committed);
    let position = |offset| Committed { offset, metadata: String::new() };
    let refused = first.consumer.commit(&[(partition(&topic, 0), position(0))]);
    assert!(matches!(refused, Err(Error::NotOwned { partition: 0, .. })), "before the assignment: {refused:?}");
    first.poll_until_owning(suite, 2);
    let mut second = Member::join(&log, &group, &[&topic], Start::Committed);
    let mut members = [first, second];
    settle(suite, &mut members, &all_of(&[(&topic, 2)]));
    [first, second] = members;
    let (own, foreign) = (first.owned.first().unwrap().clone(), second.owned.first().unwrap().clone());
    // One refusal refuses the whole commit.
    let refused = first.consumer.commit(&[(own.clone(), position(0)), (foreign.clone(), position(0))]);
    assert!(matches!(refused, Err(Error::NotOwned { .. })), "{refused:?}");
    assert_eq!(log.committed(&group, &own).unwrap(), None);
    assert!(matches!(first.consumer.seek(&foreign, 0), Err(Error::NotOwned { .. })));
    assert!(matches!(first.consumer.pause(&foreign), Err(Error::NotOwned { .. })));
    assert!(matches!(first.consumer.resume(&foreign), Err(Error::NotOwned { .. })));
    second.consumer.commit(&[(foreign.clone(), position(0))]).unwrap();
    assert_eq!(log.committed(&group, &foreign).unwrap(), Some(position(0)));
}

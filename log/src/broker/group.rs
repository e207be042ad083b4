//! Who owns which partition. Pure: no waiting, no storage.
//!
//! Kafka's range assignment: of each topic, the members that subscribe to it get contiguous runs of partitions in the
//! order in which they joined, so that equal partitions of topics with equal counts go to one member. A change is
//! told to each member as what it loses, then as what it gains once nobody else holds it.

use super::wake::Wake;
use crate::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) type MemberId = u64;

struct Member {
    topics: Vec<(String, i32)>,
    target: BTreeSet<TopicPartition>,
    owned: BTreeSet<TopicPartition>,
    revoking: BTreeSet<TopicPartition>,
    wake: Arc<Wake>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Revoked(Vec<TopicPartition>),
    Assigned(Vec<TopicPartition>),
}

#[derive(Default)]
pub(crate) struct Group {
    members: BTreeMap<MemberId, Member>,
}

impl Group {
    pub(crate) fn join(&mut self, id: MemberId, topics: Vec<(String, i32)>, wake: Arc<Wake>) {
        self.members.insert(id, Member { topics, target: BTreeSet::new(), owned: BTreeSet::new(), revoking: BTreeSet::new(), wake });
        self.rebalance();
    }

    pub(crate) fn leave(&mut self, id: MemberId) {
        self.members.remove(&id);
        self.rebalance();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The next thing this member must know. What it was told to give up is given up by asking again.
    pub(crate) fn step(&mut self, id: MemberId) -> Option<Step> {
        let member = self.members.get_mut(&id)?;
        if !member.revoking.is_empty() {
            for given_up in std::mem::take(&mut member.revoking) {
                member.owned.remove(&given_up);
            }
            self.raise_others(id);
        }
        let member = self.members.get_mut(&id)?;
        if member.owned == member.target {
            return None;
        }
        let lost: Vec<_> = member.owned.difference(&member.target).cloned().collect();
        if !lost.is_empty() {
            member.revoking = lost.iter().cloned().collect();
            return Some(Step::Revoked(lost));
        }
        let wanted: Vec<_> = member.target.difference(&member.owned).cloned().collect();
        let gained: Vec<_> = wanted.into_iter().filter(|p| !self.members.values().any(|m| m.owned.contains(p))).collect();
        if gained.is_empty() {
            return None;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.owned.extend(gained.iter().cloned());
        }
        Some(Step::Assigned(gained))
    }

    fn raise_others(&self, id: MemberId) {
        for (_, other) in self.members.iter().filter(|(other, _)| **other != id) {
            other.wake.raise();
        }
    }

    fn rebalance(&mut self) {
        let mut by_topic: BTreeMap<(String, i32), Vec<MemberId>> = BTreeMap::new();
        for (id, member) in &mut self.members {
            member.target.clear();
            for topic in &member.topics {
                by_topic.entry(topic.clone()).or_default().push(*id);
            }
        }
        for ((topic, partitions), ids) in by_topic {
            let (each, extra) = (partitions as usize / ids.len(), partitions as usize % ids.len());
            let mut next = 0;
            for (place, id) in ids.iter().enumerate() {
                let take = each + usize::from(place < extra);
                if let Some(member) = self.members.get_mut(id) {
                    member.target.extend((next..next + take).map(|p| TopicPartition { topic: topic.clone(), partition: p as i32 }));
                }
                next += take;
            }
        }
        for member in self.members.values() {
            member.wake.raise();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(group: &Group, id: MemberId) -> Vec<i32> {
        group.members[&id].owned.iter().map(|p| p.partition).collect()
    }

    fn settle(group: &mut Group) {
        for _ in 0..4 {
            for id in group.members.keys().copied().collect::<Vec<_>>() {
                while group.step(id).is_some() {}
            }
        }
    }

    #[test]
    fn a_partition_moves_only_after_its_owner_gave_it_up() {
        let mut group = Group::default();
        let topics = || vec![("t".to_owned(), 4)];
        group.join(1, topics(), Arc::default());
        settle(&mut group);
        assert_eq!(owned(&group, 1), [0, 1, 2, 3]);
        group.join(2, topics(), Arc::default());
        assert_eq!(group.step(2), None, "nothing is free yet");
        assert!(matches!(group.step(1), Some(Step::Revoked(lost)) if lost.len() == 2));
        assert_eq!(owned(&group, 1), [0, 1, 2, 3], "still owned while the member finishes");
        assert_eq!(group.step(2), None);
        assert_eq!(group.step(1), None);
        assert!(matches!(group.step(2), Some(Step::Assigned(gained)) if gained.len() == 2));
        group.join(3, topics(), Arc::default());
        settle(&mut group);
        assert_eq!((owned(&group, 1), owned(&group, 2), owned(&group, 3)), (vec![0, 1], vec![2], vec![3]));
        group.leave(1);
        settle(&mut group);
        assert_eq!((owned(&group, 2), owned(&group, 3)), (vec![0, 1], vec![2, 3]));
    }
}

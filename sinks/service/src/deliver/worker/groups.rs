//! Alerts that wait for others to go with them. Pure; what time it is comes as an argument.
//!
//! They are nowhere but here and in the book: after a crash they are owed as before.

use crate::deliver::book::Urgency;
use crate::deliver::group::GROUP_MAX;
use std::collections::{BTreeMap, VecDeque};

/// Alerts of one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    goes_at_us: i64,
    /// Of the most urgent of them.
    urgency: Urgency,
    pub alert_ids: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    waiting: BTreeMap<String, Group>,
    full: VecDeque<Group>,
}

impl Groups {
    /// Puts an alert to those that have the key in common. The first of them sets the time.
    pub fn add(&mut self, key: String, alert_id: String, urgency: Urgency, goes_at_us: i64) {
        let group = self.waiting.entry(key.clone()).or_insert(Group { goes_at_us, urgency, alert_ids: Vec::new() });
        group.urgency = group.urgency.min(urgency);
        group.goes_at_us = group.goes_at_us.min(goes_at_us);
        group.alert_ids.push(alert_id);
        if group.alert_ids.len() >= GROUP_MAX {
            self.full.extend(self.waiting.remove(&key));
        }
    }

    /// Takes all apart.
    pub fn dissolve(&mut self) -> impl Iterator<Item = String> {
        let Self { waiting, full } = std::mem::take(self);
        full.into_iter().chain(waiting.into_values()).flat_map(|group| group.alert_ids)
    }

    /// A group whose time has come, if one is at least as urgent as `least`.
    pub fn next(&mut self, now_us: i64, least: Urgency) -> Option<Group> {
        if let Some(at) = self.full.iter().position(|group| group.urgency <= least) {
            return self.full.remove(at);
        }
        let due = self.waiting.iter().filter(|(_, group)| group.goes_at_us <= now_us && group.urgency <= least);
        let key = due.min_by_key(|(_, group)| (group.urgency, group.goes_at_us)).map(|(key, _)| key.clone())?;
        self.waiting.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(group: Option<Group>) -> Vec<String> {
        group.map_or(Vec::new(), |group| group.alert_ids)
    }

    #[test]
    fn a_group_goes_when_the_first_of_it_has_waited_and_the_urgent_first() {
        let mut groups = Groups::default();
        groups.add("x".into(), "1".into(), Urgency::Warning, 100);
        groups.add("y".into(), "2".into(), Urgency::Error, 100);
        groups.add("x".into(), "3".into(), Urgency::Info, 150);
        assert_eq!(groups.next(99, Urgency::Info), None);
        assert_eq!(groups.next(100, Urgency::Critical), None, "there is no room for what can wait");
        assert_eq!(ids(groups.next(100, Urgency::Info)), ["2"]);
        assert_eq!(ids(groups.next(100, Urgency::Info)), ["1", "3"]);
        assert_eq!(groups.next(1_000, Urgency::Info), None);
        groups.add("x".into(), "4".into(), Urgency::Warning, 300);
        assert_eq!(groups.next(299, Urgency::Info), None, "the next one waits anew");
    }

    #[test]
    fn a_full_group_goes_at_once_and_nothing_is_left_out() {
        let mut groups = Groups::default();
        for number in 0..GROUP_MAX * 2 + 1 {
            groups.add("x".into(), number.to_string(), Urgency::Warning, 100);
        }
        assert_eq!((ids(groups.next(0, Urgency::Info)).len(), ids(groups.next(0, Urgency::Info)).len()), (GROUP_MAX, GROUP_MAX));
        assert_eq!(groups.next(0, Urgency::Info), None);
        assert_eq!(ids(groups.next(100, Urgency::Info)), [(GROUP_MAX * 2).to_string()]);
    }
}

//! Numbers of static members: the same ones again after a restart.

use crate::broker::wake::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Which numbers of each group are taken by members that are open here.
#[derive(Default)]
pub(super) struct MemberNumbers(Mutex<BTreeMap<String, BTreeSet<u32>>>);

/// Held by a member while it is open.
pub(super) struct MemberNumber {
    numbers: Arc<MemberNumbers>,
    group: String,
    pub(super) number: u32,
}

impl MemberNumbers {
    /// The lowest that is free.
    pub(super) fn take(self: &Arc<Self>, group: &str) -> MemberNumber {
        let mut groups = lock(&self.0);
        let taken = groups.entry(group.to_owned()).or_default();
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or(u32::MAX);
        taken.insert(number);
        MemberNumber { numbers: Arc::clone(self), group: group.to_owned(), number }
    }
}

impl Drop for MemberNumber {
    fn drop(&mut self) {
        if let Some(taken) = lock(&self.numbers.0).get_mut(&self.group) {
            taken.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given_again() {
        let numbers = Arc::<MemberNumbers>::default();
        let (zero, one) = (numbers.take("a"), numbers.take("a"));
        assert_eq!((zero.number, one.number, numbers.take("b").number), (0, 1, 0));
        drop(zero);
        assert_eq!((numbers.take("a").number, one.number), (0, 1));
    }
}

//! Which facts leave the window next, so that nobody goes through all of them each time that the oldest one does.

use fieldline_schemas::Timestamp;

/// So many are found in one walk over all facts.
const FOUND_MAX: usize = 8;

/// The facts that happened first, whether they stand or not.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    /// When they happened and their places, the first one last.
    next: Vec<(Timestamp, u32)>,
    /// Of the facts that happened before this none is missing; `Timestamp::MIN` where nobody has looked.
    complete_before: Timestamp,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { next: Vec::new(), complete_before: Timestamp::MIN }
    }
}

impl Leaving {
    /// Takes the next fact that happened before `from`.
    pub fn take(&mut self, from: Timestamp) -> Option<usize> {
        self.next.pop_if(|(at, _)| *at < from).map(|(_, place)| place as usize)
    }

    /// When the first fact happened that has not been taken; `None` where it must be looked for.
    pub fn first(&self) -> Option<Timestamp> {
        self.next.last().map(|(at, _)| *at).or_else(|| (self.complete_before == Timestamp::MAX).then_some(Timestamp::MAX))
    }

    /// From here on facts are missing.
    pub fn complete_before(&self) -> Timestamp {
        self.complete_before
    }

    /// A fact was added.
    pub fn add(&mut self, at: Timestamp, place: usize) {
        if at >= self.complete_before {
            return;
        }
        let after = self.next.partition_point(|(other, _)| *other >= at);
        self.next.insert(after, (at, place as u32));
        let latest = self.next[0].0;
        // Those of one instant are found together or not at all.
        if self.next.len() > FOUND_MAX && self.next[self.next.len() - 1].0 < latest {
            self.complete_before = latest;
            self.next.retain(|(at, _)| *at < latest);
        }
    }

    /// Looks for the first ones among all facts within the window, given in any order.
    pub fn find(&mut self, facts: impl Iterator<Item = (Timestamp, usize)>) {
        self.next.clear();
        self.complete_before = Timestamp::MAX;
        facts.for_each(|(at, place)| self.add(at, place));
    }

    /// Places have changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is taken is what a look at everything would have taken, however facts come in between.
    #[test]
    fn facts_leave_in_order_and_none_is_missed() {
        let mut number = 11_u64;
        let mut below = |most: u64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) % most
        };
        for spread in [2, 40, 1_000] {
            let (mut leaving, mut facts, mut looks) = (Leaving::default(), Vec::new(), 0);
            let mut from = Timestamp(0);
            for step in 0..4_000 {
                let at = from + below(spread) as i64;
                facts.push(Some(at));
                leaving.add(at, facts.len() - 1);
                if step % 3 > 0 {
                    continue;
                }
                from = from + below(4) as i64;
                let mut left: Vec<usize> = std::iter::from_fn(|| leaving.take(from)).collect();
                if leaving.first().is_none() {
                    looks += 1;
                    let complete_before = leaving.complete_before();
                    let unseen = |at: &Timestamp| *at >= complete_before && *at < from;
                    left.extend((0..facts.len()).filter(|place| facts[*place].as_ref().is_some_and(unseen)));
                    let within = |at: &Timestamp| *at >= from;
                    leaving.find(facts.iter().enumerate().filter_map(|(place, at)| at.filter(within).map(|at| (at, place))));
                }
                left.sort_unstable();
                let expected: Vec<usize> = (0..facts.len()).filter(|place| facts[*place].is_some_and(|at| at < from)).collect();
                assert_eq!(left, expected, "step {step}, spread {spread}");
                left.into_iter().for_each(|place| facts[place] = None);
                let first = facts.iter().flatten().min().copied().unwrap_or(Timestamp::MAX);
                assert_eq!(leaving.first(), Some(first), "step {step}, spread {spread}");
            }
            assert!((1..900).contains(&looks), "{looks} looks of 1334 at a spread of {spread}");
        }
    }
}

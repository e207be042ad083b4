//! The two ways into the log: bulk, which lets records wait for others to travel with, and prompt, which does not. Which of them a
//! record takes, and one count of appends over both. Pure: numbers and ids only.

use fieldline_log::AppendNumber;
use fieldline_schemas::ids::EventId;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Bulk,
    Prompt,
}

/// What one producer has taken and not acknowledged.
#[derive(Debug, Default)]
struct Open {
    /// How many of its appends are acknowledged, all before them too: its own frontier.
    acknowledged: AppendNumber,
    /// Those behind the frontier: the publisher's number, and of which event.
    appends: VecDeque<(AppendNumber, Option<EventId>)>,
}

impl Open {
    fn has(&self, id: EventId) -> bool {
        self.appends.iter().any(|(_, open)| *open == Some(id))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ways {
    taken: AppendNumber,
    bulk: Open,
    prompt: Open,
}

impl Ways {
    /// The way of a record of the event `id`. It follows what was published of the same event before and is still under way:
    /// where revision and time are equal the place in the log decides what stands, and two producers keep no order.
    pub fn of(&self, id: EventId, is_urgent: bool) -> Way {
        if self.prompt.has(id) || (is_urgent && !self.bulk.has(id)) { Way::Prompt } else { Way::Bulk }
    }

    /// A producer has taken a record: the publisher's number of it.
    pub fn taken(&mut self, way: Way, id: Option<EventId>) -> AppendNumber {
        self.taken += 1;
        let number = self.taken;
        self.open(way).appends.push_back((number, id));
        number
    }

    /// A producer has acknowledged its own numbers up to this one.
    pub fn acknowledged(&mut self, way: Way, own: AppendNumber) {
        let open = self.open(way);
        while open.acknowledged < own && open.appends.pop_front().is_some() {
            open.acknowledged += 1;
        }
    }

    /// The highest number such that it and all before it are acknowledged, whichever way they took.
    pub fn frontier(&self) -> AppendNumber {
        let first_open = [&self.bulk, &self.prompt].into_iter().filter_map(|open| open.appends.front()).map(|(number, _)| *number).min();
        first_open.map_or(self.taken, |number| number - 1)
    }

    /// How many appends of the bulk are not known to be acknowledged.
    pub fn bulk_open(&self) -> usize {
        self.bulk.appends.len()
    }

    fn open(&mut self, way: Way) -> &mut Open {
        match way {
            Way::Bulk => &mut self.bulk,
            Way::Prompt => &mut self.prompt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Way::{Bulk, Prompt};

    fn id(number: u8) -> EventId {
        EventId::from_bytes([number; 16])
    }

    #[test]
    fn the_frontier_waits_for_the_slower_of_the_two() {
        let mut ways = Ways::default();
        assert_eq!(ways.frontier(), 0);
        let taken: Vec<_> = [Bulk, Bulk, Prompt, Prompt, Bulk].into_iter().map(|way| ways.taken(way, None)).collect();
        assert_eq!(taken, [1, 2, 3, 4, 5]);
        // The way that acknowledged, its own number, and how far all are acknowledged then.
        for (way, own, expected) in [(Prompt, 1, 0), (Bulk, 1, 1), (Bulk, 2, 3), (Bulk, 3, 3), (Bulk, 3, 3), (Prompt, 2, 5), (Prompt, 1, 5)]
        {
            ways.acknowledged(way, own);
            assert_eq!(ways.frontier(), expected, "{way:?} {own}");
        }
        assert_eq!(ways.taken(Prompt, None), 6);
        assert_eq!(ways.frontier(), 5);
        ways.acknowledged(Prompt, 3);
        assert_eq!(ways.frontier(), 6);
    }

    /// Against a plain list of who took what, in every order in which two producers can acknowledge.
    #[test]
    fn the_frontier_is_that_of_a_plain_list() {
        for pattern in 0..1 << 7_u32 {
            let ways_taken: Vec<Way> = (0..7).map(|bit| if pattern >> bit & 1 == 1 { Prompt } else { Bulk }).collect();
            for bulk_acknowledged in 0..=7 {
                for prompt_acknowledged in 0..=7 {
                    let mut ways = Ways::default();
                    for way in &ways_taken {
                        ways.taken(*way, None);
                    }
                    let count = |of: Way| ways_taken.iter().filter(|way| **way == of).count() as u64;
                    let acknowledged = [(Bulk, count(Bulk).min(bulk_acknowledged)), (Prompt, count(Prompt).min(prompt_acknowledged))];
                    let mut left = acknowledged.map(|(_, own)| own);
                    let expected = ways_taken.iter().take_while(|way| {
                        let left = &mut left[usize::from(**way == Prompt)];
                        *left = left.wrapping_sub(1);
                        *left < u64::MAX
                    });
                    let expected = expected.count() as u64;
                    acknowledged.iter().for_each(|(way, own)| ways.acknowledged(*way, *own));
                    assert_eq!(ways.frontier(), expected, "{ways_taken:?} {acknowledged:?}");
                }
            }
        }
    }

    #[test]
    fn a_record_follows_what_is_under_way_of_its_event() {
        let mut ways = Ways::default();
        assert_eq!((ways.of(id(1), true), ways.of(id(1), false)), (Prompt, Bulk));
        // A first report that is no emergency, and the update that makes it one.
        ways.taken(Bulk, Some(id(1)));
        assert_eq!((ways.of(id(1), true), ways.of(id(2), true)), (Bulk, Prompt));
        // An emergency, and the update that ends it.
        ways.taken(Prompt, Some(id(2)));
        assert_eq!((ways.of(id(2), false), ways.of(id(3), false)), (Prompt, Bulk));
        ways.acknowledged(Bulk, 1);
        ways.acknowledged(Prompt, 1);
        assert_eq!((ways.of(id(1), true), ways.of(id(2), false)), (Prompt, Bulk));
    }
}

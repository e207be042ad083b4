//! From an id to its places in a list that only grows: sorted pairs and a short unsorted tail.
//!
//! A tree per technician costs three times the memory, and a plain sorted list moves half of itself for each new id.

use fieldline_schemas::ids::EventId;

/// The tail is scanned whole on each look-up, so it is short; it grows with the root of the list, so that merging stays
/// cheap for technicians with a hundred thousand records too.
const TAIL_MIN: usize = 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    sorted: Vec<(EventId, u32)>,
    tail: Vec<(EventId, u32)>,
}

impl Index {
    /// Notes that `id` is found at `place`; places only grow.
    pub fn insert(&mut self, id: EventId, place: u32) {
        if self.tail.len() >= TAIL_MIN.max(self.sorted.len().isqrt()) {
            self.sorted.append(&mut self.tail);
            // The standard sort finds the sorted run and merges the rest into it.
            self.sorted.sort();
        }
        self.tail.push((id, place));
    }

    /// The places of `id`, in the order in which they were inserted.
    pub fn places(&self, id: EventId) -> impl Iterator<Item = usize> {
        let from = self.sorted.partition_point(|(other, _)| *other < id);
        let sorted = self.sorted[from..].iter().take_while(move |(other, _)| *other == id);
        let tail = self.tail.iter().filter(move |(other, _)| *other == id);
        sorted.chain(tail).map(|(_, place)| *place as usize)
    }

    /// Starts again from these, which are in order of place.
    pub fn rebuild(&mut self, ids: impl Iterator<Item = EventId>) {
        self.tail.clear();
        self.sorted.clear();
        self.sorted.extend(ids.zip(0..));
        self.sorted.sort();
        self.sorted.shrink_to(2 * self.sorted.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> EventId {
        EventId(uuid::Uuid::from_u128(u128::from(n.wrapping_mul(0x9e37_79b9))))
    }

    #[test]
    fn every_place_is_found_in_order_whatever_was_merged() {
        let mut index = Index::default();
        for place in 0..5_000 {
            index.insert(id(place % 1_000), place);
        }
        for n in 0..1_000 {
            assert_eq!(index.places(id(n)).collect::<Vec<_>>(), (0..5).map(|k| (n + 1_000 * k) as usize).collect::<Vec<_>>());
        }
        assert_eq!(index.places(id(1_000)).count(), 0);
        index.rebuild((0..10).map(|n| id(n % 5)));
        assert_eq!(index.places(id(3)).collect::<Vec<_>>(), [3, 8]);
    }
}

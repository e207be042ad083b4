//! From an id to its places in a list that only grows: a table of places, found by a digest of the id.
//!
//! A cell is four bytes, the place and as much of the digest as fits above it, so that a new id, as nearly all are, is known for new
//! without a look at the list. Sorted pairs of id and place took three times the memory, a tree still more. No order of the table is
//! ever visible. Whoever makes up ids of one digest makes looking for their own slower, as a list is, and nothing else.

use uuid::Uuid;

/// An empty table has no cells; the first ones are so many. A power of two, as every size is.
const CELLS_MIN: usize = 8;
/// Of each `FULL_OF` cells at most `FULL` are taken: more make searches long, fewer waste memory.
const FULL: usize = 3;
const FULL_OF: usize = 4;
const EMPTY: u32 = 0;

/// The ids themselves are in the list, so that whoever looks for one compares.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    cells: Vec<u32>,
    taken: usize,
}

impl Index {
    /// Notes that `id` is found at `place`, the next one. `id_at` tells the ids of the places before.
    pub fn insert(&mut self, id: Uuid, place: usize, id_at: impl Fn(usize) -> Uuid) {
        debug_assert_eq!(place, self.taken, "places are given one after another");
        if (self.taken + 1) * FULL_OF > self.cells.len() * FULL {
            self.resize((self.cells.len() * 2).max(CELLS_MIN), (0..place).map(id_at));
        }
        self.put(id, place);
    }

    /// The places where `id` may be, those where it is among them, in the order in which they were inserted.
    pub fn candidates(&self, id: Uuid) -> impl Iterator<Item = usize> {
        let mask = self.cells.len().wrapping_sub(1);
        let digest = digest(id);
        let print = print_of(digest, mask);
        let from = digest as usize & mask;
        let (before, after) = self.cells.split_at(from.min(self.cells.len()));
        let run = after.iter().chain(before).take_while(|cell| **cell != EMPTY);
        run.filter(move |cell| **cell & !(mask as u32) == print).map(move |cell| (*cell as usize & mask) - 1)
    }

    /// Starts again from so many ids, which are in order of place.
    pub fn rebuild(&mut self, places: usize, ids: impl Iterator<Item = Uuid>) {
        let cells = if places == 0 { 0 } else { (places * FULL_OF / FULL + 1).next_power_of_two().max(CELLS_MIN) };
        self.resize(cells, ids);
    }

    fn resize(&mut self, cells: usize, ids: impl Iterator<Item = Uuid>) {
        (self.cells, self.taken) = (vec![EMPTY; cells], 0);
        ids.enumerate().for_each(|(place, id)| self.put(id, place));
    }

    /// Takes the first free cell from the id's own on.
    fn put(&mut self, id: Uuid, place: usize) {
        let mask = self.cells.len() - 1;
        let digest = digest(id);
        let mut at = digest as usize & mask;
        while self.cells[at] != EMPTY {
            at = (at + 1) & mask;
        }
        // A quarter of the cells is free, so that a place and one more fit below the print.
        self.cells[at] = print_of(digest, mask) | (place + 1) as u32;
        self.taken += 1;
    }
}

/// The high part of the digest, as far as no place reaches.
fn print_of(digest: u64, mask: usize) -> u32 {
    (digest >> 32) as u32 & !(mask as u32)
}

/// Every bit of an id in every bit: ids of one device may count up, or begin with the time.
fn digest(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    let product = u128::from(high ^ 0x9e37_79b9_7f4a_7c15) * u128::from(low ^ 0xe703_7ed1_a0b4_28db);
    let folded = (product >> 64) as u64 ^ product as u64;
    (folded ^ folded >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with its index, as whoever uses it has it.
    #[derive(Default)]
    struct List {
        ids: Vec<Uuid>,
        index: Index,
    }

    impl List {
        fn push(&mut self, id: Uuid) {
            let Self { ids, index } = self;
            index.insert(id, ids.len(), |place| ids[place]);
            ids.push(id);
        }
        fn places(&self, id: Uuid) -> Vec<usize> {
            self.index.candidates(id).filter(|place| self.ids[*place] == id).collect()
        }
    }

    fn id(n: u32) -> Uuid {
        Uuid::from_u128(u128::from(n))
    }

    #[test]
    fn every_place_is_found_in_order_however_it_grew() {
        let mut list = List::default();
        assert_eq!(list.places(id(0)), [0_usize; 0]);
        for place in 0..5_000 {
            list.push(id(place % 1_000));
        }
        for n in 0..1_000 {
            assert_eq!(list.places(id(n)), (0..5).map(|k| (n + 1_000 * k) as usize).collect::<Vec<_>>());
        }
        assert_eq!(list.places(id(1_000)), [0_usize; 0]);
        list.ids = (0..10).map(|n| id(n % 5)).collect();
        list.index.rebuild(list.ids.len(), list.ids.iter().copied());
        assert_eq!(list.places(id(3)), [3, 8]);
        list.push(id(3));
        assert_eq!(list.places(id(3)), [3, 8, 10]);
        list.index.rebuild(0, std::iter::empty());
        assert_eq!(list.index.candidates(id(3)).count(), 0);
    }

    /// Ids that count up, that begin with the same time, and that differ in the high half alone.
    #[test]
    fn hardly_any_candidate_is_another_id() {
        let kinds: [fn(u64) -> Uuid; 3] = [
            |n| Uuid::from_u64_pair(7, n),
            |n| Uuid::from_u64_pair(0x0192_3456_789a_7000 + (n >> 8), n << 40),
            |n| Uuid::from_u64_pair(n, 7),
        ];
        for kind in kinds {
            let mut list = List::default();
            (0..20_000).for_each(|n| list.push(kind(n)));
            let others: usize = (20_000..40_000).map(|n| list.index.candidates(kind(n)).count()).sum();
            assert!(others < 20, "{others} of 20000 new ids were compared with a known one");
        }
    }

    /// Somebody computes ids of one digest: slow for themselves, and right. With a product of zero before it is folded, one half says
    /// nothing any more.
    #[test]
    fn ids_of_one_digest_are_told_apart() {
        let alike = |n: u64| Uuid::from_u64_pair(0x9e37_79b9_7f4a_7c15, n);
        let mut list = List::default();
        (0..3_000).for_each(|n| list.push(alike(n % 1_500)));
        assert_eq!(list.index.candidates(alike(5_000)).count(), 3_000, "they collide");
        for n in [0, 700, 1_499] {
            assert_eq!(list.places(alike(n)), [n as usize, n as usize + 1_500]);
        }
        assert_eq!(list.places(alike(5_000)), [0_usize; 0]);
    }
}

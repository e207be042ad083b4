//! Who is known in a partition, and in which slot.

use super::index::Index;
use fieldline_schemas::ids::TechnicianId;

/// Ids apart from what is known about each: a search touches them alone.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// One for each slot.
    ids: Vec<TechnicianId>,
    index: Index,
}

impl Roster {
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn slot_of(&self, id: TechnicianId) -> Option<u32> {
        self.index.candidates(id.0).find(|slot| self.ids[*slot] == id).map(|slot| slot as u32)
    }

    /// The slot of one more.
    pub fn add(&mut self, id: TechnicianId) -> u32 {
        let slot = self.ids.len();
        self.index.insert(id.0, slot, |slot| self.ids[slot].0);
        self.ids.push(id);
        slot as u32
    }

    /// Starts again from these, in order of slot.
    pub fn rebuild(&mut self, ids: impl Iterator<Item = TechnicianId>) {
        self.ids.clear();
        self.ids.extend(ids);
        self.index.rebuild(self.ids.len(), self.ids.iter().map(|id| id.0));
    }
}

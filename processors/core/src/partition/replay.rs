//! A state that is rebuilt: until the replay is nearly over nothing is derived, and until it is over nothing is put out.
//!
//! In order of time each record is about somebody else, whose state has long left the processor's caches. Nothing of one technician
//! depends on another, so records wait, each with its clock, and are then taken technician by technician: of what many of them touch,
//! only the first has to come from far. The same results as when each is taken as it comes, by law.

use super::technician::Technician;
use super::{Effects, Partition, PartitionError, Position, Record, rules};
use crate::partition::Settings;
use fieldline_schemas::Timestamp;

/// Records that wait at most, unless told otherwise: some fifty megabytes for each partition that is replayed.
const WAITING_MAX: usize = 262_144;

/// Records that wait to be taken technician by technician.
#[derive(Debug)]
pub(super) struct Waiting {
    records_max: usize,
    /// Each with its technician's slot and the clock that it found.
    records: Vec<(u32, Timestamp, Record)>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { records_max: WAITING_MAX, records: Vec::new() }
    }
}

impl Waiting {
    /// The places of the records, those of one slot together, in the order in which they came.
    fn order(&self, slots: usize) -> Vec<u32> {
        let mut next = vec![0_u32; slots + 1];
        for (slot, ..) in &self.records {
            next[*slot as usize + 1] += 1;
        }
        for slot in 1..next.len() {
            next[slot] += next[slot - 1];
        }
        let mut order = vec![0; self.records.len()];
        for ((slot, ..), place) in self.records.iter().zip(0..) {
            let at = &mut next[*slot as usize];
            order[*at as usize] = place;
            *at += 1;
        }
        order
    }
}

impl Partition {
    /// A partition that was read up to `committed`, which was its `finished`. It is to be fed every record from
    /// `replay_from(committed.clock)` on; outputs begin with the record at `committed`.
    pub fn rebuild(settings: Settings, committed: Position) -> Self {
        Self { replay: Some(committed), is_unsettled: true, second_start: Some(committed), ..Self::new(settings) }
    }

    /// Of the replay, at most so many records wait to be taken; 0 or 1: each is taken as it comes.
    #[must_use]
    pub fn waiting_at_most(mut self, records_max: usize) -> Self {
        self.waiting.records_max = records_max;
        self
    }

    /// Whoever was here before had other settings of flags, or none: after the replay what is true is put out again.
    #[must_use]
    pub fn telling_flags_again(self) -> Self {
        Self { has_told_flags: false, ..self }
    }

    /// Lets a record of the unsettled past wait.
    pub(super) fn wait(&mut self, slot: u32, clock: Timestamp, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        self.waiting.records.push((slot, clock, *record));
        if self.waiting.records.len() >= self.waiting.records_max { self.take_waiting(effects) } else { Ok(()) }
    }

    /// Takes what waits, technician by technician. Nothing of it is put out.
    fn take_waiting(&mut self, effects: &mut Effects) -> Result<(), PartitionError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let flags = effects.flags.len();
        for place in waiting.order(self.slots.len()) {
            let (slot, clock, record) = &waiting.records[place as usize];
            self.take(*slot, *clock, record, effects)?;
        }
        effects.flags.truncate(flags);
        waiting.records.clear();
        self.waiting = waiting;
        Ok(())
    }

    /// Derives the rows of everybody, when the replay is nearly over: before, no row was needed.
    pub(super) fn settle(&mut self, clock: Timestamp, effects: &mut Effects) -> Result<(), PartitionError> {
        self.take_waiting(effects)?;
        self.waiting = Waiting::default();
        self.is_unsettled = false;
        for technician in &mut self.slots {
            technician.advance(clock);
            technician.flags.forget_devices(self.forgotten_at);
        }
        self.forget_blank();
        for slot in 0..self.slots.len() as u32 {
            let technician = &mut self.slots[slot as usize];
            let before = technician.due;
            technician.settle(clock, &rules(&self.settings, self.last_gap), &mut self.bench);
            self.counters.folds += 1;
            self.reschedule(slot, before);
        }
        Ok(())
    }

    /// Has every flag that stands put out again.
    pub(super) fn doubt_flags(&mut self) {
        let Some(clock) = self.clock else { return };
        for slot in 0..self.slots.len() as u32 {
            let technician = &mut self.slots[slot as usize];
            let before = technician.due;
            // Who changed in this second is looked at when it is over.
            if technician.flags.doubt(clock) && !technician.is_changed() {
                technician.due = Some(clock + 1);
                self.reschedule(slot, before);
            }
        }
    }

    /// Forgets technicians of whom nothing lies within the window. As long as nothing is derived, nothing depends on it: then it is
    /// done once, at the end.
    pub(super) fn forget(&mut self, clock: Timestamp) {
        self.forgotten_at = clock;
        if self.is_unsettled {
            return;
        }
        for technician in &mut self.slots {
            if !technician.is_changed() {
                technician.advance(clock);
            }
            technician.flags.forget_devices(clock);
        }
        self.forget_blank();
    }

    fn forget_blank(&mut self) {
        if !self.touched.is_empty() || !self.slots.iter().any(Technician::is_blank) {
            return;
        }
        self.timers.clear();
        self.slots.retain(|technician| !technician.is_blank());
        self.roster.rebuild(self.slots.iter().map(|technician| technician.id));
        for (slot, technician) in (0..).zip(&self.slots) {
            if let Some(due) = technician.due {
                self.timers.insert((due, technician.id, slot));
            }
        }
    }
}

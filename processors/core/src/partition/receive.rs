//! A record and its technician: who it is about, and what it changes.

use super::input::Input;
use super::standing::Inserted;
use super::technician::{Technician, Touch};
use super::{Effects, Misplaced, Partition, PartitionError, Record, rules};
use crate::flags::Device;
use fieldline_schemas::Timestamp;

impl Partition {
    /// Hands the record to its technician.
    pub(super) fn receive(&mut self, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        let clock = self.clock.unwrap_or(record.append_time);
        let Some(id) = record.input.technician() else {
            match record.input {
                Input::Tick { .. } => self.counters.ticks += 1,
                _ => self.counters.not_understood += 1,
            }
            return Ok(());
        };
        let known = self.roster.slot_of(id);
        if known.is_none() {
            let home = (self.settings.home)(id, self.settings.partitions);
            if home != self.settings.partition {
                self.counters.misplaced += 1;
                effects.misplaced.push(Misplaced { offset: record.offset, partition: home });
                return Ok(());
            }
        }
        let slot = known.unwrap_or_else(|| {
            self.slots.push(Technician::new(id, clock));
            self.roster.add(id)
        });
        if self.is_unsettled { self.wait(slot, clock, record, effects) } else { self.take(slot, clock, record, effects) }
    }

    /// Takes a record, which was appended when the clock stood at `clock`, to what is known about its technician.
    pub(super) fn take(&mut self, slot: u32, clock: Timestamp, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        // Of somebody who has reported nothing else yet, too: a device may die before the first shift_start is over.
        if let Input::Heartbeat(_, device, created_at) = record.input {
            self.counters.heartbeats += 1;
            return self.heartbeat(slot, (device, created_at), clock, record.offset, effects);
        }
        let rules = rules(&self.settings, self.last_gap);
        let technician = &mut self.slots[slot as usize];
        if !technician.is_changed() {
            technician.advance(clock);
            if !self.is_unsettled && technician.is_stale() {
                let due = technician.due;
                technician.absorb(clock, &rules, &mut self.bench);
                self.counters.folds += 1;
                self.reschedule(slot, due);
            }
        }
        let technician = &mut self.slots[slot as usize];
        if matches!(record.input, Input::Activity(..)) {
            // After what left the window: that withdraws nothing, and this may.
            technician.flags.arrived(clock, record.input.own(), self.is_unsettled);
        }
        let (inserted, about) = technician.insert(&record.input);
        let first = effects.flags.len();
        technician.emergency(&record.input, &inserted, clock, self.settings.flags.late_us, &mut effects.flags);
        self.stamp_flags(slot, first, record.offset, Some(about.id), effects)?;
        let technician = &mut self.slots[slot as usize];
        let appeared = record.input.appeared(&inserted);
        let (changed, lacks_predecessor, others_from) = match inserted {
            Inserted::Duplicate => {
                self.counters.duplicates += 1;
                return Ok(());
            }
            Inserted::Outranked => {
                self.counters.outranked += 1;
                return Ok(());
            }
            Inserted::Decides { changed, lacks_predecessor, others_from } => (changed, lacks_predecessor, others_from),
        };
        if self.is_unsettled {
            return Ok(());
        }
        technician.ask_history(about, lacks_predecessor, others_from);
        if changed.is_none() && technician.request.is_none() {
            return Ok(());
        }
        if technician.touched.is_none() {
            self.touched.push(slot);
        }
        technician.touched = Some(Touch { offset: record.offset, clock, caused_by: Some(about.id) });
        let was_changed = technician.is_changed();
        technician.note_changed(changed, appeared);
        if changed.is_some() && !was_changed {
            // The rows are derived when the second ends, and what falls due is found anew then.
            if let Some(due) = technician.due.take() {
                let id = technician.id;
                self.timers.remove(&(due, id, slot));
            }
        }
        Ok(())
    }

    /// A device of a technician lives: what was thought of it is withdrawn, or its silence is timed.
    fn heartbeat(
        &mut self,
        slot: u32,
        (device, created_at): (Device, Timestamp),
        clock: Timestamp,
        offset: i64,
        effects: &mut Effects,
    ) -> Result<(), PartitionError> {
        let rules = rules(&self.settings, self.last_gap);
        let technician = &mut self.slots[slot as usize];
        let (is_untrue, silent_from) = technician.flags.heartbeat(device, clock, created_at, rules.flags);
        // A state that is not settled, or changed in this second, is looked at as a whole.
        if self.is_unsettled || technician.is_changed() {
            return Ok(());
        }
        let before = technician.due;
        let first = effects.flags.len();
        if is_untrue {
            technician.derive_flags(clock, &rules, &mut self.bench, &mut effects.flags);
        }
        technician.due = [technician.due, silent_from].into_iter().flatten().min();
        self.stamp_flags(slot, first, offset, None, effects)?;
        self.reschedule(slot, before);
        Ok(())
    }
}

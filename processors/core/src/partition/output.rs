//! What goes out: rows, flags and requests of a second that is over, and of a timer that fell due.

use super::technician::{Request, Touch};
use super::{Effects, Partition, PartitionError, Settings, rules};
use crate::definition::Definition;
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::limits::RECOMPUTE_IDS_MAX;
use fieldline_schemas::results::{KpiRecord, Stamp};
use fieldline_schemas::{Timestamp, Version};

impl Partition {
    /// Gives the flags from `first` on their version.
    pub(super) fn stamp_flags(
        &mut self,
        slot: u32,
        first: usize,
        offset: i64,
        caused_by: Option<EventId>,
        effects: &mut Effects,
    ) -> Result<(), PartitionError> {
        if effects.flags.len() > first {
            let step = self.slots[slot as usize].take_flag_step(offset);
            let version = self.version(offset, step)?;
            for flag in &mut effects.flags[first..] {
                (flag.version, flag.caused_by) = (version, caused_by);
            }
        }
        Ok(())
    }

    /// Derives and puts out what the records of the second changed.
    pub(super) fn finish_second(&mut self, effects: &mut Effects) -> Result<(), PartitionError> {
        let touched = std::mem::take(&mut self.touched);
        for slot in &touched {
            let technician = &mut self.slots[*slot as usize];
            let Some(touch) = technician.touched.take() else { continue };
            if technician.is_changed() {
                self.derive(*slot, touch, touch.clock, effects)?;
            } else if let Some(request) = technician.request.take() {
                let id = technician.id;
                self.request(id, *request, touch, effects);
            }
        }
        // The list keeps its room.
        self.touched = touched;
        self.touched.clear();
        Ok(())
    }

    /// Lets time alone change a technician's rows, as of the moment it fell due; the record at `offset` moves the
    /// partition's clock on to `clock`.
    pub(super) fn fire(
        &mut self,
        due: Timestamp,
        slot: u32,
        offset: i64,
        clock: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), PartitionError> {
        let rules = rules(&self.settings, self.last_gap);
        self.counters.timers += 1;
        let technician = &mut self.slots[slot as usize];
        technician.advance(due);
        if technician.is_stale() {
            self.counters.folds += 1;
            technician.absorb(due - 1, &rules, &mut self.bench);
        }
        self.reschedule(slot, Some(due));
        self.derive(slot, Touch { offset, clock: due, caused_by: None }, clock, effects)
    }

    /// Puts out what `touch` changed. `clock`: the partition's once the record at that offset is applied, which is what
    /// history computes by: its rows outrank every timer of that offset.
    fn derive(&mut self, slot: u32, touch: Touch, clock: Timestamp, effects: &mut Effects) -> Result<(), PartitionError> {
        let rules = rules(&self.settings, self.last_gap);
        self.counters.folds += 1;
        let technician = &mut self.slots[slot as usize];
        let before = technician.due;
        let first = effects.flags.len();
        let changes = technician.derive(touch.clock, &rules, &mut self.bench, &mut effects.flags);
        self.counters.folds_going_on += u64::from(changes.went_on);
        if !changes.kpis.is_empty() {
            let step = technician.take_step(touch.offset);
            let stamp = Stamp { version: self.version(touch.offset, step)?, as_of: touch.clock, caused_by: touch.caused_by };
            effects.kpis.extend(changes.kpis.into_iter().map(|kpi| KpiRecord { stamp, kpi }));
        }
        self.stamp_flags(slot, first, touch.offset, touch.caused_by, effects)?;
        let technician = &mut self.slots[slot as usize];
        let mut request = if touch.caused_by.is_some() { technician.request.take() } else { None };
        if let Some((from, to)) = changes.frozen {
            Request::widen(&mut request, from, to);
        }
        if let Some(request) = request {
            let id = technician.id;
            self.request(id, *request, Touch { clock, ..touch }, effects);
        }
        self.reschedule(slot, before);
        Ok(())
    }

    fn request(&self, technician_contact_id: TechnicianId, request: Request, touch: Touch, effects: &mut Effects) {
        let Request { mut event_ids, from, to } = request;
        event_ids.sort_unstable();
        event_ids.dedup();
        let whole = |event_ids: Vec<EventId>| RecomputeRequest {
            technician_contact_id,
            event_ids,
            from,
            to,
            partition: self.settings.partition,
            offset: touch.offset,
            clock: touch.clock,
            caused_by: touch.caused_by,
        };
        if event_ids.len() <= RECOMPUTE_IDS_MAX {
            effects.recompute.push(whole(event_ids));
        } else {
            effects.recompute.extend(event_ids.chunks(RECOMPUTE_IDS_MAX).map(|ids| whole(ids.to_vec())));
        }
    }

    /// Puts the technician's timer where it belongs; it stood at `before`.
    pub(super) fn reschedule(&mut self, slot: u32, before: Option<Timestamp>) {
        let technician = &self.slots[slot as usize];
        let (id, due) = (technician.id, technician.due);
        if before != due {
            if let Some(before) = before {
                self.timers.remove(&(before, id, slot));
            }
            if let Some(due) = due {
                self.timers.insert((due, id, slot));
            }
        }
    }

    fn version(&self, offset: i64, step: u8) -> Result<Version, PartitionError> {
        let Settings { partition, epoch, definition: Definition { number, .. }, .. } = self.settings;
        let version = u64::try_from(offset).ok().and_then(|offset| Version::pack(epoch, number, offset, step));
        version.ok_or(PartitionError::Version { partition, offset, epoch, definition: number })
    }
}

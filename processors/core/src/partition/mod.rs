//! A partition of `activity`: records in log order in, rows out. A pure function of the log.
//!
//! ```text
//! record ─► clock ─► second over? fold who was touched ─► timers that fell due ─► the record's technician
//! ```
//! The clock is the highest append time seen. Everything that is published is a function of the log up to a position,
//! so whoever replays the last 204 hours and a quarter of it goes on with the same outputs as one that never stopped.

mod digest;
mod effects;
mod index;
mod input;
mod leaving;
mod reading;
mod records;
mod rows;
mod segments;
mod standing;
mod technician;
mod whole;
mod window;

pub use effects::{Counters, Effects, Misplaced};
pub use input::Input;
pub use segments::Path;
pub(crate) use segments::Refolded;
pub use standing::{Claim, Fact, Inserted, Standing};
pub use whole::WholeLog;
pub use window::{AHEAD_US, Changed, FACTS_US, GAP_US, LATENESS_US, LIVE_UNITS_US, MARKERS_US, SETTLED_US, Window};

use crate::definition::Definition;
use crate::flags::{Device, FlagSettings};
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::limits::RECOMPUTE_IDS_MAX;
use fieldline_schemas::results::{KpiRecord, Stamp};
use fieldline_schemas::time::{HOUR_US, SECOND_US};
use fieldline_schemas::{Timestamp, Version};
use std::collections::{BTreeMap, BTreeSet};
use technician::{Request, Rules, Technician, Touch, Workbench};

/// Technicians of whom nothing is left are forgotten this often, by the log's clock.
const FORGET_EVERY_US: i64 = HOUR_US;

/// What a partition needs to know about itself.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub partition: i32,
    /// The partition that a technician's key hashes to.
    pub home: fn(TechnicianId, partitions: i32) -> i32,
    pub partitions: i32,
    pub epoch: u8,
    pub definition: Definition,
    pub flags: FlagSettings,
    pub path: Path,
}

impl Settings {
    /// The settings of a topic with one partition.
    pub fn single(definition: Definition) -> Self {
        Self { partition: 0, home: |_, _| 0, partitions: 1, epoch: 0, definition, flags: FlagSettings::default(), path: Path::Incremental }
    }
}

/// A place in the log, and the clock before the record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub offset: i64,
    pub clock: Timestamp,
}

/// A record of the partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    pub offset: i64,
    pub append_time: Timestamp,
    pub input: Input,
}

/// Why a partition can not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    #[error("no version for partition {partition}, offset {offset}, epoch {epoch}, definition {definition}: a part is beyond its range")]
    Version { partition: i32, offset: i64, epoch: u8, definition: u16 },
}

/// The state of one partition.
#[derive(Debug)]
pub struct Partition {
    settings: Settings,
    clock: Option<Timestamp>,
    technicians: BTreeMap<TechnicianId, u32>,
    slots: Vec<Technician>,
    /// Touched in the unfinished second, in the order of the first touch.
    touched: Vec<u32>,
    timers: BTreeSet<(Timestamp, TechnicianId, u32)>,
    /// The first record of the unfinished second.
    second_start: Option<Position>,
    /// Until here the log is replayed: nothing is published.
    replay: Option<Position>,
    /// The rows of the replayed past are not derived yet.
    is_unsettled: bool,
    /// Whoever was here before put out the flags by the same settings.
    has_told_flags: bool,
    forgotten_at: Timestamp,
    last_gap: Option<Timestamp>,
    bench: Workbench,
    counters: Counters,
}

impl Partition {
    /// A partition that nobody has read before.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: None,
            technicians: BTreeMap::new(),
            slots: Vec::new(),
            touched: Vec::new(),
            timers: BTreeSet::new(),
            second_start: None,
            replay: None,
            is_unsettled: false,
            has_told_flags: true,
            forgotten_at: Timestamp::MIN,
            last_gap: None,
            bench: Workbench::default(),
            counters: Counters::default(),
        }
    }

    /// A partition that was read up to `committed`, which was its `finished`. It is to be fed every record from
    /// `replay_from(committed.clock)` on; outputs begin with the record at `committed`.
    pub fn rebuild(settings: Settings, committed: Position) -> Self {
        Self { replay: Some(committed), is_unsettled: true, second_start: Some(committed), ..Self::new(settings) }
    }

    /// Whoever was here before had other settings of flags, or none: after the replay what is true is put out again.
    #[must_use]
    pub fn telling_flags_again(self) -> Self {
        Self { has_told_flags: false, ..self }
    }

    /// The append time from which records must be replayed to rebuild the state at `clock`.
    pub fn replay_from(clock: Timestamp) -> Timestamp {
        Window::at(clock).markers_from() - SETTLED_US
    }

    /// The highest append time seen.
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    /// Everything before this is in the rows that were put out; what follows is derived again after a restart.
    pub fn finished(&self) -> Option<Position> {
        self.second_start
    }

    /// Whether the log is still being replayed.
    pub fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// The next timer.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _, _)| *due)
    }

    /// The second at which rows go out that wait for the one before to be over.
    pub fn unfinished_until(&self) -> Option<Timestamp> {
        let clock = self.clock.filter(|_| !self.touched.is_empty())?;
        Some(Timestamp((clock.second() + 1) * SECOND_US))
    }

    /// When the clock last made a step that nobody vouched for: flags about absence wait after it.
    pub fn last_gap(&self) -> Option<Timestamp> {
        self.last_gap
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub fn technicians(&self) -> usize {
        self.technicians.len()
    }

    /// Takes the next record of the log.
    pub fn apply(&mut self, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        let (kpis, recompute, misplaced) = (effects.kpis.len(), effects.recompute.len(), effects.misplaced.len());
        let flags = effects.flags.len();
        self.counters.records += 1;
        self.advance(record, effects)?;
        self.receive(record, effects)?;
        match self.replay {
            Some(until) if record.offset < until.offset => {
                effects.kpis.truncate(kpis);
                effects.recompute.truncate(recompute);
                effects.misplaced.truncate(misplaced);
                effects.flags.truncate(flags);
            }
            Some(_) => {
                self.replay = None;
                if !self.has_told_flags {
                    self.doubt_flags();
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Has every flag that stands put out again.
    fn doubt_flags(&mut self) {
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

    /// Moves the clock: ends the second, fires what fell due.
    fn advance(&mut self, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        let before = self.clock.unwrap_or(record.append_time);
        let clock = before.max(record.append_time);
        if self.is_unsettled && self.replay.is_none_or(|until| clock >= until.clock - SETTLED_US || record.offset >= until.offset) {
            self.settle(before);
        }
        let is_replayed = self.replay.is_some_and(|until| record.offset < until.offset);
        if (self.clock.is_none() || clock.second() > before.second()) && !is_replayed {
            self.second_start = Some(Position { offset: record.offset, clock: before });
        }
        if clock.second() > before.second() {
            self.finish_second(effects)?;
        }
        if clock.since(before) > GAP_US && !matches!(record.input, Input::Tick { since: Some(since) } if since <= before) {
            self.last_gap = Some(clock);
            self.counters.gaps += 1;
        }
        while let Some((due, _, slot)) = self.timers.first().copied().filter(|(due, _, _)| *due <= clock) {
            self.fire(due, slot, record.offset, clock, effects)?;
        }
        if clock.since(self.forgotten_at.max(Timestamp(0))) >= FORGET_EVERY_US {
            self.forgotten_at = clock;
            self.forget(clock);
        }
        self.clock = Some(clock);
        Ok(())
    }

    /// Hands the record to its technician.
    fn receive(&mut self, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        let clock = self.clock.unwrap_or(record.append_time);
        let Some(id) = record.input.technician() else {
            match record.input {
                Input::Tick { .. } => self.counters.ticks += 1,
                _ => self.counters.not_understood += 1,
            }
            return Ok(());
        };
        let known = self.technicians.get(&id).copied();
        if known.is_none() {
            let home = (self.settings.home)(id, self.settings.partitions);
            if home != self.settings.partition {
                self.counters.misplaced += 1;
                effects.misplaced.push(Misplaced { offset: record.offset, partition: home });
                return Ok(());
            }
        }
        let slot = known.unwrap_or_else(|| {
            let slot = self.slots.len() as u32;
            self.slots.push(Technician::new(id, clock));
            self.technicians.insert(id, slot);
            slot
        });
        // Of somebody who has reported nothing else yet, too: a device may die before the first shift_start is over.
        if let Input::Heartbeat(_, device, created_at) = record.input {
            self.counters.heartbeats += 1;
            return self.heartbeat(slot, (device, created_at), record.offset, effects);
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
        offset: i64,
        effects: &mut Effects,
    ) -> Result<(), PartitionError> {
        let Some(clock) = self.clock else { return Ok(()) };
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

    /// Gives the flags from `first` on their version.
    fn stamp_flags(
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
    fn finish_second(&mut self, effects: &mut Effects) -> Result<(), PartitionError> {
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
    fn fire(&mut self, due: Timestamp, slot: u32, offset: i64, clock: Timestamp, effects: &mut Effects) -> Result<(), PartitionError> {
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
    fn reschedule(&mut self, slot: u32, before: Option<Timestamp>) {
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

    /// Derives the rows of everybody, at the end of a replay: in between, no row was needed.
    fn settle(&mut self, clock: Timestamp) {
        self.is_unsettled = false;
        for slot in 0..self.slots.len() as u32 {
            let technician = &mut self.slots[slot as usize];
            technician.advance(clock);
            let before = technician.due;
            technician.settle(clock, &rules(&self.settings, self.last_gap), &mut self.bench);
            self.counters.folds += 1;
            self.reschedule(slot, before);
        }
    }

    /// Forgets technicians of whom nothing lies within the window.
    fn forget(&mut self, clock: Timestamp) {
        for technician in &mut self.slots {
            if !technician.is_changed() {
                technician.advance(clock);
            }
            technician.flags.forget_devices(clock);
        }
        if !self.touched.is_empty() || !self.slots.iter().any(Technician::is_blank) {
            return;
        }
        self.timers.clear();
        self.slots.retain(|technician| !technician.is_blank());
        self.technicians.clear();
        for (slot, technician) in (0..).zip(&self.slots) {
            self.technicians.insert(technician.id, slot);
            if let Some(due) = technician.due {
                self.timers.insert((due, technician.id, slot));
            }
        }
    }

    fn version(&self, offset: i64, step: u8) -> Result<Version, PartitionError> {
        let Settings { partition, epoch, definition: Definition { number, .. }, .. } = self.settings;
        let version = u64::try_from(offset).ok().and_then(|offset| Version::pack(epoch, number, offset, step));
        version.ok_or(PartitionError::Version { partition, offset, epoch, definition: number })
    }
}

fn rules(settings: &Settings, last_gap: Option<Timestamp>) -> Rules<'_> {
    Rules { path: settings.path, definition: &settings.definition, flags: &settings.flags, last_gap }
}

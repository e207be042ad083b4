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
mod kept;
mod leaving;
mod output;
mod pieces;
mod reading;
mod receive;
mod records;
mod replay;
mod roster;
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
use crate::flags::FlagSettings;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::time::{HOUR_US, SECOND_US};
use replay::Waiting;
use roster::Roster;
use std::collections::BTreeSet;
use technician::{Rules, Technician, Workbench};

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
    roster: Roster,
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
    /// What waits as long as that is so.
    waiting: Waiting,
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
            roster: Roster::default(),
            slots: Vec::new(),
            touched: Vec::new(),
            timers: BTreeSet::new(),
            second_start: None,
            replay: None,
            is_unsettled: false,
            waiting: Waiting::default(),
            has_told_flags: true,
            forgotten_at: Timestamp::MIN,
            last_gap: None,
            bench: Workbench::default(),
            counters: Counters::default(),
        }
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
        self.roster.len()
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

    /// Moves the clock: ends the second, fires what fell due.
    fn advance(&mut self, record: &Record, effects: &mut Effects) -> Result<(), PartitionError> {
        let before = self.clock.unwrap_or(record.append_time);
        let clock = before.max(record.append_time);
        if self.is_unsettled && self.replay.is_none_or(|until| clock >= until.clock - SETTLED_US || record.offset >= until.offset) {
            self.settle(before, effects)?;
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
            self.forget(clock);
        }
        self.clock = Some(clock);
        Ok(())
    }
}

fn rules(settings: &Settings, last_gap: Option<Timestamp>) -> Rules<'_> {
    Rules { path: settings.path, definition: &settings.definition, flags: &settings.flags, last_gap }
}

//! What the states of `operations` and `calls` share: what they know of themselves, how a record moves their clock, and from which
//! record on what follows is put out.

use crate::flags::FlagSettings;
use crate::partition::{GAP_US, Position};
use fieldline_schemas::{Timestamp, Version};

/// What a partition needs to know about itself.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub epoch: u8,
    /// The number of the definition.
    pub definition: u16,
    pub flags: FlagSettings,
}

/// Why a partition can not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    #[error("offset {offset} with epoch {epoch} and definition {definition} does not fit into a version")]
    Version { offset: i64, epoch: u8, definition: u16 },
}

impl Settings {
    pub(crate) fn version(&self, offset: i64, step: u8) -> Result<Version, EventsError> {
        let Self { epoch, definition, .. } = *self;
        let version = u64::try_from(offset).ok().and_then(|offset| Version::pack(epoch, definition, offset, step));
        version.ok_or(EventsError::Version { offset, epoch, definition })
    }
}

/// A record of a partition whose events are `E`.
#[derive(Clone, Copy, Debug)]
pub struct Record<E> {
    pub offset: i64,
    pub append_time: Timestamp,
    pub input: Input<E>,
}

/// What it says.
#[derive(Clone, Copy, Debug)]
pub enum Input<E> {
    Event(E),
    /// Time passes; the writer vouches for the time from `since` on.
    Tick {
        since: Option<Timestamp>,
    },
    /// What could not be understood moves the clock, and nothing else.
    Nothing,
}

/// How a record moved the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub before: Timestamp,
    pub clock: Timestamp,
    is_vouched: bool,
}

impl Moved {
    /// Whether nobody was there to say that it was `at`: an owner who is there tells the time at that moment.
    pub fn stepped_over(&self, at: Timestamp) -> bool {
        !self.is_vouched && self.clock.since(at) > GAP_US
    }
}

/// What becomes of that which follows from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// Whoever was here before has put it out.
    Suppressed,
    Told,
    /// It is put out, and what is true is told again beside it: whoever was here before had other settings of flags.
    ToldAgain,
}

/// How far a partition was read: its clock, and whether a predecessor had come further.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    clock: Option<Timestamp>,
    /// Until this offset the log is replayed.
    replay_until: Option<i64>,
    /// Whoever was here before had other settings of flags, or none.
    tells_again: bool,
}

impl Progress {
    /// Of a partition that was read up to `committed`: outputs begin with the record there.
    pub fn after(committed: Position) -> Self {
        Self { replay_until: Some(committed.offset), ..Self::default() }
    }

    /// After the replay what is true is put out again.
    pub fn telling_again(self) -> Self {
        Self { tells_again: true, ..self }
    }

    /// The highest append time seen.
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    pub fn advance<E>(&mut self, record: &Record<E>) -> Moved {
        let before = self.clock.unwrap_or(record.append_time);
        let clock = before.max(record.append_time);
        self.clock = Some(clock);
        Moved { before, clock, is_vouched: matches!(record.input, Input::Tick { since: Some(since) } if since <= before) }
    }

    /// After the record at `offset`.
    pub fn outputs(&mut self, offset: i64) -> Outputs {
        match self.replay_until {
            Some(until) if offset < until => Outputs::Suppressed,
            Some(_) => {
                self.replay_until = None;
                if self.tells_again { Outputs::ToldAgain } else { Outputs::Told }
            }
            None => Outputs::Told,
        }
    }
}

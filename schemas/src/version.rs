//! Versions of rows: the log position through which a row is true.

use std::fmt;

/// `epoch:4 | definition:12 | offset:40 | step:8`, most significant first, so that the larger number is the later row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

impl Version {
    pub const EPOCH_MAX: u8 = 15;
    pub const DEFINITION_MAX: u16 = (1 << 12) - 1;
    pub const OFFSET_MAX: u64 = (1 << 40) - 1;
    /// The step of a row that a recompute published.
    pub const STEP_RECOMPUTE: u8 = 255;

    /// `None` when a part is out of its range.
    pub const fn pack(epoch: u8, definition: u16, offset: u64, step: u8) -> Option<Self> {
        if epoch > Self::EPOCH_MAX || definition > Self::DEFINITION_MAX || offset > Self::OFFSET_MAX {
            return None;
        }
        Some(Self((epoch as u64) << 60 | (definition as u64) << 48 | offset << 8 | step as u64))
    }
    pub const fn epoch(self) -> u8 {
        (self.0 >> 60) as u8
    }
    pub const fn definition(self) -> u16 {
        (self.0 >> 48) as u16 & Self::DEFINITION_MAX
    }
    pub const fn offset(self) -> u64 {
        self.0 >> 8 & Self::OFFSET_MAX
    }
    pub const fn step(self) -> u8 {
        self.0 as u8
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version(epoch {}, definition {}, offset {}, step {})", self.epoch(), self.definition(), self.offset(), self.step())
    }
}

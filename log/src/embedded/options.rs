//! How an embedded log is opened.

use std::time::Duration;

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// The record survives kill -9 of the process: it is with the operating system.
    None,
    /// The record survives a power loss as well: it is on the disk. Files are synced in groups, at most one group per
    /// interval (zero: as fast as the disk goes). Records are read only once they are on the disk.
    Group(Duration),
}

#[derive(Clone, Copy, Debug)]
pub struct EmbeddedOptions {
    pub sync: Sync,
    /// A segment is closed before it exceeds this; retention removes whole segments.
    pub segment_bytes: u64,
    /// Whether records may name their append time (time-lapse, replay as if live).
    pub event_time: bool,
    /// Nothing expires while it is open so: where explicit times move the clock, years pass before anybody has read.
    pub keep_all: bool,
    /// Goes on where bytes that were once acknowledged are damaged or missing: what cannot be read is cut off and the
    /// hole recorded. Otherwise opening such a log is an error, so that nothing is lost without a word.
    pub cut_damaged: bool,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { sync: Sync::None, segment_bytes: 64 << 20, event_time: false, keep_all: false, cut_damaged: false }
    }
}

//! A technician's facts in, shifts and episodes out.
//!
//! ```text
//! facts ─► order (ties, double taps) ─► walk (state machine: codes, stretches, drafts) ─► shift, episode (durations)
//!                                        └── segment by segment: nothing goes on from one into the next
//! ```
//! Results are a function of the set of facts: how they arrived is not visible here.

mod apply;
mod draft;
mod ends;
mod episode;
mod lengths;
mod notes;
mod ongoing;
mod order;
mod place;
mod segment;
mod settled;
mod shift;
mod span;
mod stretch;
mod tail;
mod walk;

use crate::definition::Definition;
use crate::facts::Facts;
use fieldline_schemas::Timestamp;
use fieldline_schemas::results::{EpisodeResult, Finality, ShiftResult};

pub use ongoing::Ongoing;
pub use segment::{Derivation, End, LOOKS_BACK_US, Segment, fold_segments};
pub use shift::PLAN_AHEAD_US;
pub use tail::{Begun, Last, Tail, UnendedShift};
pub use walk::Column;

/// What follows from a technician's facts at one moment of the log's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// In order of their start.
    pub shifts: Vec<ShiftResult>,
    /// Episodes and loose events, in order of their first event. Of named visits only.
    pub episodes: Vec<EpisodeResult>,
    /// The first instant after `clock` at which a row changes though no fact does (A02, finality).
    pub next_due: Option<Timestamp>,
    /// Shifts without an end, but for imported ones: what S5 and S6 are about.
    pub unended: Vec<UnendedShift>,
    /// How things stand after the last event; `None` where later events were not folded.
    pub tail: Option<Tail>,
}

/// Computes every unit from scratch.
pub fn fold(facts: Facts<'_>, clock: Timestamp, definition: &Definition) -> Units {
    let mut units = Units::default();
    fold_segments(&Derivation { facts, clock, definition }, Segment::FIRST, Timestamp::MAX, &mut units);
    units
}

/// Collects the instants at which time alone changes a row.
struct Due {
    clock: Timestamp,
    next: Option<Timestamp>,
}

impl Due {
    /// Whether `at` has come; if not, it is remembered.
    fn has_come(&mut self, at: Timestamp) -> bool {
        if at <= self.clock {
            return true;
        }
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
        false
    }

    fn finality(&mut self, settles_at: Timestamp, definition: &Definition) -> Finality {
        if self.has_come(settles_at + definition.finality_us) { Finality::Final } else { Finality::Provisional }
    }
}

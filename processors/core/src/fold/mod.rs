//! A technician's facts in, shifts and episodes out.
//!
//! ```text
//! facts ─► order (ties, double taps) ─► walk (state machine: codes, stretches, drafts) ─► shift, episode (durations)
//! ```
//! Results are a function of the set of facts: how they arrived is not visible here.

mod apply;
mod draft;
mod episode;
mod order;
mod place;
mod shift;
mod span;
mod stretch;
mod walk;

use crate::definition::Definition;
use crate::facts::Facts;
use fieldline_schemas::Timestamp;
use fieldline_schemas::results::{EpisodeResult, Finality, ShiftResult};

/// What follows from a technician's facts at one moment of the log's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// In order of their start.
    pub shifts: Vec<ShiftResult>,
    /// Episodes and loose events, in order of their first event. Of named visits only.
    pub episodes: Vec<EpisodeResult>,
    /// The first instant after `clock` at which a row changes though no fact does (A02, finality).
    pub next_due: Option<Timestamp>,
}

/// Computes every unit from scratch.
pub fn fold(facts: Facts<'_>, clock: Timestamp, definition: &Definition) -> Units {
    let events = order::standing_in_order(facts.activities);
    let walked = walk::Walk::run(facts, &events, definition);
    let mut due = Due { clock, next: None };
    let shifts = shift::results(&walked, facts, definition, &mut due);
    let episodes = episode::results(&walked, facts.technician_contact_id, definition, &mut due);
    Units { shifts, episodes, next_due: due.next }
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

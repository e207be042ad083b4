//! A technician's facts in, shifts and episodes out.

use crate::definition::Definition;
use crate::facts::Facts;
use fieldline_schemas::Timestamp;
use fieldline_schemas::results::{EpisodeResult, ShiftResult};

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
pub fn fold(_facts: Facts<'_>, _clock: Timestamp, _definition: &Definition) -> Units {
    Units::default()
}

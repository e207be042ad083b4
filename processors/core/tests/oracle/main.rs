//! A second computation of shifts and visits that shares no code with the fold, and the tests that hold the two equal.
//!
//! `order` sorts and drops double taps, `walk` goes through the events once and writes down codes and stretches, `rows`
//! adds the stretches up by brute force between breakpoints. They are written from the domain's sentences, one after
//! the other, and prefer being obviously right over being fast.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod compare;
mod durations;
mod generate;
mod golden;
mod increments;
mod messy;
mod order;
mod rows;
mod scenario;
mod shrink;
mod state_table;
mod stretch;
mod walk;
mod whole_rows;

use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::Facts;
use fieldline_schemas::Timestamp;

/// What the oracle computes: the shifts, and one row for each visit.
#[derive(Clone, Debug, PartialEq)]
pub struct OracleUnits {
    pub shifts: Vec<fieldline_schemas::results::ShiftResult>,
    pub visits: Vec<rows::VisitRow>,
}

/// Computes everything about one technician, as it stands at `clock`.
pub fn evaluate(facts: &Facts<'_>, clock: Timestamp, definition: &Definition) -> OracleUnits {
    let events = order::standing(facts.activities);
    let walked = walk::walk(&events, facts, definition);
    OracleUnits {
        shifts: rows::shift_rows(&events, &walked, facts, clock, definition),
        visits: rows::visit_rows(&events, &walked, clock, definition),
    }
}

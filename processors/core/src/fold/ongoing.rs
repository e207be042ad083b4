//! A segment that goes on: what comes next is walked over from where the walk stopped, instead of the whole segment again.
//!
//! The same walk and the same rows as from scratch; only what cannot have changed is left out. Whatever this is not sure of is
//! folded again.

use super::segment::{Derivation, derive};
use super::settled::Settled;
use super::stretch::Kind;
use super::walk::Walk;
use super::{Due, Units, ends::Unfinished};
use crate::definition::DOUBLE_TAP_US;
use crate::facts::ActivityFact;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType;

/// The last segment of a technician, while something goes on in it.
#[derive(Clone, Debug)]
pub struct Ongoing {
    walk: Walk,
    /// No event that the walk knows of happened later, double taps included.
    known_to: Timestamp,
    /// What is known for good of the open shift.
    settled: Option<Settled>,
}

impl Ongoing {
    /// `None` where nothing goes on: what comes next then begins a segment, as a rule.
    pub(super) fn of(mut walk: Walk, unfinished: Unfinished, activities: &[ActivityFact]) -> Option<Box<Self>> {
        walk.go_on(unfinished);
        let known_to = activities.iter().map(|e| e.created_at).max()?;
        (!walk.nothing_goes_on()).then(|| Box::new(Self { walk, known_to, settled: None }))
    }

    /// Walks on over events that have just appeared, beside which no fact changed and no row by time alone. Adds all shifts of the
    /// segment to `units`, and the episodes that may have changed. The first instant at which time alone changes one of the
    /// segment's rows; `Err` where it is to be folded again, and this is of no use any more.
    pub fn go_on(&mut self, appeared: &mut [ActivityFact], by: &Derivation<'_>, units: &mut Units) -> Result<Option<Timestamp>, FoldAgain> {
        appeared.sort_unstable_by_key(|e| e.created_at);
        let stretches = self.walk.stretches.len();
        let first_new = self.walk.episodes.len();
        let open_before = self.walk.open_episodes.clone();
        let shift_before = self.walk.open_shift;
        for event in &*appeared {
            if event.created_at <= self.known_to || self.is_shift_start_or_double_tap(event) {
                return Err(FoldAgain);
            }
            self.known_to = event.created_at;
            // One at a time: nobody looks ahead but an inspection, and that for a shift_start.
            if self.walk.over(std::slice::from_ref(event), Timestamp::MAX, by.facts, by.definition) == 0 {
                return Err(FoldAgain);
            }
        }
        let is_same_shift = self.walk.open_shift == shift_before;
        let unfinished = self.walk.finish();
        // A break or an emergency may lie over an episode that has ended, and a shift's end settles all of its episodes.
        let lies_over = self.walk.stretches[stretches..].iter().any(|s| matches!(s.kind, Kind::Break | Kind::Emergency));
        let is_any = lies_over || !is_same_shift;
        let may_differ = |episode: usize| is_any || episode >= first_new || open_before.contains(&episode);
        let mut due = Due { clock: by.clock, next: None };
        derive(&self.walk, self.settled.as_ref(), by, &mut due, units, may_differ);
        units.tail = Some(self.walk.tail);
        self.walk.go_on(unfinished);
        Settled::advance(&mut self.settled, &self.walk);
        Ok(due.next)
    }

    /// A shift_start may change what an inspection before it means. A double tap is left out by whoever orders the events.
    fn is_shift_start_or_double_tap(&self, event: &ActivityFact) -> bool {
        let is_double_tap = self.walk.last.is_some_and(|last| {
            let is_alike = last.activity_type == event.activity_type && self.walk.last_visit == event.visit_id;
            is_alike && event.created_at.since(last.at) <= DOUBLE_TAP_US
        });
        is_double_tap || event.activity_type == ActivityType::ShiftStart
    }
}

/// Nothing can be said without folding the segment again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldAgain;

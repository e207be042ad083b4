//! A technician's events in segments: each begins with an event before which nothing was going on, so that its units follow
//! from its own events and the little of the past that `Entry` holds.
//!
//! ```text
//! ── shift ──┤ nothing goes on ├── shift ──┤ nothing goes on ├── shift ──
//!  segment 1                    segment 2                     segment 3
//! ```
//! Folding from scratch walks all segments. Where facts changed, only the segments that can notice are folded again: the
//! same walk over fewer events, never rules of its own.

use super::apply::INSPECTION_US;
use super::ongoing::Ongoing;
use super::place::Located;
use super::settled::Settled;
use super::walk::Walk;
use super::{Due, Units, episode, order, shift};
use crate::definition::{DOUBLE_TAP_US, Definition, UNIT_US};
use crate::facts::{ActivityFact, Facts};
use fieldline_schemas::Timestamp;

/// How far before a segment its order may look: for the visits' latest events, in ties.
pub const LOOKS_BACK_US: i64 = UNIT_US;

/// All that a segment knows of the events before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub previous_at: Option<Timestamp>,
    /// The latest arrival, while a travel_end may be its echo.
    pub arrived_last: Option<Timestamp>,
    pub trusted: Option<Located>,
    /// The last event at which the past stopped to matter (A29).
    pub anchor_at: Timestamp,
}

/// A stretch of a technician's events that is folded by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// When its first event happened, later than every event before it; `Timestamp::MIN` of the first segment.
    pub from: Timestamp,
    entry: Entry,
    /// The order of its events was found by looking at events before it.
    looks_back: bool,
    /// The first instant at which time alone changes one of its rows.
    pub next_due: Option<Timestamp>,
}

impl Segment {
    /// The one before which nothing is known.
    pub const FIRST: Self = Self {
        from: Timestamp::MIN,
        entry: Entry { previous_at: None, arrived_last: None, trusted: None, anchor_at: Timestamp::MIN },
        looks_back: false,
        next_due: None,
    };

    /// Whether facts that changed before it, `changed_to` being the latest of them, may have changed the order in it.
    pub fn order_depends_on(&self, changed_to: Timestamp) -> bool {
        self.looks_back && self.from <= changed_to + LOOKS_BACK_US
    }

    /// Whether it begins like `other`, with the same knowledge of the past.
    pub fn begins_like(&self, other: &Self) -> bool {
        (self.from, self.entry) == (other.from, other.entry)
    }
}

/// Where folding stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// There are no more events.
    Facts,
    /// At the first event from `until` on, with which this segment begins.
    Segment(Segment),
    /// The same, but something was going on there.
    GoingOn,
}

/// What was folded.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The segments walked over, at least one.
    pub segments: Vec<Segment>,
    pub end: End,
    /// The last segment of all, where something goes on in it.
    pub ongoing: Option<Box<Ongoing>>,
}

/// What rows are derived by, beside the walk.
#[derive(Clone, Copy)]
pub struct Derivation<'a> {
    pub facts: Facts<'a>,
    pub clock: Timestamp,
    pub definition: &'a Definition,
}

/// Adds the units of `first` and the segments after it to `units`, up to the first event at or after `until`.
///
/// `facts` hold at least the activities from `LOOKS_BACK_US` before `first` up to `until`, those at that instant included.
pub fn fold_segments(by: &Derivation<'_>, first: Segment, until: Timestamp, units: &mut Units) -> Folded {
    let Derivation { facts, clock, definition } = *by;
    let ordered = order::standing_in_order(facts.activities, first.from);
    let mut events = &ordered.events[..];
    let mut segments = Vec::new();
    let mut segment = first;
    loop {
        let mut walk = Walk::begin(segment.entry);
        let taken = walk.over(events, until, facts, definition);
        let unfinished = walk.finish();
        let mut due = Due { clock, next: None };
        derive(&walk, None, by, &mut due, units, |_| true);
        units.next_due = [units.next_due, due.next].into_iter().flatten().min();

        events = &events[taken..];
        let next = events.first().map(|e| e.created_at);
        let is_own = |at: Timestamp| at >= segment.from && next.is_none_or(|next| at < next);
        let looks_back = ordered.ties.iter().any(|tie| is_own(tie.at) && tie.depends_on_from < segment.from);
        segments.push(Segment { looks_back, next_due: due.next, ..segment });

        let end = match (next, next.and_then(|next| walk.entry_at_end(next))) {
            (None, _) => {
                units.tail = Some(walk.tail);
                let ongoing = Ongoing::of(walk, unfinished, facts.activities);
                return Folded { segments, end: End::Facts, ongoing };
            }
            (Some(_), None) => End::GoingOn,
            (Some(from), Some(entry)) => {
                segment = Segment { from, entry, ..Segment::FIRST };
                if from < until {
                    continue;
                }
                End::Segment(segment)
            }
        };
        return Folded { segments, end, ongoing: None };
    }
}

/// Adds the units of a segment to `units`, of its episodes those that `may_differ` from before. `settled`: what is known for good of
/// one of its shifts.
pub(super) fn derive(
    walked: &Walk,
    settled: Option<&Settled>,
    by: &Derivation<'_>,
    due: &mut Due,
    units: &mut Units,
    may_differ: impl Fn(usize) -> bool,
) {
    let overlays = walked.overlays();
    shift::results(walked, &overlays, settled, by, due, &mut units.shifts);
    episode::results(walked, &overlays, by, due, may_differ, &mut units.episodes);
    units.unended.extend(shift::unended(walked, by.facts, by.definition));
}

/// Whether `e`, which `previous_at` precedes, may begin a segment where nothing goes on: nothing in it may reach back.
pub(super) fn may_begin_with(e: &ActivityFact, previous_at: Timestamp) -> bool {
    use fieldline_schemas::events::ActivityType as Type;
    match e.activity_type {
        // A double tap of the event before would lie here else, and be taken for the first of the segment.
        Type::ShiftStart => e.created_at.since(previous_at) > DOUBLE_TAP_US,
        // The arrival that nobody sent lies between the event before and this one.
        Type::WorkStarted | Type::WorkResumed => false,
        // An inspection looks so far ahead for a shift_start, and must not look beyond this event.
        _ => e.created_at.since(previous_at) > INSPECTION_US,
    }
}

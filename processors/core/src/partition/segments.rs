//! What is kept of a technician's fold, so that a change is folded where it can be noticed and nowhere else.

use super::records::{Gathered, Records};
use super::window::{Changed, Window};
use crate::definition::Definition;
use crate::facts::Facts;
use crate::fold::{End, LOOKS_BACK_US, Segment, Units, fold_segments};
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::TechnicianId;

/// How rows are brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// Only the segments that can notice a change are folded again.
    #[default]
    Incremental,
    /// Everything is, always. The same results, by law.
    Refold,
}

/// The times from which, and up to which, units were derived anew.
pub type Span = (Timestamp, Timestamp);

/// Where the facts of a technician come from.
pub struct Source<'a> {
    pub technician_contact_id: TechnicianId,
    pub records: &'a Records,
    pub window: Window,
    pub gathered: &'a mut Gathered,
}

impl Source<'_> {
    /// What the segments from `from` up to `to` may look at.
    fn facts(&mut self, (from, to): Span) -> Facts<'_> {
        // The event at `to` is looked at: with it something must begin.
        self.gathered.facts(self.technician_contact_id, self.records, self.window, (from - LOOKS_BACK_US, to))
    }
}

/// Units that were derived anew: all that begin within the spans.
#[derive(Debug, Default)]
pub struct Refolded {
    pub units: Units,
    /// In order.
    pub spans: Vec<Span>,
}

impl Refolded {
    pub fn covers(&self, begins_at: Timestamp) -> bool {
        self.spans.iter().any(|(from, to)| (*from..*to).contains(&begins_at))
    }
}

/// The segments of a technician's activities within the window, as they were last folded.
#[derive(Clone, Debug)]
pub struct Segments(Vec<Segment>);

impl Default for Segments {
    fn default() -> Self {
        Self(vec![Segment::FIRST])
    }
}

impl Segments {
    /// The first instant at which time alone changes a row.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|segment| segment.next_due).min()
    }

    /// Folds again whatever `changed`, or `clock`, can have altered.
    pub fn refold(&mut self, changed: Option<Changed>, clock: Timestamp, definition: &Definition, source: &mut Source<'_>) -> Refolded {
        let mut refolded = Refolded::default();
        let first_changed = changed.map(|changed| self.0.partition_point(|segment| segment.from < changed.from).saturating_sub(1));
        let mut at = 0;
        while at < self.0.len() {
            at = match changed.filter(|_| first_changed == Some(at)) {
                Some(changed) => self.refold_until_alike(at, changed, clock, definition, source, &mut refolded),
                None => {
                    if self.0[at].next_due.is_some_and(|due| due <= clock) {
                        self.refold_one(at, clock, definition, source, &mut refolded);
                    }
                    at + 1
                }
            };
        }
        refolded
    }

    /// Folds the segment at `at` and those after it, up to one that begins as it did before and so remains as it is. Returns
    /// the index of that one.
    fn refold_until_alike(
        &mut self,
        at: usize,
        changed: Changed,
        clock: Timestamp,
        definition: &Definition,
        source: &mut Source<'_>,
        refolded: &mut Refolded,
    ) -> usize {
        let first = self.0[at];
        let depends = |segment: &Segment| segment.from <= changed.to || segment.order_depends_on(changed.to);
        let mut until = self.0.iter().rposition(depends).map_or(at, |last| last.max(at)) + 1;
        loop {
            let to = self.0.get(until).map_or(Timestamp::MAX, |segment| segment.from);
            let mut units = Units::default();
            let folded = fold_segments(source.facts((first.from, to)), first, to, clock, definition, &mut units);
            let is_alike = match (folded.end, self.0.get(until)) {
                (End::Facts, None) => true,
                (End::Segment(next), Some(known)) => next.begins_like(known),
                // Something goes on there, or the known segment's first event has become a double tap.
                _ => false,
            };
            if is_alike {
                let next = at + folded.segments.len();
                self.0.splice(at..until, folded.segments);
                refolded.push(units, (first.from, to));
                return next;
            }
            until = (until + 1).min(self.0.len());
        }
    }

    /// Folds one segment again, in which only time has passed.
    fn refold_one(&mut self, at: usize, clock: Timestamp, definition: &Definition, source: &mut Source<'_>, refolded: &mut Refolded) {
        let first = self.0[at];
        let to = self.0.get(at + 1).map_or(Timestamp::MAX, |segment| segment.from);
        let mut units = Units::default();
        let folded = fold_segments(source.facts((first.from, to)), first, to, clock, definition, &mut units);
        debug_assert_eq!(folded.segments.len(), 1, "time alone cuts nothing");
        self.0.splice(at..=at, folded.segments);
        refolded.push(units, (first.from, to));
    }
}

impl Refolded {
    fn push(&mut self, units: Units, span: Span) {
        self.units.shifts.extend(units.shifts);
        self.units.episodes.extend(units.episodes);
        self.units.unended.extend(units.unended);
        self.units.tail = units.tail.or(self.units.tail);
        self.spans.push(span);
    }
}

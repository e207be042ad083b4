//! What is kept of a technician's fold, so that a change is folded where it can be noticed and nowhere else.

use super::records::{Gathered, Records};
use super::window::{Changed, Window};
use crate::definition::Definition;
use crate::facts::{ActivityFact, Facts};
use crate::fold::{Derivation, End, LOOKS_BACK_US, Ongoing, Segment, Units, fold_segments};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType;
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

    /// What a walk over these looks at beside them. Only at an arrival does it ask where the visit was planned.
    fn beside(&mut self, activities: &[ActivityFact]) -> Facts<'_> {
        let asks = activities.iter().any(|e| e.activity_type == ActivityType::ArrivedOnSite);
        self.gathered.beside(self.technician_contact_id, self.records, self.window, asks)
    }
}

/// Units that were derived anew: all that begin within the spans, and what may differ where a segment goes on.
#[derive(Debug, Default)]
pub struct Refolded {
    pub units: Units,
    /// In order.
    pub spans: Vec<Span>,
    /// Where the last segment only went on: all shifts from here on are derived, and the episodes that may differ. None is gone.
    pub went_on_from: Option<Timestamp>,
}

impl Refolded {
    /// Whether every unit that begins then is derived.
    pub fn covers(&self, begins_at: Timestamp) -> bool {
        self.spans.iter().any(|(from, to)| (*from..*to).contains(&begins_at))
    }

    /// The same of shifts.
    pub fn covers_shift(&self, started_at: Timestamp) -> bool {
        self.went_on_from.is_some_and(|from| started_at >= from) || self.covers(started_at)
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.went_on_from.is_none()
    }
}

/// The segments of a technician's activities within the window, as they were last folded.
#[derive(Clone, Debug)]
pub struct Segments {
    known: Vec<Segment>,
    /// The last of them, where something goes on in it.
    ongoing: Option<Box<Ongoing>>,
}

impl Default for Segments {
    fn default() -> Self {
        Self { known: vec![Segment::FIRST], ongoing: None }
    }
}

impl Segments {
    /// The first instant at which time alone changes a row.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.known.iter().filter_map(|segment| segment.next_due).min()
    }

    /// Folds again whatever `changed`, or `clock`, can have altered. `appeared`: activities that are all that changed, or none.
    pub fn refold(
        &mut self,
        changed: Option<Changed>,
        appeared: &mut [ActivityFact],
        clock: Timestamp,
        definition: &Definition,
        source: &mut Source<'_>,
    ) -> Refolded {
        let mut refolded = Refolded::default();
        let changed = changed.filter(|changed| changed.concerns_activities());
        let first_changed = changed.map(|changed| self.known.partition_point(|segment| segment.from < changed.from).saturating_sub(1));
        let mut at = 0;
        while at < self.known.len() {
            at = match changed.filter(|_| first_changed == Some(at)) {
                Some(_) if self.goes_on(at, appeared, clock, definition, source, &mut refolded) => at + 1,
                Some(changed) => self.refold_until_alike(at, changed, clock, definition, source, &mut refolded),
                None => {
                    if self.known[at].next_due.is_some_and(|due| due <= clock) {
                        self.refold_one(at, clock, definition, source, &mut refolded);
                    }
                    at + 1
                }
            };
        }
        refolded
    }

    /// Walks on in the last segment, if that is the one at `at` and nothing but later activities came to it.
    fn goes_on(
        &mut self,
        at: usize,
        appeared: &mut [ActivityFact],
        clock: Timestamp,
        definition: &Definition,
        source: &mut Source<'_>,
        refolded: &mut Refolded,
    ) -> bool {
        let is_last = at + 1 == self.known.len();
        let segment = &mut self.known[at];
        if appeared.is_empty() || !is_last || segment.next_due.is_some_and(|due| due <= clock) {
            return false;
        }
        let Some(ongoing) = &mut self.ongoing else { return false };
        let by = Derivation { facts: source.beside(appeared), clock, definition };
        let Ok(next_due) = ongoing.go_on(appeared, &by, &mut refolded.units) else { return false };
        segment.next_due = next_due;
        refolded.went_on_from = Some(segment.from);
        true
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
        let first = self.known[at];
        let depends = |segment: &Segment| segment.from <= changed.to || segment.order_depends_on(changed.to);
        let mut until = self.known.iter().rposition(depends).map_or(at, |last| last.max(at)) + 1;
        loop {
            let to = self.known.get(until).map_or(Timestamp::MAX, |segment| segment.from);
            let mut units = Units::default();
            let folded = fold_segments(&Derivation { facts: source.facts((first.from, to)), clock, definition }, first, to, &mut units);
            let is_alike = match (folded.end, self.known.get(until)) {
                (End::Facts, None) => true,
                (End::Segment(next), Some(known)) => next.begins_like(known),
                // Something goes on there, or the known segment's first event has become a double tap.
                _ => false,
            };
            if is_alike {
                let next = at + folded.segments.len();
                if folded.end == End::Facts {
                    self.ongoing = folded.ongoing;
                }
                self.known.splice(at..until, folded.segments);
                refolded.push(units, (first.from, to));
                return next;
            }
            until = (until + 1).min(self.known.len());
        }
    }

    /// Folds one segment again, in which only time has passed.
    fn refold_one(&mut self, at: usize, clock: Timestamp, definition: &Definition, source: &mut Source<'_>, refolded: &mut Refolded) {
        let first = self.known[at];
        let to = self.known.get(at + 1).map_or(Timestamp::MAX, |segment| segment.from);
        let mut units = Units::default();
        let folded = fold_segments(&Derivation { facts: source.facts((first.from, to)), clock, definition }, first, to, &mut units);
        debug_assert_eq!(folded.segments.len(), 1, "time alone cuts nothing");
        self.known.splice(at..=at, folded.segments);
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

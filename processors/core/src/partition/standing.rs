//! Which revision of an id stands (domain.md 2.4, for signals 3.4), among the records appended within the window.
//!
//! Everything is judged as if only the records within the window existed: whoever replays them arrives at the same
//! state, however long this one has been running. Leaving the window is therefore logical first (a comparison of
//! times) and physical later, in bulk.

use super::index::Index;
use super::leaving::Leaving;
use super::pieces::Pieces;
use super::window::{Changed, Window};
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::HOUR_US;

/// Memory is given back when something is this much out of the window: sweeping costs a walk over everything.
const SWEEP_AFTER_US: i64 = 12 * HOUR_US;
/// A marker without a fact: it was a void, or out of the window when it came.
const NO_FACT: u32 = u32::MAX;

/// What a record says about an id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim<F> {
    pub id: EventId,
    pub revision: u32,
    pub voided: bool,
    /// Equal for equal content. For signals: the order among updates of one revision.
    pub content: u128,
    /// The fact's own time: what window, lateness and recompute go by.
    pub own: Timestamp,
    pub fact: F,
}

/// A kind of fact, with the rule by which one record of an id is chosen.
pub trait Fact: Copy {
    /// Among records of the highest revision: `false`, the first in the log stands; `true`, the highest content does.
    const LAST_STANDS: bool;
    /// What is kept of it beside its id.
    type Kept: Copy + std::fmt::Debug;
    fn keep(&self) -> Self::Kept;
    fn restore(kept: &Self::Kept, id: EventId) -> Self;
    /// Notes that other content was claimed for the same id and revision.
    fn conflicted(&mut self) {}
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The same content was known.
    Duplicate,
    /// Something higher, earlier or void stands already.
    Outranked,
    /// The record decides from now on what stands.
    Decides {
        /// Facts within the window that appeared, changed or went.
        changed: Option<Changed>,
        /// An amendment or void of something that is not known here.
        lacks_predecessor: bool,
        /// The earliest own time of the other records of the id.
        others_from: Option<Timestamp>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Marker {
    id: EventId,
    content: [u64; 2],
    /// The partition's clock when it, or its last duplicate, was appended.
    appended: Timestamp,
    own: Timestamp,
    revision: u32,
    fact: u32,
    voided: bool,
    stands: bool,
    conflicted: bool,
}

/// What decides an id: place of the marker, and whether it is disputed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Decision {
    place: usize,
    conflicted: bool,
}

/// The records of one kind about one technician.
#[derive(Clone, Debug)]
pub struct Standing<F: Fact> {
    /// In log order.
    markers: Pieces<Marker>,
    facts: Pieces<F::Kept>,
    index: Index,
    /// Ids with more than one marker: where one that leaves the window can change what stands.
    contested: Vec<EventId>,
    /// The earliest append time among the markers, at or before the true one.
    oldest_append: Timestamp,
    /// The earliest own time among the facts within the window, at or before the true one.
    oldest_fact: Timestamp,
    leaving: Leaving,
}

impl<F: Fact> Default for Standing<F> {
    fn default() -> Self {
        Self {
            markers: Pieces::default(),
            facts: Pieces::default(),
            index: Index::default(),
            contested: Vec::new(),
            oldest_append: Timestamp::MAX,
            oldest_fact: Timestamp::MAX,
            leaving: Leaving::default(),
        }
    }
}

impl<F: Fact> Standing<F> {
    pub fn is_empty(&self) -> bool {
        self.markers.is_empty()
    }

    /// The earliest own time of a fact that may still be folded; `Timestamp::MAX` where there is none.
    pub fn oldest_fact(&self) -> Timestamp {
        self.oldest_fact
    }

    /// Moves the window, and tells what concerns the facts that left it, or stand or not since.
    pub fn advance(&mut self, window: Window, concerns: impl Fn(&F, Timestamp) -> Changed) -> Option<Changed> {
        let mut changed = None;
        if self.oldest_fact < window.facts_from() {
            changed = self.let_go(window.facts_from(), &concerns);
        }
        if self.oldest_append < window.markers_from() {
            changed = Changed::join(changed, self.settle_contested(window, &concerns));
            if self.oldest_append < window.markers_from() - SWEEP_AFTER_US {
                self.sweep(window);
            }
        }
        changed
    }

    /// Tells what concerns the facts that happened before `from` and had not left the window.
    fn let_go(&mut self, from: Timestamp, concerns: &impl Fn(&F, Timestamp) -> Changed) -> Option<Changed> {
        let mut changed = None;
        while let Some(place) = self.leaving.take(from) {
            changed = Changed::join(changed, self.left(&self.markers[place], concerns));
        }
        if self.leaving.first().is_none() {
            let unseen = self.oldest_fact.max(self.leaving.complete_before())..from;
            for marker in self.markers.iter().filter(|marker| unseen.contains(&marker.own)) {
                changed = Changed::join(changed, self.left(marker, concerns));
            }
            let within = |marker: &Marker| marker.fact != NO_FACT && marker.own >= from;
            self.leaving.find(self.markers.iter().enumerate().filter(|(_, m)| within(m)).map(|(place, m)| (m.own, place)));
        }
        self.oldest_fact = self.leaving.first().unwrap_or(Timestamp::MAX);
        changed
    }

    /// What concerns a marker's fact, if it stood.
    fn left(&self, marker: &Marker, concerns: &impl Fn(&F, Timestamp) -> Changed) -> Option<Changed> {
        (marker.stands && marker.fact != NO_FACT).then(|| concerns(&self.fact(marker), marker.own))
    }

    /// Takes a record that was appended when the clock stood at `window`, which has been advanced to. `concerns`: the activities
    /// that can notice a fact, given with its own time.
    pub fn insert(&mut self, claim: &Claim<F>, window: Window, concerns: impl Fn(&F, Timestamp) -> Changed) -> Inserted {
        let content = if claim.voided && !F::LAST_STANDS { 0 } else { claim.content };
        let content = [(content >> 64) as u64, content as u64];
        if self.places(claim.id).next().is_none() {
            // The first record of its id, as nearly all are: it decides.
            let stands = !claim.voided;
            let fact = self.remember(claim, content, stands, window);
            let changed = fact.map(|own| {
                self.oldest_fact = self.oldest_fact.min(own);
                concerns(&claim.fact, own)
            });
            return Inserted::Decides { changed, lacks_predecessor: claim.revision > 0 || claim.voided, others_from: None };
        }
        let before = self.decide(claim.id, window);
        let mut latest_alike = None;
        let mut is_known = false;
        let mut others = 0_u32;
        let mut others_from: Option<Timestamp> = None;
        for place in self.visible(claim.id, window) {
            let marker = &self.markers[place];
            others += 1;
            others_from = Some(others_from.map_or(marker.own, |from| from.min(marker.own)));
            if marker.revision == claim.revision {
                let is_same = marker.content == content && marker.voided == claim.voided;
                is_known |= is_same;
                // Where order counts, only a run of the same content is one marker: what stands after the first of
                // the run has left the window must be the same as when only the last is replayed.
                latest_alike = if is_same { Some(place) } else { latest_alike.filter(|_| F::LAST_STANDS) };
            }
        }
        if let Some(place) = latest_alike {
            self.markers[place].appended = window.clock();
            return Inserted::Duplicate;
        }
        self.remember(claim, content, false, window);
        if others == 1 && !self.contested.contains(&claim.id) {
            self.contested.push(claim.id);
        }
        let after = self.decide(claim.id, window);
        if after == before {
            return if is_known { Inserted::Duplicate } else { Inserted::Outranked };
        }
        let changed = self.apply(claim.id, after, window, &concerns);
        Inserted::Decides { changed, lacks_predecessor: others == 0 && (claim.revision > 0 || claim.voided), others_from }
    }

    /// Keeps a marker of the record, and its fact where it lies within the window: that one's own time.
    fn remember(&mut self, claim: &Claim<F>, content: [u64; 2], stands: bool, window: Window) -> Option<Timestamp> {
        let own = window.time_of(claim.own);
        let fact = (!claim.voided && own >= window.facts_from()).then_some(self.facts.len());
        if fact.is_some() {
            self.facts.push(claim.fact.keep());
            self.leaving.add(own, self.markers.len());
        }
        self.index.insert(claim.id.0, self.markers.len(), |place| self.markers[place].id.0);
        self.markers.push(Marker {
            id: claim.id,
            content,
            appended: window.clock(),
            own,
            revision: claim.revision,
            fact: fact.map_or(NO_FACT, |fact| fact as u32),
            voided: claim.voided,
            stands,
            conflicted: false,
        });
        self.oldest_append = self.oldest_append.min(window.clock());
        fact.map(|_| own)
    }

    /// Appends the facts that stand, lie within the window and happened from `from` up to `to`, in log order.
    pub fn collect(&self, window: Window, (from, to): (Timestamp, Timestamp), facts: &mut Vec<F>) {
        let from = from.max(window.facts_from());
        for marker in self.markers.iter() {
            if marker.stands && marker.fact != NO_FACT && marker.own >= from && marker.own <= to {
                let mut fact = self.fact(marker);
                if marker.conflicted {
                    fact.conflicted();
                }
                facts.push(fact);
            }
        }
    }

    /// The facts that stand and lie within the window.
    pub fn standing(&self, window: Window) -> impl Iterator<Item = F> {
        let stands = move |marker: &&Marker| marker.stands && marker.fact != NO_FACT && marker.own >= window.facts_from();
        self.markers.iter().filter(stands).map(|marker| self.fact(marker))
    }

    /// The facts of the window and maybe more, whether they stand or not.
    pub fn all(&self) -> impl Iterator<Item = F> {
        self.markers.iter().filter(|marker| marker.fact != NO_FACT).map(|marker| self.fact(marker))
    }

    /// The fact of a marker that has one.
    fn fact(&self, marker: &Marker) -> F {
        F::restore(&self.facts[marker.fact as usize], marker.id)
    }

    /// The markers of an id, in log order.
    fn places(&self, id: EventId) -> impl Iterator<Item = usize> {
        self.index.candidates(id.0).filter(move |place| self.markers[*place].id == id)
    }

    fn visible(&self, id: EventId, window: Window) -> impl Iterator<Item = usize> {
        self.places(id).filter(move |place| self.markers[*place].appended >= window.markers_from())
    }

    /// The marker that decides an id, a void included.
    fn decide(&self, id: EventId, window: Window) -> Option<Decision> {
        let mut decision: Option<Decision> = None;
        for place in self.visible(id, window) {
            let Some(best) = &mut decision else {
                decision = Some(Decision { place, conflicted: false });
                continue;
            };
            let (this, that) = (&self.markers[place], &self.markers[best.place]);
            let is_higher = (this.revision, this.voided) > (that.revision, that.voided);
            let is_alike = (this.revision, this.voided) == (that.revision, that.voided);
            if is_higher || is_alike && F::LAST_STANDS && this.content > that.content {
                *best = Decision { place, conflicted: false };
            } else if is_alike && !F::LAST_STANDS && this.content != that.content {
                best.conflicted = true;
            }
        }
        decision
    }

    /// Sets what stands of an id, and tells what that changes within the window.
    fn apply(
        &mut self,
        id: EventId,
        decision: Option<Decision>,
        window: Window,
        concerns: &impl Fn(&F, Timestamp) -> Changed,
    ) -> Option<Changed> {
        let mut changed = None;
        for place in self.index.candidates(id.0) {
            let marker = &mut self.markers[place];
            if marker.id != id {
                continue;
            }
            let is_chosen = decision.is_some_and(|d| d.place == place);
            let stands = is_chosen && !marker.voided;
            let conflicted = is_chosen && decision.is_some_and(|d| d.conflicted);
            if (marker.stands, marker.conflicted) != (stands, conflicted) {
                (marker.stands, marker.conflicted) = (stands, conflicted);
                let marker = *marker;
                if marker.fact != NO_FACT && marker.own >= window.facts_from() {
                    changed = Changed::join(changed, Some(concerns(&self.fact(&marker), marker.own)));
                    if stands {
                        self.oldest_fact = self.oldest_fact.min(marker.own);
                    }
                }
            }
        }
        changed
    }

    /// Judges ids with several markers again, some of which may have left the window.
    fn settle_contested(&mut self, window: Window, concerns: &impl Fn(&F, Timestamp) -> Changed) -> Option<Changed> {
        let mut changed = None;
        let mut contested = std::mem::take(&mut self.contested);
        contested.retain(|id| {
            let decision = self.decide(*id, window);
            changed = Changed::join(changed, self.apply(*id, decision, window, concerns));
            self.visible(*id, window).count() > 1
        });
        self.contested = contested;
        changed
    }

    /// Gives back the memory of what has left the window.
    fn sweep(&mut self, window: Window) {
        let facts = std::mem::take(&mut self.facts);
        self.leaving.forget();
        self.oldest_append = Timestamp::MAX;
        for mut marker in std::mem::take(&mut self.markers) {
            if marker.appended < window.markers_from() {
                continue;
            }
            if marker.fact != NO_FACT {
                let kept = facts[marker.fact as usize];
                marker.fact = if marker.own >= window.facts_from() { self.facts.len() as u32 } else { NO_FACT };
                if marker.fact != NO_FACT {
                    self.facts.push(kept);
                }
            }
            self.oldest_append = self.oldest_append.min(marker.appended);
            self.markers.push(marker);
        }
        self.index.rebuild(self.markers.len(), self.markers.iter().map(|marker| marker.id.0));
    }
}

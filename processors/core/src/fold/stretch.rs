//! A stretch of something going on: how much of it is certain, how much is possible.

use super::span::Span;
use crate::definition::UNIT_US;
use fieldline_schemas::Timestamp;
use fieldline_schemas::results::Quality;

/// What was going on. The first eight are buckets, in their priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    Emergency,
    Break,
    Work,
    Pause,
    SiteWait,
    SiteWrap,
    Stop,
    /// The technician's travel.
    Travel,
    /// A whole attendance, gross.
    OnSite,
    /// A visit's own travel: no stretch of the shift.
    VisitTravel,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    pub kind: Kind,
    pub certain: Span,
    pub possible: Span,
    pub quality: Quality,
    /// Index of the episode that it is part of.
    pub episode: Option<u32>,
    /// Index of the shift that was open when it ended.
    pub shift: Option<u32>,
}

impl Stretch {
    /// Whether some of it may lie at or after `at`.
    pub fn reaches_beyond(&self, at: Timestamp) -> bool {
        self.possible.to.max(self.certain.to) > at
    }
}

/// Something that has begun and not ended yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Going {
    pub start: Timestamp,
    /// Earlier than `start` where nobody sent the start.
    pub possible_from: Timestamp,
    pub start_quality: Quality,
    /// The last own event; nothing outlives it by more than 24 h.
    pub last_own: Timestamp,
    /// The technician's first travel_start, or arrival elsewhere, after the last own event.
    pub bound: Option<Timestamp>,
}

impl Going {
    pub fn since(start: Timestamp) -> Self {
        Self { start, possible_from: start, start_quality: Quality::Observed, last_own: start, bound: None }
    }

    pub fn own_event(&mut self, at: Timestamp) {
        self.last_own = at;
        self.bound = None;
    }

    pub fn bound_by(&mut self, at: Timestamp) {
        self.bound.get_or_insert(at);
    }

    /// The last instant at which it can still be going on.
    pub fn expires_at(&self) -> Timestamp {
        self.last_own + UNIT_US
    }

    /// Ended by the event that the KPI names.
    pub fn observed(&self, kind: Kind, end: Timestamp) -> Stretch {
        self.stretch(kind, end, end, self.start_quality)
    }

    /// Ended by an event that implies it.
    pub fn imputed(&self, kind: Kind, end: Timestamp) -> Stretch {
        self.stretch(kind, self.last_own, end, Quality::Imputed)
    }

    /// Nobody sent an end; it was over at `limit` at the latest.
    pub fn open(&self, kind: Kind, limit: Timestamp) -> Stretch {
        let end = self.bound.map_or(limit, |bound| limit.min(bound)).min(self.expires_at());
        self.stretch(kind, self.last_own, end, Quality::Open)
    }

    fn stretch(&self, kind: Kind, certain_to: Timestamp, possible_to: Timestamp, quality: Quality) -> Stretch {
        Stretch {
            kind,
            certain: Span::new(self.start, certain_to),
            possible: Span::new(self.possible_from, possible_to),
            quality,
            episode: None,
            shift: None,
        }
    }
}

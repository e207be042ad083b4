//! What goes on until something ends it, and the stretch that it then was.

use super::Column;
use crate::stretch::{Interval, Kind, Stretch};
use fieldline_processors_core::definition::UNIT_US;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality::{self, *};

/// Something that goes on until something ends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Going {
    pub(super) from: i64,
    /// Before `from` where the arrival is imputed.
    pub(super) possible_from: i64,
    pub(super) last_own: i64,
    /// The first travel_start, or arrival at another visit, after the last own event.
    pub(super) moved_on: Option<i64>,
}

impl Going {
    pub(super) fn begin(at: i64) -> Self {
        Self { from: at, possible_from: at, last_own: at, moved_on: None }
    }
    pub(super) fn own_event(&mut self, at: i64) {
        self.last_own = at;
        self.moved_on = None;
    }
    pub(super) fn move_on(&mut self, at: i64) {
        self.moved_on.get_or_insert(at);
    }
    /// Where an open end is, when `ended` ended it.
    pub(super) fn open_end(&self, ended: i64) -> i64 {
        ended.min(self.moved_on.unwrap_or(i64::MAX)).min(self.last_own + UNIT_US)
    }
    /// The stretch with an end of quality `end`: both ends real, the end imputed at `ended`, or open.
    pub(super) fn stretch(&self, kind: Kind, visit: Option<VisitId>, ended: i64, end: Quality) -> Stretch {
        let possible_to = if end == Open { self.open_end(ended) } else { ended };
        let certain_to = if end == Observed { ended } else { self.last_own };
        let start = if self.possible_from < self.from { Imputed } else { Observed };
        Stretch { kind, visit, certain: (self.from, certain_to), possible: (self.possible_from, possible_to), quality: start.max(end) }
    }
}

/// The technician's travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Travelling {
    pub(super) to: Option<VisitId>,
    pub(super) going: Going,
}

/// An open attendance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attending {
    pub(super) number: usize,
    pub(super) going: Going,
    pub(super) imputed: bool,
    pub(super) state: Column,
    /// Where the present part (wait, work, pause, wrap) began.
    pub(super) part_from: i64,
    /// The technician has left for another place since that part began.
    pub(super) left_since: bool,
    /// The technician is there, for the technician's column.
    pub(super) there: bool,
}

/// A visit's own travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisitTravel {
    pub(super) going: Going,
    /// The technician started travelling to, or arrived at, another named visit since its last travel_start.
    pub(super) rerouted: Option<i64>,
}

/// How everything that goes on is ended at once.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum EndOfAll {
    ShiftEnd,
    Close,
}

pub(super) fn part_kind(state: Column) -> Kind {
    match state {
        Column::Site => Kind::SiteWait,
        Column::Pause => Kind::Pause,
        Column::Done => Kind::SiteWrap,
        _ => Kind::Work,
    }
}

pub(super) fn observed(kind: Kind, visit: Option<VisitId>, interval: Interval) -> Stretch {
    Stretch { kind, visit, certain: interval, possible: interval, quality: Observed }
}

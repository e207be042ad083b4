//! Stretches of time, and measuring them between breakpoints.

use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality;

/// Half open, microseconds; empty where the end is not after the start.
pub type Interval = (i64, i64);

pub fn length_us(interval: Interval) -> i64 {
    (interval.1 - interval.0).max(0)
}

/// The part of `interval` inside `window`; `None` when nothing is left.
pub fn cut(interval: Interval, window: Interval) -> Option<Interval> {
    let part = (interval.0.max(window.0), interval.1.min(window.1));
    (part.0 < part.1).then_some(part)
}

/// What a stretch is a stretch of. The first eight are buckets of a shift, the higher one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Emergency,
    Break,
    Work,
    Pause,
    SiteWait,
    SiteWrap,
    Stop,
    /// The technician's.
    Travel,
    /// An attendance.
    OnSite,
    /// The visit's own; no stretch of the shift.
    VisitTravel,
}

pub const BUCKETS: [Kind; 8] =
    [Kind::Emergency, Kind::Break, Kind::Work, Kind::Pause, Kind::SiteWait, Kind::SiteWrap, Kind::Stop, Kind::Travel];

/// A stretch of a kind. What is taken lies between certain and possible and shows in no row but as an observed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub kind: Kind,
    /// Of a visit's stretches: the visit, `None` for the nameless one.
    pub visit: Option<VisitId>,
    pub certain: Interval,
    pub possible: Interval,
    pub quality: Quality,
}

/// Length of what lies in any of `some` and in none of `without`, looked at between every two breakpoints.
pub fn measure_us(window: Interval, some: &[Interval], without: &[Interval]) -> i64 {
    let mut breakpoints = vec![window.0, window.1];
    for interval in some.iter().chain(without) {
        breakpoints.extend([interval.0, interval.1]);
    }
    breakpoints.retain(|at| *at >= window.0 && *at <= window.1);
    breakpoints.sort_unstable();
    breakpoints.dedup();
    let covers = |intervals: &[Interval], at: i64| intervals.iter().any(|i| i.0 <= at && at < i.1);
    breakpoints.windows(2).filter(|pair| covers(some, pair[0]) && !covers(without, pair[0])).map(|pair| pair[1] - pair[0]).sum()
}

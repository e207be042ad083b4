//! How long each thing lasted within a window of time. Lengths of windows side by side add up to those of both together.

use super::span::{Span, SpanSet};
use super::stretch::{Kind, Stretch};
use fieldline_schemas::results::{Measure, Quality, ShiftDurations};

/// How much of something is certain, and how much is possible.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bounds {
    lo_us: i64,
    hi_us: i64,
}

impl Bounds {
    const NONE: Self = Self { lo_us: 0, hi_us: 0 };

    fn add(&mut self, other: Self) {
        self.lo_us += other.lo_us;
        self.hi_us += other.hi_us;
    }
}

/// What the stretches of a shift come to within a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lengths {
    shift: Bounds,
    on_site: Bounds,
    /// Gross.
    travel: Bounds,
    buckets: [Bounds; 8],
    idle: Bounds,
    /// A stretch without an end lies in it.
    has_open: bool,
}

/// Room for the spans within one window, used again for the next.
#[derive(Default)]
pub(super) struct Spans {
    certain: SpanSet,
    possible: SpanSet,
    certain_above: SpanSet,
    possible_above: SpanSet,
    merged: SpanSet,
}

impl Lengths {
    pub const NONE: Self = Self {
        shift: Bounds::NONE,
        on_site: Bounds::NONE,
        travel: Bounds::NONE,
        buckets: [Bounds::NONE; 8],
        idle: Bounds::NONE,
        has_open: false,
    };

    /// Measures `own`, which is sorted by kind, within `window`. `known`: from the start of the shift to its last known instant.
    pub fn within(window: Span, known: Span, own: &[&Stretch], spans: &mut Spans) -> Self {
        let known = known.cut(window);
        let mut lengths = Self { shift: Bounds { lo_us: known.length_us(), hi_us: window.length_us() }, ..Self::NONE };
        lengths.has_open = own.iter().any(|s| s.quality == Quality::Open && s.kind != Kind::VisitTravel && s.possible.overlaps(window));
        let Spans { certain, possible, certain_above, possible_above, merged } = spans;
        certain_above.clear();
        possible_above.clear();
        let mut rest = own;
        while let Some(kind) = rest.first().map(|s| s.kind) {
            let (same, later) = rest.split_at(rest.iter().take_while(|s| s.kind == kind).count());
            rest = later;
            if kind == Kind::VisitTravel {
                continue;
            }
            certain.clear();
            possible.clear();
            for stretch in same {
                certain.add(stretch.certain.cut(window));
                possible.add(stretch.possible.cut(window));
            }
            let gross = Bounds { lo_us: certain.length_us(), hi_us: possible.length_us() };
            if kind == Kind::OnSite {
                lengths.on_site = gross;
                continue;
            }
            if kind == Kind::Travel {
                lengths.travel = gross;
            }
            lengths.buckets[kind as usize] =
                Bounds { lo_us: certain.length_without_us(possible_above), hi_us: possible.length_without_us(certain_above) };
            certain_above.add_all(certain, merged);
            possible_above.add_all(possible, merged);
        }
        lengths.idle = Bounds { lo_us: known.length_without_us(possible_above), hi_us: window.length_without_us(certain_above) };
        lengths
    }

    /// Adds a window beside it.
    pub fn add(&mut self, other: &Self) {
        self.shift.add(other.shift);
        self.on_site.add(other.on_site);
        self.travel.add(other.travel);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| ours.add(*theirs));
        self.idle.add(other.idle);
        self.has_open |= other.has_open;
    }

    /// `endless`: the shift has no end. `to_the_close`: the window reaches to where the shift was closed.
    pub fn durations(&self, endless: bool, to_the_close: bool) -> ShiftDurations {
        let quality = if endless || self.has_open { Quality::Open } else { Quality::Imputed };
        let measure = |Bounds { lo_us, hi_us }: Bounds| match lo_us == hi_us {
            true => Measure { value_us: Some(lo_us), lo_us, hi_us: Some(hi_us), quality: Quality::Observed },
            false => Measure { value_us: None, lo_us, hi_us: Some(hi_us), quality },
        };
        let [emergency, r#break, work, pause, site_wait, site_wrap, stop, travel_net] = self.buckets.map(measure);
        let mut durations = ShiftDurations {
            shift: measure(self.shift),
            travel: measure(self.travel),
            travel_net,
            work,
            pause,
            r#break,
            site_wait,
            site_wrap,
            on_site: measure(self.on_site),
            emergency,
            stop,
            idle: measure(self.idle),
        };
        if endless && to_the_close {
            // Without an end neither the shift nor what is left over of it is known, whatever the bounds say.
            for unknown in [&mut durations.shift, &mut durations.idle] {
                *unknown = Measure { value_us: None, quality: Quality::Open, ..*unknown };
            }
        }
        durations
    }
}

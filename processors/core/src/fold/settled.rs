//! The part of a shift that lies behind everything that still goes on: measured once, and not again with each event.

use super::draft::ShiftDraft;
use super::lengths::{Lengths, Spans};
use super::shift::{day, first_date, known, last_date, stretches_of};
use super::span::Span;
use super::stretch::Stretch;
use super::walk::Walk;
use fieldline_schemas::Timestamp;

/// What is known for good of a shift, up to an instant.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// The index of the shift.
    pub shift: usize,
    /// No stretch that is still to come, or to end, begins before this.
    pub to: Timestamp,
    /// The lengths up to there, from the shift's first date on.
    days: Vec<Lengths>,
}

impl Settled {
    fn begin(index: usize, shift: &ShiftDraft) -> Self {
        Self { shift: index, to: shift.started_at, days: Vec::new() }
    }

    /// What is settled of the n-th date of the shift.
    pub fn of_day(&self, nth: usize) -> &Lengths {
        self.days.get(nth).unwrap_or(&Lengths::NONE)
    }

    /// Measures what lies behind everything that goes on in the open shift by now.
    pub fn advance(settled: &mut Option<Self>, walked: &Walk) {
        let Some(open) = walked.open_shift else { return };
        let shift = &walked.shifts[open];
        if settled.as_ref().is_none_or(|settled| settled.shift != open) {
            *settled = Some(Self::begin(open, shift));
        }
        let Some(settled) = settled else { return };
        let to = settled_to(walked).min(shift.closed_at);
        if to <= settled.to {
            return;
        }
        let mut own: Vec<&Stretch> = stretches_of(walked, open).filter(|s| s.reaches_beyond(settled.to) && s.possible.from < to).collect();
        own.sort_unstable_by_key(|s| (s.kind, s.possible.from));
        let mut spans = Spans::default();
        let first = first_date(shift);
        for (nth, date) in (first..=last_date(shift)).enumerate() {
            let window = day(shift, date).cut(Span::new(settled.to, to));
            if window.is_empty() {
                continue;
            }
            if settled.days.len() <= nth {
                settled.days.resize(nth + 1, Lengths::NONE);
            }
            settled.days[nth].add(&Lengths::within(window, known(shift), &own, &mut spans));
        }
        settled.to = to;
    }
}

/// Whatever goes on began here or later, and an arrival that nobody sent lies after the last event.
fn settled_to(walked: &Walk) -> Timestamp {
    let lies_over = [walked.emergency.map(|emergency| emergency.going), walked.on_break, walked.travel.map(|travel| travel.going)];
    let attendances = walked.open_episodes.iter().filter_map(|open| walked.episodes[*open].attendance);
    let going = lies_over.into_iter().flatten().chain(attendances.map(|attendance| attendance.on_site));
    let begun = going.map(|going| going.possible_from.min(going.start)).min();
    [begun, walked.previous_at].into_iter().flatten().min().unwrap_or(Timestamp::MIN)
}

//! From a shift's draft and stretches to its row: buckets, days, counts, codes.

use super::Due;
use super::draft::ShiftDraft;
use super::episode::net_of_overlays;
use super::lengths::{Lengths, Spans};
use super::segment::Derivation;
use super::settled::Settled;
use super::span::Span;
use super::stretch::{Kind, Stretch};
use super::tail::UnendedShift;
use super::walk::{Walk, local_date};
use crate::definition::{Definition, NEW_SHIFT_US};
use crate::facts::{Facts, ShiftPlanFact};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::{ShiftDay, ShiftResult};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// A plan belongs to a shift that starts at most this long before it.
pub const PLAN_AHEAD_US: i64 = 4 * HOUR_US;
const TRAVEL_MAX_US: i64 = 6 * HOUR_US;
const BREAK_MAX_US: i64 = 4 * HOUR_US;
const WORK_MAX_US: i64 = 16 * HOUR_US;
const SHIFT_MAX_US: i64 = 16 * HOUR_US;

/// Room that one row needs, used again for the next.
#[derive(Default)]
struct Room {
    spans: Spans,
    by_date: Vec<Lengths>,
}

/// Adds the rows of all shifts. `settled`: what is known for good of one of them.
pub(super) fn results(
    walked: &Walk,
    overlays: &[Stretch],
    settled: Option<&Settled>,
    by: &Derivation<'_>,
    due: &mut Due,
    rows: &mut Vec<ShiftResult>,
) {
    let mut own: Vec<&Stretch> = Vec::new();
    let mut room = Room::default();
    for (index, shift) in walked.shifts.iter().enumerate() {
        let settled = settled.filter(|settled| settled.shift == index);
        let whole = Span::new(shift.started_at, shift.closed_at);
        let settled_to = settled.map_or(Timestamp::MIN, |settled| settled.to);
        let mut is_odd = false;
        own.clear();
        for stretch in stretches_of(walked, index) {
            is_odd |= stretch.certain.overlaps(whole) && is_implausible(stretch, overlays);
            if stretch.reaches_beyond(settled_to) {
                own.push(stretch);
            }
        }
        // Unions are made kind by kind.
        own.sort_unstable_by_key(|s| (s.kind, s.possible.from));
        rows.push(row(shift, &own, is_odd, settled, by, due, &mut room));
    }
}

/// The stretches that count for a shift; a visit's own travel counts for none.
pub(super) fn stretches_of(walked: &Walk, index: usize) -> impl Iterator<Item = &Stretch> {
    let shift = &walked.shifts[index];
    let whole = Span::new(shift.started_at, shift.closed_at);
    // An arrival that nobody sent may lie in a shift that was closed before the work began.
    let reaches_back = move |s: &Stretch| s.possible.from < s.certain.from && s.possible.overlaps(whole);
    let counts = move |s: &&Stretch| s.kind != Kind::VisitTravel && (s.shift == Some(index as u32) || reaches_back(s));
    walked.stretches.iter().filter(counts)
}

fn row(
    shift: &ShiftDraft,
    own: &[&Stretch],
    is_odd: bool,
    settled: Option<&Settled>,
    by: &Derivation<'_>,
    due: &mut Due,
    room: &mut Room,
) -> ShiftResult {
    let Derivation { facts, definition, .. } = *by;
    let mut codes = Anomalies::NONE;
    if shift.ended_at.is_none() && end_is_missing(shift, facts.shift_plans, definition, due) {
        codes.insert(Anomaly::A02);
    }
    if shift.depends_on_context {
        codes.insert(Anomaly::A29);
    }
    let Room { spans, by_date } = room;
    let durations = lengths(shift, own, settled, spans, by_date).durations(shift.ended_at.is_none(), true);
    if is_odd || durations.shift.lo_us > SHIFT_MAX_US {
        codes.insert(Anomaly::A28);
    }
    let days = days(shift, by_date, codes);
    let event_codes = shift.codes.iter().fold(codes, |all, (_, codes)| all.union(*codes));
    ShiftResult {
        technician_contact_id: facts.technician_contact_id,
        shift_id: shift.id,
        shift_date: local_date(shift.started_at, shift.utc_offset_minutes),
        utc_offset_minutes: shift.utc_offset_minutes,
        started_at: shift.started_at,
        ended_at: shift.ended_at,
        closed_at: shift.closed_at,
        durations,
        visits: shift.visits.len() as u32,
        jobs: jobs(shift),
        distance_meters_lower_bound: shift.distance_meters,
        anomalies: event_codes,
        finality: due.finality(shift.closed_at, definition),
        days,
    }
}

/// A02: from the time S5 falls due, at the latest at the close; at once where another shift took over.
fn end_is_missing(shift: &ShiftDraft, plans: &[ShiftPlanFact], definition: &Definition, due: &mut Due) -> bool {
    shift.superseded || due.has_come(missing_from(shift, plan_of(shift.started_at, plans), definition))
}

/// When a shift's end falls due (A02, S5).
fn missing_from(shift: &ShiftDraft, plan: Option<&ShiftPlanFact>, definition: &Definition) -> Timestamp {
    let planned_end = plan.map(|plan| plan.planned_end + definition.missing_end_after_plan_us);
    planned_end.unwrap_or(shift.started_at + NEW_SHIFT_US).min(shift.closed_at)
}

/// The shifts that nobody ended, but for imported ones.
pub(super) fn unended(walked: &Walk, facts: Facts<'_>, definition: &Definition) -> impl Iterator<Item = UnendedShift> {
    walked.shifts.iter().filter(|shift| shift.ended_at.is_none() && !shift.imported).map(move |shift| {
        let plan = plan_of(shift.started_at, facts.shift_plans);
        UnendedShift {
            shift_id: shift.id,
            started_at: shift.started_at,
            closed_at: shift.closed_at,
            superseded: shift.superseded,
            planned_end: plan.map(|plan| plan.planned_end),
            lone_worker: plan.is_some_and(|plan| plan.lone_worker),
            missing_from: missing_from(shift, plan, definition),
            last_event_at: shift.last_event_at,
            last_event_type: shift.last_event_type,
        }
    })
}

/// Of several plans the nearest planned_start counts, then the smaller id.
fn plan_of(started_at: Timestamp, plans: &[ShiftPlanFact]) -> Option<&ShiftPlanFact> {
    let fits = |p: &&ShiftPlanFact| p.planned_start - PLAN_AHEAD_US <= started_at && started_at < p.planned_end;
    plans.iter().filter(fits).min_by_key(|p| (p.planned_start.since(started_at).abs(), p.id))
}

/// A28 of one stretch, by its certain length, uncut.
fn is_implausible(stretch: &Stretch, overlays: &[Stretch]) -> bool {
    match stretch.kind {
        Kind::Travel => is_implausible_travel(stretch),
        Kind::Break => stretch.certain.length_us() > BREAK_MAX_US,
        Kind::Work => is_implausible_work(stretch, overlays),
        _ => false,
    }
}

/// Net of breaks and emergencies.
pub(super) fn is_implausible_work(stretch: &Stretch, overlays: &[Stretch]) -> bool {
    stretch.certain.length_us() > WORK_MAX_US && net_of_overlays(stretch, overlays).lo_us > WORK_MAX_US
}

pub(super) fn is_implausible_travel(stretch: &Stretch) -> bool {
    stretch.certain.length_us() > TRAVEL_MAX_US
}

/// What the shift comes to, and each of its dates. `own`: its stretches that reach beyond what is settled, sorted by kind.
fn lengths(shift: &ShiftDraft, own: &[&Stretch], settled: Option<&Settled>, spans: &mut Spans, by_date: &mut Vec<Lengths>) -> Lengths {
    let mut whole = Lengths::NONE;
    by_date.clear();
    for (nth, date) in (first_date(shift)..=last_date(shift)).enumerate() {
        let window = day(shift, date);
        let to_come = settled.map_or(window, |settled| Span::new(window.from.max(settled.to), window.to));
        let mut lengths = settled.map_or(Lengths::NONE, |settled| *settled.of_day(nth));
        if !to_come.is_empty() {
            lengths.add(&Lengths::within(to_come, known(shift), own, spans));
        }
        whole.add(&lengths);
        by_date.push(lengths);
    }
    whole
}

/// The shift cut at local midnight. What concerns the shift as a whole stands on its first day.
fn days(shift: &ShiftDraft, lengths: &[Lengths], shift_codes: Anomalies) -> Vec<ShiftDay> {
    let (first, last) = (first_date(shift), last_date(shift));
    let on_day = |(date, lengths): (i32, &Lengths)| {
        // An event at the very instant of the close, at midnight, belongs to the last day that the shift touches.
        let on_date = |of: i32| of.clamp(first, last) == date;
        let codes = shift.codes.iter().filter(|(of, _)| on_date(*of)).fold(Anomalies::NONE, |all, (_, codes)| all.union(*codes));
        ShiftDay {
            local_date: date,
            durations: lengths.durations(shift.ended_at.is_none(), date == last),
            completed_visits: distinct(shift.completed.iter().filter(|(of, _)| on_date(*of)).map(|(_, visit)| *visit).collect()),
            anomalies: if date == first { codes.union(shift_codes) } else { codes },
        }
    };
    (first..=last).zip(lengths).map(on_day).collect()
}

/// From the start of the shift to the last instant at which it was certainly on.
pub(super) fn known(shift: &ShiftDraft) -> Span {
    Span::new(shift.started_at, shift.ended_at.unwrap_or(shift.last_event_at))
}

pub(super) fn first_date(shift: &ShiftDraft) -> i32 {
    local_date(shift.started_at, shift.utc_offset_minutes)
}

pub(super) fn last_date(shift: &ShiftDraft) -> i32 {
    local_date(shift.closed_at - 1, shift.utc_offset_minutes).max(first_date(shift))
}

/// What of the shift lies on a local date.
pub(super) fn day(shift: &ShiftDraft, date: i32) -> Span {
    let midnight = |date: i32| Timestamp(i64::from(date) * DAY_US - i64::from(shift.utc_offset_minutes) * MINUTE_US);
    Span::new(shift.started_at.max(midnight(date)), shift.closed_at.min(midnight(date + 1)))
}

/// Distinct visits with a work_completed.
fn jobs(shift: &ShiftDraft) -> u32 {
    let is_first = |(n, (_, visit)): &(usize, &(i32, VisitId))| shift.completed[..*n].iter().all(|(_, before)| before != visit);
    shift.completed.iter().enumerate().filter(is_first).count() as u32
}

fn distinct<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

//! From a shift's draft and stretches to its row: buckets, days, counts, codes.

use super::Due;
use super::draft::ShiftDraft;
use super::episode::net_of_overlays;
use super::span::{Span, SpanSet};
use super::stretch::{Kind, Stretch};
use super::tail::UnendedShift;
use super::walk::{Walk, local_date};
use crate::definition::{Definition, NEW_SHIFT_US};
use crate::facts::{Facts, ShiftPlanFact};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::{Measure, Quality, ShiftDay, ShiftDurations, ShiftResult};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// A plan belongs to a shift that starts at most this long before it.
pub const PLAN_AHEAD_US: i64 = 4 * HOUR_US;
const TRAVEL_MAX_US: i64 = 6 * HOUR_US;
const BREAK_MAX_US: i64 = 4 * HOUR_US;
const WORK_MAX_US: i64 = 16 * HOUR_US;
const SHIFT_MAX_US: i64 = 16 * HOUR_US;

pub(super) fn results(walked: &Walk, facts: Facts<'_>, definition: &Definition, due: &mut Due, rows: &mut Vec<ShiftResult>) {
    let overlays = walked.overlays();
    let mut own: Vec<&Stretch> = Vec::with_capacity(walked.stretches.len());
    for (index, shift) in walked.shifts.iter().enumerate() {
        let whole = Span::new(shift.started_at, shift.closed_at);
        own.clear();
        // An arrival that nobody sent may lie in a shift that was closed before the work began.
        let reaches_back = |s: &Stretch| s.possible.from < s.certain.from && s.possible.overlaps(whole);
        own.extend(walked.stretches.iter().filter(|s| s.shift == Some(index as u32) || reaches_back(s)));
        // Unions are made kind by kind.
        own.sort_unstable_by_key(|s| (s.kind, s.possible.from));
        rows.push(row(shift, &own, &overlays, facts, definition, due));
    }
}

fn row(
    shift: &ShiftDraft,
    own: &[&Stretch],
    overlays: &[Stretch],
    facts: Facts<'_>,
    definition: &Definition,
    due: &mut Due,
) -> ShiftResult {
    let mut codes = Anomalies::NONE;
    if shift.ended_at.is_none() && end_is_missing(shift, facts.shift_plans, definition, due) {
        codes.insert(Anomaly::A02);
    }
    if shift.depends_on_context {
        codes.insert(Anomaly::A29);
    }
    let whole = Span::new(shift.started_at, shift.closed_at);
    let durations = durations(shift, own, whole);
    if durations.shift.lo_us > SHIFT_MAX_US || own.iter().any(|s| s.certain.overlaps(whole) && is_implausible(s, overlays)) {
        codes.insert(Anomaly::A28);
    }
    let days = days(shift, own, &durations, codes);
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

/// Every duration of the shift inside `window`. `own`: its stretches, sorted by kind.
fn durations(shift: &ShiftDraft, own: &[&Stretch], window: Span) -> ShiftDurations {
    let known_to = shift.ended_at.unwrap_or(shift.last_event_at);
    let known = Span::new(shift.started_at, known_to).cut(window);
    let endless = shift.ended_at.is_none();
    let unsure = endless || own.iter().any(|s| s.quality == Quality::Open && s.kind != Kind::VisitTravel && s.possible.overlaps(window));
    let measure = |lo_us: i64, hi_us: i64| match lo_us == hi_us {
        true => Measure { value_us: Some(lo_us), lo_us, hi_us: Some(hi_us), quality: Quality::Observed },
        false => Measure { value_us: None, lo_us, hi_us: Some(hi_us), quality: if unsure { Quality::Open } else { Quality::Imputed } },
    };

    let set = || SpanSet::with_room(own.len());
    let (mut certain, mut possible) = (set(), set());
    let union = |kind: Kind, certain: &mut SpanSet, possible: &mut SpanSet| {
        certain.clear();
        possible.clear();
        let from = own.partition_point(|s| s.kind < kind);
        for stretch in own[from..].iter().take_while(|s| s.kind == kind) {
            certain.add(stretch.certain.cut(window));
            possible.add(stretch.possible.cut(window));
        }
        measure(certain.length_us(), possible.length_us())
    };
    let on_site = union(Kind::OnSite, &mut certain, &mut possible);

    let (mut certain_above, mut possible_above, mut room) = (set(), set(), set());
    let mut travel = Measure::ZERO;
    let buckets = Kind::BUCKETS.map(|kind| {
        travel = union(kind, &mut certain, &mut possible);
        let bucket = measure(certain.length_without_us(&possible_above), possible.length_without_us(&certain_above));
        certain_above.add_all(&certain, &mut room);
        possible_above.add_all(&possible, &mut room);
        bucket
    });
    let [emergency, r#break, work, pause, site_wait, site_wrap, stop, travel_net] = buckets;
    let mut durations = ShiftDurations {
        shift: measure(known.length_us(), window.length_us()),
        travel,
        travel_net,
        work,
        pause,
        r#break,
        site_wait,
        site_wrap,
        on_site,
        emergency,
        stop,
        idle: measure(known.length_without_us(&possible_above), window.length_without_us(&certain_above)),
    };
    if endless && window.to == shift.closed_at {
        // Without an end neither the shift nor what is left over of it is known, whatever the bounds say.
        for unknown in [&mut durations.shift, &mut durations.idle] {
            *unknown = Measure { value_us: None, quality: Quality::Open, ..*unknown };
        }
    }
    durations
}

/// The shift cut at local midnight. What concerns the shift as a whole stands on its first day.
fn days(shift: &ShiftDraft, own: &[&Stretch], whole: &ShiftDurations, shift_codes: Anomalies) -> Vec<ShiftDay> {
    let offset = shift.utc_offset_minutes;
    let first = local_date(shift.started_at, offset);
    let last = local_date(shift.closed_at - 1, offset).max(first);
    let midnight = |date: i32| Timestamp(i64::from(date) * DAY_US - i64::from(offset) * MINUTE_US);
    let day = |date: i32| {
        // An event at the very instant of the close, at midnight, belongs to the last day that the shift touches.
        let on_date = |of: i32| of.clamp(first, last) == date;
        let window = Span::new(shift.started_at.max(midnight(date)), shift.closed_at.min(midnight(date + 1)));
        let codes = shift.codes.iter().filter(|(of, _)| on_date(*of)).fold(Anomalies::NONE, |all, (_, codes)| all.union(*codes));
        ShiftDay {
            local_date: date,
            durations: if first == last { whole.clone() } else { durations(shift, own, window) },
            completed_visits: distinct(shift.completed.iter().filter(|(of, _)| on_date(*of)).map(|(_, visit)| *visit).collect()),
            anomalies: if date == first { codes.union(shift_codes) } else { codes },
        }
    };
    (first..=last).map(day).collect()
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

//! Rows of shifts and of visits: the stretches added up.

use crate::order::{is_visit_type, visit_of};
use crate::stretch::{BUCKETS, Interval, Kind, Stretch, cut, length_us, measure_us};
use crate::walk::{Shift, Walked, great_circle_meters};
use fieldline_processors_core::definition::{CONTEXT_US, Definition, NEW_SHIFT_US};
use fieldline_processors_core::facts::{ActivityFact, Facts};
use fieldline_schemas::Anomaly::*;
use fieldline_schemas::events::ActivityType::{self, *};
use fieldline_schemas::ids::{EventId, VisitId};
use fieldline_schemas::results::{Finality, Measure, Quality, ShiftDay, ShiftDurations, ShiftResult};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Timestamp};
use std::collections::BTreeSet;

/// A row of `visits`: everything about one technician at one visit.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitRow {
    pub visit_id: VisitId,
    pub shift_id: Option<EventId>,
    pub attendances: u32,
    pub travel_started_at: Option<Timestamp>,
    pub arrived_at: Option<Timestamp>,
    pub left_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub travel: Measure,
    pub on_site: Measure,
    pub site_wait: Measure,
    pub work: Measure,
    pub pause: Measure,
    pub wrap: Measure,
    pub anomalies: Anomalies,
    pub finality: Finality,
}

/// Which events a row that begins with event `first` can not do without: the 72 h up to it must hold a cut.
fn depends_on_context(events: &[ActivityFact], first: usize) -> bool {
    let reach = events[first].created_at - CONTEXT_US;
    !(0..=first)
        .filter(|i| events[*i].created_at >= reach)
        .any(|i| i == 0 || events[i].activity_type == ShiftEnd || events[i].created_at.since(events[i - 1].created_at) >= 12 * HOUR_US)
}

fn finality(clock: Timestamp, settles: i64, definition: &Definition) -> Finality {
    if clock.0 >= settles + definition.finality_us { Finality::Final } else { Finality::Provisional }
}

fn possible_of(stretches: &[Stretch], kinds: &[Kind]) -> Vec<Interval> {
    stretches.iter().filter(|s| kinds.contains(&s.kind)).map(|s| s.possible).collect()
}

fn certain_of(stretches: &[Stretch], kinds: &[Kind]) -> Vec<Interval> {
    stretches.iter().filter(|s| kinds.contains(&s.kind)).map(|s| s.certain).collect()
}

/// A work stretch net of breaks and emergencies: at least, at most, and the worst quality in it.
fn net_work(work: &Stretch, all: &[Stretch]) -> (i64, i64, Quality) {
    let over: Vec<Stretch> = all
        .iter()
        .filter(|s| matches!(s.kind, Kind::Break | Kind::Emergency) && cut(s.possible, work.possible).is_some())
        .copied()
        .collect();
    let kinds = [Kind::Break, Kind::Emergency];
    let lo_us = measure_us(work.certain, &[work.certain], &possible_of(&over, &kinds));
    let hi_us = measure_us(work.possible, &[work.possible], &certain_of(&over, &kinds));
    (lo_us, hi_us, over.iter().map(|s| s.quality).fold(work.quality, Quality::max))
}

/// Is a single stretch implausibly long, by its certain length?
fn is_implausible(stretch: &Stretch, travel: Kind, with_breaks: bool, all: &[Stretch]) -> bool {
    match stretch.kind {
        Kind::Work => net_work(stretch, all).0 > 16 * HOUR_US,
        Kind::Break => with_breaks && length_us(stretch.certain) > 4 * HOUR_US,
        kind if kind == travel => length_us(stretch.certain) > 6 * HOUR_US,
        _ => false,
    }
}

// Visits.

pub fn visit_rows(events: &[ActivityFact], walked: &Walked, clock: Timestamp, definition: &Definition) -> Vec<VisitRow> {
    let visits: BTreeSet<VisitId> = events.iter().filter(|e| is_visit_type(e.activity_type)).filter_map(visit_of).collect();
    visits.into_iter().map(|visit| visit_row(visit, events, walked, clock, definition)).collect()
}

fn visit_row(visit: VisitId, events: &[ActivityFact], walked: &Walked, clock: Timestamp, definition: &Definition) -> VisitRow {
    let own: Vec<usize> = (0..events.len()).filter(|i| visit_of(&events[*i]) == Some(visit)).collect();
    let first_of = |kind: ActivityType| own.iter().find(|i| events[**i].activity_type == kind).map(|i| events[*i].created_at);
    let shift_of = |event: usize| walked.shifts.iter().find(|s| s.first <= event && event <= s.last);
    let attendances: Vec<_> = walked.attendances.iter().filter(|a| a.visit == Some(visit)).collect();
    let stretches: Vec<Stretch> = walked.stretches.iter().filter(|s| s.visit == Some(visit)).copied().collect();

    let add_up = |kind: Kind| {
        let mut sum = Measure::ZERO;
        let mut hi_us = 0;
        for stretch in stretches.iter().filter(|s| s.kind == kind) {
            let (lo, hi, quality) = if kind == Kind::Work {
                net_work(stretch, &walked.stretches)
            } else {
                (length_us(stretch.certain), length_us(stretch.possible), stretch.quality)
            };
            sum.lo_us += lo;
            hi_us += hi;
            sum.quality = sum.quality.max(quality);
        }
        Measure { hi_us: Some(hi_us), value_us: (sum.quality == Quality::Observed).then_some(sum.lo_us), ..sum }
    };
    let on_site_part = |kind: Kind| if attendances.is_empty() { Measure::UNKNOWN } else { add_up(kind) };

    let mut anomalies = own.iter().fold(Anomalies::NONE, |codes, i| codes.union(walked.codes[*i]));
    if stretches.iter().any(|s| is_implausible(s, Kind::VisitTravel, false, &walked.stretches)) {
        anomalies.insert(A28);
    }
    if own.first().is_some_and(|first| depends_on_context(events, *first)) {
        anomalies.insert(A29);
    }
    let last_event = own.iter().map(|i| events[*i].created_at.0).max().unwrap_or(0);
    let closes = own.iter().filter_map(|i| shift_of(*i)).map(|s| s.closed);
    let settles = closes.chain([last_event]).max().unwrap_or(0);
    VisitRow {
        visit_id: visit,
        shift_id: own.iter().find_map(|i| shift_of(*i)).map(|s| events[s.first].id),
        attendances: attendances.len() as u32,
        travel_started_at: first_of(TravelStart),
        arrived_at: first_of(ArrivedOnSite),
        left_at: attendances.last().and_then(|a| a.left).map(Timestamp),
        completed_at: first_of(WorkCompleted),
        travel: if first_of(TravelStart).is_none() { Measure::UNKNOWN } else { add_up(Kind::VisitTravel) },
        on_site: on_site_part(Kind::OnSite),
        site_wait: on_site_part(Kind::SiteWait),
        work: on_site_part(Kind::Work),
        pause: on_site_part(Kind::Pause),
        wrap: on_site_part(Kind::SiteWrap),
        anomalies,
        finality: finality(clock, settles, definition),
    }
}

// Shifts.

pub fn shift_rows(
    events: &[ActivityFact],
    walked: &Walked,
    facts: &Facts<'_>,
    clock: Timestamp,
    definition: &Definition,
) -> Vec<ShiftResult> {
    walked.shifts.iter().map(|shift| shift_row(shift, events, walked, facts, clock, definition)).collect()
}

/// When a missing shift_end falls due.
fn missing_end_due(shift: &Shift, facts: &Facts<'_>, definition: &Definition) -> i64 {
    let plan = facts
        .shift_plans
        .iter()
        .filter(|p| p.planned_start.0 - 4 * HOUR_US <= shift.started && shift.started < p.planned_end.0)
        .min_by_key(|p| ((p.planned_start.0 - shift.started).abs(), p.id));
    let due = plan.map_or(shift.started + NEW_SHIFT_US, |p| p.planned_end.0 + definition.missing_end_after_plan_us);
    due.min(shift.closed)
}

fn shift_row(
    shift: &Shift,
    events: &[ActivityFact],
    walked: &Walked,
    facts: &Facts<'_>,
    clock: Timestamp,
    definition: &Definition,
) -> ShiftResult {
    let held = &events[shift.first..=shift.last];
    let start_event = &events[shift.first];
    let local_date = |at: i64| (at + i64::from(start_event.utc_offset_minutes) * MINUTE_US).div_euclid(DAY_US) as i32;
    let named = |kinds: &[ActivityType], among: &[ActivityFact]| -> BTreeSet<VisitId> {
        among.iter().filter(|e| kinds.contains(&e.activity_type)).filter_map(|e| e.visit_id).collect()
    };

    // A stop counts in the shift that holds its event, and ends with it.
    let whole = (shift.started, shift.closed);
    let stops = held.iter().filter(|e| matches!(e.activity_type, FuelStop | VehicleInspection) && e.stop_us > 0).map(|e| {
        let interval = (e.created_at.0, (e.created_at.0 + e.stop_us).min(shift.closed));
        Stretch { kind: Kind::Stop, visit: None, certain: interval, possible: interval, quality: Quality::Observed }
    });
    let within = |s: &&Stretch| s.kind != Kind::VisitTravel && cut(s.possible, whole).is_some();
    let stretches: Vec<Stretch> = walked.stretches.iter().filter(within).copied().chain(stops).collect();

    let last_event = held.iter().map(|e| e.created_at.0).max().unwrap_or(shift.started);
    let known_to = shift.ended.unwrap_or(last_event);
    let durations = shift_durations(whole, shift, known_to, &stretches);

    let distance_meters: f64 = {
        let positions: Vec<_> = walked.trusted[shift.first..=shift.last].iter().flatten().collect();
        positions.windows(2).map(|pair| great_circle_meters(*pair[0], *pair[1])).sum()
    };

    let mut row_anomalies = Anomalies::NONE;
    if shift.ended.is_none() && (shift.superseded || clock.0 >= missing_end_due(shift, facts, definition)) {
        row_anomalies.insert(A02);
    }
    let of_the_shift = |s: &Stretch| cut(s.certain, whole).is_some();
    let long_stretch = stretches.iter().any(|s| of_the_shift(s) && is_implausible(s, Kind::Travel, true, &walked.stretches));
    if long_stretch || durations.shift.lo_us > 16 * HOUR_US {
        row_anomalies.insert(A28);
    }
    if depends_on_context(events, shift.first) {
        row_anomalies.insert(A29);
    }

    let anomalies = walked.codes[shift.first..=shift.last].iter().fold(row_anomalies, |a, b| a.union(*b));

    // The dates that the shift touches; what happens at its very end belongs to the last of them, also at midnight.
    // Codes of the row, and not of an event, are on the first.
    let last_date = local_date((shift.closed - 1).max(shift.started));
    let mut days = Vec::new();
    for date in local_date(shift.started)..=last_date {
        let midnight = i64::from(date) * DAY_US - i64::from(start_event.utc_offset_minutes) * MINUTE_US;
        let on_date = (shift.first..=shift.last).filter(|i| local_date(events[*i].created_at.0).min(last_date) == date);
        let (indices, of_date): (Vec<usize>, Vec<ActivityFact>) = on_date.map(|i| (i, events[i])).unzip();
        let codes_of_row = if days.is_empty() { row_anomalies } else { Anomalies::NONE };
        days.push(ShiftDay {
            local_date: date,
            durations: shift_durations((midnight.max(shift.started), (midnight + DAY_US).min(shift.closed)), shift, known_to, &stretches),
            completed_visits: named(&[WorkCompleted], &of_date).into_iter().collect(),
            anomalies: indices.iter().fold(codes_of_row, |codes, i| codes.union(walked.codes[*i])),
        });
    }

    ShiftResult {
        technician_contact_id: facts.technician_contact_id,
        shift_id: start_event.id,
        shift_date: local_date(shift.started),
        utc_offset_minutes: start_event.utc_offset_minutes,
        started_at: Timestamp(shift.started),
        ended_at: shift.ended.map(Timestamp),
        closed_at: Timestamp(shift.closed),
        durations,
        visits: named(&[ArrivedOnSite, WorkStarted, WorkResumed], held).len() as u32,
        jobs: named(&[WorkCompleted], held).len() as u32,
        distance_meters_lower_bound: distance_meters,
        anomalies,
        finality: finality(clock, shift.closed, definition),
        days,
    }
}

/// The durations of a shift, or of a part of it.
fn shift_durations(window: Interval, shift: &Shift, known_to: i64, stretches: &[Stretch]) -> ShiftDurations {
    let has_end = shift.ended.is_some();
    let ends_unknown = !has_end && window.1 == shift.closed;
    let has_open_time = stretches.iter().any(|s| s.quality == Quality::Open && cut(s.possible, window).is_some());
    let unsure = if !has_end || has_open_time { Quality::Open } else { Quality::Imputed };
    let measure = |lo_us: i64, hi_us: i64| Measure {
        value_us: (lo_us == hi_us).then_some(lo_us),
        lo_us,
        hi_us: Some(hi_us),
        quality: if lo_us == hi_us { Quality::Observed } else { unsure },
    };
    // Of a shift without end, the shift and its idle time are never known, nor those of the day on which it closes.
    let without_end = |m: Measure| {
        if ends_unknown { Measure { value_us: None, quality: Quality::Open, ..m } } else { m }
    };
    let bucket = |kind: Kind| {
        let higher: Vec<Kind> = BUCKETS.iter().copied().take_while(|k| *k != kind).collect();
        measure(
            measure_us(window, &certain_of(stretches, &[kind]), &possible_of(stretches, &higher)),
            measure_us(window, &possible_of(stretches, &[kind]), &certain_of(stretches, &higher)),
        )
    };
    let gross = |kind: Kind| {
        measure(measure_us(window, &certain_of(stretches, &[kind]), &[]), measure_us(window, &possible_of(stretches, &[kind]), &[]))
    };
    let known = (window.0, window.1.min(known_to));
    ShiftDurations {
        shift: without_end(measure(length_us(known), length_us(window))),
        travel: gross(Kind::Travel),
        travel_net: bucket(Kind::Travel),
        work: bucket(Kind::Work),
        pause: bucket(Kind::Pause),
        r#break: bucket(Kind::Break),
        site_wait: bucket(Kind::SiteWait),
        site_wrap: bucket(Kind::SiteWrap),
        on_site: gross(Kind::OnSite),
        emergency: bucket(Kind::Emergency),
        stop: bucket(Kind::Stop),
        idle: without_end(measure(
            measure_us(known, &[known], &possible_of(stretches, &BUCKETS)),
            measure_us(window, &[window], &certain_of(stretches, &BUCKETS)),
        )),
    }
}

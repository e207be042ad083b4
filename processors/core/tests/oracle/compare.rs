//! The fold's episodes added up to visits as the view does, and the two computations compared field by field.

use crate::OracleUnits;
use crate::rows::VisitRow;
use crate::scenario::Scenario;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold::{self, Units};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Quality, ShiftResult};
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};
use std::collections::BTreeMap;

/// Rows of `visits` out of episode rows: durations of the episodes that have any, codes and times of all.
pub fn visits_of(episodes: &[EpisodeResult]) -> Vec<VisitRow> {
    let mut by_visit: BTreeMap<VisitId, Vec<&EpisodeResult>> = BTreeMap::new();
    for episode in episodes {
        by_visit.entry(episode.visit_id).or_default().push(episode);
    }
    by_visit.retain(|_, rows| rows.iter().any(|r| r.has_visit_event));
    by_visit.into_iter().map(|(visit_id, rows)| visit_of(visit_id, &rows)).collect()
}

fn visit_of(visit_id: VisitId, rows: &[&EpisodeResult]) -> VisitRow {
    let earliest = |of: fn(&EpisodeResult) -> Option<Timestamp>| rows.iter().filter_map(|r| of(r)).min();
    let attended: Vec<_> = rows.iter().filter(|r| !r.is_loose && r.has_attendance).collect();
    let travelled: Vec<_> = rows.iter().filter(|r| !r.is_loose && r.has_travel).collect();
    let sum = |of: &[&&EpisodeResult], measure: fn(&EpisodeResult) -> Measure| -> Measure {
        of.iter().map(|r| measure(r)).reduce(add).unwrap_or(Measure::UNKNOWN)
    };
    // Rows are given in the technician's order, so the first is the one with the earliest event.
    let first = rows.iter().position(|r| r.first_event_at == rows.iter().map(|r| r.first_event_at).min().unwrap()).unwrap();
    let mut anomalies = Anomalies::NONE;
    for (place, row) in rows.iter().enumerate() {
        anomalies = row.anomalies.iter().filter(|a| *a != Anomaly::A29 || place == first).fold(anomalies, |mut all, a| {
            all.insert(a);
            all
        });
    }
    let in_shift = rows.iter().filter(|r| r.first_in_shift_at.is_some()).min_by_key(|r| r.first_in_shift_at);
    VisitRow {
        visit_id,
        shift_id: in_shift.and_then(|r| r.shift_id),
        attendances: attended.len() as u32,
        travel_started_at: earliest(|r| r.travel_started_at),
        arrived_at: earliest(|r| r.arrived_at),
        left_at: attended.iter().max_by_key(|r| r.first_event_at).and_then(|r| r.left_at),
        completed_at: earliest(|r| r.completed_at),
        travel: sum(&travelled, |r| r.travel),
        on_site: sum(&attended, |r| r.on_site),
        site_wait: sum(&attended, |r| r.site_wait),
        work: sum(&attended, |r| r.work),
        pause: sum(&attended, |r| r.pause),
        wrap: sum(&attended, |r| r.wrap),
        anomalies,
        finality: rows.iter().map(|r| r.finality).min().unwrap_or(Finality::Provisional),
    }
}

fn add(a: Measure, b: Measure) -> Measure {
    let quality = a.quality.max(b.quality);
    let lo_us = a.lo_us + b.lo_us;
    Measure { value_us: (quality == Quality::Observed).then_some(lo_us), lo_us, hi_us: a.hi_us.zip(b.hi_us).map(|(a, b)| a + b), quality }
}

/// What differs at `clock`, a line for each field; empty when the two agree.
pub fn differences(scenario: &Scenario, clock: Timestamp) -> Vec<String> {
    let definition = Definition::default();
    let fold = fold::fold(scenario.facts(), clock, &definition);
    let oracle = crate::evaluate(&scenario.facts(), clock, &definition);
    let mut lines = differences_of(&fold, &oracle);
    lines.extend(missed_timer(&fold, &oracle, scenario, clock));
    lines
}

/// Nothing may change, other than by a record, before the instant that the fold names as its next.
fn missed_timer(fold: &Units, now: &OracleUnits, scenario: &Scenario, clock: Timestamp) -> Option<String> {
    let until = match fold.next_due {
        Some(due) if due <= clock => return Some(format!("next_due: {due} is not after {clock}")),
        Some(due) => due - 1,
        None => clock + 1_000 * DAY_US,
    };
    let then = crate::evaluate(&scenario.facts(), until, &Definition::default());
    (then != *now).then(|| format!("next_due: {:?}, but rows change before it", fold.next_due))
}

/// The same for what has been computed.
pub fn differences_of(fold: &Units, oracle: &OracleUnits) -> Vec<String> {
    let mut lines = Vec::new();

    let shifts_of = |rows: &[ShiftResult]| rows.iter().map(|s| s.shift_id).collect::<Vec<_>>();
    if shifts_of(&fold.shifts) != shifts_of(&oracle.shifts) {
        lines.push(format!("shifts: fold {:?}, oracle {:?}", shifts_of(&fold.shifts), shifts_of(&oracle.shifts)));
        return lines;
    }
    for (ours, theirs) in fold.shifts.iter().zip(&oracle.shifts) {
        shift_differences(ours, theirs, &mut lines);
    }

    let visits = visits_of(&fold.episodes);
    let visits_of = |rows: &[VisitRow]| rows.iter().map(|v| v.visit_id).collect::<Vec<_>>();
    if visits_of(&visits) != visits_of(&oracle.visits) {
        lines.push(format!("visits: fold {:?}, oracle {:?}", visits_of(&visits), visits_of(&oracle.visits)));
        return lines;
    }
    for (ours, theirs) in visits.iter().zip(&oracle.visits) {
        visit_differences(ours, theirs, &mut lines);
    }
    lines
}

fn differ<T: PartialEq + std::fmt::Debug>(row: &str, field: &str, fold: &T, oracle: &T, lines: &mut Vec<String>) {
    if fold != oracle {
        lines.push(format!("{row} {field}: fold {fold:?}, oracle {oracle:?}"));
    }
}

macro_rules! compare_fields {
    ($row:expr, $fold:expr, $oracle:expr, $lines:expr; $($field:ident)*) => {
        $(differ($row, stringify!($field), &$fold.$field, &$oracle.$field, $lines);)*
    };
}

fn shift_differences(fold: &ShiftResult, oracle: &ShiftResult, lines: &mut Vec<String>) {
    let row = format!("shift {}", oracle.started_at);
    compare_fields!(&row, fold, oracle, lines; technician_contact_id shift_date utc_offset_minutes started_at ended_at closed_at
        visits jobs anomalies finality);
    let (near, far) = (fold.distance_meters_lower_bound, oracle.distance_meters_lower_bound);
    if (near - far).abs() > 1e-6 * (1.0 + far.abs()) {
        lines.push(format!("{row} distance: fold {near}, oracle {far}"));
    }
    duration_differences(&row, &fold.durations, &oracle.durations, lines);
    let dates = |s: &ShiftResult| s.days.iter().map(|d| d.local_date).collect::<Vec<_>>();
    differ(&row, "dates", &dates(fold), &dates(oracle), lines);
    for (ours, theirs) in fold.days.iter().zip(&oracle.days) {
        let row = format!("{row} day {}", theirs.local_date);
        compare_fields!(&row, ours, theirs, lines; completed_visits anomalies);
        duration_differences(&row, &ours.durations, &theirs.durations, lines);
    }
}

fn duration_differences(
    row: &str,
    fold: &fieldline_schemas::results::ShiftDurations,
    oracle: &fieldline_schemas::results::ShiftDurations,
    lines: &mut Vec<String>,
) {
    compare_fields!(row, fold, oracle, lines; shift travel travel_net work pause r#break site_wait site_wrap on_site emergency
        stop idle);
}

fn visit_differences(fold: &VisitRow, oracle: &VisitRow, lines: &mut Vec<String>) {
    let row = format!("visit v{}", oracle.visit_id.as_bytes()[0]);
    compare_fields!(&row, fold, oracle, lines; shift_id attendances travel_started_at arrived_at left_at completed_at travel on_site
        site_wait work pause wrap anomalies finality);
}

//! The oracle's rows as the views would show them.

use super::facts::Known;
use super::views::{DAYS, Row, SHIFTS, Table, VISITS, key_of};
use crate::{order, rows, walk};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::ids::{TechnicianId, VisitId};
use fieldline_schemas::results::{Finality, Measure, Quality, ShiftDurations, ShiftResult};
use fieldline_schemas::{Anomalies, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Expected {
    pub shifts: Table,
    pub visits: Table,
    pub days: Table,
}

/// Computes everything by brute force, as it stands at `clock`.
pub fn expected(known: &BTreeMap<TechnicianId, Known>, clock: Timestamp) -> Expected {
    let definition = Definition::default();
    let mut expected = Expected::default();
    for (technician, known) in known {
        let facts = known.facts(*technician);
        let events = order::standing(facts.activities);
        let walked = walk::walk(&events, &facts, &definition);
        let shifts = rows::shift_rows(&events, &walked, &facts, clock, &definition);
        for visit in rows::visit_rows(&events, &walked, clock, &definition) {
            let row = visit_row(*technician, &visit);
            expected.visits.insert(key_of(&VISITS, &row), row);
        }
        let mut by_date: BTreeMap<i32, Vec<&ShiftResult>> = BTreeMap::new();
        for shift in &shifts {
            let row = shift_row(shift);
            expected.shifts.insert(key_of(&SHIFTS, &row), row);
            shift.days.iter().for_each(|day| by_date.entry(day.local_date).or_default().push(shift));
        }
        for (date, shifts) in by_date {
            let row = day_row(*technician, date, &shifts);
            expected.days.insert(key_of(&DAYS, &row), row);
        }
    }
    expected
}

fn put(row: &mut Row, name: &str, value: impl ToString) {
    row.insert(name.to_owned(), value.to_string());
}

fn put_measure(row: &mut Row, name: &str, measure: Measure) {
    put(row, &format!("{name}_seconds"), or_null(measure.value_us.map(seconds)));
    put(row, &format!("{name}_seconds_lo"), seconds(measure.lo_us));
    put(row, &format!("{name}_seconds_hi"), or_null(measure.hi_us.map(seconds)));
    put(row, &format!("{name}_seconds_quality"), measure.quality.symbol());
}

fn or_null(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "\\N".to_owned())
}

/// Microseconds as ClickHouse writes Decimal(18, 6): without zeros at the end.
fn seconds(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", us.abs() / 1_000_000, us.abs() % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn time(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_micros(at.0).unwrap().format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn date(days: i32) -> String {
    chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0).unwrap().format("%Y-%m-%d").to_string()
}

fn codes(anomalies: Anomalies) -> String {
    let codes: BTreeSet<String> = anomalies.iter().map(|anomaly| format!("'{}'", anomaly.code())).collect();
    format!("[{}]", codes.into_iter().collect::<Vec<_>>().join(","))
}

type DurationOf = fn(&ShiftDurations) -> Measure;

const DURATIONS: [(&str, DurationOf); 12] = [
    ("shift", |d| d.shift),
    ("travel", |d| d.travel),
    ("travel_net", |d| d.travel_net),
    ("work", |d| d.work),
    ("pause", |d| d.pause),
    ("break", |d| d.r#break),
    ("site_wait", |d| d.site_wait),
    ("site_wrap", |d| d.site_wrap),
    ("on_site", |d| d.on_site),
    ("emergency", |d| d.emergency),
    ("stop", |d| d.stop),
    ("idle", |d| d.idle),
];

fn shift_row(shift: &ShiftResult) -> Row {
    let mut row = Row::new();
    put(&mut row, "technician_contact_id", shift.technician_contact_id);
    put(&mut row, "shift_id", shift.shift_id);
    put(&mut row, "shift_date", date(shift.shift_date));
    put(&mut row, "utc_offset_minutes", shift.utc_offset_minutes);
    put(&mut row, "started_at", time(shift.started_at));
    put(&mut row, "ended_at", or_null(shift.ended_at.map(time)));
    DURATIONS.iter().for_each(|(name, of)| put_measure(&mut row, name, of(&shift.durations)));
    put(&mut row, "visits", shift.visits);
    put(&mut row, "jobs", shift.jobs);
    let d = &shift.durations;
    let attended = d.shift.value_us.zip(d.r#break.value_us).map(|(shift, pause)| shift - pause);
    let moved_or_worked = d.work.value_us.zip(d.travel_net.value_us).map(|(work, travel)| work + travel);
    put(&mut row, "utilisation", ratio(moved_or_worked, attended));
    put(&mut row, "work_share", ratio(d.work.value_us, attended));
    put(&mut row, "travel_ratio", ratio(d.travel_net.value_us, moved_or_worked));
    put(&mut row, "distance_meters_lower_bound", shift.distance_meters_lower_bound);
    put(&mut row, "anomalies", codes(shift.anomalies));
    put(&mut row, "finality", shift.finality.symbol());
    row
}

fn ratio(over: Option<i64>, under: Option<i64>) -> String {
    or_null(over.zip(under).filter(|(_, under)| *under != 0).map(|(over, under)| (over as f64 / under as f64).to_string()))
}

fn visit_row(technician: TechnicianId, visit: &rows::VisitRow) -> Row {
    let mut row = Row::new();
    put(&mut row, "technician_contact_id", technician);
    put(&mut row, "visit_id", visit.visit_id);
    put(&mut row, "shift_id", or_null(visit.shift_id.map(|id| id.to_string())));
    put(&mut row, "attendances", visit.attendances);
    put(&mut row, "travel_started_at", or_null(visit.travel_started_at.map(time)));
    put(&mut row, "arrived_at", or_null(visit.arrived_at.map(time)));
    put(&mut row, "left_at", or_null(visit.left_at.map(time)));
    put(&mut row, "completed_at", or_null(visit.completed_at.map(time)));
    let durations = [
        ("travel", visit.travel),
        ("on_site", visit.on_site),
        ("site_wait", visit.site_wait),
        ("work", visit.work),
        ("pause", visit.pause),
        ("wrap", visit.wrap),
    ];
    durations.into_iter().for_each(|(name, measure)| put_measure(&mut row, name, measure));
    put(&mut row, "completed", visit.completed_at.is_some());
    put(&mut row, "anomalies", codes(visit.anomalies));
    put(&mut row, "finality", visit.finality.symbol());
    row
}

/// The parts of a technician's shifts that lie on one date, added up.
fn day_row(technician: TechnicianId, day: i32, shifts: &[&ShiftResult]) -> Row {
    let parts: Vec<_> = shifts.iter().flat_map(|shift| shift.days.iter().filter(|part| part.local_date == day)).collect();
    let mut row = Row::new();
    put(&mut row, "technician_contact_id", technician);
    put(&mut row, "local_date", date(day));
    put(&mut row, "shifts", shifts.len());
    let jobs: BTreeSet<VisitId> = parts.iter().flat_map(|part| part.completed_visits.iter().copied()).collect();
    put(&mut row, "jobs", jobs.len());
    for (name, of) in DURATIONS {
        let mut sum = Measure::ZERO;
        for measure in parts.iter().map(|part| of(&part.durations)) {
            sum.lo_us += measure.lo_us;
            sum.hi_us = sum.hi_us.zip(measure.hi_us).map(|(a, b)| a + b);
            sum.quality = sum.quality.max(measure.quality);
        }
        sum.value_us = (sum.quality == Quality::Observed).then_some(sum.lo_us);
        put_measure(&mut row, name, sum);
    }
    put(&mut row, "anomalies", codes(parts.iter().fold(Anomalies::NONE, |all, part| all.union(part.anomalies))));
    put(&mut row, "finality", shifts.iter().map(|shift| shift.finality).min().unwrap_or(Finality::Final).symbol());
    row
}

//! Weeks of technicians and teams: across a year's end, a summer time, a Sunday's midnight.

use crate::results::{between, codes, minutes, no_durations, shift, stamp};
use crate::setup::{Random, TestDatabase, at, event, technician, visit};
use fieldline_schemas::Anomaly;
use fieldline_schemas::events::{Contact, ContactKind};
use fieldline_schemas::ids::{ContactId, EventId};
use fieldline_schemas::results::{Finality, Measure, Quality, ShiftDay, ShiftDurations, ShiftResult};
use fieldline_sinks_rows::{ContactRows, Position, ShiftRows};
use std::collections::{BTreeMap, BTreeSet};

/// 2026-12-27, a Sunday, as days since 1970.
const SUNDAY: i32 = 20_814;

fn day(local_date: i32, durations: ShiftDurations, completed: &[u8], anomalies: &[Anomaly]) -> ShiftDay {
    ShiftDay { local_date, durations, completed_visits: completed.iter().map(|v| visit(*v)).collect(), anomalies: codes(anomalies) }
}

fn lasting(length: Measure) -> ShiftDurations {
    ShiftDurations { shift: length, idle: length, ..no_durations() }
}

fn worked(length: i64, work: i64, travel: i64, pause: i64) -> ShiftDurations {
    ShiftDurations {
        shift: minutes(length),
        work: minutes(work),
        travel_net: minutes(travel),
        r#break: minutes(pause),
        idle: minutes(length - work - travel - pause),
        ..no_durations()
    }
}

fn store(test: &TestDatabase, shifts: &[ShiftResult]) {
    let mut rows = ShiftRows::default();
    shifts.iter().for_each(|shift| rows.push(&stamp(10, None), at(0), shift));
    test.insert("shift_results", &rows);
}

#[test]
fn a_week_is_counted_once_whatever_midnight_it_crosses() {
    let test = TestDatabase::new("weeks");
    // From Sunday 22:00 to Monday 06:00: two weeks, 120 and 360 minutes; a visit completed in both parts.
    let night = ShiftResult {
        days: vec![day(SUNDAY, lasting(minutes(120)), &[1], &[Anomaly::A01]), day(SUNDAY + 1, lasting(minutes(360)), &[1, 2], &[])],
        ..shift(1)
    };
    // New Year's Eve to New Year's Day: one week, the 53rd of 2026.
    let eve = ShiftResult {
        days: vec![
            day(SUNDAY + 4, worked(120, 60, 30, 0), &[3], &[]),
            day(SUNDAY + 5, worked(360, 200, 70, 30), &[2, 3], &[Anomaly::A22i, Anomaly::A16]),
        ],
        ..shift(2)
    };
    // Saturday, still open: nothing of its length is observed, its work is.
    let open = ShiftResult {
        days: vec![day(
            SUNDAY + 6,
            ShiftDurations {
                shift: between(100, 500, Quality::Open),
                idle: between(10, 410, Quality::Open),
                travel: Measure { hi_us: None, ..between(0, 0, Quality::Open) },
                work: minutes(90),
                ..no_durations()
            },
            &[],
            &[],
        )],
        finality: Finality::Provisional,
        ..shift(3)
    };
    store(&test, &[night, eve, open]);
    test.check(
        "SELECT week_start, iso_year, iso_week, days, shifts, jobs, shift_seconds / 60, shift_seconds_lo / 60, shift_seconds_hi / 60, \
         shift_seconds_quality, shift_seconds_observed / 60, shift_seconds_coverage, anomalies, finality FROM technician_weeks ORDER BY week_start",
        &[
            "2026-12-21\t2026\t52\t1\t1\t1\t120\t120\t120\tobserved\t120\t1\t['A01']\tfinal",
            "2026-12-28\t2026\t53\t4\t3\t3\t\\N\t940\t1340\topen\t840\t0.75\t['A16','A22i']\tprovisional",
        ],
    );
    // Of the parts where shift, breaks, work and travel are observed: (260 + 100) / (360 + 120 + 360 - 30); the open shift's
    // work counts for travel / (travel + work) only.
    test.check(
        "SELECT work_seconds / 60, travel_seconds_hi, round(utilisation, 6), round(work_share, 6), utilisation_coverage, round(travel_ratio, 6), \
         travel_ratio_coverage FROM technician_weeks WHERE iso_week = 53",
        &["350\t\\N\t0.444444\t0.320988\t0.75\t0.222222\t1"],
    );
}

/// G2 and G3 of the domain: a week with 167 hours and one with 169 hold exactly what was worked in them.
#[test]
fn the_nights_of_summer_time_change_no_week() {
    let test = TestDatabase::new("weeks_dst");
    // Sunday 2026-03-29 and Sunday 2026-10-25 are the days of the change; the shifts began the evening before.
    let (spring, autumn) = (20_541, 20_751);
    let night = |number, sunday, after| ShiftResult {
        days: vec![day(sunday - 1, lasting(minutes(120)), &[], &[]), day(sunday, lasting(minutes(after)), &[], &[])],
        ..shift(number)
    };
    store(&test, &[night(1, spring, 300), night(2, autumn, 420)]);
    test.check(
        "SELECT week_start, iso_week, days, shifts, shift_seconds / 60 FROM technician_weeks ORDER BY week_start",
        &["2026-03-23\t13\t2\t1\t420", "2026-10-19\t43\t2\t1\t540"],
    );
}

/// Monday of the week and the number of the week, by counting from 2018-01-01, a Monday and the first day of its ISO year.
fn week_of(local_date: i32) -> (i32, u32) {
    let monday = local_date - (local_date - 17_532).rem_euclid(7);
    let mut first = 17_532;
    loop {
        // An ISO year has 53 weeks where its first or its last day is a Thursday.
        let year_of = |d: i32| chrono_year(d);
        let year = year_of(first + 3);
        let weeks = if year_of(first + 52 * 7 + 3) == year { 53 } else { 52 };
        if monday < first + weeks * 7 {
            return (monday, ((monday - first) / 7 + 1) as u32);
        }
        first += weeks * 7;
    }
}

/// The year of a day since 1970, by counting.
fn chrono_year(day: i32) -> i32 {
    let (mut year, mut left) = (1970, day);
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = if leap { 366 } else { 365 };
        if left < length {
            return year;
        }
        (year, left) = (year + 1, left - length);
    }
}

#[derive(Default)]
struct Week {
    days: BTreeSet<i32>,
    shifts: BTreeSet<[u8; 16]>,
    jobs: BTreeSet<[u8; 16]>,
    lo: i64,
    hi: i64,
    observed: i64,
    parts: u32,
    parts_observed: u32,
}

#[test]
fn weeks_of_random_shifts_equal_a_plain_count() {
    let test = TestDatabase::new("weeks_random");
    let mut random = Random(20_261_125);
    let mut weeks: BTreeMap<(u8, i32), Week> = BTreeMap::new();
    let mut shifts = Vec::new();
    for _ in 0..600 {
        let (who, id) = (random.below(6) as u8, random.id());
        // 2018 to 2027.
        let first = 17_532 + random.below(3_600) as i32;
        let mut days = Vec::new();
        for local_date in first..=first + random.below(2) as i32 {
            let (lo, more) = (random.below(600) as i64, random.below(100) as i64);
            let is_observed = random.below(3) > 0;
            let length = if is_observed { minutes(lo) } else { between(lo, lo + more, Quality::Imputed) };
            let completed: Vec<u8> = (0..random.below(3)).map(|_| random.below(5) as u8).collect();
            let week = weeks.entry((who, week_of(local_date).0)).or_default();
            week.days.insert(local_date);
            week.shifts.insert(id);
            week.jobs.extend(completed.iter().map(|v| *visit(*v).as_bytes()));
            (week.lo, week.hi) = (week.lo + lo, week.hi + if is_observed { lo } else { lo + more });
            week.observed += if is_observed { lo } else { 0 };
            (week.parts, week.parts_observed) = (week.parts + 1, week.parts_observed + u32::from(is_observed));
            days.push(day(local_date, lasting(length), &completed, &[]));
        }
        shifts.push(ShiftResult { technician_contact_id: technician(who), shift_id: EventId::from_bytes(id), days, ..shift(0) });
    }
    store(&test, &shifts);
    let expected: Vec<String> = weeks
        .iter()
        .map(|((who, monday), w)| {
            let whole = w.parts == w.parts_observed;
            let value = if whole { w.lo.to_string() } else { "\\N".to_owned() };
            format!(
                "{}\t{monday}\t{}\t{}\t{}\t{}\t{value}\t{}\t{}\t{}\t{}/{}",
                technician(*who),
                week_of(*monday).1,
                w.days.len(),
                w.shifts.len(),
                w.jobs.len(),
                w.lo,
                w.hi,
                w.observed,
                w.parts_observed,
                w.parts
            )
        })
        .collect();
    let lines = test.lines(
        "SELECT w.technician_contact_id, toInt32(week_start), iso_week, days, shifts, jobs, shift_seconds / 60, shift_seconds_lo / 60, shift_seconds_hi / 60, \
         shift_seconds_observed / 60, concat(toString(toUInt32(round(shift_seconds_coverage * p.parts))), '/', toString(p.parts)) \
         FROM technician_weeks AS w INNER JOIN (SELECT technician_contact_id, addDays(local_date, 1 - toDayOfWeek(local_date)) AS monday, count() AS parts \
         FROM (SELECT technician_contact_id, tupleElement(arrayJoin(days), 'local_date') AS local_date FROM shift_results FINAL) GROUP BY 1, 2) AS p \
         ON p.technician_contact_id = w.technician_contact_id AND p.monday = w.week_start ORDER BY toString(w.technician_contact_id), week_start",
    );
    assert_eq!(lines, expected);
    assert!(weeks.len() > 400, "{}", weeks.len());
}

#[test]
fn a_team_is_shown_from_five_technicians_on() {
    let test = TestDatabase::new("weeks_teams");
    let mut contacts = ContactRows::default();
    let mut offset = 0;
    let mut contact = |who: u8, revision, team: &'static str, kind| {
        offset += 1;
        let id = ContactId(technician(who).0);
        let contact = Contact { id, revision, display_name: None, team: Some(team.into()), kind };
        contacts.push(Position { partition: 0, offset, received_at: at(offset) }, 0, &contact);
    };
    for who in 1..=5 {
        contact(who, 0, "north", ContactKind::Technician);
    }
    for who in 6..=9 {
        contact(who, 0, "south", ContactKind::Technician);
    }
    contact(10, 0, "north", ContactKind::Technician);
    contact(10, 1, "south", ContactKind::Agent); // Moved to the desk: no technician of a team any more.
    test.insert("contacts_log", &contacts);
    let of = |who: u8, completed: &[u8]| ShiftResult {
        technician_contact_id: technician(who),
        days: vec![day(SUNDAY + 1, worked(480, 240, 60, 30), completed, &[])],
        ..shift(who)
    };
    let mut shifts: Vec<_> = (1..=10).map(|who| of(who, &[who, 1])).collect();
    shifts.push(ShiftResult { shift_id: event(50), ..of(1, &[]) });
    store(&test, &shifts);
    // North alone: 6 shifts of 5 technicians, 5 distinct visits.
    test.check(
        "SELECT team, week_start, iso_week, technicians, shifts, jobs, work_seconds_observed / 60, work_seconds_coverage, round(utilisation, 6), \
         planned_visits, on_time_rate, adherence FROM team_weeks",
        &["north\t2026-12-28\t53\t5\t6\t5\t1440\t1\t0.666667\t0\t\\N\t\\N"],
    );
}

//! Result tables and the views of shifts, visits and days: exact under duplicates, tombstones and late older rows.

use crate::setup::{TestDatabase, at, event, technician, visit};
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Quality, ShiftDay, ShiftDurations, ShiftResult, Stamp};
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp, Version};
use fieldline_sinks_rows::{EpisodeRows, ShiftRows};

pub fn stamp(offset: u64, cause: Option<u8>) -> Stamp {
    Stamp { version: Version::pack(0, 3, offset, 0).unwrap(), as_of: at(offset as i64), caused_by: cause.map(event) }
}

pub fn minutes(value: i64) -> Measure {
    Measure { value_us: Some(value * MINUTE_US), lo_us: value * MINUTE_US, hi_us: Some(value * MINUTE_US), quality: Quality::Observed }
}

pub fn between(lo: i64, hi: i64, quality: Quality) -> Measure {
    Measure { value_us: None, lo_us: lo * MINUTE_US, hi_us: Some(hi * MINUTE_US), quality }
}

pub fn codes(codes: &[Anomaly]) -> Anomalies {
    codes.iter().copied().collect()
}

/// G1 of the domain: 330 = travel 103 + work 163 + pause 10 + break 30 + wait 7 + wrap 7 + idle 10.
fn g1() -> ShiftDurations {
    ShiftDurations {
        shift: minutes(330),
        travel: minutes(103),
        travel_net: minutes(103),
        work: minutes(163),
        pause: minutes(10),
        r#break: minutes(30),
        site_wait: minutes(7),
        site_wrap: minutes(7),
        on_site: minutes(217),
        emergency: Measure::ZERO,
        stop: Measure::ZERO,
        idle: minutes(10),
    }
}

pub fn shift(number: u8) -> ShiftResult {
    ShiftResult {
        technician_contact_id: technician(1),
        shift_id: event(number),
        shift_date: 20_514,
        utc_offset_minutes: 60,
        started_at: at(0),
        ended_at: Some(at(330)),
        closed_at: at(330),
        durations: g1(),
        visits: 2,
        jobs: 2,
        distance_meters_lower_bound: 1234.5,
        anomalies: codes(&[Anomaly::A22i, Anomaly::A01]),
        finality: Finality::Final,
        days: Vec::new(),
    }
}

pub fn episode(number: u8, minute: i64) -> EpisodeResult {
    EpisodeResult {
        technician_contact_id: technician(1),
        visit_id: visit(1),
        first_event_id: event(number),
        first_event_at: at(minute),
        last_event_at: at(minute + 60),
        settles_at: at(minute + 60),
        is_loose: false,
        has_visit_event: true,
        has_travel: false,
        has_attendance: false,
        first_in_shift_at: None,
        shift_id: None,
        travel_started_at: None,
        arrived_at: None,
        left_at: None,
        completed_at: None,
        travel: Measure::UNKNOWN,
        on_site: Measure::UNKNOWN,
        site_wait: Measure::UNKNOWN,
        work: Measure::UNKNOWN,
        pause: Measure::UNKNOWN,
        wrap: Measure::UNKNOWN,
        anomalies: Anomalies::NONE,
        finality: Finality::Final,
    }
}

pub fn attended(number: u8, minute: i64) -> EpisodeResult {
    EpisodeResult {
        has_attendance: true,
        arrived_at: Some(at(minute)),
        left_at: Some(at(minute + 60)),
        on_site: minutes(60),
        site_wait: minutes(5),
        work: minutes(50),
        pause: Measure::ZERO,
        wrap: minutes(5),
        ..episode(number, minute)
    }
}

#[test]
fn a_shift_has_its_ratios_from_observed_values_only() {
    let test = TestDatabase::new("shifts");
    let mut open = shift(2);
    open.ended_at = None;
    open.durations.shift = between(330, 900, Quality::Open);
    open.durations.idle = between(10, 580, Quality::Open);
    let mut idle = shift(3);
    idle.durations = ShiftDurations { travel_net: Measure::ZERO, work: Measure::ZERO, shift: minutes(30), r#break: minutes(30), ..g1() };
    let mut rows = ShiftRows::default();
    for shift in [&shift(1), &open, &idle] {
        rows.push(&stamp(10, Some(9)), at(400), shift);
    }
    test.insert("shift_results", &rows);
    test.check(
        "SELECT shift_date, utc_offset_minutes, shift_seconds, shift_seconds_lo, shift_seconds_hi, shift_seconds_quality, \
         round(100 * utilisation, 2), round(100 * work_share, 2), round(100 * travel_ratio, 2), anomalies, finality, definition_version, \
         visits, jobs, distance_meters_lower_bound, caused_by FROM shifts ORDER BY shift_id",
        &[
            "2026-03-02\t60\t19800\t19800\t19800\tobserved\t88.67\t54.33\t38.72\t['A01','A22i']\tfinal\t3\t2\t2\t1234.5\t\
             e0090000-0000-4000-8000-000000000000",
            "2026-03-02\t60\t\\N\t19800\t54000\topen\t\\N\t\\N\t38.72\t['A01','A22i']\tfinal\t3\t2\t2\t1234.5\t\
             e0090000-0000-4000-8000-000000000000",
            "2026-03-02\t60\t1800\t1800\t1800\tobserved\t\\N\t\\N\t\\N\t['A01','A22i']\tfinal\t3\t2\t2\t1234.5\t\
             e0090000-0000-4000-8000-000000000000",
        ],
    );
}

#[test]
fn the_highest_version_stands_and_a_tombstone_is_for_good() {
    let test = TestDatabase::new("tombstones");
    let insert = |fill: &dyn Fn(&mut ShiftRows)| {
        let mut rows = ShiftRows::default();
        fill(&mut rows);
        test.insert("shift_results", &rows);
    };
    let versions = "SELECT shift_id, version FROM shifts ORDER BY shift_id";
    let row = |number: u8, offset: u64| format!("e00{number}0000-0000-4000-8000-000000000000\t{}", stamp(offset, None).version.0);
    insert(&|rows| {
        rows.push(&stamp(10, None), at(0), &shift(1));
        rows.push(&stamp(10, None), at(0), &shift(2));
    });
    insert(&|rows| rows.push(&stamp(30, None), at(1), &shift(1)));
    test.check(versions, &[&row(1, 30), &row(2, 10)]);
    // An older row that comes later, of a zombie or a retry.
    insert(&|rows| rows.push(&stamp(20, None), at(2), &shift(1)));
    test.check(versions, &[&row(1, 30), &row(2, 10)]);
    insert(&|rows| rows.push_tombstone(&stamp(40, None), at(3), technician(1), event(1)));
    test.check(versions, &[&row(2, 10)]);
    test.database.execute("OPTIMIZE TABLE shift_results FINAL").unwrap();
    // The merge must not have forgotten the tombstone.
    insert(&|rows| rows.push(&stamp(35, None), at(4), &shift(1)));
    test.check(versions, &[&row(2, 10)]);
    test.database.execute("OPTIMIZE TABLE shift_results FINAL").unwrap();
    test.check(versions, &[&row(2, 10)]);
    // Derived again: the void was taken back.
    insert(&|rows| rows.push(&stamp(50, None), at(5), &shift(1)));
    test.check(versions, &[&row(1, 50), &row(2, 10)]);
    test.check("SELECT count() FROM shifts WHERE technician_contact_id = '70020000-0000-4000-8000-000000000000'", &["0"]);
}

const VISIT: &str = "SELECT attendances, travel_seconds, travel_seconds_lo, travel_seconds_hi, travel_seconds_quality, on_site_seconds, \
     on_site_seconds_lo, on_site_seconds_hi, on_site_seconds_quality, work_seconds, work_seconds_quality, completed, anomalies, finality FROM visits";

#[test]
fn episodes_of_a_visit_add_up() {
    let test = TestDatabase::new("visits");
    let mut rows = EpisodeRows::default();
    // Travel and a first attendance, then a second one without travel: it adds nothing to travel.
    let first = EpisodeResult {
        has_travel: true,
        travel_started_at: Some(at(-30)),
        travel: minutes(30),
        first_event_at: at(-30),
        completed_at: Some(at(50)),
        anomalies: codes(&[Anomaly::A16, Anomaly::A29]),
        ..attended(1, 0)
    };
    let second = EpisodeResult {
        on_site: between(60, 90, Quality::Open),
        work: between(40, 70, Quality::Imputed),
        left_at: None,
        anomalies: codes(&[Anomaly::A12, Anomaly::A29]),
        first_in_shift_at: Some(at(100)),
        shift_id: Some(event(8)),
        finality: Finality::Provisional,
        ..attended(2, 100)
    };
    rows.push(&stamp(10, Some(1)), at(0), &first);
    rows.push(&stamp(20, Some(2)), at(0), &second);
    test.insert("episode_results", &rows);
    test.check(VISIT, &["2\t1800\t1800\t1800\tobserved\t\\N\t7200\t9000\topen\t\\N\timputed\ttrue\t['A12','A16','A29']\tprovisional"]);
    test.check(
        "SELECT travel_started_at, arrived_at, left_at, completed_at, shift_id, caused_by, definition_version, pause_seconds FROM visits",
        &["2026-03-02 07:30:00.000000\t2026-03-02 08:00:00.000000\t\\N\t2026-03-02 08:50:00.000000\t\
           e0080000-0000-4000-8000-000000000000\te0020000-0000-4000-8000-000000000000\t3\t0"],
    );

    // The first attendance is withdrawn: what is left has no travel_start, and the version does not fall.
    let mut rows = EpisodeRows::default();
    rows.push_tombstone(&stamp(30, Some(3)), at(0), technician(1), visit(1), event(1));
    test.insert("episode_results", &rows);
    test.check(VISIT, &["1\t\\N\t0\t\\N\topen\t\\N\t3600\t5400\topen\t\\N\timputed\tfalse\t['A12','A29']\tprovisional"]);
    test.check("SELECT version, caused_by FROM visits", &[&format!("{}\te0030000-0000-4000-8000-000000000000", stamp(30, None).version.0)]);
}

#[test]
fn null_is_not_zero() {
    let test = TestDatabase::new("null_or_zero");
    let mut rows = EpisodeRows::default();
    // Given up on the way: travel, no attendance.
    let given_up = EpisodeResult { has_travel: true, travel: between(5, 12, Quality::Open), ..episode(1, 0) };
    // Attended, nothing paused: pause is 0, not NULL.
    let no_travel = EpisodeResult { visit_id: visit(2), ..attended(2, 0) };
    // Only a break that carries the visit: no row at all.
    let tagged =
        EpisodeResult { visit_id: visit(3), is_loose: true, has_visit_event: false, anomalies: codes(&[Anomaly::A04]), ..episode(3, 0) };
    // A loose work event beside an attendance: its codes count, A29 does not, because it is not the earliest.
    let loose = EpisodeResult { visit_id: visit(2), is_loose: true, anomalies: codes(&[Anomaly::A10, Anomaly::A29]), ..episode(4, 300) };
    for row in [&given_up, &no_travel, &tagged, &loose] {
        rows.push(&stamp(10, None), at(0), row);
    }
    test.insert("episode_results", &rows);
    test.check(
        &format!("{VISIT} ORDER BY visit_id"),
        &[
            "0\t\\N\t300\t720\topen\t\\N\t0\t\\N\topen\t\\N\topen\tfalse\t[]\tfinal",
            "1\t\\N\t0\t\\N\topen\t3600\t3600\t3600\tobserved\t3000\tobserved\tfalse\t['A10']\tfinal",
        ],
    );
    test.check(
        "SELECT pause_seconds, pause_seconds_hi, pause_seconds_quality FROM visits ORDER BY visit_id",
        &["\\N\t\\N\topen", "0\t0\tobserved"],
    );
    test.check("SELECT shift_id, left_at FROM visits ORDER BY visit_id", &["\\N\t\\N", "\\N\t2026-03-02 09:00:00.000000"]);
}

/// Two attendances within one instant, the second of them open: whatever their ids, that one is the last.
#[test]
fn of_attendances_that_begin_together_the_open_one_is_the_last() {
    let test = TestDatabase::new("together");
    for (left, open) in [(1, 2), (2, 1)] {
        let mut rows = EpisodeRows::default();
        let left = EpisodeResult { left_at: Some(at(0)), last_event_at: at(0), visit_id: visit(left), ..attended(left, 0) };
        let open = EpisodeResult { left_at: None, last_event_at: at(0), visit_id: left.visit_id, ..attended(open, 0) };
        for row in [&left, &open] {
            rows.push(&stamp(10, None), at(0), row);
        }
        test.insert("episode_results", &rows);
    }
    test.check("SELECT attendances, left_at FROM visits", &["2\t\\N", "2\t\\N"]);
}

#[test]
fn days_are_cut_at_midnight_and_add_up() {
    let test = TestDatabase::new("days");
    let day = |local_date, length: i64, visits: &[u8], anomalies: &[Anomaly]| ShiftDay {
        local_date,
        durations: ShiftDurations { shift: minutes(length), idle: minutes(length), ..no_durations() },
        completed_visits: visits.iter().map(|v| visit(*v)).collect(),
        anomalies: codes(anomalies),
    };
    let mut first = shift(1);
    first.days = vec![day(20_514, 120, &[1, 2], &[Anomaly::A01]), day(20_515, 300, &[], &[])];
    let mut second = shift(2);
    second.finality = Finality::Provisional;
    let mut cut = day(20_515, 60, &[2, 3], &[Anomaly::A22i, Anomaly::A01]);
    cut.durations.work = between(10, 20, Quality::Imputed);
    second.days = vec![cut];
    let mut rows = ShiftRows::default();
    rows.push(&stamp(10, None), at(0), &first);
    rows.push(&stamp(20, None), at(0), &second);
    rows.push(&stamp(5, None), at(0), &shift(2));
    test.insert("shift_results", &rows);
    test.check(
        "SELECT local_date, shifts, jobs, shift_seconds, idle_seconds_hi, work_seconds, work_seconds_lo, work_seconds_hi, \
         work_seconds_quality, anomalies, finality FROM technician_days ORDER BY local_date",
        &[
            "2026-03-02\t1\t2\t7200\t7200\t0\t0\t0\tobserved\t['A01']\tfinal",
            "2026-03-03\t2\t2\t21600\t21600\t\\N\t600\t1200\timputed\t['A01','A22i']\tprovisional",
        ],
    );
}

pub fn no_durations() -> ShiftDurations {
    ShiftDurations {
        shift: Measure::ZERO,
        travel: Measure::ZERO,
        travel_net: Measure::ZERO,
        work: Measure::ZERO,
        pause: Measure::ZERO,
        r#break: Measure::ZERO,
        site_wait: Measure::ZERO,
        site_wrap: Measure::ZERO,
        on_site: Measure::ZERO,
        emergency: Measure::ZERO,
        stop: Measure::ZERO,
        idle: Measure::ZERO,
    }
}

#[test]
fn history_keeps_every_revision_and_its_first_publication() {
    let test = TestDatabase::new("history");
    let mut shifts = ShiftRows::default();
    shifts.push(&stamp(10, None), at(100), &shift(1));
    shifts.push(&stamp(20, None), at(200), &shift(1));
    // Published again after a crash of its processor: the first publication counts.
    shifts.push(&stamp(10, None), at(300), &shift(1));
    shifts.push_tombstone(&stamp(30, None), at(400), technician(1), event(1));
    test.insert("shift_results_history", &shifts);
    test.insert("shift_results_history", &shifts);
    test.check(
        "SELECT published_at, withdrawn, shift_seconds FROM shifts_history ORDER BY version",
        &["2026-03-02 09:40:00.000000\tfalse\t19800", "2026-03-02 11:20:00.000000\tfalse\t19800", "2026-03-02 14:40:00.000000\ttrue\t\\N"],
    );

    let mut rows = EpisodeRows::default();
    let mut push = |offset: u64, published: Timestamp, row: &EpisodeResult| rows.push(&stamp(offset, None), published, row);
    push(10, at(10), &EpisodeResult { on_site: between(0, 60, Quality::Open), left_at: None, ..attended(1, 0) });
    push(20, at(20), &attended(1, 0));
    push(30, at(30), &attended(2, 100));
    // Loose without a visit event, of a visit that never stood.
    push(30, at(30), &EpisodeResult { visit_id: visit(3), is_loose: true, has_visit_event: false, ..episode(3, 0) });
    rows.push_tombstone(&stamp(40, None), at(40), technician(1), visit(1), event(1));
    rows.push_tombstone(&stamp(50, None), at(50), technician(1), visit(1), event(2));
    test.insert("episode_results_history", &rows);
    test.insert("episode_results_history", &rows);
    test.check(
        "SELECT visit_id, published_at, withdrawn, attendances, on_site_seconds, on_site_seconds_hi FROM visits_history ORDER BY version",
        &[
            "50010000-0000-4000-8000-000000000000\t2026-03-02 08:10:00.000000\tfalse\t1\t\\N\t3600",
            "50010000-0000-4000-8000-000000000000\t2026-03-02 08:20:00.000000\tfalse\t1\t3600\t3600",
            "50010000-0000-4000-8000-000000000000\t2026-03-02 08:30:00.000000\tfalse\t2\t7200\t7200",
            "50010000-0000-4000-8000-000000000000\t2026-03-02 08:40:00.000000\tfalse\t1\t3600\t3600",
            "50010000-0000-4000-8000-000000000000\t2026-03-02 08:50:00.000000\ttrue\t0\t\\N\t\\N",
        ],
    );
}

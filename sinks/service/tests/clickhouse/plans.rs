//! Standing plans and what is computed with them, by hand.

use crate::results::{attended, between, no_durations, shift, stamp};
use crate::setup::{TestDatabase, at, event, technician, visit};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{ShiftPlan, VisitPlan};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Quality, ShiftResult};
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_sinks_rows::{EpisodeRows, Fact, FactRows, Position, ShiftRows};

/// Plans as they came, one offset after the other.
#[derive(Default)]
pub struct Plans {
    pub rows: FactRows,
    pub offset: i64,
}

impl Plans {
    fn place(&mut self) -> Position {
        self.offset += 1;
        Position { partition: 0, offset: self.offset, received_at: at(-2_000 + self.offset) }
    }
    fn shift(&mut self, plan: &ShiftPlan<'_>) {
        let place = self.place();
        self.rows.push(place, 0, Fact::ShiftPlan(plan), b"p");
    }
    pub fn visit(&mut self, plan: &VisitPlan<'_>) {
        let place = self.place();
        self.rows.push(place, 0, Fact::VisitPlan(plan), b"p");
    }
    /// Twice: a retry whose first attempt had succeeded.
    pub fn store(&self, test: &TestDatabase) {
        test.insert("technician_facts_log", &self.rows);
        test.insert("technician_facts_log", &self.rows);
    }
}

fn shift_plan(id: EventId, who: u8, start: Timestamp, end: Timestamp) -> ShiftPlan<'static> {
    ShiftPlan {
        id,
        revision: 0,
        voided: false,
        technician_contact_id: technician(who),
        planned_start: start,
        planned_end: end,
        lone_worker: false,
        time_zone: None,
    }
}

pub fn visit_plan(id: EventId, number: u8, window: (i64, i64)) -> VisitPlan<'static> {
    VisitPlan {
        id,
        revision: 0,
        voided: false,
        technician_contact_id: technician(1),
        visit_id: visit(number),
        window_start: at(window.0),
        window_end: at(window.1),
        promised_at: None,
        requested_at: None,
        job_id: None,
        priority: None,
        location: None,
        geofence_radius_meters: None,
    }
}

/// A shift from one minute to another; without an end it is known for `known` minutes and can last 24 hours.
pub fn worked(who: u8, number: u8, start: Timestamp, end: Result<Timestamp, i64>) -> ShiftResult {
    let length = match end {
        Ok(end) => {
            let us = end.since(start);
            Measure { value_us: Some(us), lo_us: us, hi_us: Some(us), quality: Quality::Observed }
        }
        Err(known) => between(known, 24 * 60, Quality::Open),
    };
    ShiftResult {
        technician_contact_id: technician(who),
        started_at: start,
        ended_at: end.ok(),
        closed_at: end.unwrap_or(start + DAY_US),
        durations: fieldline_schemas::results::ShiftDurations { shift: length, ..no_durations() },
        ..shift(number)
    }
}

fn store_shifts(test: &TestDatabase, shifts: &[ShiftResult]) {
    let mut rows = ShiftRows::default();
    shifts.iter().for_each(|shift| rows.push(&stamp(10, None), at(0), shift));
    test.insert("shift_results", &rows);
}

pub fn store_episodes(test: &TestDatabase, episodes: &[EpisodeResult]) {
    let mut rows = EpisodeRows::default();
    episodes.iter().for_each(|episode| rows.push(&stamp(10, None), at(0), episode));
    test.insert("episode_results", &rows);
}

/// Two ids whose order as bytes is not the order in which ClickHouse sorts its UUID type.
fn smaller_and_larger() -> (EventId, EventId) {
    let id = |first: u8, last: u8| EventId::from_bytes([first, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, last]);
    (id(1, 0xff), id(2, 0))
}

#[test]
fn the_highest_revision_of_a_plan_stands_and_a_void_withdraws_it() {
    let test = TestDatabase::new("plans_standing");
    let mut plans = Plans::default();
    let plan = |number, end| shift_plan(event(number), 1, at(0), at(end));
    plans.shift(&plan(1, 480));
    plans.shift(&plan(1, 500)); // Other content of one revision: the first in the log stands.
    plans.shift(&ShiftPlan { revision: 2, ..plan(2, 420) });
    plans.shift(&ShiftPlan { revision: 1, ..plan(2, 400) });
    plans.shift(&ShiftPlan { revision: 1, voided: true, ..plan(3, 480) });
    plans.shift(&plan(3, 480));
    plans.shift(&plan(4, 480));
    plans.shift(&ShiftPlan { voided: true, ..plan(4, 480) }); // A void wins its revision, whatever came first.
    plans.shift(&ShiftPlan { revision: 1, voided: true, ..plan(5, 480) });
    plans.shift(&ShiftPlan { revision: 2, ..plan(5, 360) }); // Restored.
    plans.shift(&shift_plan(event(1), 2, at(0), at(60))); // The same id under another technician is another plan.
    let (smaller, larger) = smaller_and_larger();
    plans.visit(&visit_plan(larger, 1, (0, 60)));
    plans.visit(&visit_plan(smaller, 1, (0, 90)));
    plans.visit(&visit_plan(event(1), 2, (0, 30))); // A shift plan of the same id is no rival.
    plans.store(&test);
    test.check(
        "SELECT technician_contact_id = '70010000-0000-4000-8000-000000000000' AS first, revision, planned_seconds / 60 \
         FROM shift_plans ORDER BY first DESC, id",
        &["1\t0\t480", "1\t2\t420", "1\t2\t360", "0\t0\t60"],
    );
    test.check(
        "SELECT visit_id = '50010000-0000-4000-8000-000000000000' AS first, dateDiff('minute', window_start, window_end), counts \
         FROM visit_plans ORDER BY first DESC, UUIDToNum(id)",
        &["1\t90\ttrue", "1\t60\tfalse", "0\t30\ttrue"],
    );

    // The smaller one is withdrawn: the other counts.
    plans.visit(&VisitPlan { revision: 1, voided: true, ..visit_plan(smaller, 1, (0, 90)) });
    plans.store(&test);
    test.check("SELECT dateDiff('minute', window_start, window_end) FROM visit_plans WHERE counts ORDER BY visit_id", &["60", "30"]);
}

/// G6 of the domain: 480 minutes planned, 450 of them worked, 65 of overtime.
#[test]
fn adherence_and_conformance_of_the_golden_day() {
    let test = TestDatabase::new("plans_g6");
    let mut plans = Plans::default();
    plans.shift(&shift_plan(event(1), 1, at(0), at(480)));
    plans.store(&test);
    store_shifts(&test, &[worked(1, 2, at(30), Ok(at(545)))]);
    for view in ["shift_adherence", "plan_adherence", "adherence_days"] {
        test.check(
            &format!(
                "SELECT scheduled_seconds / 60, inside_seconds / 60, overtime_seconds / 60, round(100 * adherence, 2), round(100 * conformance, 2) FROM {view}"
            ),
            &["480\t450\t65\t82.57\t107.29"],
        );
    }
    test.check(
        "SELECT late_start_seconds / 60, early_end_seconds / 60, plan_shifts, finality FROM shift_adherence",
        &["30\t-65\t1\tfinal"],
    );
}

#[test]
fn the_plan_of_a_shift_is_the_nearest_that_fits() {
    let test = TestDatabase::new("plans_of_shifts");
    let mut plans = Plans::default();
    let (smaller, larger) = smaller_and_larger();
    let fits = |who, offset_us: i64| shift_plan(event(who), who, at(0) + offset_us, at(480));
    plans.shift(&fits(1, 4 * HOUR_US)); // The shift begins exactly 4 hours before: it fits.
    plans.shift(&fits(2, 4 * HOUR_US + 1));
    plans.shift(&shift_plan(event(3), 3, at(-480), at(0))); // Begins when the plan is over: it does not.
    plans.shift(&shift_plan(event(4), 4, at(-480), at(0) + 1));
    plans.shift(&shift_plan(larger, 5, at(-30), at(480)));
    plans.shift(&shift_plan(smaller, 5, at(30), at(480))); // As near: the smaller id.
    plans.shift(&shift_plan(smaller, 6, at(-31), at(480)));
    plans.shift(&shift_plan(larger, 6, at(30), at(480))); // Nearer, though its id is larger.
    plans.shift(&shift_plan(event(7), 7, at(-14 * 24 * 60), at(14 * 24 * 60))); // Weeks long.
    plans.shift(&shift_plan(event(8), 8, at(60), at(30))); // The wrong way round: it fits, and nothing can be divided by it.
    plans.store(&test);
    store_shifts(&test, &(1..=9).map(|who| worked(who, who, at(0), Ok(at(480)))).collect::<Vec<_>>());
    test.check(
        "SELECT left(toString(technician_contact_id), 4), ifNull(left(toString(plan_id), 4), '-'), late_start_seconds / 60, inside_seconds / 60, \
         overtime_seconds / 60, adherence FROM (SELECT * REPLACE (round(adherence, 4) AS adherence) FROM shift_adherence) ORDER BY shift_id",
        &[
            "7001\te001\t-240\t240\t240\t0.5",
            "7002\t-\t\\N\t\\N\t\\N\t\\N",
            "7003\t-\t\\N\t\\N\t\\N\t\\N",
            "7004\te004\t480\t0\t479.999999\t0",
            "7005\t0100\t-30\t450\t30\t0.9375",
            "7006\t0200\t-30\t450\t30\t0.9375",
            "7007\te007\t20160\t480\t0\t0.0119",
            "7008\te008\t-60\t0\t480\t\\N",
            "7009\t-\t\\N\t\\N\t\\N\t\\N",
        ],
    );
}

/// Some systems write the end of the calendar where a plan has none.
#[test]
fn plans_without_an_end_cost_no_more_than_others() {
    let test = TestDatabase::new("plans_sentinel");
    let mut plans = Plans::default();
    let never = Timestamp(10_413_705_600_000_000); // 2299-12-31
    for number in 0..2_000_u128 {
        plans.shift(&shift_plan(EventId::from_bytes((1 + number).to_be_bytes()), (number % 100) as u8, at(60), never));
    }
    plans.store(&test);
    store_shifts(&test, &[worked(1, 1, at(0), Ok(at(480))), worked(200, 2, at(0), Ok(at(480)))]);
    test.check("SELECT plan_id IS NOT NULL FROM shift_adherence ORDER BY shift_id", &["1", "0"]);
}

#[test]
fn a_shift_without_end_and_several_shifts_of_one_plan() {
    let test = TestDatabase::new("plans_open");
    let mut plans = Plans::default();
    for who in 1..=4 {
        plans.shift(&shift_plan(event(who), who, at(0), at(480)));
    }
    plans.store(&test);
    store_shifts(
        &test,
        &[
            // Open: 300 to 1,440 minutes from -60 on.
            worked(1, 1, at(-60), Err(300)),
            // Two halves with an hour between them, the second until 500.
            worked(2, 2, at(-10), Ok(at(200))),
            worked(2, 3, at(260), Ok(at(500))),
            // The second half has no end: the plan is not scored.
            worked(3, 4, at(0), Ok(at(200))),
            worked(3, 5, at(260), Err(60)),
        ],
    );
    test.check(
        "SELECT inside_seconds, inside_seconds_lo / 60, inside_seconds_hi / 60, overtime_seconds, overtime_seconds_lo / 60, \
         overtime_seconds_hi / 60, adherence, early_end_seconds FROM shift_adherence WHERE shift_id = 'e0010000-0000-4000-8000-000000000000'",
        &["\\N\t240\t480\t\\N\t60\t960\t\\N\t\\N"],
    );
    test.check(
        "SELECT shifts, scored, inside_seconds / 60, overtime_seconds / 60, round(100 * adherence, 2), round(100 * conformance, 2), \
         plan_passed, finality FROM plan_adherence ORDER BY plan_id",
        &[
            "1\t0\t\\N\t\\N\t\\N\t\\N\tfalse\tfinal",
            // 420 / (480 + 30), 450 / 480.
            "2\t2\t420\t30\t82.35\t93.75\tfalse\tfinal",
            "2\t1\t\\N\t\\N\t\\N\t\\N\tfalse\tfinal",
            // Nobody came, or nobody said so.
            "0\t0\t\\N\t\\N\t\\N\t\\N\tfalse\tprovisional",
        ],
    );
    test.check(
        "SELECT plans, scored, scheduled_seconds / 60, inside_seconds / 60, overtime_seconds / 60, round(100 * adherence, 2), \
         scored_share, unplanned_shifts FROM adherence_days ORDER BY technician_contact_id",
        &["1\t0\t0\t0\t0\t\\N\t0\t0", "1\t1\t480\t420\t30\t82.35\t1\t0", "1\t0\t0\t0\t0\t\\N\t0\t0"],
    );
}

#[test]
fn arrivals_are_early_on_time_late_or_unscored() {
    let test = TestDatabase::new("plans_arrivals");
    let mut plans = Plans::default();
    let asked = |number, minutes| VisitPlan { requested_at: Some(at(minutes)), ..visit_plan(event(number), number, (60, 120)) };
    plans.visit(&asked(1, -1_440)); // Arrives exactly at the end of the window.
    plans.visit(&asked(2, 119)); // A microsecond later.
    plans.visit(&asked(3, 30)); // Early, at 20: before the customer asked.
    plans.visit(&visit_plan(event(4), 4, (60, 120))); // Only work_started was sent.
    plans.visit(&visit_plan(event(5), 5, (60, 120))); // Nobody came.
    plans.visit(&visit_plan(event(6), 6, (60, 90))); // Two attendances; the first counts.
    plans.visit(&VisitPlan { revision: 1, window_end: at(100), ..visit_plan(event(6), 6, (60, 90)) });
    plans.visit(&visit_plan(event(7), 7, (0, 1))); // Withdrawn after the fact.
    plans.visit(&VisitPlan { revision: 1, voided: true, ..visit_plan(event(7), 7, (0, 1)) });
    plans.store(&test);
    let arrives = |number, arrived: Option<Timestamp>, first: u8| EpisodeResult {
        visit_id: visit(number),
        arrived_at: arrived,
        ..attended(first, 60)
    };
    store_episodes(
        &test,
        &[
            arrives(1, Some(at(120)), 1),
            EpisodeResult { finality: Finality::Provisional, ..arrives(2, Some(at(120) + 1), 2) },
            arrives(3, Some(at(20)), 3),
            arrives(4, None, 4),
            arrives(6, Some(at(100)), 5),
            arrives(6, Some(at(300)), 6),
            arrives(7, Some(at(100)), 7),
            arrives(8, Some(at(100)), 8), // No plan: no row.
        ],
    );
    test.check(
        "SELECT arrival, on_time, early, late_seconds, response_seconds, attended, window_passed, finality FROM visit_punctuality ORDER BY visit_id",
        &[
            "on_time\ttrue\tfalse\t0\t93600\ttrue\tfalse\tfinal",
            "late\tfalse\tfalse\t0.000001\t60.000001\ttrue\tfalse\tprovisional",
            "early\ttrue\ttrue\t0\t\\N\ttrue\tfalse\tfinal",
            "unscored\t\\N\t\\N\t\\N\t\\N\ttrue\tfalse\tfinal",
            "unscored\t\\N\t\\N\t\\N\t\\N\tfalse\tfalse\tprovisional",
            "on_time\ttrue\tfalse\t0\t\\N\ttrue\tfalse\tfinal",
        ],
    );
    const DAY: &str = "SELECT window_date, planned_visits, scored, unscored, missed, early, on_time, late, on_time_rate, round(scored_share, 4), \
         responses, response_seconds, round(median_response_seconds, 3) FROM punctuality_days";
    test.check(DAY, &["2026-03-02\t6\t4\t2\t0\t1\t2\t1\t0.75\t0.6667\t2\t93660.000001\t46830"]);
    // The log's clock passes the windows: who was nowhere has missed his.
    let mut later = Plans { offset: 20_000, ..Plans::default() };
    later.shift(&shift_plan(event(9), 2, at(0), at(1)));
    later.store(&test);
    test.check("SELECT at > toDateTime64('2026-03-10 00:00:00', 6, 'UTC') FROM log_clock", &["1"]);
    test.check("SELECT missed, unscored FROM punctuality_days", &["1\t2"]);
}

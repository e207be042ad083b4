//! Jobs: whether somebody had to go there again.

use crate::plans::{Plans, store_episodes, visit_plan, worked};
use crate::results::{attended, episode, stamp};
use crate::setup::{TestDatabase, at, event, technician, visit};
use fieldline_schemas::events::VisitPlan;
use fieldline_schemas::ids::JobId;
use fieldline_schemas::results::{EpisodeResult, Finality};
use fieldline_sinks_rows::ShiftRows;

#[test]
fn a_job_is_fixed_first_time_where_nobody_comes_back() {
    let test = TestDatabase::new("plans_jobs");
    let job = |number: u8| Some(JobId::from_bytes([number; 16]));
    let mut plans = Plans::default();
    let mut serves =
        |plan_of: u8, number: u8| plans.visit(&VisitPlan { job_id: job(plan_of), ..visit_plan(event(number), number, (0, 1)) });
    let seen = |number: u8, minute: i64, completed: Option<i64>| EpisodeResult {
        visit_id: visit(number),
        completed_at: completed.map(at),
        ..attended(number, minute)
    };
    const WEEK: i64 = 7 * 24 * 60;
    let mut episodes = Vec::new();
    // 1: once, completed.
    serves(1, 1);
    episodes.push(seen(1, 0, Some(50)));
    // 2: back exactly 7 days after the completion: within 7 days.
    serves(2, 2);
    serves(2, 3);
    episodes.push(seen(2, 0, Some(50)));
    episodes.push(seen(3, 50 + WEEK, Some(60 + WEEK)));
    // 3: back a minute later than that: fixed within 7 days, not within 14.
    serves(3, 4);
    serves(3, 5);
    episodes.push(seen(4, 0, Some(50)));
    episodes.push(seen(5, 51 + WEEK, None));
    // 4: not completed at the first visit, though at the second.
    serves(4, 6);
    serves(4, 7);
    episodes.push(seen(6, 0, None));
    episodes.push(seen(7, 3 * WEEK, Some(10 + 3 * WEEK)));
    // 5: the first visit goes on.
    serves(5, 8);
    episodes.push(EpisodeResult { left_at: None, finality: Finality::Provisional, ..seen(8, 0, None) });
    // 6: planned, nobody came. 7: planned twice, the second visit never took place.
    serves(6, 9);
    serves(7, 10);
    serves(7, 11);
    episodes.push(seen(10, 0, Some(5)));
    episodes.push(EpisodeResult { has_travel: true, ..episode(11, 100) });
    // 8: two technicians at one visit, two attendances each: one visit.
    serves(8, 12);
    for (first, who) in [(12, 1), (13, 1), (14, 2)] {
        let minute = i64::from(first) * 10;
        let row = EpisodeResult { technician_contact_id: technician(who), visit_id: visit(12), ..seen(first, minute, Some(minute + 5)) };
        episodes.push(row);
    }
    // 9: over and final without a completion. 10: an arrival that nobody sent counts from the visit's first event.
    serves(9, 15);
    episodes.push(seen(15, 0, None));
    serves(10, 16);
    serves(10, 17);
    episodes.push(EpisodeResult { arrived_at: None, ..seen(16, 0, Some(20)) });
    episodes.push(seen(17, 2 * WEEK, None));
    // 11: interrupted, and done on the same trip: somebody is there again less than 8 hours after the last event.
    // 12: done after a night. 13: done, and somebody comes again a week later: fixed within 7 days, not within 14.
    let again = |visited: u8, first: u8, from: i64, until: i64, completed: Option<i64>| EpisodeResult {
        visit_id: visit(visited),
        first_event_id: event(first),
        last_event_at: at(until),
        ..seen(first, from, completed)
    };
    const GAP: i64 = 8 * 60;
    serves(11, 18);
    episodes.push(again(18, 18, 0, 60, None));
    episodes.push(again(18, 19, 60 + GAP - 1, 70 + GAP, Some(65 + GAP)));
    serves(12, 20);
    episodes.push(again(20, 20, 0, 60, None));
    // A colleague who stayed on: the night begins when the last one is gone.
    episodes.push(EpisodeResult { technician_contact_id: technician(2), ..again(20, 22, 30, 90, None) });
    episodes.push(again(20, 21, 90 + GAP, 100 + GAP, Some(95 + GAP)));
    serves(13, 23);
    episodes.push(again(23, 23, 0, 60, Some(50)));
    episodes.push(again(23, 24, 51 + WEEK, 60 + WEEK, Some(55 + WEEK)));
    plans.store(&test);
    store_episodes(&test, &episodes);
    const JOBS: &str = "SELECT reinterpretAsUInt8(UUIDToNum(job_id)), visits_planned, visits_attended, attendances, \
         dateDiff('minute', toDateTime64('2026-03-02 08:00:00', 6, 'UTC'), started_at), fixed_first_time_7d, fixed_first_time_14d, \
         fixed_first_time_30d, finality_7d FROM job_fixes ORDER BY toString(job_id)";
    let expected = [
        "1\t1\t1\t1\t0\ttrue\ttrue\ttrue\tprovisional",
        "2\t2\t2\t1\t0\tfalse\tfalse\tfalse\tprovisional",
        "3\t2\t2\t1\t0\ttrue\tfalse\tfalse\tprovisional",
        "4\t2\t2\t1\t0\tfalse\tfalse\tfalse\tfinal",
        "5\t1\t1\t1\t0\t\\N\t\\N\t\\N\tprovisional",
        "6\t1\t0\t0\t\\N\t\\N\t\\N\t\\N\tprovisional",
        "7\t2\t1\t1\t0\ttrue\ttrue\ttrue\tprovisional",
        "8\t1\t1\t3\t120\ttrue\ttrue\ttrue\tprovisional",
        "9\t1\t1\t1\t0\tfalse\tfalse\tfalse\tfinal",
        "10\t2\t2\t1\t0\ttrue\tfalse\tfalse\tprovisional",
        "11\t1\t1\t2\t0\ttrue\ttrue\ttrue\tprovisional",
        "12\t1\t1\t2\t0\tfalse\tfalse\tfalse\tfinal",
        "13\t1\t1\t1\t0\ttrue\tfalse\tfalse\tprovisional",
    ];
    test.check(JOBS, &expected);
    test.check(
        "SELECT trips, substring(toString(next_visit_id), 3, 2), dateDiff('minute', toDateTime64('2026-03-02 08:00:00', 6, 'UTC'), next_started_at), \
         fixed_at IS NULL FROM job_fixes WHERE trips > visits_attended ORDER BY toString(job_id)",
        &["2\t14\t570\t1", "2\t17\t10131\t0"],
    );
    test.check(
        "SELECT month, window_days, jobs, scored, provisional, fixed, round(first_time_fix_rate, 4) FROM first_time_fixes ORDER BY window_days",
        &["2026-03-01\t7\t12\t11\t8\t7\t0.6364", "2026-03-01\t14\t12\t11\t8\t4\t0.3636", "2026-03-01\t30\t12\t11\t8\t4\t0.3636"],
    );

    // 7 days after the completion, by the clock of the log and not a minute before.
    for (minute, finality) in [(50 + WEEK, "provisional"), (51 + WEEK, "final")] {
        let mut row = ShiftRows::default();
        row.push(&stamp(minute as u64, None), at(0), &worked(1, 1, at(0), Ok(at(1))));
        test.insert("shift_results", &row);
        test.check(
            "SELECT finality_7d, finality_14d FROM job_fixes WHERE job_id = '01010101-0101-0101-0101-010101010101'",
            &[&format!("{finality}\tprovisional")],
        );
    }
    // The plan of the job's second visit is amended to another job: the first is fixed after all.
    let mut later = Plans { offset: 1_000, ..Plans::default() };
    later.visit(&VisitPlan { revision: 1, job_id: job(20), ..visit_plan(event(3), 3, (0, 1)) });
    later.store(&test);
    test.check("SELECT fixed_first_time_7d FROM job_fixes WHERE job_id = '02020202-0202-0202-0202-020202020202'", &["true"]);
    test.check("SELECT count() FROM job_fixes WHERE job_id = '14141414-1414-1414-1414-141414141414' AND fixed_first_time_7d", &["1"]);
}

//! The KPIs of plans over a generated seven weeks, through the whole pipeline and in no order at all: late, doubled, amended
//! and voided plans and events. What is expected is computed a second time from what is true in the end.

mod generator;
mod truth;

use crate::setup::{MORNING, Random};
use crate::world::{World, activity, visit};
use fieldline_schemas::AnyRecord;
use fieldline_schemas::events::ActivityType::ShiftEnd;
use fieldline_schemas::events::{ShiftPlan, VisitPlan};
use fieldline_schemas::ids::JobId;
use fieldline_schemas::time::{DAY_US, HOUR_US, SECOND_US};
use generator::Generator;
use truth::{Truth, sorted};

const DAYS: i64 = 49;
const TECHNICIANS: u128 = 4;

#[track_caller]
fn check(truth: &Truth, world: &World) {
    world.settle();
    const SHIFTS: &str = "SELECT technician_contact_id, shift_id, ifNull(toString(plan_id), '-'), plan_shifts, toInt64(inside_seconds * 1000000), \
         toInt64(overtime_seconds * 1000000), toInt64(inside_seconds_lo * 1000000), toInt64(overtime_seconds_lo * 1000000), \
         toInt64(inside_seconds_hi * 1000000), toInt64(overtime_seconds_hi * 1000000), toDecimalString(adherence, 9) FROM shift_adherence";
    const PLANS: &str = "SELECT plan_id, shifts, scored, toInt64(inside_seconds * 1000000), toInt64(overtime_seconds * 1000000), \
         toDecimalString(adherence, 9), toDecimalString(conformance, 9) FROM plan_adherence";
    const VISITS: &str = "SELECT technician_contact_id, visit_id, plan_id, arrival, toInt64(late_seconds * 1000000), \
         toInt64(toDecimal128(response_seconds, 6) * 1000000) FROM visit_punctuality";
    const JOBS: &str = "SELECT job_id, visits_planned, visits_attended, trips, fixed_first_time_7d, finality_7d, fixed_first_time_14d, finality_14d, \
         fixed_first_time_30d, finality_30d FROM job_fixes";
    let lines = |sql: &str| sorted(world.test.lines(sql));
    assert_same(&lines(SHIFTS), &truth.adherence());
    assert_same(&lines(PLANS), &truth.plans_kept());
    assert_same(&lines(VISITS), &truth.punctuality());
    let is_final = |line: &String| line.split_once('\t').map(|(of, value)| (of.to_owned(), value == "1")).unwrap();
    let finals = world.test.lines("SELECT visit_id, min(finality = 'final') FROM visits GROUP BY visit_id").iter().map(is_final).collect();
    let clock: i64 = world.test.lines("SELECT toUnixTimestamp64Micro(at) FROM log_clock")[0].parse().unwrap();
    assert_same(&lines(JOBS), &truth.fixes(&finals, clock));
}

#[track_caller]
fn assert_same(stored: &[String], expected: &[String]) {
    assert_eq!(stored.len(), expected.len(), "stored {stored:#?}\nexpected {expected:#?}");
    for (stored, expected) in stored.iter().zip(expected) {
        assert_eq!(stored, expected);
    }
}

#[test]
fn plan_kpis_equal_a_second_computation_whatever_the_order() {
    let mut world = World::new("plans_generated", MORNING + DAYS * DAY_US);
    let mut generator = Generator { random: Random(61), truth: Truth::default(), records: Vec::new(), ids: 0 };
    for who in 1..=TECHNICIANS {
        for day in 0..DAYS - 1 {
            if generator.chance(60) {
                generator.day(who, MORNING + day * DAY_US);
            }
        }
    }
    // A plan that nobody worked, and one whose visit nobody made.
    generator.plan_shift(1, MORNING - 40 * DAY_US, MORNING - 40 * DAY_US + HOUR_US);
    let nowhere = generator.id();
    generator.plan_visit(1, nowhere, MORNING);
    for last in (1..generator.records.len()).rev() {
        let other = generator.random.below(last as u64 + 1) as usize;
        generator.records.swap(last, other);
    }
    let (records, truth) = (std::mem::take(&mut generator.records), generator.truth.clone());
    assert!(truth.shifts.len() > 90 && truth.visit_plans.len() > 90, "{} {}", truth.shifts.len(), truth.visit_plans.len());
    world.append(records.clone());
    check(&truth, &world);
    let scored = world
        .test
        .lines("SELECT countIf(fixed_first_time_7d AND NOT fixed_first_time_30d) > 0, countIf(NOT fixed_first_time_7d) > 0 FROM job_fixes");
    assert_eq!(scored, ["1\t1"], "the windows make no difference");

    // Everything once more, and then after the fact: plans are withdrawn, moved and brought back, shifts are ended after all.
    world.append(records);
    check(&truth, &world);
    let mut truth = truth;
    let mut later: Vec<AnyRecord<'static>> = Vec::new();
    let plans: Vec<u128> = truth.shift_plans.keys().copied().collect();
    for (n, id) in plans.into_iter().enumerate() {
        let plan = truth.shift_plans[&id].clone();
        match n % 5 {
            0 => {
                later.push(AnyRecord::ShiftPlan(ShiftPlan { revision: 5, voided: true, ..plan }));
                truth.shift_plans.remove(&id);
            }
            1 => {
                let moved = ShiftPlan {
                    revision: 5,
                    planned_start: plan.planned_start + HOUR_US,
                    planned_end: plan.planned_end - HOUR_US / 2,
                    ..plan
                };
                later.push(AnyRecord::ShiftPlan(moved.clone()));
                truth.shift_plans.insert(id, moved);
            }
            _ => {}
        }
    }
    let plans: Vec<u128> = truth.visit_plans.keys().copied().collect();
    for (n, id) in plans.into_iter().enumerate() {
        let plan = truth.visit_plans[&id].clone();
        match n % 4 {
            0 => {
                later.push(AnyRecord::VisitPlan(VisitPlan { revision: 5, voided: true, ..plan }));
                truth.visit_plans.remove(&id);
            }
            1 => {
                let moved = VisitPlan { revision: 5, window_end: plan.window_end + HOUR_US, job_id: Some(JobId(visit(3).0)), ..plan };
                later.push(AnyRecord::VisitPlan(moved.clone()));
                truth.visit_plans.insert(id, moved);
            }
            _ => {}
        }
    }
    for (n, shift) in (900_000_000..).zip(truth.shifts.iter_mut().filter(|shift| shift.end.is_none())) {
        let end = shift.last + 30 * SECOND_US;
        later.push(activity(shift.who, n, end, ShiftEnd, None).into());
        (shift.end, shift.last) = (Some(end), end);
    }
    world.append(later);
    check(&truth, &world);
}

//! The KPIs of plans over a generated seven weeks, through the whole pipeline and in no order at all: late, doubled, amended
//! and voided plans and events. What is expected is computed a second time from what is true in the end, by trying every
//! plan with every shift.

use crate::setup::{MORNING, Random};
use crate::world::{World, activity, event, technician, visit};
use fieldline_schemas::events::ActivityType::{self, *};
use fieldline_schemas::events::{ShiftPlan, VisitPlan};
use fieldline_schemas::ids::JobId;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const DAYS: i64 = 49;
const TECHNICIANS: u128 = 4;

/// What is true in the end.
#[derive(Clone, Default)]
struct Truth {
    shifts: Vec<Shift>,
    visits: Vec<Visit>,
    /// By id, as bytes sort.
    shift_plans: BTreeMap<u128, ShiftPlan<'static>>,
    visit_plans: BTreeMap<u128, VisitPlan<'static>>,
}

#[derive(Clone)]
struct Shift {
    who: u128,
    id: u128,
    start: Timestamp,
    end: Option<Timestamp>,
    last: Timestamp,
}

#[derive(Clone)]
struct Visit {
    who: u128,
    id: u128,
    arrived: Timestamp,
    completed: Option<Timestamp>,
}

struct Generator {
    random: Random,
    truth: Truth,
    records: Vec<AnyRecord<'static>>,
    ids: u128,
}

impl Generator {
    fn id(&mut self) -> u128 {
        self.ids += 1;
        // The order of ids is not that of their making.
        self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn minutes(&mut self, from: i64, to: i64) -> i64 {
        (from + self.random.below((to - from) as u64) as i64) * MINUTE_US + self.random.below(59_999_999) as i64
    }

    /// An event as it was sent: at once right, or amended, perhaps twice; now and then beside one that was withdrawn.
    fn tell(&mut self, who: u128, id: u128, at: Timestamp, kind: ActivityType, visit: Option<u128>) {
        let right = activity(who, id, at, kind, visit);
        if self.chance(15) {
            let mut wrong = right.clone();
            wrong.common.created_at = at - 7 * MINUTE_US;
            let mut amended = right;
            amended.common.revision = 1;
            self.records.extend([wrong.into(), amended.into()]);
        } else {
            let copies = if self.chance(10) { 2 } else { 1 };
            self.records.extend(std::iter::repeat_n(AnyRecord::from(right), copies));
        }
        if self.chance(8) {
            let mut phantom = activity(who, self.id(), at - 20 * MINUTE_US, kind, visit);
            self.records.push(phantom.clone().into());
            (phantom.common.revision, phantom.common.voided) = (1, true);
            self.records.push(phantom.into());
        }
    }

    fn plan_shift(&mut self, who: u128, start: Timestamp, end: Timestamp) {
        let id = self.id();
        let plan = ShiftPlan {
            id: event(id),
            revision: 1,
            voided: false,
            technician_contact_id: technician(who),
            planned_start: start,
            planned_end: end,
            lone_worker: false,
            time_zone: None,
        };
        if self.chance(50) {
            let before = ShiftPlan { revision: 0, planned_start: start - HOUR_US, planned_end: end + HOUR_US, ..plan.clone() };
            self.records.push(AnyRecord::ShiftPlan(before));
        }
        self.records.push(AnyRecord::ShiftPlan(plan.clone()));
        if self.chance(10) {
            self.records.push(AnyRecord::ShiftPlan(ShiftPlan { revision: 2, voided: true, ..plan }));
        } else {
            self.truth.shift_plans.insert(id, plan);
        }
    }

    fn plan_visit(&mut self, who: u128, of: u128, around: Timestamp) {
        let id = self.id();
        let window_start = around + self.minutes(-90, 60);
        let plan = VisitPlan {
            id: event(id),
            revision: 1,
            voided: false,
            technician_contact_id: technician(who),
            visit_id: visit(of),
            window_start,
            window_end: window_start + self.minutes(10, 90),
            promised_at: None,
            requested_at: self.chance(70).then_some(around).map(|at| at - self.minutes(-30, 200 * 24 * 60)),
            job_id: self.chance(80).then(|| JobId(visit(self.random.below(25) as u128).0)),
            priority: None,
            location: None,
            geofence_radius_meters: None,
        };
        if self.chance(30) {
            let before = VisitPlan { revision: 0, window_end: window_start + MINUTE_US, job_id: None, ..plan.clone() };
            self.records.push(AnyRecord::VisitPlan(before));
        }
        self.records.push(AnyRecord::VisitPlan(plan.clone()));
        if self.chance(10) {
            self.records.push(AnyRecord::VisitPlan(VisitPlan { revision: 2, voided: true, ..plan }));
        } else {
            self.truth.visit_plans.insert(id, plan);
        }
    }

    fn day(&mut self, who: u128, morning: Timestamp) {
        let planned = morning + self.minutes(-60, 60);
        let length = 6 * HOUR_US + self.minutes(0, 180);
        for _ in 0..[1, 1, 1, 0, 2][self.random.below(5) as usize] {
            let start = planned + self.minutes(-10, 10);
            self.plan_shift(who, start, start + length);
        }
        let start = planned + self.minutes(-30, 120);
        let (shift, mut now) = (self.id(), start);
        self.tell(who, shift, start, ShiftStart, None);
        for _ in 0..1 + self.random.below(2) {
            // Now and then a second technician is at the visit that another one was at.
            let shared = self.truth.visits.last().map(|visit| visit.id).filter(|_| self.chance(15));
            let visited = shared.filter(|id| !self.truth.visits.iter().any(|v| v.who == who && v.id == *id)).unwrap_or_else(|| self.id());
            let arrived = now + self.minutes(10, 60);
            now = arrived + self.minutes(30, 90);
            for _ in 0..[1, 1, 2, 0][self.random.below(4) as usize] {
                self.plan_visit(who, visited, arrived);
            }
            let (arrival, begun, done, left) = (self.id(), self.id(), self.id(), self.id());
            self.tell(who, arrival, arrived, ArrivedOnSite, Some(visited));
            self.tell(who, begun, arrived + 10 * MINUTE_US, WorkStarted, Some(visited));
            let completed = self.chance(75).then_some(now - 5 * MINUTE_US);
            if let Some(completed) = completed {
                self.tell(who, done, completed, WorkCompleted, Some(visited));
            }
            self.tell(who, left, now, LeftSite, Some(visited));
            self.truth.visits.push(Visit { who, id: visited, arrived, completed });
        }
        let end = self.chance(88).then(|| now + self.minutes(5, 240));
        if let Some(end) = end {
            let id = self.id();
            self.tell(who, id, end, ShiftEnd, None);
        }
        self.truth.shifts.push(Shift { who, id: shift, start, end, last: end.unwrap_or(now) });
    }
}

const FORTNIGHT_AND_MORE: [(i64, &str); 3] = [(7, "7d"), (14, "14d"), (30, "30d")];

impl Truth {
    /// The plan of a shift: every plan is tried.
    fn plan_of(&self, shift: &Shift) -> Option<(u128, &ShiftPlan<'static>)> {
        let mut best: Option<(i64, u128, &ShiftPlan<'static>)> = None;
        for (id, plan) in self.shift_plans.iter().filter(|(_, plan)| plan.technician_contact_id == technician(shift.who)) {
            let fits = plan.planned_start.0 - 4 * 3_600_000_000 <= shift.start.0 && shift.start.0 < plan.planned_end.0;
            let apart = (plan.planned_start.0 - shift.start.0).abs();
            if fits && best.is_none_or(|(nearest, of, _)| (apart, *id) < (nearest, of)) {
                best = Some((apart, *id, plan));
            }
        }
        best.map(|(_, id, plan)| (id, plan))
    }

    /// Microseconds of `[start, end)` inside and outside of the plan.
    fn cut(shift: &Shift, end: Timestamp, plan: &ShiftPlan<'_>) -> (i64, i64) {
        let (from, to) = (shift.start.0.max(plan.planned_start.0), end.0.min(plan.planned_end.0));
        let inside = if to > from { to - from } else { 0 };
        (inside, end.0 - shift.start.0 - inside)
    }

    /// Where a shift without end is closed.
    fn closed(&self, shift: &Shift) -> Timestamp {
        let day_later = Timestamp(shift.start.0 + 24 * 3_600_000_000);
        let next = self.shifts.iter().filter(|other| other.who == shift.who && other.start > shift.start).map(|other| other.start).min();
        next.map_or(day_later, |next| next.min(day_later))
    }

    fn adherence(&self) -> Vec<String> {
        let lines = self.shifts.iter().map(|shift| {
            let name = format!("{}\t{}", technician(shift.who), event(shift.id));
            let Some((id, plan)) = self.plan_of(shift) else { return format!("{name}\t-\t0{}", "\t\\N".repeat(7)) };
            let sharing =
                self.shifts.iter().filter(|other| other.who == shift.who && self.plan_of(other).is_some_and(|p| p.0 == id)).count();
            let scheduled = plan.planned_end.0 - plan.planned_start.0;
            let lo = Self::cut(shift, shift.end.unwrap_or(shift.last), plan);
            let hi = Self::cut(shift, shift.end.unwrap_or_else(|| self.closed(shift)), plan);
            let known = shift.end.map(|end| Self::cut(shift, end, plan));
            let text = |value: Option<i64>| value.map_or("\\N".to_owned(), |us| us.to_string());
            let ratio = |part: i64, whole: i64| format!("{:.9}", part as f64 / whole as f64);
            let adherence = known.map_or("\\N".to_owned(), |(inside, over)| ratio(inside, scheduled + over));
            format!(
                "{name}\t{}\t{sharing}\t{}\t{}\t{}\t{}\t{}\t{}\t{adherence}",
                event(id),
                text(known.map(|k| k.0)),
                text(known.map(|k| k.1)),
                lo.0,
                lo.1,
                hi.0,
                hi.1
            )
        });
        sorted(lines.collect())
    }

    fn plans_kept(&self) -> Vec<String> {
        let lines = self.shift_plans.iter().map(|(id, plan)| {
            let shifts: Vec<_> = self.shifts.iter().filter(|s| self.plan_of(s).is_some_and(|p| p.0 == *id && s_is(s, plan))).collect();
            let scored = shifts.iter().filter(|s| s.end.is_some()).count();
            let sums = (!shifts.is_empty() && scored == shifts.len()).then(|| {
                let cuts = shifts.iter().map(|s| Self::cut(s, s.last, plan));
                cuts.fold((0, 0), |sum, cut| (sum.0 + cut.0, sum.1 + cut.1))
            });
            let scheduled = plan.planned_end.0 - plan.planned_start.0;
            let figures = sums.map_or("\\N\t\\N\t\\N\t\\N".to_owned(), |(inside, over)| {
                let (adherence, conformance) = (inside as f64 / (scheduled + over) as f64, (inside + over) as f64 / scheduled as f64);
                format!("{inside}\t{over}\t{adherence:.9}\t{conformance:.9}")
            });
            format!("{}\t{}\t{scored}\t{figures}", event(*id), shifts.len())
        });
        sorted(lines.collect())
    }

    /// The plan that counts for each technician and visit.
    fn counting(&self) -> BTreeMap<(String, String), &VisitPlan<'static>> {
        let mut counting = BTreeMap::new();
        for plan in self.visit_plans.values() {
            counting.entry((plan.technician_contact_id.to_string(), plan.visit_id.to_string())).or_insert(plan);
        }
        counting
    }

    fn punctuality(&self) -> Vec<String> {
        let lines = self.counting().into_iter().map(|((who, of), plan)| {
            let arrived =
                self.visits.iter().find(|v| technician(v.who).to_string() == who && visit(v.id).to_string() == of).map(|v| v.arrived);
            let (arrival, late, response) = match arrived {
                None => ("unscored", "\\N".to_owned(), "\\N".to_owned()),
                Some(at) => {
                    let arrival = match (at > plan.window_end, at < plan.window_start) {
                        (true, _) => "late",
                        (false, true) => "early",
                        (false, false) => "on_time",
                    };
                    let waited = plan.requested_at.map(|asked| at.0 - asked.0).filter(|waited| *waited >= 0);
                    let late = if at > plan.window_end { at.0 - plan.window_end.0 } else { 0 };
                    (arrival, late.to_string(), waited.map_or("\\N".to_owned(), |us| us.to_string()))
                }
            };
            format!("{who}\t{of}\t{}\t{arrival}\t{late}\t{response}", plan.id)
        });
        sorted(lines.collect())
    }

    /// `is_final`: whether every row of a visit is; `clock`: the log's.
    fn fixes(&self, is_final: &BTreeMap<String, bool>, clock: i64) -> Vec<String> {
        let mut of_jobs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for plan in self.counting().values() {
            if let Some(job) = plan.job_id {
                of_jobs.entry(job.to_string()).or_default().insert(plan.visit_id.to_string());
            }
        }
        let lines = of_jobs.into_iter().map(|(job, visits)| {
            let mut seen = Vec::new();
            for of in &visits {
                let there: Vec<_> = self.visits.iter().filter(|v| visit(v.id).to_string() == *of).collect();
                if let Some(began) = there.iter().map(|v| v.arrived.0).min() {
                    seen.push((began, of.clone(), there.iter().filter_map(|v| v.completed).map(|at| at.0).min()));
                }
            }
            seen.sort();
            let mut line = format!("{job}\t{}\t{}", visits.len(), seen.len());
            for (days, _) in FORTNIGHT_AND_MORE {
                let window = days * 24 * 3_600_000_000;
                let (fixed, finality) = match seen.first() {
                    None => ("\\N", "provisional"),
                    Some((_, _, Some(completed))) => {
                        let is_back = seen.get(1).is_some_and(|next| next.0 <= completed + window);
                        (if is_back { "false" } else { "true" }, if clock > completed + window { "final" } else { "provisional" })
                    }
                    Some((_, of, None)) => {
                        let over = is_final[of];
                        (if seen.len() > 1 || over { "false" } else { "\\N" }, if over { "final" } else { "provisional" })
                    }
                };
                line += &format!("\t{fixed}\t{finality}");
            }
            line
        });
        sorted(lines.collect())
    }

    #[track_caller]
    fn check(&self, world: &World) {
        world.settle();
        const SHIFTS: &str = "SELECT technician_contact_id, shift_id, ifNull(toString(plan_id), '-'), plan_shifts, toInt64(inside_seconds * 1000000), \
             toInt64(overtime_seconds * 1000000), toInt64(inside_seconds_lo * 1000000), toInt64(overtime_seconds_lo * 1000000), \
             toInt64(inside_seconds_hi * 1000000), toInt64(overtime_seconds_hi * 1000000), toDecimalString(adherence, 9) FROM shift_adherence";
        const PLANS: &str = "SELECT plan_id, shifts, scored, toInt64(inside_seconds * 1000000), toInt64(overtime_seconds * 1000000), \
             toDecimalString(adherence, 9), toDecimalString(conformance, 9) FROM plan_adherence";
        const VISITS: &str = "SELECT technician_contact_id, visit_id, plan_id, arrival, toInt64(late_seconds * 1000000), \
             toInt64(toDecimal128(response_seconds, 6) * 1000000) FROM visit_punctuality";
        const JOBS: &str = "SELECT job_id, visits_planned, visits_attended, fixed_first_time_7d, finality_7d, fixed_first_time_14d, finality_14d, \
             fixed_first_time_30d, finality_30d FROM job_fixes";
        let lines = |sql: &str| sorted(world.test.lines(sql));
        assert_same(&lines(SHIFTS), &self.adherence());
        assert_same(&lines(PLANS), &self.plans_kept());
        assert_same(&lines(VISITS), &self.punctuality());
        let is_final = |line: &String| line.split_once('\t').map(|(of, value)| (of.to_owned(), value == "1")).unwrap();
        let finals =
            world.test.lines("SELECT visit_id, min(finality = 'final') FROM visits GROUP BY visit_id").iter().map(is_final).collect();
        let clock: i64 = world.test.lines("SELECT toUnixTimestamp64Micro(at) FROM log_clock")[0].parse().unwrap();
        assert_same(&lines(JOBS), &self.fixes(&finals, clock));
    }
}

fn s_is(shift: &Shift, plan: &ShiftPlan<'_>) -> bool {
    plan.technician_contact_id == technician(shift.who)
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
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
    truth.check(&world);
    let scored = world
        .test
        .lines("SELECT countIf(fixed_first_time_7d AND NOT fixed_first_time_30d) > 0, countIf(NOT fixed_first_time_7d) > 0 FROM job_fixes");
    assert_eq!(scored, ["1\t1"], "the windows make no difference");

    // Everything once more, and then after the fact: plans are withdrawn, moved and brought back, shifts are ended after all.
    world.append(records);
    truth.check(&world);
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
    truth.check(&world);
}

//! What is true in the end, and what follows from it, by trying every plan with every shift.

use crate::world::{event, technician, visit};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{ShiftPlan, VisitPlan};
use std::collections::{BTreeMap, BTreeSet};

/// What is true in the end.
#[derive(Clone, Default)]
pub struct Truth {
    pub shifts: Vec<Shift>,
    pub visits: Vec<Visit>,
    /// By id, as bytes sort.
    pub shift_plans: BTreeMap<u128, ShiftPlan<'static>>,
    pub visit_plans: BTreeMap<u128, VisitPlan<'static>>,
}

#[derive(Clone)]
pub struct Shift {
    pub who: u128,
    pub id: u128,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub last: Timestamp,
}

#[derive(Clone)]
pub struct Visit {
    pub who: u128,
    pub id: u128,
    pub arrived: Timestamp,
    pub left: Timestamp,
    pub completed: Option<Timestamp>,
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

    pub fn adherence(&self) -> Vec<String> {
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

    pub fn plans_kept(&self) -> Vec<String> {
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

    pub fn punctuality(&self) -> Vec<String> {
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
    pub fn fixes(&self, is_final: &BTreeMap<String, bool>, clock: i64) -> Vec<String> {
        let mut of_jobs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for plan in self.counting().values() {
            if let Some(job) = plan.job_id {
                of_jobs.entry(job.to_string()).or_default().insert(plan.visit_id.to_string());
            }
        }
        let lines = of_jobs.into_iter().map(|(job, visits)| {
            let mut seen = Vec::new();
            let mut attended = 0;
            for of in &visits {
                let mut there: Vec<_> = self.visits.iter().filter(|v| visit(v.id).to_string() == *of).collect();
                there.sort_by_key(|v| v.arrived);
                attended += usize::from(!there.is_empty());
                // One trip after the other: nobody is there for eight hours or more between two.
                while let Some(first) = there.first() {
                    let (began, mut gone, mut size) = (first.arrived.0, first.left.0, 1);
                    while there.get(size).is_some_and(|next| next.arrived.0 < gone + 8 * 3_600_000_000) {
                        gone = gone.max(there[size].left.0);
                        size += 1;
                    }
                    let trip: Vec<_> = there.drain(..size).collect();
                    seen.push((began, of.clone(), trip.iter().filter_map(|v| v.completed).map(|at| at.0).min()));
                }
            }
            seen.sort();
            let mut line = format!("{job}\t{}\t{attended}\t{}", visits.len(), seen.len());
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
}

fn s_is(shift: &Shift, plan: &ShiftPlan<'_>) -> bool {
    plan.technician_contact_id == technician(shift.who)
}

pub fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

//! Seven weeks of plans and work, told late, twice, amended and withdrawn.

use super::truth::{Shift, Truth, Visit};
use crate::setup::Random;
use crate::world::{activity, event, technician, visit};
use fieldline_schemas::events::ActivityType::{self, *};
use fieldline_schemas::events::{ShiftPlan, VisitPlan};
use fieldline_schemas::ids::JobId;
use fieldline_schemas::time::{HOUR_US, MINUTE_US};
use fieldline_schemas::{AnyRecord, Timestamp};

/// Makes the events and plans of days, and tells them as they might come.
pub struct Generator {
    pub random: Random,
    pub truth: Truth,
    pub records: Vec<AnyRecord<'static>>,
    pub ids: u128,
}

impl Generator {
    pub fn id(&mut self) -> u128 {
        self.ids += 1;
        // The order of ids is not that of their making.
        self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff
    }

    pub fn chance(&mut self, percent: u64) -> bool {
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

    pub fn plan_shift(&mut self, who: u128, start: Timestamp, end: Timestamp) {
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

    pub fn plan_visit(&mut self, who: u128, of: u128, around: Timestamp) {
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

    pub fn day(&mut self, who: u128, morning: Timestamp) {
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
            self.truth.visits.push(Visit { who, id: visited, arrived, left: now, completed });
        }
        let end = self.chance(88).then(|| now + self.minutes(5, 240));
        if let Some(end) = end {
            let id = self.id();
            self.tell(who, id, end, ShiftEnd, None);
        }
        self.truth.shifts.push(Shift { who, id: shift, start, end, last: end.unwrap_or(now) });
    }
}

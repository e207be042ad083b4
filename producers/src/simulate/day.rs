//! One working day of one technician, as it really went: what happened when and where, before anything goes wrong with
//! the reports of it.

use super::calendar::Calendar;
use super::config::SimulatorConfig;
use super::draft::{Draft, Kind, Place, Twist};
use super::faults::{FaultCounts, FaultKind};
use super::geography::{blurred, depot, destination, drive_us, midway};
use super::random::Random;
use crate::route::PLAN_RELEASED_BEFORE_US;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType as A;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};

/// The latest that a day's visits may begin before the planned end.
const LAST_VISIT_BEFORE_END_US: i64 = 40 * MINUTE_US;
/// No shift is longer, whatever the visits of it do.
const SHIFT_US_MAX: i64 = 13 * HOUR_US;

/// What a technician carries from day to day.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// The last number given to an event, and to a visit.
    pub events: u32,
    pub visits: u32,
    /// Before this nothing new begins: the last shift's end and a night's rest.
    pub free_from: i64,
    /// A visit that was paused overnight, and where.
    pub unfinished: Option<(u32, Place)>,
}

/// Writes one day.
pub(super) struct Day<'a> {
    pub config: &'a SimulatorConfig,
    pub calendar: &'a Calendar,
    pub technician: u32,
    pub number: u32,
    pub random: Random,
    pub carried: &'a mut Carried,
    pub counts: &'a mut FaultCounts,
    /// True time, and where the technician is.
    now: i64,
    here: Place,
    out: &'a mut Vec<Draft>,
}

impl<'a> Day<'a> {
    pub fn new(
        config: &'a SimulatorConfig,
        calendar: &'a Calendar,
        technician: u32,
        number: u32,
        carried: &'a mut Carried,
        counts: &'a mut FaultCounts,
        out: &'a mut Vec<Draft>,
    ) -> Self {
        let random = Random::of(config.seed, u64::from(technician), u64::from(number));
        Self { config, calendar, technician, number, random, carried, counts, now: 0, here: depot(technician), out }
    }

    /// The day's events in order of true time (`at` and `created_at` are both that), plans first. Nothing on a day off.
    pub fn write(mut self) {
        let weekday = self.calendar.weekday(self.number);
        if !self.random.chance(if weekday < 5 { 0.93 } else { 0.15 }) {
            return;
        }
        // One technician of twenty works nights, always the same ones.
        let first_minute = if self.technician % 20 == 7 { 21 * 60 + 30 } else { 6 * 60 + 30 + 15 * self.random.between(0, 10) };
        let planned_start = self.calendar.instant(self.number, first_minute).0;
        let start = planned_start + (self.random.normal() * 4.0 * MINUTE_US as f64) as i64;
        if start < self.carried.free_from {
            return;
        }
        let planned_end = planned_start + 8 * HOUR_US + 30 * MINUTE_US;
        let visits = self.random.between(i64::from(self.config.visits_min), i64::from(self.config.visits_max)) as u32;
        let places: Vec<Place> = (0..visits).map(|_| destination(&mut self.random, depot(self.technician))).collect();
        if self.config.plans {
            self.plans(planned_start, planned_end, &places);
        }
        self.now = start;
        self.shift(planned_end, &places);
        self.carried.free_from = self.now + 8 * HOUR_US;
    }

    /// Plans are released in the first minutes of the local day, or 24 h before what they plan, if that is later.
    fn plans(&mut self, planned_start: i64, planned_end: i64, places: &[Place]) {
        let midnight = self.calendar.instant(self.number, 0).0;
        let mut at = midnight + self.random.between(0, 5 * MINUTE_US);
        let span_s = ((planned_end - planned_start) / SECOND_US) as i32;
        self.push_plan(Kind::ShiftPlan, at, planned_start, span_s, 0, depot(self.technician));
        let first_visit = self.carried.visits + 1;
        let slot = (planned_end - planned_start - HOUR_US) / places.len().max(1) as i64;
        for (i, &place) in places.iter().enumerate() {
            at += self.random.between(1_000, 50_000);
            let window_start = planned_start + 20 * MINUTE_US + i as i64 * slot;
            self.push_plan(Kind::VisitPlan, at, window_start, 2 * 3600, first_visit + i as u32, place);
        }
    }

    fn push_plan(&mut self, kind: Kind, at: i64, start: i64, span_s: i32, visit: u32, place: Place) {
        self.carried.events += 1;
        let number = self.carried.events;
        // What a night shift does after the next midnight is not within 24 h of this one.
        let at = at.max(start - PLAN_RELEASED_BEFORE_US);
        self.out.push(Draft {
            at,
            created_at: start,
            span_s,
            number,
            visit,
            place,
            kind,
            twist: Twist::None,
            fault: None,
            revision: 0,
            voided: false,
        });
    }

    fn shift(&mut self, planned_end: i64, places: &[Place]) {
        let faults = &self.config.faults;
        let (forgets_end, works_on, stays_away, meets_danger) =
            (faults.forgotten_shift_end_per_shift, faults.off_shift_work_per_shift, faults.multi_day_per_shift, faults.emergency_per_shift);
        let started = self.now;
        self.event(A::ShiftStart, 0);
        self.pass(200.0, 0.4);
        let span = self.random.between(180, 480) as i32;
        self.stop(A::VehicleInspection, span);
        self.pass(f64::from(span) + 60.0, 0.2);
        if let Some((visit, place)) = self.carried.unfinished.take() {
            self.drive(visit, place);
            self.event(A::WorkResumed, visit);
            self.pass(3_600.0, 0.5);
            self.event(A::WorkCompleted, visit);
            self.pass(180.0, 0.5);
            self.event(A::LeftSite, visit);
        }
        let first_visit = self.carried.visits + 1;
        self.carried.visits += places.len() as u32;
        let refuels = self.random.chance(0.15).then(|| self.random.between(0, places.len() as i64 - 1));
        let danger = self.random.chance(meets_danger).then(|| self.random.between(0, places.len() as i64 - 1));
        let overnight = self.random.chance(stays_away);
        let mut lunch_taken = false;
        for (i, &place) in places.iter().enumerate() {
            let is_last = i + 1 == places.len() || self.now > planned_end - 2 * LAST_VISIT_BEFORE_END_US;
            if i > 0 && self.now > planned_end - LAST_VISIT_BEFORE_END_US || self.now - started > SHIFT_US_MAX {
                break;
            }
            if !lunch_taken && self.now - started > 3 * HOUR_US + 30 * MINUTE_US {
                self.lunch(0);
                lunch_taken = true;
            }
            if refuels == Some(i as i64) {
                let span = self.random.between(240, 720) as i32;
                self.stop(A::FuelStop, span);
                self.pass(f64::from(span), 0.1);
            }
            // Few visits are long ones.
            let work_s = 2_000.0 * (5.5 / places.len() as f64).clamp(0.7, 2.0);
            self.visit(first_visit + i as u32, place, work_s, danger == Some(i as i64), overnight && is_last);
            if overnight && is_last {
                break;
            }
        }
        if self.carried.unfinished.is_none() {
            self.event(A::TravelStart, 0);
            self.now += drive_us(&mut self.random, self.here, depot(self.technician));
            self.here = depot(self.technician);
            self.event(A::TravelEnd, 0);
        }
        self.pass(240.0, 0.5);
        if self.random.chance(forgets_end) {
            self.counts.count(FaultKind::ForgottenShiftEnd);
        } else {
            self.event(A::ShiftEnd, 0);
        }
        if self.random.chance(works_on) {
            self.carried.visits += 1;
            let visit = self.carried.visits;
            let from = self.out.len();
            self.pass(1_800.0, 0.4);
            self.drive(visit, midway(self.here, places.first().copied().unwrap_or(self.here)));
            self.event(A::WorkStarted, visit);
            self.pass(1_200.0, 0.5);
            self.event(A::WorkCompleted, visit);
            self.event(A::LeftSite, visit);
            self.mark(from, FaultKind::OffShiftWork);
        }
    }

    fn visit(&mut self, visit: u32, place: Place, work_s: f64, danger: bool, overnight: bool) {
        let (rerouted, overlapping) = (self.config.faults.rerouted_per_visit, self.config.faults.overlapping_per_visit);
        if self.random.chance(rerouted) {
            // Sent to this visit, called away on the road to another, then back.
            let from = self.out.len();
            self.event(A::TravelStart, visit);
            self.pass(400.0, 0.4);
            self.here = midway(self.here, place);
            self.carried.visits += 1;
            let urgent = self.carried.visits;
            let elsewhere = destination(&mut self.random, depot(self.technician));
            self.drive(urgent, elsewhere);
            self.work(urgent, 900.0);
            self.event(A::LeftSite, urgent);
            self.mark(from, FaultKind::Rerouted);
        }
        self.drive(visit, place);
        self.pass(120.0, 0.6);
        if overnight {
            let from = self.out.len();
            self.event(A::WorkStarted, visit);
            self.pass(3_000.0, 0.4);
            self.event(A::WorkPaused, visit);
            self.mark(from, FaultKind::MultiDayVisit);
            self.carried.unfinished = Some((visit, place));
            return;
        }
        self.work(visit, work_s);
        if danger {
            self.emergency(visit);
        }
        if self.random.chance(overlapping) {
            // Next door, without having left here.
            let from = self.out.len();
            self.carried.visits += 1;
            let next_door = self.carried.visits;
            self.event(A::ArrivedOnSite, next_door);
            self.pass(60.0, 0.5);
            self.work(next_door, 600.0);
            self.event(A::LeftSite, next_door);
            self.mark(from, FaultKind::OverlappingVisit);
        }
        self.pass(180.0, 0.6);
        self.event(A::LeftSite, visit);
        self.pass(45.0, 0.5);
    }

    fn drive(&mut self, visit: u32, to: Place) {
        self.event(A::TravelStart, visit);
        self.now += drive_us(&mut self.random, self.here, to);
        self.here = to;
        if self.random.chance(0.6) {
            self.event(A::TravelEnd, visit);
            self.pass(20.0, 0.4);
        }
        self.event(A::ArrivedOnSite, visit);
    }

    /// Work in one to three stretches with pauses, now and then a break in it, nearly always completed.
    fn work(&mut self, visit: u32, median_s: f64) {
        self.event(A::WorkStarted, visit);
        let pauses = if self.random.chance(0.22) { self.random.between(1, 2) } else { 0 };
        let stretch_s = median_s / (pauses + 1) as f64;
        for _ in 0..pauses {
            self.pass(stretch_s, 0.5);
            self.event(A::WorkPaused, visit);
            self.pass(420.0, 0.6);
            self.event(A::WorkResumed, visit);
        }
        self.pass(stretch_s, 0.5);
        if self.random.chance(0.06) {
            self.lunch(visit);
            self.pass(300.0, 0.5);
        }
        if self.random.chance(0.95) {
            self.event(A::WorkCompleted, visit);
        }
    }

    fn lunch(&mut self, visit: u32) {
        self.event(A::BreakStart, visit);
        self.pass(1_750.0, 0.15);
        self.event(A::BreakEnd, visit);
        self.pass(30.0, 0.3);
    }

    fn emergency(&mut self, visit: u32) {
        self.event(A::EmergencyStop, visit);
        self.mark(self.out.len() - 1, FaultKind::Emergency);
        let stop = self.carried.events;
        self.pass(900.0, 0.5);
        if self.random.chance(self.config.faults.cleared_per_emergency) {
            self.push_plan(Kind::Clearance, self.now, self.now, 0, stop, self.here);
            self.pass(60.0, 0.3);
        }
        self.event(A::WorkResumed, visit);
        self.pass(600.0, 0.4);
        self.event(A::WorkCompleted, visit);
    }

    fn stop(&mut self, activity_type: A, span_s: i32) {
        self.event(activity_type, 0);
        if let Some(draft) = self.out.last_mut() {
            draft.span_s = span_s;
        }
    }

    /// Lets log-normal time pass.
    fn pass(&mut self, median_s: f64, sigma: f64) {
        self.now += self.random.span_us(median_s, sigma);
    }

    fn event(&mut self, activity_type: A, visit: u32) {
        self.carried.events += 1;
        let place = blurred(&mut self.random, self.here);
        self.out.push(Draft {
            at: self.now,
            // Phones report milliseconds.
            created_at: Timestamp(self.now - self.now.rem_euclid(1_000)).0,
            span_s: 0,
            number: self.carried.events,
            visit,
            place,
            kind: Kind::Activity(activity_type),
            twist: Twist::None,
            fault: None,
            revision: 0,
            voided: false,
        });
        // Two presses are never in the same instant.
        self.now += 1_500_000;
    }

    /// Counts a fault of the day and names it on the events that show it.
    fn mark(&mut self, from: usize, kind: FaultKind) {
        self.counts.count(kind);
        for draft in self.out.iter_mut().skip(from) {
            draft.fault = Some(kind);
        }
    }
}

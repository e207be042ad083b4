//! Messy technicians from a seed: days as they should be, as they are, and as nobody could live them.

use crate::scenario::{MONDAY_US, Scenario, activity, event_id, visit_id};
use fieldline_processors_core::facts::{ClearanceFact, Position, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_schemas::events::{ActivityType, ActivityType::*, EventCategory, Severity};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// SplitMix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

type Step = (i64, ActivityType, Option<VisitId>);

/// How messy a technician is.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// A sensible day, a few faults.
    Careless,
    /// Sensible days, many faults.
    Chaotic,
    /// Anything after anything.
    Absurd,
    /// Days on end without a night's rest or a shift_end.
    Restless,
}

pub fn scenario(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let manners = [Manner::Careless, Manner::Chaotic, Manner::Chaotic, Manner::Chaotic, Manner::Absurd, Manner::Absurd, Manner::Restless];
    let manner = *random.pick(&manners);
    let start_us = MONDAY_US + random.between(0, 300) * DAY_US;
    let mut steps = match manner {
        Manner::Absurd => absurd(&mut random, start_us),
        Manner::Restless => restless(&mut random, start_us),
        _ => sensible(&mut random, start_us),
    };
    match manner {
        Manner::Careless => faults(&mut random, &mut steps, 20),
        Manner::Chaotic => faults(&mut random, &mut steps, 5),
        Manner::Absurd | Manner::Restless => {}
    }
    // Whole minutes make ties; a few technicians have seconds, or microseconds.
    let grain_us = *random.pick(&[MINUTE_US, MINUTE_US, MINUTE_US, 15 * MINUTE_US, SECOND_US, 1]);
    let mut scenario = Scenario::default();
    for (number, (at, kind, visit)) in steps.into_iter().enumerate() {
        scenario.activities.push(activity(event_id(number as u64 + 1), at - at.rem_euclid(grain_us), kind, visit));
    }
    device(&mut random, &mut scenario);
    other_facts(&mut random, &mut scenario);
    scenario
}

fn named(random: &mut Random) -> Option<VisitId> {
    Some(visit_id(random.between(1, 4) as u8))
}

fn maybe_named(random: &mut Random) -> Option<VisitId> {
    if random.one_in(5) { None } else { named(random) }
}

/// Days as planned: shift, inspection, visits with travel and work, breaks, sometimes a stop or an emergency.
fn sensible(random: &mut Random, start_us: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    let days = random.between(1, 5);
    let mut visit_number = 0;
    for day in 0..days {
        let mut at = start_us + day * DAY_US + random.between(5, 22) * HOUR_US + random.between(0, 59) * MINUTE_US;
        let mut pass = |random: &mut Random, low: i64, high: i64| {
            at += random.between(low, high) * MINUTE_US;
            at
        };
        steps.push((pass(random, 0, 0), ShiftStart, None));
        if random.one_in(2) {
            steps.push((pass(random, 0, 3), VehicleInspection, None));
        }
        for _ in 0..random.between(1, 5) {
            visit_number = if random.one_in(6) { visit_number } else { visit_number % 5 + 1 };
            let visit = Some(visit_id(visit_number.max(1)));
            if !random.one_in(8) {
                steps.push((pass(random, 0, 20), TravelStart, visit));
                if random.one_in(5) {
                    steps.push((pass(random, 1, 20), FuelStop, None));
                }
                let end = pass(random, 5, 60);
                if !random.one_in(4) {
                    steps.push((end, TravelEnd, if random.one_in(2) { visit } else { None }));
                }
            }
            steps.push((pass(random, 0, 2), ArrivedOnSite, visit));
            steps.push((pass(random, 0, 10), WorkStarted, visit));
            for _ in 0..random.below(3) {
                let (begin, end) = if random.one_in(2) { (WorkPaused, WorkResumed) } else { (BreakStart, BreakEnd) };
                steps.push((pass(random, 1, 60), begin, if begin == WorkPaused { visit } else { None }));
                if random.one_in(12) {
                    steps.push((pass(random, 1, 20), EmergencyStop, None));
                }
                steps.push((pass(random, 1, 40), end, if begin == WorkPaused { visit } else { None }));
            }
            steps.push((pass(random, 1, 120), WorkCompleted, visit));
            steps.push((pass(random, 0, 10), LeftSite, visit));
        }
        if random.one_in(2) {
            steps.push((pass(random, 0, 5), TravelStart, None));
            steps.push((pass(random, 1, 60), TravelEnd, None));
        }
        steps.push((pass(random, 0, 20), ShiftEnd, None));
    }
    steps
}

/// About one event in `rarity` is lost, moved, doubled, renamed or another one altogether.
fn faults(random: &mut Random, steps: &mut Vec<Step>, rarity: u64) {
    let mut messy = Vec::with_capacity(steps.len());
    for &(at, kind, visit) in steps.iter() {
        if !random.one_in(rarity) {
            messy.push((at, kind, visit));
            continue;
        }
        match random.below(9) {
            0 | 1 => {}
            2 => messy.push((at + random.between(-90, 90) * MINUTE_US, kind, visit)),
            3 => messy.extend([(at, kind, visit), (at + *random.pick(&[0, 59, 60, 61, 300]) * SECOND_US, kind, visit)]),
            4 => messy.push((at, kind, maybe_named(random))),
            5 => messy.push((at, *random.pick(ActivityType::ALL), visit)),
            6 => messy.extend([(at, kind, visit), (at + random.between(0, 30) * MINUTE_US, EmergencyStop, None)]),
            7 => messy.extend([(at, kind, visit), (at + random.between(-30, 30) * MINUTE_US, BreakStart, maybe_named(random))]),
            _ => {
                let extra = (at + random.between(-60, 60) * MINUTE_US, *random.pick(ActivityType::ALL), maybe_named(random));
                messy.extend([(at, kind, visit), extra]);
            }
        }
    }
    *steps = messy;
}

/// Anything after anything, at gaps that hit every limit exactly.
fn absurd(random: &mut Random, start_us: i64) -> Vec<Step> {
    let mut at = start_us;
    let count = random.between(2, 60);
    let gaps_us = [
        0,
        0,
        MINUTE_US,
        5 * MINUTE_US,
        5 * MINUTE_US + 1,
        30 * MINUTE_US,
        11 * HOUR_US,
        11 * HOUR_US - MINUTE_US,
        12 * HOUR_US,
        24 * HOUR_US,
        24 * HOUR_US + MINUTE_US,
        72 * HOUR_US,
        80 * HOUR_US,
        7 * DAY_US,
    ];
    let pool: Vec<ActivityType> = (0..random.between(3, 12)).map(|_| *random.pick(ActivityType::ALL)).collect();
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..count {
        at += match random.below(20) {
            0..=2 => *random.pick(&gaps_us),
            3..=14 => random.between(0, 40) * MINUTE_US,
            15..=18 => random.between(1, 6) * HOUR_US,
            // A whole limit after an earlier event.
            _ => {
                let earlier = steps.get(random.below(steps.len() as u64) as usize).map_or(at, |s| s.0);
                (earlier + *random.pick(&[11, 12, 24, 72]) * HOUR_US - at).max(0)
            }
        };
        let kind = if random.one_in(3) { *random.pick(&pool) } else { *random.pick(ActivityType::ALL) };
        steps.push((at, kind, maybe_named(random)));
    }
    steps
}

/// Something every few hours for a week, so that no rest and no shift_end tells where a shift must begin.
fn restless(random: &mut Random, start_us: i64) -> Vec<Step> {
    let mut at = start_us;
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..random.between(20, 60) {
        at += random.between(0, 6 * 60) * MINUTE_US;
        let kind = match *random.pick(ActivityType::ALL) {
            ShiftEnd if !random.one_in(8) => ShiftStart,
            kind => kind,
        };
        steps.push((at, kind, maybe_named(random)));
        if random.one_in(10) {
            let limit_us = *random.pick(&[72 * HOUR_US, 72 * HOUR_US + MINUTE_US, 12 * HOUR_US]);
            steps.push((at + limit_us, *random.pick(&[ShiftStart, ArrivedOnSite, WorkStarted]), maybe_named(random)));
        }
    }
    steps
}

/// What the phone adds: sequences, offsets, positions, durations of stops.
fn device(random: &mut Random, scenario: &mut Scenario) {
    let sequences = random.below(4);
    let offset = *random.pick(&[0, 60, 120, -300, 330, -720, 840]);
    let located = random.below(3);
    let mut place = (52.0 + random.between(-100, 100) as f64 / 100.0, 4.9);
    for (number, event) in scenario.activities.iter_mut().enumerate() {
        event.device_sequence = match sequences {
            0 => Some(number as i64),
            1 if random.one_in(2) => Some(random.between(-2, 3)),
            _ => None,
        };
        event.utc_offset_minutes = if random.one_in(10) { offset + 60 } else { offset };
        if located > 0 && random.one_in(located) {
            let step = if random.one_in(15) { 300 } else { 3 };
            place = (place.0 + random.between(-step, step) as f64 / 200.0, place.1 + random.between(-step, step) as f64 / 200.0);
            let accuracy_meters = random.between(0, 500) as i32;
            event.position = Some(Position { latitude: place.0.clamp(-89.0, 89.0), longitude: place.1, accuracy_meters });
        }
        if matches!(event.activity_type, FuelStop | VehicleInspection) && random.one_in(2) {
            event.stop_us = random.between(1, 90) * MINUTE_US;
            if random.one_in(10) {
                event.stop_us = DAY_US;
            }
        }
        if random.one_in(25) {
            event.anomalies = Anomalies::of(*random.pick(&[Anomaly::A17, Anomaly::A18, Anomaly::A21, Anomaly::A27]));
        }
    }
}

/// Plans, signals and clearances, many of them exactly at an event's instant.
fn other_facts(random: &mut Random, scenario: &mut Scenario) {
    let instants: Vec<i64> = scenario.activities.iter().map(|e| e.created_at.0).collect();
    if instants.is_empty() {
        return;
    }
    let starts: Vec<i64> = scenario.activities.iter().filter(|e| e.activity_type == ShiftStart).map(|e| e.created_at.0).collect();
    let mut number = 1_000_000;
    let mut next_id = || {
        number += 1;
        event_id(number)
    };
    for start in starts {
        for _ in 0..random.below(3) {
            let planned_start = start + *random.pick(&[0, 0, 4, -4, 1, 5, -8]) * HOUR_US + *random.pick(&[0, 0, 1, -1, 17]) * MINUTE_US;
            let planned_end = planned_start + *random.pick(&[4, 8, 9, 12, 23, 30]) * HOUR_US;
            let (planned_start, planned_end) = (Timestamp(planned_start), Timestamp(planned_end));
            scenario.shift_plans.push(ShiftPlanFact { id: next_id(), planned_start, planned_end, lone_worker: random.one_in(3) });
        }
    }
    for _ in 0..random.below(3) {
        let at = Timestamp(*random.pick(&instants));
        let position = scenario.activities.iter().filter_map(|e| e.position).nth(random.below(6) as usize);
        scenario.visit_plans.push(VisitPlanFact {
            id: next_id(),
            visit_id: visit_id(random.between(1, 4) as u8),
            window_start: at,
            window_end: at + HOUR_US,
            position,
            geofence_radius_meters: if random.one_in(2) { Some(random.between(50, 1500) as f64) } else { None },
        });
    }
    for _ in 0..random.below(4) {
        let at = *random.pick(&instants) + *random.pick(&[0, 0, 1, -1, 30 * MINUTE_US]);
        let (created_at, category, severity) = (Timestamp(at - HOUR_US), *random.pick(EventCategory::ALL), *random.pick(Severity::ALL));
        let resolved_at = if random.one_in(5) { None } else { Some(Timestamp(at)) };
        scenario.signals.push(SignalFact::new(next_id(), created_at, category, severity, resolved_at));
    }
    let emergencies: Vec<_> = scenario.activities.iter().filter(|e| e.activity_type == EmergencyStop).copied().collect();
    for emergency in emergencies {
        if random.one_in(3) {
            let any_instant = *random.pick(&instants);
            let at = *random.pick(&[
                any_instant,
                emergency.created_at.0 + 10 * MINUTE_US,
                emergency.created_at.0,
                emergency.created_at.0 - MINUTE_US,
                emergency.created_at.0 + DAY_US,
            ]);
            scenario.clearances.push(ClearanceFact { id: next_id(), emergency_id: emergency.id, created_at: Timestamp(at) });
        }
    }
    // Facts come in any order.
    for index in (1..scenario.activities.len()).rev() {
        scenario.activities.swap(index, random.below(index as u64 + 1) as usize);
    }
}

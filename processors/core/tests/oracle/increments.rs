//! Bringing rows up to date segment by segment equals deriving everything again, after every single record.

use crate::generate::{Random, scenario};
use crate::scenario::{activity, event_id, technician, visit_id};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::ActivityFact;
use fieldline_processors_core::partition::{Claim, Counters, Effects, Input, Partition, Path, Record, Settings};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType::{
    self, ArrivedOnSite, BreakEnd, BreakStart, LeftSite, ShiftEnd, ShiftStart, TravelStart, VehicleInspection, WorkStarted,
};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};

const SEEDS: u64 = 200;
const SEEDS_LONG: u64 = 2_000;

/// How a technician's facts reach the log.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// Within a second each, in order.
    Prompt,
    /// Some of them hours to days late, some amended or withdrawn.
    Late,
    /// All within minutes, in any order.
    Shuffled,
}

fn claim<F>(id: EventId, own: Timestamp, fact: F) -> Claim<F> {
    Claim { id, revision: 0, voided: false, content: 1, own, fact }
}

/// Two weeks or more of one messy technician, as records.
fn records(seed: u64, arrival: Arrival) -> Vec<Record> {
    let mut random = Random::new(seed);
    let mut arrivals: Vec<(Timestamp, Input)> = Vec::new();
    let mut number = 0;
    let mut begin = Timestamp(20_000 * DAY_US);
    for part in 0..4 {
        let mut messy = scenario(seed * 4 + part);
        let Some(first) = messy.activities.iter().map(|e| e.created_at).min() else { continue };
        // Whole minutes, so that ties survive.
        let shift_us = begin.since(first).div_euclid(MINUTE_US) * MINUTE_US;
        for fact in &mut messy.activities {
            number += 1;
            fact.id = event_id(number);
            fact.created_at = fact.created_at + shift_us;
            begin = begin.max(fact.created_at);
            let delay_us = match arrival {
                Arrival::Late if random.one_in(4) => random.between(0, 100 * HOUR_US),
                Arrival::Prompt | Arrival::Late => random.between(0, SECOND_US),
                Arrival::Shuffled => 0,
            };
            let at = fact.created_at + delay_us;
            arrivals.push((at, Input::Activity(technician(), claim(fact.id, fact.created_at, *fact))));
            if matches!(arrival, Arrival::Late) && random.one_in(12) {
                let moved = Timestamp(fact.created_at.0 + random.between(-2, 2) * random.between(0, 40) * HOUR_US);
                let amended = ActivityFact { created_at: moved, ..*fact };
                let voided = random.one_in(2);
                let claim = Claim { revision: 1, voided, ..claim(fact.id, moved, amended) };
                arrivals.push((at.max(moved) + random.between(0, 50 * HOUR_US), Input::Activity(technician(), claim)));
            }
        }
        for fact in &mut messy.shift_plans {
            (fact.planned_start, fact.planned_end) = (fact.planned_start + shift_us, fact.planned_end + shift_us);
            arrivals.push((fact.planned_start, Input::ShiftPlan(technician(), claim(fact.id, fact.planned_start, *fact))));
        }
        for fact in &mut messy.visit_plans {
            fact.window_start = fact.window_start + shift_us;
            arrivals.push((fact.window_start, Input::VisitPlan(technician(), claim(fact.id, fact.window_start, *fact))));
        }
        for fact in &mut messy.signals {
            fact.created_at = fact.created_at + shift_us;
            fact.resolved_at = fact.resolved_at.map(|at| at + shift_us);
            arrivals.push((fact.created_at, Input::Signal(technician(), claim(fact.id, fact.created_at, *fact))));
        }
        begin = begin + random.between(0, 30) * HOUR_US;
    }
    if matches!(arrival, Arrival::Shuffled) {
        // A day ahead at most, as validation has it.
        let last = arrivals.iter().map(|(at, _)| *at).max().unwrap_or(begin);
        for n in (1..arrivals.len()).rev() {
            arrivals.swap(n, random.below(n as u64 + 1) as usize);
        }
        for (n, arrival) in arrivals.iter_mut().enumerate() {
            arrival.0 = Timestamp(last.0 - 20 * HOUR_US + n as i64 * 2 * SECOND_US);
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    // Time goes on until everything is final.
    let last = arrivals.last().map_or(begin, |(at, _)| *at);
    arrivals.extend((1..40).map(|n| (last + n * 7 * HOUR_US, Input::Tick { since: None })));
    arrivals.into_iter().zip(0..).map(|((append_time, input), offset)| Record { offset, append_time, input }).collect()
}

/// What each record caused.
fn run(path: Path, records: &[Record]) -> (Vec<Effects>, Counters) {
    let mut partition = Partition::new(Settings { path, ..Settings::single(Definition::default()) });
    let outputs = records.iter().map(|record| {
        let mut effects = Effects::default();
        partition.apply(record, &mut effects).unwrap();
        effects
    });
    (outputs.collect(), partition.counters())
}

#[test]
fn incremental_equals_refold_after_every_record() {
    let seeds = if crate::messy::setting("FIELDLINE_LONG").is_some() { SEEDS_LONG } else { SEEDS };
    let (mut rows, mut folds, mut going_on) = (0, 0, 0);
    for seed in 0..seeds {
        for arrival in [Arrival::Prompt, Arrival::Late, Arrival::Shuffled] {
            let records = records(seed, arrival);
            let (incremental, counters) = run(Path::Incremental, &records);
            let (refold, _) = run(Path::Refold, &records);
            for (n, (a, b)) in incremental.iter().zip(&refold).enumerate() {
                let place = format!("seed {seed}, {arrival:?}, record {n} of {}: {:?}", records.len(), records[n]);
                for (a, b) in a.kpis.iter().zip(&b.kpis) {
                    assert_eq!(a, b, "{place}");
                }
                assert_eq!(a, b, "{place}");
                rows += a.kpis.len();
            }
            folds += counters.folds;
            going_on += counters.folds_going_on;
        }
    }
    println!("{rows} rows after {folds} folds, {going_on} of which went on");
    assert!(rows > 100_000, "{rows} rows: too few to mean anything");
    assert!(going_on > folds / 10, "{going_on} of {folds} folds went on: too few to mean anything");
}

/// Each event arrives in a second of its own, later than all of them happened. What the last one caused.
fn last_effects(steps: &[(i64, ActivityType, Option<u8>, Option<i64>)]) -> Effects {
    let midnight = 20_000 * DAY_US;
    let mut records: Vec<Record> = Vec::new();
    for (offset, (second, kind, visit, device_sequence)) in (0..).zip(steps) {
        let fact = activity(event_id(offset as u64 + 1), midnight + second * SECOND_US, *kind, visit.map(visit_id));
        let fact = ActivityFact { device_sequence: *device_sequence, ..fact };
        let input = Input::Activity(technician(), claim(fact.id, fact.created_at, fact));
        records.push(Record { offset, append_time: Timestamp(midnight + 12 * HOUR_US + offset * SECOND_US), input });
    }
    records.push(Record { offset: 99, append_time: Timestamp(midnight + 13 * HOUR_US), input: Input::Tick { since: None } });
    let (mut incremental, _) = run(Path::Incremental, &records);
    assert_eq!(incremental, run(Path::Refold, &records).0);
    incremental.pop().unwrap()
}

/// A tie is ordered by what its visits did up to 24 h before, which may lie in a segment before: here visit 2 was left last,
/// until it turns out that visit 1 was.
#[test]
fn a_late_event_orders_a_tie_of_a_later_segment() {
    let effects = last_effects(&[
        (36_000, LeftSite, Some(1), None),
        (36_600, LeftSite, Some(2), None),
        (36_900, LeftSite, Some(3), None),
        (39_600, ShiftStart, None, None),
        (39_900, ArrivedOnSite, Some(1), None),
        (39_900, ArrivedOnSite, Some(2), None),
        (42_000, ShiftEnd, None, None),
        (36_720, LeftSite, Some(1), None),
    ]);
    assert_eq!(effects.kpis.len(), 3, "the late event's own row, and the two arrivals that change places: {effects:?}");
}

/// A double tap at the very instant of a shift_start, but before it: no segment may begin there, where it would stand.
#[test]
fn a_double_tap_never_begins_a_segment() {
    let effects = last_effects(&[
        (36_000, LeftSite, Some(1), None),
        (36_030, LeftSite, Some(1), None),
        (36_030, ShiftStart, None, Some(5)),
        (39_600, ShiftEnd, None, Some(6)),
        (38_000, TravelStart, None, Some(7)),
    ]);
    assert_eq!(effects.kpis.len(), 1, "the shift: {effects:?}");
}

/// What a segment that goes on must not overlook: each of these is folded again, or is taken with all that follows from it.
#[test]
fn a_segment_goes_on_as_if_it_were_folded_again() {
    let check = |name: &str, steps: &[(i64, ActivityType, Option<u8>, Option<i64>)], rows: usize| {
        assert_eq!(last_effects(steps).kpis.len(), rows, "{name}");
    };
    let travel = (36_000, TravelStart, Some(1), None);
    let on_site = [(36_000, ShiftStart, None, None), (36_600, ArrivedOnSite, Some(1), None), (37_000, WorkStarted, Some(1), None)];
    let with = |more: &[(i64, ActivityType, Option<u8>, Option<i64>)]| [&on_site, more].concat();

    // The inspection before the shift_start is no activity outside a shift: the loose row of its visit loses A04.
    check("an inspection looks ahead", &[travel, (36_600, VehicleInspection, Some(2), None), (37_200, ShiftStart, None, None)], 2);
    check("a double tap", &[on_site[0], travel, (36_030, TravelStart, Some(1), None)], 0);
    check("a tap beyond a minute", &with(&[(37_061, WorkStarted, Some(1), None)]), 2);
    check("an event before the last", &with(&[(36_900, TravelStart, Some(2), None)]), 2);
    check("an event at the instant of the last", &with(&[(37_000, ArrivedOnSite, Some(2), None)]), 3);
    check("an event at the instant of a double tap", &with(&[(37_030, WorkStarted, Some(1), None), (37_030, LeftSite, Some(1), None)]), 2);
    check("another visit bounds what is open", &with(&[(38_000, TravelStart, Some(2), None)]), 3);
    // Visit 1 is left, and settles when the shift does.
    let left = with(&[(38_000, LeftSite, Some(1), None), (39_000, TravelStart, Some(2), None)]);
    check("an episode that ended stays as it is", &left, 2);
    check("the end of a shift settles its episodes", &[&left[..], &[(40_000, ShiftEnd, None, None)]].concat(), 3);
    check("a break over work", &with(&[(38_000, BreakStart, None, None)]), 1);
    check("the end of a break over work", &with(&[(38_000, BreakStart, None, None), (38_600, BreakEnd, None, None)]), 2);
    check("a shift that closed a day ago", &with(&[(37_000 + 90_000, LeftSite, Some(1), None)]), 1);
}

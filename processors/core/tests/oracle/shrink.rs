//! A failing case made small: whatever can be left out is left out.

use crate::compare::differences;
use crate::scenario::{Scenario, print};
use fieldline_schemas::Timestamp;

/// Removes everything that the difference does not need.
pub fn shrink(scenario: &Scenario, clock: Timestamp) -> Scenario {
    shrink_while(scenario, |candidate| !differences(candidate, clock).is_empty())
}

fn shrink_while(scenario: &Scenario, fails: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut small = scenario.clone();
    let mut chunk = small.activities.len().div_ceil(2).max(1);
    loop {
        let before = size(&small);
        let mut from = 0;
        while from < small.activities.len() {
            let mut candidate = small.clone();
            candidate.activities.drain(from..(from + chunk).min(candidate.activities.len()));
            if fails(&candidate) {
                small = candidate;
            } else {
                from += chunk;
            }
        }
        for candidate in without_other_facts(&small) {
            if fails(&candidate) {
                small = candidate;
            }
        }
        if chunk > 1 {
            chunk /= 2;
        } else if size(&small) == before {
            break;
        }
    }
    for index in 0..small.activities.len() {
        for simplify in SIMPLER {
            let mut candidate = small.clone();
            simplify(&mut candidate.activities[index]);
            if candidate.activities[index] != small.activities[index] && fails(&candidate) {
                small = candidate;
            }
        }
    }
    small
}

const SIMPLER: [fn(&mut fieldline_processors_core::facts::ActivityFact); 6] = [
    |e| e.device_sequence = None,
    |e| e.position = None,
    |e| e.stop_us = 0,
    |e| e.utc_offset_minutes = 0,
    |e| e.anomalies = fieldline_schemas::Anomalies::NONE,
    |e| e.visit_id = None,
];

fn size(s: &Scenario) -> usize {
    s.activities.len() + s.shift_plans.len() + s.visit_plans.len() + s.signals.len() + s.clearances.len()
}

/// Every scenario with one fact less that is not an activity; each is tried upon the smallest so far.
fn without_other_facts(s: &Scenario) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    macro_rules! without {
        ($($field:ident)*) => {$(
            let mut candidate = s.clone();
            candidate.$field.clear();
            candidates.extend((!s.$field.is_empty()).then_some(candidate));
            for index in 0..s.$field.len() {
                let mut candidate = s.clone();
                candidate.$field.remove(index);
                candidates.push(candidate);
            }
        )*};
    }
    without!(shift_plans visit_plans signals clearances);
    candidates
}

/// The case as a person reads it: events, clock, differences.
pub fn report(scenario: &Scenario, clock: Timestamp) -> String {
    format!("{}\nclock {clock}\n  {}\n", print(scenario), differences(scenario, clock).join("\n  "))
}

/// Whatever a technician's weeks hold, work ended by left_site needs two or three events to show.
#[test]
fn a_case_is_shrunk_to_what_it_needs() {
    use fieldline_schemas::Anomaly::A12;
    let shows = |scenario: &Scenario| {
        let units = crate::evaluate(&scenario.facts(), Timestamp(0), &Default::default());
        units.visits.iter().any(|v| v.anomalies.contains(A12))
    };
    let shrunk: Vec<usize> = (1..200).map(crate::generate::scenario).filter(|s| shows(s)).map(|s| size(&shrink_while(&s, shows))).collect();
    assert!(shrunk.len() > 20, "{shrunk:?}");
    assert!(shrunk.iter().all(|events| *events <= 3), "{shrunk:?}");
}

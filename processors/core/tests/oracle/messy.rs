//! The fold equals the oracle on messy technicians.

use crate::compare::{differences, differences_of};
use crate::generate::{Random, scenario};
use crate::scenario::Scenario;
use crate::shrink::{report, shrink};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold;
use fieldline_schemas::results::{Measure, Quality};
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_schemas::{Anomaly, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const TECHNICIAN_DAYS: usize = 100_000;
/// With FIELDLINE_LONG set.
const TECHNICIAN_DAYS_LONG: usize = 1_000_000;
/// How many kinds of difference are shrunk and shown before the test gives up.
const CASES_SHOWN_MAX: usize = 12;

#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the fold's")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn technician_days(scenario: &Scenario) -> usize {
    scenario.activities.iter().map(|e| e.created_at.0.div_euclid(DAY_US)).collect::<BTreeSet<_>>().len()
}

/// Some moment among the events, something falling due exactly or just not yet, and long after.
fn clocks(random: &mut Random, scenario: &Scenario) -> Vec<Timestamp> {
    let instants: Vec<i64> = scenario.activities.iter().map(|e| e.created_at.0).collect();
    let Some(last) = instants.iter().max() else { return Vec::new() };
    let shifts = crate::evaluate(&scenario.facts(), Timestamp(*last), &Definition::default()).shifts;
    let mut due: Vec<i64> =
        shifts.iter().flat_map(|s| [s.started_at.0 + 11 * HOUR_US, s.closed_at.0, s.closed_at.0 + 72 * HOUR_US]).collect();
    due.extend(scenario.shift_plans.iter().map(|p| p.planned_end.0 + HOUR_US));
    due.push(last + 72 * HOUR_US);
    vec![
        Timestamp(*random.pick(&instants)),
        Timestamp(*random.pick(&due)),
        Timestamp(*random.pick(&due) - 1),
        Timestamp(last + 30 * DAY_US),
    ]
}

#[test]
fn fold_equals_oracle_on_messy_technicians() {
    let goal = if setting("FIELDLINE_LONG").is_some() { TECHNICIAN_DAYS_LONG } else { TECHNICIAN_DAYS };
    let first_seed: u64 = setting("FIELDLINE_SEED").and_then(|s| s.parse().ok()).unwrap_or(1);
    let (mut days, mut seed, mut failed) = (0, first_seed, 0);
    // One case of each kind: the row and field of its first difference.
    let mut cases: BTreeMap<String, String> = BTreeMap::new();
    while days < goal {
        let scenario = scenario(seed);
        days += technician_days(&scenario);
        for clock in clocks(&mut Random::new(!seed), &scenario) {
            if differences(&scenario, clock).is_empty() {
                continue;
            }
            failed += 1;
            let small = shrink(&scenario, clock);
            let kind = differences(&small, clock).first().map_or(String::new(), |line| kind_of(line));
            let text = format!("seed {seed}\n{}", report(&small, clock));
            let shown = cases.entry(kind).or_insert_with(|| text.clone());
            if text.lines().count() < shown.lines().count() {
                *shown = text;
            }
            break;
        }
        if cases.len() >= CASES_SHOWN_MAX || failed >= 20 * CASES_SHOWN_MAX {
            break;
        }
        seed += 1;
    }
    println!("seeds {first_seed}..={seed}: {days} technician-days, {failed} technicians differ");
    for (kind, text) in &cases {
        println!("--- {kind}\n{text}");
    }
    assert!(cases.is_empty(), "{failed} technicians differ between fold and oracle");
}

/// The row's kind and field of a difference, without instants.
fn kind_of(line: &str) -> String {
    let words: Vec<&str> = line.split(':').next().unwrap_or("").split_whitespace().collect();
    let head = line.split_once(": fold").map_or(line, |(head, _)| head);
    format!("{} {}", words.first().unwrap_or(&""), head.split_whitespace().last().unwrap_or(""))
}

/// Negative control: an event taken away from one side shows, wherever it means anything.
#[test]
fn a_lost_event_makes_a_difference() {
    let (mut tried, mut noticed) = (0, 0);
    for seed in 1..400 {
        let scenario = scenario(seed);
        let Some(last) = scenario.activities.iter().map(|e| e.created_at).max() else { continue };
        let whole = crate::evaluate(&scenario.facts(), last, &Definition::default());
        for lost in 0..scenario.activities.len() {
            let mut less = scenario.clone();
            less.activities.remove(lost);
            let fold = fold::fold(less.facts(), last, &Definition::default());
            tried += 1;
            noticed += usize::from(!differences_of(&fold, &whole).is_empty());
        }
    }
    // What is not noticed: double taps, and what happens outside every shift without a visit.
    assert!(noticed * 100 > tried * 75, "only {noticed} of {tried} lost events were noticed");
}

/// What the comparison is worth: every code, and every duration in every quality, really occurs.
#[test]
fn messy_technicians_reach_every_code_and_quality() {
    let mut codes: BTreeMap<Anomaly, usize> = BTreeMap::new();
    let mut qualities: BTreeMap<(&str, Quality), usize> = BTreeMap::new();
    for seed in 1..3_000 {
        let scenario = scenario(seed);
        let units = crate::evaluate(&scenario.facts(), Timestamp(i64::MAX / 2), &Definition::default());
        for shift in &units.shifts {
            shift.anomalies.iter().for_each(|code| *codes.entry(code).or_default() += 1);
            let d = &shift.durations;
            let named = [
                ("shift", d.shift),
                ("travel", d.travel),
                ("travel net", d.travel_net),
                ("work", d.work),
                ("pause", d.pause),
                ("break", d.r#break),
                ("site wait", d.site_wait),
                ("site wrap", d.site_wrap),
                ("on site", d.on_site),
                ("emergency", d.emergency),
                ("stop", d.stop),
                ("idle", d.idle),
            ];
            named.into_iter().filter(|(_, m)| m.hi_us != Some(0)).for_each(|(n, m)| *qualities.entry((n, m.quality)).or_default() += 1);
        }
        for visit in &units.visits {
            visit.anomalies.iter().for_each(|code| *codes.entry(code).or_default() += 1);
            let named = [
                ("visit travel", visit.travel),
                ("visit on site", visit.on_site),
                ("visit wait", visit.site_wait),
                ("visit work", visit.work),
                ("visit pause", visit.pause),
                ("visit wrap", visit.wrap),
            ];
            named.into_iter().filter(|(_, m)| m.hi_us.is_some()).for_each(|(n, m)| *qualities.entry((n, m.quality)).or_default() += 1);
        }
    }
    // A23 and A24 need more than one technician's log, A03 belongs to no row unless a shift is open, which it denies.
    let unseen = |code: &&Anomaly| !matches!(code, Anomaly::A23 | Anomaly::A24 | Anomaly::A03) && codes.get(code).is_none_or(|n| *n < 5);
    assert_eq!(Anomaly::ALL.iter().filter(unseen).collect::<Vec<_>>(), Vec::<&Anomaly>::new());
    let measures: BTreeSet<&str> = qualities.keys().map(|(name, _)| *name).collect();
    assert_eq!(measures.len(), 18);
    for name in measures {
        let counts = [Quality::Observed, Quality::Imputed, Quality::Open].map(|q| qualities.get(&(name, q)).copied().unwrap_or(0));
        // A shift's end is there or not; neither it nor an emergency, nor a pause or wrap of a visit, is ever imputed.
        let is_never_imputed = matches!(name, "shift" | "emergency" | "visit pause" | "visit wrap");
        assert!(counts[0] >= 5 && counts[2] >= 5, "{name}: {counts:?}");
        assert!(if is_never_imputed { counts[1] == 0 } else { counts[1] >= 5 }, "{name}: {counts:?}");
    }
}

/// The oracle by itself: of a shift with a known length, what is certain fits in, and what is possible fills it.
#[test]
fn buckets_of_the_oracle_fill_the_shift() {
    let mut observed = 0;
    for seed in 1..2_000 {
        let scenario = scenario(seed);
        let clock = Timestamp(i64::MAX / 2);
        for shift in crate::evaluate(&scenario.facts(), clock, &Definition::default()).shifts {
            let d = &shift.durations;
            let buckets = [d.emergency, d.r#break, d.work, d.pause, d.site_wait, d.site_wrap, d.stop, d.travel_net, d.idle];
            let lo_us: i64 = buckets.iter().map(|m| m.lo_us).sum();
            let hi_us: i64 = buckets.iter().filter_map(|m| m.hi_us).sum();
            let Measure { value_us, lo_us: shift_lo, hi_us: shift_hi, .. } = d.shift;
            assert!(lo_us <= shift_hi.unwrap(), "seed {seed}: {lo_us} is certain of at most {shift_hi:?}");
            assert!(hi_us >= shift_lo, "seed {seed}: {hi_us} is possible of at least {shift_lo}");
            if let (Some(value), true) = (value_us, buckets.iter().all(|m| m.value_us.is_some())) {
                assert_eq!(lo_us, value, "seed {seed}: the buckets sum to the shift");
                observed += 1;
            }
        }
    }
    assert!(observed > 500, "only {observed} shifts were observed whole");
}

//! Laws on generated logs: what goes wrong there is in `tests/partition/scenario.rs`.

use crate::scenario::{Faults, Rng, log, technician};
use crate::script::{Outputs, assert_same_standings, places, restarted, run, settings, standings};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold;
use fieldline_processors_core::partition::{GAP_US, Input, LIVE_UNITS_US, Partition, Path, Record, Settings, WholeLog};
use fieldline_schemas::alerts::{FlagCode, FlagStanding};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{Anomaly, Timestamp};
use std::collections::BTreeSet;

const SEEDS: u64 = 12;
const RESTARTS: u64 = 12;

fn is_imported(id: EventId) -> bool {
    id.0.as_u128().is_multiple_of(8)
}

/// A log where time does not stand still, as the ticks of an owner vouch for it; some shifts are imported, some people work alone.
fn messy(seed: u64) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut clock = None;
    for record in log(seed, Faults::ALL) {
        let at = record.append_time;
        if let Some(before) = clock.filter(|before: &Timestamp| at.since(*before) > GAP_US) {
            records.push(Record { input: Input::Tick { since: Some(before) }, ..record });
        }
        clock = clock.max(Some(at));
        let input = match record.input {
            Input::Activity(who, mut claim) => {
                claim.fact.imported = is_imported(claim.id);
                Input::Activity(who, claim)
            }
            Input::ShiftPlan(who, mut claim) => {
                claim.fact.lone_worker = claim.id.0.as_u128() % 2 == 1;
                Input::ShiftPlan(who, claim)
            }
            input => input,
        };
        records.push(Record { input, ..record });
    }
    records.into_iter().zip(0..).map(|(record, offset)| Record { offset, ..record }).collect()
}

fn count(outputs: &Outputs) -> usize {
    outputs.iter().map(|(_, flags)| flags.len()).sum()
}

/// Whoever takes over anywhere leaves the same flags standing, and tells hardly any of them twice.
#[test]
fn restarts_leave_the_same_standings() {
    let (mut flags, mut told_twice, mut raised) = (0, 0, BTreeSet::new());
    for seed in 0..SEEDS {
        let records = messy(seed);
        let straight = run(&mut Partition::new(settings()), &records);
        flags += count(&straight);
        raised.extend(straight.iter().flat_map(|(_, flags)| flags).map(|flag| (flag.flag.symbol(), flag.standing.symbol())));
        let places = places(&records);
        let mut rng = Rng(seed);
        for _ in 0..RESTARTS {
            let place = places[rng.below(places.len() as u64) as usize];
            let other = restarted(&records, &straight, place);
            assert_same_standings(&straight, &other, &format!("seed {seed}, restarted at {place:?}"));
            told_twice += count(&other).saturating_sub(count(&straight));
        }
    }
    println!("{flags} flags, {told_twice} told twice, {raised:?}");
    assert!(flags > 1_000 && told_twice * 1_000 < flags * RESTARTS as usize, "{flags} flags, {told_twice} told twice");
    for code in ["S1", "S4", "S5", "S6", "S7", "S8", "S11"] {
        assert!(raised.contains(&(code, "raised")), "no {code} in {raised:?}");
    }
}

/// Deriving everything again each time gives the same flags, record by record.
#[test]
fn incremental_equals_refold() {
    for seed in 0..SEEDS {
        let records = messy(seed);
        let refold = Settings { path: Path::Refold, ..settings() };
        let (one, other) = (run(&mut Partition::new(settings()), &records), run(&mut Partition::new(refold), &records));
        for (a, b) in one.iter().zip(&other) {
            assert_eq!(a, b, "seed {seed}");
        }
        assert_eq!(one.len(), other.len());
    }
}

/// Of one alert id versions grow, and standings alternate: nothing is raised while it stands but to be more severe, nothing
/// is withdrawn that does not stand.
#[test]
fn each_alert_is_told_in_turns() {
    for seed in 0..SEEDS {
        let outputs = run(&mut Partition::new(settings()), &messy(seed));
        let mut known = std::collections::BTreeMap::new();
        for flag in outputs.iter().flat_map(|(_, flags)| flags) {
            let stands = flag.standing == FlagStanding::Raised;
            assert!(flag.opened_at <= flag.as_of, "{flag:?}");
            let before = known.insert(flag.alert_id.to_string(), (flag.version, stands, flag.severity));
            let Some((version, stood, severity)) = before else {
                assert!(stands, "seed {seed}: {flag:?} was never raised");
                continue;
            };
            assert!(version < flag.version, "seed {seed}: {flag:?}");
            // Of an emergency, its void and each resolution that ends it are told; it is never raised again.
            let is_in_turn = match flag.flag {
                FlagCode::S1 => !stands,
                _ if stood => !stands || flag.severity > severity,
                _ => stands,
            };
            assert!(is_in_turn, "seed {seed}: {flag:?}");
        }
    }
}

/// I7: every shift that is not imported has exactly one of a shift_end, an open shift younger than its deadline (A02 is not on
/// it), and an S5 that stands. Checked against a computation of everything, wherever nobody has sent anything for a while.
#[test]
fn every_shift_ends_is_young_or_is_flagged() {
    let (mut shifts, mut flagged) = (0, 0);
    for seed in 0..SEEDS {
        let records = messy(seed);
        let mut rng = Rng(seed);
        let outputs = run(&mut Partition::new(settings()), &records);
        for n in 1..records.len() {
            let (before, now) = (records[n - 1].append_time, records[n]);
            let is_quiet = matches!(now.input, Input::Tick { .. }) && now.append_time.since(before) > MINUTE_US;
            if !is_quiet || !rng.chance(5) {
                continue;
            }
            let clock = now.append_time;
            let told: Outputs = outputs.iter().filter(|(offset, _)| *offset <= now.offset).cloned().collect();
            let stand = standings(&told);
            for who in (0..Faults::ALL.technicians).map(technician) {
                let mut whole = WholeLog::default();
                let own = records[..=n].iter().filter(|record| record.input.technician() == Some(who));
                for record in own {
                    whole.insert(&record.input);
                }
                let units = fold::fold(whole.facts(who), clock, &Definition::default());
                for shift in units.shifts.iter().filter(|shift| shift.started_at >= clock - LIVE_UNITS_US + MINUTE_US) {
                    if shift.anomalies.contains(Anomaly::A29) {
                        continue;
                    }
                    let stands = stand.get(&format!("S5:{who}:{}", shift.shift_id)).is_some_and(|(s, _)| *s == FlagStanding::Raised);
                    let is_missing = shift.ended_at.is_none() && shift.anomalies.contains(Anomaly::A02) && !is_imported(shift.shift_id);
                    // Superseded by a start that is ahead of the clock: missing at once in the row, flagged when that comes.
                    let waits = shift.closed_at > clock && shift.closed_at.since(shift.started_at) < 24 * 60 * MINUTE_US;
                    assert!(stands == is_missing || waits, "seed {seed}, at {clock}, record {n}: flagged {stands}, {shift:?}");
                    shifts += 1;
                    flagged += u32::from(stands);
                }
            }
        }
    }
    assert!(shifts > 1_000 && flagged > 100, "{shifts} shifts, {flagged} flagged: too few to mean anything");
}

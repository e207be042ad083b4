//! Laws that hold for every log.

use crate::scenario::{Faults, Rng, log, number, technician};
use crate::tables::{Output, Table, anomalies, answer, run, settings, whole};
use fieldline_processors_core::partition::{Effects, Input, Partition, Record, Settings};
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{Anomaly, Timestamp};

/// Enough for a quick run; `FIELDLINE_SEEDS` asks for more.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("FIELDLINE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

fn straight(records: &[Record]) -> Vec<Output> {
    run(&mut Partition::new(settings()), records).0
}

fn table(records: &[Record], outputs: Vec<Output>) -> Table {
    let mut table = Table::default();
    for output in outputs {
        output.effects.kpis.into_iter().for_each(|kpi| table.insert(kpi));
        output.effects.recompute.iter().for_each(|request| answer(&mut table, records, request));
    }
    table
}

/// Flags aside: where it can not be known whether one was put out it may be put out again, as tests/flags has it.
fn without_flags(outputs: Vec<Output>) -> Vec<Output> {
    let strip = |output: Output| Output { effects: Effects { flags: Vec::new(), ..output.effects }, ..output };
    outputs.into_iter().map(strip).filter(|output| !output.effects.is_empty()).collect()
}

/// Whoever takes over at any position goes on with the same outputs, to the byte.
#[test]
fn a_rebuilt_state_goes_on_as_if_nothing_had_happened() {
    let (mut splits, mut outputs) = (0, 0);
    for seed in seeds() {
        let records = log(seed, Faults::ALL);
        let (expected, positions) = run(&mut Partition::new(settings()), &records);
        let expected = without_flags(expected);
        let mut rng = Rng(seed);
        for _ in 0..8 {
            let at = positions[rng.below(positions.len() as u64) as usize];
            let from = Partition::replay_from(at.clock);
            let first = records.partition_point(|record| record.append_time < from);
            let mut rebuilt = Partition::rebuild(settings(), at);
            let (after, _) = run(&mut rebuilt, &records[first..]);
            let after = without_flags(after);
            let expected: Vec<&Output> = expected.iter().filter(|output| output.offset >= at.offset).collect();
            for (a, b) in after.iter().zip(&expected) {
                assert_eq!(a, *b, "seed {seed}, taken over at {at:?}");
            }
            assert_eq!(after.len(), expected.len(), "seed {seed}, taken over at {at:?}");
            splits += 1;
            outputs += after.len();
        }
    }
    assert!(splits >= 100 && outputs > 5_000, "{splits} splits, {outputs} outputs: too few to mean anything");
}

/// How many records of a replay wait for others of their technician is not visible: not in what is put out afterwards, not in the
/// counters, not in anything that is known. Some technicians belong elsewhere.
#[test]
fn a_replay_by_technician_equals_one_record_by_record() {
    let settings = Settings { partitions: 2, home: |id, _| i32::from(id == technician(1)), ..settings() };
    let (mut waited, mut misplaced) = (0, 0);
    for seed in seeds() {
        let records = log(seed, Faults::ALL);
        let (_, positions) = run(&mut Partition::new(settings), &records);
        let mut rng = Rng(seed);
        for _ in 0..3 {
            let at = positions[rng.below(positions.len() as u64) as usize];
            // Longer than needed, so that technicians and devices are forgotten on the way, too.
            let from = Partition::replay_from(at.clock) - rng.span(4 * DAY_US);
            let first = records.partition_point(|record| record.append_time < from);
            let live = records.partition_point(|record| record.offset < at.offset);
            let replay = |waiting_max: usize| {
                let mut partition = Partition::rebuild(settings, at).waiting_at_most(waiting_max);
                let until = (live + 1).min(records.len());
                let replayed = run(&mut partition, &records[first..until]);
                let state = format!("{partition:?}");
                let went_on = run(&mut partition, &records[until..]);
                (replayed, state, went_on, partition.counters())
            };
            let one_by_one = replay(1);
            for waiting_max in [7, 300, usize::MAX] {
                assert!(replay(waiting_max) == one_by_one, "seed {seed}, taken over at {at:?}, {waiting_max} waiting");
            }
            waited += live - first;
            misplaced += one_by_one.3.misplaced;
        }
    }
    assert!(waited > 10_000 && misplaced > 1_000, "{waited} records, {misplaced} misplaced: too few to mean anything");
}

/// The negative control of the law above: with a shorter replay the outputs differ.
#[test]
fn a_replay_that_is_too_short_is_noticed() {
    let mut differing = 0;
    for seed in 0..10 {
        let records = log(seed, Faults::ALL);
        let (expected, positions) = run(&mut Partition::new(settings()), &records);
        let at = positions[positions.len() / 2];
        let first = records.partition_point(|record| record.offset < at.offset);
        let (after, _) = run(&mut Partition::rebuild(settings(), at), &records[first..]);
        differing += u32::from(!after.iter().eq(expected.iter().filter(|output| output.offset >= at.offset)));
    }
    assert!(differing >= 8, "only {differing} of 10 differ");
}

/// The table that live outputs and history's answers leave is what the whole log gives, computed at once.
#[test]
fn live_and_history_together_equal_the_whole_log() {
    let (mut rows, mut late, mut leaning) = (0, 0, 0);
    for seed in seeds() {
        let records = log(seed, Faults::ALL);
        let outputs = straight(&records);
        late += outputs.iter().map(|output| output.effects.recompute.len()).sum::<usize>();
        let table = table(&records, outputs).rows();
        let last = records[records.len() - 1];
        let mut expected = std::collections::BTreeMap::new();
        for n in 0..Faults::ALL.technicians {
            expected.extend(whole(&records, technician(n), last.offset, last.append_time));
        }
        let leans =
            |identity| [&table, &expected].iter().any(|rows| rows.get(identity).is_some_and(|kpi| anomalies(kpi).contains(Anomaly::A29)));
        for identity in expected.keys().chain(table.keys()) {
            if leans(identity) {
                leaning += 1;
            } else {
                rows += 1;
                assert_eq!(table.get(identity), expected.get(identity), "seed {seed}, {identity:?}");
            }
        }
    }
    assert!(rows > 2_000 && late > 200 && leaning < rows / 10, "{rows} rows, {late} requests, {leaning} lean on context");
}

/// The order of arrival is not visible in the rows.
#[test]
fn shuffled_arrivals_give_the_same_rows() {
    for seed in seeds() {
        let faults = Faults { days: 2, ticks: false, ..Faults::IN_TIME };
        let mut inputs: Vec<Input> = log(seed, faults).into_iter().map(|record| record.input).collect();
        inputs.retain(|input| input.technician().is_some());
        let arrive = |inputs: &[Input], step_us: i64| {
            let begin = crate::scenario::EPOCH + 50 * 3_600_000_000;
            let mut arrivals: Vec<(Timestamp, Input)> =
                inputs.iter().zip(0_i64..).map(|(input, n)| (begin + n * step_us, *input)).collect();
            arrivals.push((begin + 13 * 3_600_000_000, Input::Tick { since: None }));
            let records = number(arrivals);
            let outputs = straight(&records);
            table(&records, outputs).rows()
        };
        let expected = arrive(&inputs, 1_000);
        assert!(!expected.is_empty());
        let mut rng = Rng(seed);
        for (round, step_us) in [(0, 1_000), (1, 700_000), (2, 40_000_000)] {
            for n in (1..inputs.len()).rev() {
                inputs.swap(n, rng.below(n as u64 + 1) as usize);
            }
            assert_eq!(arrive(&inputs, step_us), expected, "seed {seed}, round {round}");
        }
    }
}

/// A duplicate appended anywhere changes no row and causes none.
#[test]
fn duplicates_are_counted_and_have_no_effect() {
    for seed in seeds() {
        // In time: else a duplicate keeps a marker alive that would have left the window, by design.
        let records = log(seed, Faults::IN_TIME);
        let mut rng = Rng(seed);
        let mut doubled: Vec<Record> = Vec::new();
        let mut added = 0;
        for (n, record) in records.iter().enumerate() {
            doubled.push(*record);
            let earlier = records[n - rng.below(n.min(20) as u64 + 1) as usize];
            if earlier.input.technician().is_some() && rng.chance(30) {
                added += 1;
                doubled.push(Record { append_time: record.append_time, ..earlier });
            }
        }
        let doubled = number(doubled.into_iter().map(|record| (record.append_time, record.input)).collect());
        let kpis = |outputs: Vec<Output>| outputs.into_iter().flat_map(|o| o.effects.kpis).map(|record| record.kpi).collect::<Vec<_>>();
        let mut once = Partition::new(settings());
        let mut twice = Partition::new(settings());
        let (a, b) = (run(&mut once, &records).0, run(&mut twice, &doubled).0);
        assert!(kpis(a) == kpis(b), "seed {seed}");
        let (once, twice) = (once.counters(), twice.counters());
        let seen = |c: &fieldline_processors_core::partition::Counters| c.duplicates + c.outranked + c.heartbeats;
        assert_eq!(seen(&twice), seen(&once) + added, "seed {seed}");
    }
}

/// I5: the version of an identity's row only grows, and no two rows share one.
#[test]
fn versions_grow() {
    for seed in seeds() {
        let records = log(seed, Faults::ALL);
        let mut versions = std::collections::BTreeMap::new();
        for kpi in straight(&records).into_iter().flat_map(|output| output.effects.kpis) {
            let before = versions.insert(crate::tables::identity(&kpi.kpi), kpi.stamp.version);
            assert!(before.is_none_or(|before| before < kpi.stamp.version), "seed {seed}: {kpi:?} after {before:?}");
        }
    }
}

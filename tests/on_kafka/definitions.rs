//! A rolling upgrade: processes of two definitions at once, then `recompute`, then back as a higher number.

use super::{Deployment, shared_kafka};
use crate::recompute::{OTHER, definition, rows_of};
use crate::support::events;
use crate::support::folder::{Folder, Running, wait_until};
use crate::support::views::{ABOUT_ARRIVAL, SHIFTS, Snapshot, VISITS, differences};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Log, TopicPartition};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARTITIONS: u32 = 6;
/// An older process that meets a newer commit ends within this: it holds no partition idle.
const LEAVES_WITHIN: Duration = Duration::from_secs(30);

fn start(deployment: &Deployment, definition: &[String], role: &str) -> Running {
    let arguments: Vec<&str> = definition.iter().map(String::as_str).chain(["run", "--role", role]).collect();
    let mut process = deployment.spawn(&arguments);
    process.wait_until_said("fieldline runs on");
    process
}

fn stop(process: Running) {
    process.signal(Signal::TERM);
    let left = process.finish();
    assert_eq!(left.code, Some(0), "{left:?}");
}

/// What the commits in `activity` say: the numbers of the definitions that the partitions were processed with.
fn committed_definitions(log: &KafkaLog, prefix: &str) -> BTreeSet<u64> {
    let at = |partition| TopicPartition { topic: format!("{prefix}activity"), partition };
    let committed = |partition| log.committed(&format!("{prefix}processors"), &at(partition)).unwrap();
    let number = |metadata: String| serde_json::from_str::<serde_json::Value>(&metadata).unwrap()["definition"].as_u64().unwrap();
    (0..PARTITIONS as i32).filter_map(committed).map(|committed| number(committed.metadata)).collect()
}

fn recompute(deployment: &Deployment, definition: &[String]) {
    let arguments: Vec<&str> = definition.iter().map(String::as_str).chain(["recompute"]).collect();
    let outcome = deployment.run(&arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

fn verify(deployment: &Deployment, definition: &[String]) {
    let arguments: Vec<&str> = definition.iter().map(String::as_str).chain(["verify"]).collect();
    let outcome = deployment.run(&arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_rolling_upgrade_with_both_definitions_alive_and_the_way_back_end_in_straight_runs() {
    let Some(kafka) = shared_kafka() else { return };
    let (before, other, back) = (definition(1, &[]), definition(2, &OTHER), definition(3, &[]));
    let lines = events::undisputed(events::simulated(60, 4, 91, "heavy"));
    let straight = |definition: &[String]| {
        let folder = Folder::new();
        let file = folder.write("days.ndjson", &lines);
        let arguments: Vec<&str> = definition.iter().map(String::as_str).chain(["import", &file]).collect();
        let outcome = folder.run(&arguments);
        assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
        Snapshot::of(&folder)
    };
    let (straight_before, straight_other) = (straight(&before), straight(&other));
    assert!(!differences(&straight_before.0[SHIFTS.name], &straight_other.0[SHIFTS.name], ABOUT_ARRIVAL).is_empty());
    assert!(!differences(&straight_before.0[VISITS.name], &straight_other.0[VISITS.name], ABOUT_ARRIVAL).is_empty());

    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS);
    let prefix = deployment.prefix();
    let log: Arc<KafkaLog> = KafkaLog::open(KafkaConfig { brokers: kafka.bootstrap(), ..KafkaConfig::default() }).unwrap();
    let chunks: Vec<String> = lines
        .chunks(lines.len().div_ceil(3))
        .enumerate()
        .map(|(index, chunk)| deployment.folder.write(&format!("chunk{index}.ndjson"), chunk))
        .collect();

    // The old ones are at work, and one new process of each role joins them.
    let mut older: Vec<Running> = ["processors", "processors", "sinks", "sinks"].map(|role| start(&deployment, &before, role)).into();
    deployment.import(&chunks[0]);
    let mut first_new = [start(&deployment, &other, "processors"), start(&deployment, &other, "sinks")];
    wait_until("some partitions are processed with the new definition, others with the old one", || {
        committed_definitions(&log, prefix) == BTreeSet::from([1, 2])
    });
    deployment.import(&chunks[1]);
    assert!(first_new.iter_mut().chain(&mut older).all(Running::is_alive), "both definitions work side by side");
    assert_eq!(committed_definitions(&log, prefix), BTreeSet::from([1, 2]));
    let published = deployment.folder.rows("SELECT DISTINCT definition_version FROM shifts_history ORDER BY 1");
    assert_eq!(published, [["1"], ["2"]], "rows of both definitions were published");

    // The new ones go: their partitions are handed to the old ones, which must not go on from there, nor keep them.
    first_new.into_iter().for_each(stop);
    let handed_over = Instant::now();
    let sinks = older.split_off(2);
    for mut processor in older {
        wait_until("a processor of the older definition has left", || {
            assert!(handed_over.elapsed() < LEAVES_WITHIN, "it holds its partitions still: {}", processor.said("stderr"));
            !processor.is_alive()
        });
        let left = processor.finish();
        assert!(left.code == Some(5) && left.stderr.contains("was processed with definition 2, this program has 1"), "{left:?}");
    }
    println!("the older processors had left {:?} after they were handed what is newer", handed_over.elapsed());

    // The rest is upgraded while an import waits; old sinks leave by themselves or in good order.
    let import = deployment.spawn(&["import", &chunks[2]]);
    let newer = ["processors", "sinks", "processors", "sinks"].map(|role| start(&deployment, &other, role));
    for mut sink in sinks {
        if sink.is_alive() {
            sink.signal(Signal::TERM);
        }
        let left = sink.finish();
        let met_newer = left.code == Some(5) && left.stderr.contains("was computed with definition 2, this program has 1");
        assert!(left.code == Some(0) || met_newer, "{left:?}");
    }
    let imported = import.finish();
    assert!(matches!(imported.code, Some(0 | 3)), "{imported:?}");
    recompute(&deployment, &other);
    assert_eq!(rows_of(&deployment.folder, "1").iter().map(|rows| rows.0).collect::<Vec<_>>(), [2]);
    straight_other.assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "after a rolling upgrade");
    verify(&deployment, &other);

    // Back to the old settings, under a number that is higher still.
    let back_again = ["processors", "sinks"].map(|role| start(&deployment, &back, role));
    for mut process in newer {
        if process.is_alive() {
            process.signal(Signal::TERM);
        }
        let left = process.finish();
        assert!(left.code == Some(0) || left.code == Some(5) && left.stderr.contains("this program has 2"), "{left:?}");
    }
    recompute(&deployment, &back);
    assert_eq!(rows_of(&deployment.folder, "1").iter().map(|rows| rows.0).collect::<Vec<_>>(), [3]);
    straight_before.assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "after the way back");
    verify(&deployment, &back);
    back_again.into_iter().for_each(stop);
}

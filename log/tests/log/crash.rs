//! kill -9 and a full disk, for real: the test runs itself as a child process.

use crate::*;
use fieldline_log::{Committed, Error};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const FOLDER: &str = "FIELDLINE_LOG_TEST_FOLDER";

fn child_folder() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

fn child(test: &str, folder: &Path, before: &str) -> Child {
    // The shell replaces itself by the test, so that killing the child kills the test.
    let script = format!("{before} exec \"$0\" --exact {test} --nocapture --test-threads 1");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Appends numbers in turn to three partitions, each counted from where it ends, telling what is acknowledged.
fn append_until_killed(folder: &Path) -> ! {
    let log = open(folder, EmbeddedOptions { segment_bytes: 1 << 20, ..Default::default() });
    make_topic(&*log, 3, None);
    let mut consumer = log.consumer("g", &[TOPIC]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    let mut producer = log.producer().unwrap();
    let start = [0, 1, 2].map(|p| read(&*log, p).len() as u64);
    for n in 0u64.. {
        let p = (n % 3) as usize;
        let number = start[p] + n / 3;
        let mut value = number.to_le_bytes().to_vec();
        value.resize(8 + (n as usize * 7919) % 3000, number as u8);
        let destination = Destination::Partition(p as i32);
        producer.append(TOPIC, Append { destination, key: b"", value: &value, append_time: None }).unwrap();
        if n % 50 == 0 {
            let acknowledged = producer.acknowledged().unwrap();
            let counts = [0, 1, 2].map(|p| start[p as usize] + (acknowledged + 2 - p) / 3);
            let positions = [0, 1, 2].map(|p| (at(p), Committed { offset: counts[p as usize] as i64, metadata: String::new() }));
            consumer.commit(&positions).unwrap();
            println!("\nacknowledged {} {} {}", counts[0], counts[1], counts[2]);
        }
    }
    unreachable!("it is killed")
}

fn counts(line: &str) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = line.strip_prefix("acknowledged ")?.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

#[test]
fn killed_while_appending() {
    if let Some(folder) = child_folder() {
        append_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut before: Vec<Vec<(i64, Vec<u8>)>> = vec![Vec::new(); 3];
    for round in 0..15u64 {
        let mut child = child("crash::killed_while_appending", folder.path(), "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = None;
        let mut stop_at = None;
        // Killed a few milliseconds after the first acknowledgement, at a different point each time.
        while let Some(Ok(line)) = lines.next() {
            acknowledged = counts(&line).or(acknowledged);
            if acknowledged.is_some()
                && Instant::now() >= *stop_at.get_or_insert_with(|| Instant::now() + Duration::from_micros(3777 * round))
            {
                break;
            }
        }
        child.kill().unwrap();
        // What it said before it died counts as well, but for the last line, which may be half a line.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let acknowledged = rest.iter().rev().skip(1).find_map(|line| counts(line)).or(acknowledged).unwrap();
        child.wait().unwrap();

        let log = open(folder.path(), EmbeddedOptions { segment_bytes: 1 << 20, ..Default::default() });
        for p in 0..3 {
            let found = read(&*log, p as i32);
            let committed = log.committed("g", &at(p as i32)).unwrap().unwrap().offset;
            assert!((acknowledged[p]..=found.len() as u64).contains(&(committed as u64)), "round {round}: committed {committed}");
            assert_eq!(found[..before[p].len()], before[p][..], "round {round}: what was there is there, at its offsets");
            assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "round {round}");
            for ((_, value), n) in found.iter().zip(0u64..) {
                assert_eq!(u64::from_le_bytes(*value.first_chunk().unwrap()), n, "round {round}, partition {p}");
                assert!(value[8..].iter().all(|b| *b == n as u8), "round {round}: record {n} is not whole");
            }
            assert!(found.len() as u64 >= acknowledged[p], "round {round}: {acknowledged:?} were acknowledged, {p} has {}", found.len());
            before[p] = found;
        }
    }
    assert!(before.iter().all(|b| b.len() > 1000), "the children came to append");
}

/// The child may write files of 4 MiB at most, and is told so by an error of the write, not by a signal.
#[test]
fn a_full_disk_is_an_error_and_the_partition_stays_whole() {
    let value = |n: u64| [n.to_le_bytes().to_vec(), vec![n as u8; 20_000]].concat();
    let fill = |log: &EmbeddedLog| -> (u64, Error) {
        let mut producer = log.producer().unwrap();
        let start = read(log, 0).len() as u64;
        for n in start.. {
            let value = value(n);
            let taken =
                producer.append(TOPIC, Append { destination: Destination::Partition(0), key: b"", value: &value, append_time: None });
            if let Err(error) = taken.and_then(|_| producer.acknowledged()) {
                assert!(producer.acknowledged().is_err(), "it stays an error while there is no room");
                return (n, error);
            }
        }
        unreachable!("the disk is full")
    };
    let check = |log: &EmbeddedLog, count: u64| {
        let found = read(log, 0);
        assert_eq!(found.len() as u64, count);
        assert!(found.iter().zip(0..).all(|((offset, found), n)| *offset == n as i64 && *found == value(n)));
    };
    if let Some(folder) = child_folder() {
        let log = open(&folder, EmbeddedOptions::default());
        make_topic(&*log, 2, None);
        let (count, error) = fill(&log);
        assert!(matches!(&error, Error::Io { what: "could not append", .. }), "{error}");
        assert!(count > 50, "{count}");
        check(&log, count);
        append(&*log, 1, &[b"another file has room"], None);
        println!("\nfull at {count}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let child = child("crash::a_full_disk_is_an_error_and_the_partition_stays_whole", folder.path(), "trap '' XFSZ; ulimit -f 8192;");
    let output = child.wait_with_output().unwrap();
    let output_text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{output_text}");
    let count: u64 = output_text.lines().find_map(|l| l.strip_prefix("full at ")?.parse().ok()).unwrap();
    let log = open(folder.path(), EmbeddedOptions::default());
    assert!(log.recovered().is_empty(), "{:?}", log.recovered());
    check(&log, count);
    append(&*log, 0, &[&value(count)], None);
    check(&log, count + 1);
}

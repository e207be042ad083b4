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

/// Appends numbers in turn to three partitions, from where the log ends, telling what is acknowledged and committed.
fn append_until_killed(folder: &Path) -> ! {
    let log = open(folder, EmbeddedOptions { segment_bytes: 1 << 20, ..Default::default() });
    make_topic(&*log, 3, None);
    let mut consumer = log.consumer("g", &[TOPIC]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    let mut producer = log.producer().unwrap();
    let start = (0..3).map(|p| read(&*log, p).len()).sum::<usize>() as u64;
    for n in start.. {
        let mut value = n.to_le_bytes().to_vec();
        value.resize(8 + (n as usize * 7919) % 3000, n as u8);
        let destination = Destination::Partition((n % 3) as i32);
        producer.append(TOPIC, Append { destination, key: b"", value: &value, append_time: None }).unwrap();
        if n % 50 == 0 {
            let acknowledged = start + producer.acknowledged().unwrap();
            let committed = Committed { offset: acknowledged as i64, metadata: String::new() };
            consumer.commit(&[(at(0), committed)]).unwrap();
            println!("\nacknowledged {acknowledged}");
        }
    }
    unreachable!("it is killed")
}

#[test]
fn killed_while_appending() {
    if let Some(folder) = child_folder() {
        append_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut before: Vec<Vec<(i64, Vec<u8>)>> = vec![Vec::new(); 3];
    for round in 0..12u64 {
        let mut child = child("crash::killed_while_appending", folder.path(), "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0u64;
        let mut stop_at = None;
        // Killed a few milliseconds after the first acknowledgement, at a different point each time.
        while let Some(Ok(line)) = lines.next() {
            if let Some(number) = line.strip_prefix("acknowledged ").and_then(|n| n.parse().ok()) {
                acknowledged = number;
            }
            let stop_at = *stop_at.get_or_insert_with(|| Instant::now() + Duration::from_micros(1500 + 3777 * round));
            if acknowledged > 0 && Instant::now() >= stop_at {
                break;
            }
        }
        child.kill().unwrap();
        // What it said before it died counts as well; the last line may be half a line.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let whole = rest.iter().rev().skip(1).find_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        acknowledged = whole.unwrap_or(acknowledged);
        child.wait().unwrap();

        let log = open(folder.path(), EmbeddedOptions { segment_bytes: 1 << 20, ..Default::default() });
        let committed = log.committed("g", &at(0)).unwrap().unwrap().offset;
        assert!(committed >= acknowledged as i64 - 50, "round {round}: committed {committed}, acknowledged {acknowledged}");
        for (p, before) in before.iter_mut().enumerate() {
            let found = read(&*log, p as i32);
            assert_eq!(found[..before.len()], before[..], "round {round}: what was there is there, at its offsets");
            assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let mut last = None;
            for (n, (_, value)) in found.iter().enumerate() {
                let number = u64::from_le_bytes(*value.first_chunk().unwrap());
                assert!(last.is_none_or(|last| last < number), "round {round}: {number} after {last:?}");
                assert!(value[8..].iter().all(|b| *b == number as u8), "round {round}: record {n} is not whole");
                last = Some(number);
            }
            *before = found;
        }
        let mut numbers: Vec<u64> = before.iter().flatten().map(|(_, v)| u64::from_le_bytes(*v.first_chunk().unwrap())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let kept = numbers.iter().zip(0..).take_while(|(n, expected)| **n == *expected).count() as u64;
        assert!(kept >= acknowledged, "round {round}: {acknowledged} were acknowledged, the first missing is {kept}");
        // The next child goes on after the gap-free front.
        if kept < numbers.len() as u64 {
            break;
        }
    }
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
            let taken = producer.append(TOPIC, Append { destination: Destination::Partition(0), key: b"", value: &value, append_time: None });
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

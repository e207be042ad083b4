//! Torn ends, damage, holes, retention, the lock: what the embedded log does about its files.

use crate::*;
use fieldline_log::embedded::{Hole, Recovered};
use fieldline_log::{Committed, Error};
use std::path::PathBuf;

const FIRST: [&[u8]; 3] = [b"one", b"two", b"three"];
const SECOND: [&[u8]; 2] = [b"four", b"five"];

fn numbered<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<(i64, Vec<u8>)> {
    (0..).zip(values.into_iter().map(<[u8]>::to_vec)).collect()
}

fn segment(folder: &Path, base: i64) -> PathBuf {
    folder.join(format!("topics/{TOPIC}/0/{base:020}.log"))
}

/// A killed log's folder with two batches in one partition, and the place where the second begins.
fn killed() -> (tempfile::TempDir, usize, Vec<u8>) {
    let (live, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(live.path(), EmbeddedOptions::default());
    make_topic(&*log, 1, None);
    append(&*log, 0, &FIRST, None);
    let second_at = std::fs::metadata(segment(live.path(), 0)).unwrap().len() as usize;
    append(&*log, 0, &SECOND, None);
    copy_folder(live.path(), folder.path());
    let bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
    (folder, second_at, bytes)
}

fn hole_of(log: &EmbeddedLog) -> Hole {
    let holes: Vec<_> =
        log.recovered().iter().filter_map(|r| if let Recovered::Hole(hole) = r { Some(hole.clone()) } else { None }).collect();
    assert_eq!(holes.len(), 1, "{:?}", log.recovered());
    assert!(log.holes().unwrap().contains(&holes[0]));
    holes[0].clone()
}

/// The second batch is gone; nothing may ever stand at its offsets again, also after more stops.
fn check_hole(folder: &Path, what: &str) {
    let log = open(folder, EmbeddedOptions::default());
    let hole = hole_of(&log);
    assert!(hole.from == 3 && hole.until > 5, "{hole:?} {what}");
    assert_eq!(read(&*log, 0), numbered(FIRST), "{what}");
    assert_eq!(log.watermarks(&at(0)).unwrap().end, 3, "{what}");
    drop(log);
    let log = open(folder, EmbeddedOptions::default());
    assert!(log.recovered().is_empty(), "{what}");
    append(&*log, 0, &[b"six"], None);
    let mut expected = numbered(FIRST);
    expected.push((hole.until, b"six".to_vec()));
    assert_eq!(read(&*log, 0), expected, "{what}");
    drop(log);
    let log = open(folder, EmbeddedOptions::default());
    assert_eq!(read(&*log, 0), expected, "{what}");
    assert_eq!(log.holes().unwrap(), [hole], "{what}");
}

#[test]
fn a_kill_alone_loses_nothing_and_leaves_no_hole() {
    let (folder, ..) = killed();
    let log = open(folder.path(), EmbeddedOptions::default());
    assert!(log.recovered().is_empty());
    append(&*log, 0, &[b"six"], None);
    assert_eq!(read(&*log, 0), numbered(FIRST.into_iter().chain(SECOND).chain([b"six".as_slice()])));
}

#[test]
fn an_end_torn_at_any_byte_is_cut_and_its_offsets_are_not_used_again() {
    let (template, second_at, bytes) = killed();
    for cut in second_at + 1..bytes.len() {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(template.path(), folder.path());
        std::fs::write(segment(folder.path(), 0), &bytes[..cut]).unwrap();
        check_hole(folder.path(), &format!("cut at {cut} of {}", bytes.len()));
    }
}

#[test]
fn a_flipped_bit_at_any_byte_of_the_last_batch_is_a_torn_end() {
    let (template, second_at, bytes) = killed();
    for flipped in second_at..bytes.len() {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(template.path(), folder.path());
        let mut bytes = bytes.clone();
        bytes[flipped] ^= 0x10;
        std::fs::write(segment(folder.path(), 0), &bytes).unwrap();
        check_hole(folder.path(), &format!("bit flipped at {flipped}"));
    }
}

#[test]
fn damage_before_a_whole_batch_stops_the_start_unless_told_to_go_on() {
    let (template, second_at, bytes) = killed();
    for flipped in 0..second_at {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(template.path(), folder.path());
        let mut bytes = bytes.clone();
        bytes[flipped] ^= 0x10;
        std::fs::write(segment(folder.path(), 0), &bytes).unwrap();
        for _ in 0..2 {
            match EmbeddedLog::open(folder.path(), EmbeddedOptions::default()) {
                Err(Error::Damaged { path, at: 0, what }) => {
                    assert_eq!(path, segment(folder.path(), 0));
                    assert!(what.contains(&format!("byte {second_at}")), "{what}");
                }
                other => panic!("bit flipped at {flipped}: {:?}", other.map(|_| "opened")),
            }
        }
        assert_eq!(std::fs::read(segment(folder.path(), 0)).unwrap(), bytes, "nothing was cut");
        if flipped % 16 == 0 {
            let log = open(folder.path(), EmbeddedOptions { cut_damaged: true, ..Default::default() });
            assert_eq!(hole_of(&log).from, 0);
            assert_eq!(read(&*log, 0), []);
            let aside = segment(folder.path(), 0).with_extension("damaged");
            assert_eq!(std::fs::read(aside).unwrap(), bytes, "the damaged bytes are kept");
        }
    }
}

#[test]
fn damage_in_a_closed_segment_is_told_by_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), EmbeddedOptions { segment_bytes: 60, ..Default::default() });
    make_topic(&*log, 1, None);
    append(&*log, 0, &FIRST, None);
    append(&*log, 0, &SECOND, None);
    drop(log);
    let path = segment(folder.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = open(folder.path(), EmbeddedOptions::default());
    let told = try_read(&*log, 0);
    assert!(matches!(&told, Err(Error::Damaged { path: told, at: 0, .. }) if *told == path), "{told:?}");
}

#[test]
fn a_missing_or_shortened_file_after_a_clean_stop_stops_the_start() {
    for harm in [|p: &Path| std::fs::remove_file(p), |p: &Path| std::fs::write(p, b"")] {
        for base in [0, 3] {
            let folder = tempfile::tempdir().unwrap();
            let log = open(folder.path(), EmbeddedOptions { segment_bytes: 60, ..Default::default() });
            make_topic(&*log, 1, None);
            for values in [&FIRST[..], &SECOND, &FIRST] {
                append(&*log, 0, values, None);
            }
            let whole = read(&*log, 0);
            drop(log);
            // The first segment may be gone: that is what expiry looks like. The middle and the last may not.
            let base = if base == 0 { 5 } else { base };
            harm(&segment(folder.path(), base)).unwrap();
            let opened = EmbeddedLog::open(folder.path(), EmbeddedOptions::default());
            assert!(matches!(opened, Err(Error::Damaged { .. })), "segment {base}: {:?}", opened.map(|_| "opened"));
            let log = open(folder.path(), EmbeddedOptions { cut_damaged: true, ..Default::default() });
            hole_of(&log);
            append(&*log, 0, &[b"last"], None);
            let left = read(&*log, 0);
            assert!(left.len() < whole.len() + 1 && left.last().unwrap().0 >= 8, "{left:?}");
            drop(log);
            // Once recorded, the hole is no news.
            assert_eq!(read(&*open(folder.path(), EmbeddedOptions::default()), 0), left);
        }
    }
}

/// As if the machine had been started anew since.
fn pretend_restart(folder: &Path) {
    let registry = redb::Database::open(folder.join("registry.redb")).unwrap();
    let tx = registry.begin_write().unwrap();
    tx.open_table(redb::TableDefinition::<&str, &str>::new("session")).unwrap().insert("boot", "another").unwrap();
    tx.commit().unwrap();
}

#[test]
fn after_a_power_loss_offsets_that_may_have_been_used_are_skipped() {
    let (folder, second_at, bytes) = killed();
    // The whole second batch never reached the disk; nothing in the file tells.
    std::fs::write(segment(folder.path(), 0), &bytes[..second_at]).unwrap();
    pretend_restart(folder.path());
    check_hole(folder.path(), "power loss");
    // A clean stop leaves nothing to skip, whatever happens to the machine.
    pretend_restart(folder.path());
    let log = open(folder.path(), EmbeddedOptions::default());
    assert!(log.recovered().is_empty());
    // Commits in the hole are good positions to go on from.
    let mut consumer = log.consumer("g", &[TOPIC]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    consumer.seek(&at(0), 4).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Records(batch) if batch.first_offset() > Some(5)));
}

#[test]
fn whole_segments_expire_by_the_logs_own_clock() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { event_time: true, segment_bytes: 4096, ..Default::default() };
    let log = open(folder.path(), options);
    let retention = Duration::from_secs(10_000);
    make_topic(&*log, 2, Some(retention));
    let second = |s: i64| Some(Timestamp(s * 1_000_000));
    for s in (0..100_000i64).step_by(100) {
        append(&*log, 0, &[&s.to_le_bytes()], second(s));
    }
    append(&*log, 1, &[b"old"], second(0));
    let check = |log: &EmbeddedLog, first_max: i64| {
        let left = read(log, 0);
        assert_eq!(left[0].0, log.watermarks(&at(0)).unwrap().begin);
        let first = i64::from_le_bytes(left[0].1[..].try_into().unwrap());
        // Nothing younger than the retention is gone, and little that is older is left.
        assert!((85_000..=first_max).contains(&first), "{first}");
        assert_eq!(left.last().unwrap().0, 999);
        assert!(left.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
        assert_eq!(read(log, 1).len(), 1, "the last segment stays");
    };
    check(&log, 90_000);
    let mut consumer = log.consumer("g", &[TOPIC]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    let refused = consumer.seek(&at(0), 5);
    assert!(matches!(refused, Err(Error::OffsetOutOfRange { offset: 5, end: 1000, .. })), "{refused:?}");
    drop(consumer);
    drop(log);
    let log = open(folder.path(), options);
    check(&log, 90_000);
    // The other partition's clock moves this one's retention; its last segment is closed by its own next record.
    append(&*log, 1, &[b"new"], second(200_000));
    append(&*log, 0, &[b"new"], second(200_000));
    append(&*log, 1, &[b"new"], second(200_100));
    assert_eq!(read(&*log, 0).len(), 1);
    assert_eq!(read(&*log, 1).len(), 2);
}

/// A group that was down for longer than the retention finds what it has not read; so does a replay of years at once.
#[test]
fn what_a_group_has_not_read_does_not_expire() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { event_time: true, segment_bytes: 4096, ..Default::default() };
    let second = |s: i64| Some(Timestamp(s * 1_000_000));
    let fill = |log: &EmbeddedLog, from: i64| {
        for s in (from..from + 100_000i64).step_by(100) {
            append(log, 0, &[&s.to_le_bytes()], second(s));
        }
    };
    let log = open(folder.path(), options);
    make_topic(&*log, 1, Some(Duration::from_secs(10_000)));
    append(&*log, 0, &[b"first"], second(0));
    let mut consumer = log.consumer("g", &[TOPIC]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    let commit = |consumer: &mut dyn Consumer, offset| {
        consumer.commit(&[(at(0), Committed { offset, metadata: String::new() })]).unwrap();
    };
    commit(&mut *consumer, 1);
    fill(&log, 100);
    assert!(log.watermarks(&at(0)).unwrap().begin <= 1, "unread records expired");
    commit(&mut *consumer, 500);
    fill(&log, 200_000);
    let begin = log.watermarks(&at(0)).unwrap().begin;
    assert!((1..=500).contains(&begin), "{begin}: what was read expires, what was not stays");
    drop((consumer, log));
    let log = open(folder.path(), options);
    assert_eq!(log.watermarks(&at(0)).unwrap().begin, begin, "the commit holds after a start too");
    drop(log);

    let other = tempfile::tempdir().unwrap();
    let log = open(other.path(), EmbeddedOptions { keep_all: true, ..options });
    make_topic(&*log, 1, Some(Duration::from_secs(10_000)));
    fill(&log, 0);
    assert_eq!(log.watermarks(&at(0)).unwrap().begin, 0);
}

#[test]
fn a_second_opener_learns_who_holds_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), EmbeddedOptions::default());
    let refused = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).map(|_| "opened");
    let Err(Error::InUse { path, holder }) = refused else { panic!("{refused:?}") };
    assert_eq!(path, folder.path());
    assert!(holder.starts_with(&format!("process {} (log", std::process::id())), "{holder}");
    // A consumer keeps the folder in use, the last handle frees it.
    make_topic(&*log, 1, None);
    let consumer = log.consumer("g", &[TOPIC]).unwrap();
    drop(log);
    assert!(EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).is_err());
    drop(consumer);
    open(folder.path(), EmbeddedOptions::default());
}

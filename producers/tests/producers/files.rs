//! Files of events: lines, gzip, refusals, and replaying as if live.

use crate::records::{memory_log, records_of};
use fieldline_log::Log;
use fieldline_log::memory::MemoryLog;
use fieldline_producers::import::{
    ImportError, ImportOptions, ImportSummary, LINE_BYTES_MAX, Progress, Refusal, Source, import, plan_as_live,
};
use fieldline_producers::simulate::{Faults, Simulator, SimulatorConfig, to_ndjson};
use fieldline_producers::{Publisher, PublisherConfig};
use fieldline_schemas::events::DeadLetterReason;
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TECHNICIAN: &str = "126e3ab1-b189-5b22-8abe-bc5abc119d0f";

fn activity(number: u32, activity_type: &str) -> String {
    format!(
        r#"{{"event":"technician_activity","id":"00000000-0000-4000-8000-{number:012}","created_at":"2025-03-03T08:00:{:02}Z","technician_contact_id":"{TECHNICIAN}","activity_type":"{activity_type}"}}"#,
        number % 60
    )
}

fn write(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn try_import(log: &Arc<MemoryLog>, files: &[PathBuf], told: &mut Vec<Progress>) -> Result<ImportSummary, ImportError> {
    let mut publisher = Publisher::new(Arc::clone(log) as Arc<dyn Log>, PublisherConfig::default()).unwrap();
    let sources: Vec<Source> = files.iter().map(|f| Source::from_argument(f)).collect();
    import(&mut publisher, &sources, &ImportOptions { parsers: 3, ..ImportOptions::default() }, &mut |p| told.push(p.clone()))
}

fn import_into(log: &Arc<MemoryLog>, files: &[PathBuf]) -> ImportSummary {
    try_import(log, files, &mut Vec::new()).unwrap()
}

#[test]
fn only_bad_lines_are_refused_and_each_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let good = activity(1, "shift_start");
    let too_long = format!("{{\"notes\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX));
    let lines: Vec<(Vec<u8>, Option<DeadLetterReason>)> = vec![
        (good.clone().into_bytes(), None),
        (b"not json".to_vec(), Some(DeadLetterReason::Undecodable)),
        (activity(2, "nap").into_bytes(), Some(DeadLetterReason::UnknownSymbol)),
        (b"".to_vec(), None),
        (activity(3, "break_start").replace("T08", " T08").into_bytes(), Some(DeadLetterReason::MalformedTime)),
        (b"{\"event\":\"technician_activity\",\"notes\":\"\xff\"}".to_vec(), Some(DeadLetterReason::Undecodable)),
        (activity(4, "break_start").replace("2025", "2225").into_bytes(), Some(DeadLetterReason::CreatedAhead)),
        (b"{\"event\":\"tick\"}".to_vec(), Some(DeadLetterReason::WrongKind)),
        (too_long.clone().into_bytes(), Some(DeadLetterReason::TooLarge)),
        (activity(5, "shift_end").replace("\"id\":\"0", "\"id\":\"z").into_bytes(), Some(DeadLetterReason::MalformedUuid)),
        (r#"{"event":"technician_activity"}"#.into(), Some(DeadLetterReason::MissingField)),
        (activity(6, "shift_end").into_bytes(), None),
    ];
    let text = lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let file = write(folder.path(), "day.ndjson", &text);
    let log = memory_log();
    let summary = import_into(&log, std::slice::from_ref(&file));

    let expected: BTreeMap<u64, DeadLetterReason> = (1..).zip(&lines).filter_map(|(n, (_, reason))| reason.map(|r| (n, r))).collect();
    let named: BTreeMap<u64, DeadLetterReason> = summary
        .refused_lines
        .iter()
        .map(|r| match r.refusal {
            Refusal::Reason(reason) => (r.line, reason),
        })
        .collect();
    assert_eq!(named, expected);
    assert_eq!((summary.lines, summary.blank_lines, summary.events, summary.refused), (12, 1, 2, expected.len() as u64));
    assert_eq!(summary.refused_by_reason.values().sum::<u64>(), summary.refused);
    let path = file.display();
    assert!(summary.refused_lines[0].to_string().starts_with(&format!("{path} line 2: undecodable: ")), "{}", summary.refused_lines[0]);

    let letters = records_of(&log, Topic::DeadLetters);
    let kept: BTreeMap<u64, (DeadLetterReason, Vec<u8>)> = letters
        .iter()
        .map(|read| match &read.record {
            AnyRecord::DeadLetter(r) => {
                assert_eq!((&*r.topic, &*r.stage), (format!("file:{path}").as_str(), "import"));
                (r.offset as u64, (r.reason, r.payload.to_vec()))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(letters.len(), expected.len());
    for (line, (reason, payload)) in &kept {
        let original = &lines[*line as usize - 1].0;
        assert_eq!(expected[line], *reason);
        assert_eq!(payload.as_slice(), &original[..original.len().min(LINE_BYTES_MAX)], "line {line}");
    }

    // The same file again names the same dead letters.
    import_into(&log, std::slice::from_ref(&file));
    let again: std::collections::BTreeSet<String> = records_of_again(&log).into_iter().collect();
    assert_eq!(again.len(), expected.len());

    // A file of the same name in another folder has its own.
    let other = tempfile::tempdir().unwrap();
    import_into(&log, &[write(other.path(), "day.ndjson", &text)]);
    let all: std::collections::BTreeSet<String> = records_of_again(&log).into_iter().collect();
    assert_eq!(all.len(), 2 * expected.len());
}

fn records_of_again(log: &Arc<MemoryLog>) -> Vec<String> {
    let keys: Vec<String> = records_of(log, Topic::DeadLetters).into_iter().map(|r| r.key).collect();
    assert!(keys.len() > 10);
    keys
}

#[test]
fn plain_gzip_and_concatenated_gzip_give_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..20_000).map(|n| activity(n, "work_started")).collect();
    let (first, second) = (lines[..7_000].join("\n") + "\n", lines[7_000..].join("\n"));
    let files = [
        ("plain.ndjson", (first.clone() + &second).into_bytes()),
        // The name says nothing: the first bytes do.
        ("packed.data", gzip((first.clone() + &second).as_bytes())),
        ("members.gz", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat()),
        // As it comes from a tape, or from anything that is written in whole blocks.
        ("padded.gz", [gzip((first.clone() + &second).as_bytes()), vec![0; 400_000]].concat()),
    ];
    for (name, bytes) in files {
        let file = write(folder.path(), name, &bytes);
        let log = memory_log();
        let mut told = Vec::new();
        let summary = try_import(&log, &[file], &mut told).unwrap();
        assert_eq!((summary.lines, summary.events, summary.refused), (20_000, 20_000, 0), "{name}");
        let last = told.last().unwrap();
        assert_eq!((last.bytes_read, last.bytes_total, last.lines), (bytes.len() as u64, Some(bytes.len() as u64), 20_000), "{name}");
        // One technician, one partition: the log has the order of the file, whatever parsed it.
        let ids: Vec<String> = records_of(&log, Topic::Activity)
            .into_iter()
            .map(|r| match r.record {
                AnyRecord::TechnicianActivity(a) => {
                    assert!(a.common.imported);
                    a.common.id.to_string()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<String> = (0..20_000).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
        assert_eq!(ids, expected, "{name}");
    }
}

#[test]
fn errors_name_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = memory_log();
    let missing = try_import(&log, &[folder.path().join("nowhere.ndjson")], &mut Vec::new()).unwrap_err();
    let path = folder.path().join("nowhere.ndjson").display().to_string();
    assert!(missing.to_string().starts_with(&format!("opening {path} (nothing of it has arrived;")), "{missing}");
    let text: String = (0..50_000).map(|n| activity(n, "work_started") + "\n").collect();
    let mut packed = gzip(text.as_bytes());
    packed.truncate(packed.len() * 9 / 10);
    let file = write(folder.path(), "torn.ndjson.gz", &packed);
    let path = file.display().to_string();
    let garbage = [gzip(b"\n\n"), vec![0; 10], b"x".to_vec()].concat();
    let garbage = try_import(&log, &[write(folder.path(), "garbage.gz", &garbage)], &mut Vec::new()).unwrap_err();
    assert!(matches!(garbage, ImportError::Read { line: 2, .. }), "{garbage}");
    let torn = try_import(&log, &[file], &mut Vec::new()).unwrap_err();
    assert!(torn.to_string().contains("import all of it again"), "{torn}");
    match torn {
        ImportError::Read { file, line, .. } => {
            assert_eq!(file, path);
            assert!((30_000..50_000).contains(&line), "{line}");
            assert!(records_of(&log, Topic::Activity).len() as u64 >= line, "what was read before is not lost");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn later_plans_wait_and_unknown_keys_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let plan = r#"{"event":"shift_plan","id":"c14361c9-8a9a-51b6-80ae-32253fb51c99","revision":0,"technician_contact_id":"126e3ab1-b189-5b22-8abe-bc5abc119d0f","planned_start":"2150-01-01T08:00:00Z","planned_end":"2150-01-01T16:00:00Z"}"#;
    let strange = activity(1, "shift_start")
        .replace("{\"event\"", "{\"colour\":\"red\",\"mood\":3,\"received_at\":\"2025-03-03T08:05:00Z\",\"event\"");
    let text = [plan.to_owned(), plan.replace("2150", "2015"), strange].join("\n");
    let log = memory_log();
    let summary = import_into(&log, &[write(folder.path(), "plans.ndjson", text.as_bytes())]);
    assert_eq!((summary.events, summary.refused, summary.unmapped_keys), (3, 0, 2));
    let home = records_of(&log, Topic::Activity)[0].partition;
    let waiting = records_of(&log, Topic::Plans);
    assert_eq!(waiting.len(), 2, "the later one, and the one that has been, for what amends it");
    assert!(waiting.iter().all(|plan| plan.partition == home && plan.key == "c14361c9-8a9a-51b6-80ae-32253fb51c99:0"));
    let is_plan = |r: &&crate::records::Read| matches!(r.record, AnyRecord::ShiftPlan(_));
    assert_eq!(records_of(&log, Topic::Activity).iter().filter(is_plan).count(), 1);
    assert!(records_of(&log, Topic::DeadLetters).is_empty());
    let kept = records_of(&log, Topic::Activity).into_iter().any(|r| match r.record {
        AnyRecord::TechnicianActivity(a) => a.common.metadata.as_deref() == Some(r#"{"unmapped":{"colour":"red","mood":3}}"#),
        _ => false,
    });
    assert!(kept, "unknown keys are in the metadata, received_at is not");
}

#[test]
fn as_live_goes_by_received_at_then_by_created_at() {
    let folder = tempfile::tempdir().unwrap();
    let received = |n: u32, at: &str| activity(n, "work_started").replace("{\"event\"", &format!("{{\"received_at\":\"{at}\",\"event\""));
    let plan = r#"{"event":"shift_plan","id":"c14361c9-8a9a-51b6-80ae-32253fb51c99","revision":0,"technician_contact_id":"126e3ab1-b189-5b22-8abe-bc5abc119d0f","planned_start":"2025-03-04T07:59:00Z","planned_end":"2025-03-04T16:00:00Z"}"#;
    let contact = r#"{"event":"contact","id":"126e3ab1-b189-5b22-8abe-bc5abc119d0f","revision":0,"kind":"technician"}"#;
    let text = [
        received(4, "2025-03-03T09:00:00Z"),
        activity(3, "work_started"),
        activity(1, "work_started"),
        received(2, "2025-03-03T08:00:03Z"),
        plan.to_owned(),
        contact.to_owned(),
    ];
    let file = write(folder.path(), "live.ndjson", text.join("\n").as_bytes());
    let plan = plan_as_live(&[Source::File(file)], &ImportOptions::default(), &mut |_| {}).unwrap();
    let codec = Codec::new();
    let order: Vec<(String, u64)> = plan
        .iter()
        .map(|r| match codec.decode(r.payload).unwrap() {
            AnyRecord::TechnicianActivity(a) => {
                assert!(a.common.imported && a.common.metadata.is_none());
                (r.at.to_string(), a.common.id.0.as_u128() as u64 & 0xf)
            }
            other => (r.at.to_string(), 100 + other.kind() as u64),
        })
        .collect();
    let kind = |kind: fieldline_schemas::Kind| 100 + kind as u64;
    let expected = [
        ("2025-03-03T07:59:00.000000Z", kind(fieldline_schemas::Kind::ShiftPlan)),
        ("2025-03-03T07:59:00.000000Z", kind(fieldline_schemas::Kind::Contact)),
        ("2025-03-03T08:00:01.000000Z", 1),
        // Equal instants keep the order of the lines.
        ("2025-03-03T08:00:03.000000Z", 3),
        ("2025-03-03T08:00:03.000000Z", 2),
        ("2025-03-03T09:00:00.000000Z", 4),
    ];
    assert_eq!(order, expected.map(|(at, what)| (at.to_owned(), what)));
}

/// What the simulator writes as a file comes back as what it emitted.
#[test]
fn a_simulation_survives_the_way_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = SimulatorConfig { technicians: 60, days: 2, faults: Faults::heavy(), ..SimulatorConfig::default() };
    let mut text = Vec::new();
    let counts = to_ndjson(Simulator::new(config.clone()).unwrap(), &mut text).unwrap();
    let emitted = Simulator::new(config.clone()).unwrap().count() as u64;
    assert_eq!(counts.lines + counts.left_out, emitted);
    let file = write(folder.path(), "simulated.ndjson", &text);
    let plan = plan_as_live(&[Source::File(file)], &ImportOptions::default(), &mut |_| {}).unwrap();
    let ahead = plan.summary.refused_by_reason.get(&Refusal::Reason(DeadLetterReason::CreatedAhead)).copied().unwrap_or(0);
    assert_eq!(plan.summary.lines, counts.lines);
    assert_eq!(plan.summary.refused, counts.corrupt_lines + ahead);
    assert_eq!(plan.summary.unmapped_keys, 0);
    let codec = Codec::new();
    let mut from_file: Vec<(Timestamp, String)> = plan
        .iter()
        .filter(|r| r.topic == Topic::Activity || r.topic == Topic::Calls || r.topic == Topic::Operations)
        .map(|r| (r.at, format!("{:?}", codec.decode(r.payload).unwrap())))
        .collect();
    let mut straight: Vec<(Timestamp, String)> = Simulator::new(config)
        .unwrap()
        .filter_map(|e| match e.body {
            fieldline_producers::simulate::Body::Record(record) => match &record {
                AnyRecord::Clearance(_) | AnyRecord::Contact(_) => None,
                AnyRecord::TechnicianActivity(a) if a.common.created_at.since(e.at) > DAY_US => None,
                _ => Some((e.at, format!("{record:?}").replace("imported: false", "imported: true"))),
            },
            fieldline_producers::simulate::Body::Corrupt { .. } => None,
        })
        .collect();
    from_file.sort();
    straight.sort();
    assert_eq!(from_file.len(), straight.len());
    for (a, b) in from_file.iter().zip(&straight) {
        assert_eq!(a, b);
    }
}

//! What can not be understood is set aside, each with its reason, and nothing else is.

use crate::support::events;
use crate::support::folder::Folder;
use crate::support::log;
use serde_json::Value;

/// Reasons that depend on where or when a record arrives, which a file decides itself.
const NOT_IN_FILES: &[&str] = &["activity_in_calls"];

#[test]
fn each_golden_invalid_line_is_a_dead_letter_and_the_rest_arrives() {
    let good: Vec<String> =
        events::simulated(3, 1, 61, "none").into_iter().filter(|line| line.contains("\"technician_activity\"")).collect();
    // A time that is far ahead of any clock, where the golden payload is only just ahead of its own.
    let text_of =
        |golden: &events::Invalid| golden.text.as_ref().map(|text| text.replace("2026-03-03T12:00:00.000001Z", "2099-01-01T00:00:00Z"));
    let bad: Vec<(events::Invalid, String)> = events::invalid()
        .into_iter()
        .filter(|golden| golden.topic == "activity" || golden.topic == "calls" || golden.topic == "operations")
        .filter(|golden| !NOT_IN_FILES.contains(&golden.name.as_str()))
        .filter_map(|golden| text_of(&golden).filter(|text| !text.contains('\n')).map(|text| (golden, text)))
        .collect();
    assert!(bad.len() > 25, "{} invalid payloads only", bad.len());

    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for (number, (golden, text)) in bad.iter().enumerate() {
        lines.push(good[number % good.len()].clone());
        lines.push(format!("{text}\n"));
        expected.push((lines.len() as i64, golden, text));
    }
    lines.extend_from_slice(&good);
    let folder = Folder::new();
    let file = folder.write("mixed.ndjson", &lines);
    let outcome = folder.run(&["import", "--json", &file]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let summary: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["refused"], bad.len());

    let rows =
        folder.rows(&format!("SELECT offset, reason, detail, hex(payload) FROM dead_letters WHERE topic = 'file:{file}' ORDER BY offset"));
    assert_eq!(rows.len(), bad.len());
    for (row, (line, golden, text)) in rows.iter().zip(expected) {
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(row[0], line.to_string(), "{}", golden.name);
        assert_eq!(row[1], golden.reason, "{}", golden.name);
        assert!(row[2].contains(&golden.detail), "{}: {row:?}", golden.name);
        assert_eq!(row[3], hex, "{}: the original bytes", golden.name);
    }
    assert_eq!(folder.number("SELECT count() FROM technician_activity_log"), (bad.len() + good.len()) as i64);
    assert_eq!(folder.number("SELECT count() FROM technician_activity"), good.len() as i64);
}

#[test]
fn refused_lines_are_named_on_standard_error_without_personal_data() {
    let bad = "{\"event\":\"technician_activity\",\"id\":\"no-uuid\",\"created_at\":\"2026-02-02T08:00:00Z\",\"technician_contact_id\":\"0190a0a0-0000-7000-8000-00000000000a\",\"activity_type\":\"work_started\",\"notes\":\"SECRET NOTE\"}\n";
    let folder = Folder::new();
    let outcome = folder.run(&["import", &folder.write("one.ndjson", &["\n".to_owned(), bad.to_owned()])]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.stderr.contains("one.ndjson") && outcome.stderr.contains('2') && outcome.stderr.contains("id"), "{outcome:?}");
    assert!(!outcome.stderr.contains("SECRET") && !outcome.stdout.contains("SECRET"), "{outcome:?}");
}

#[test]
fn damaged_records_of_the_log_are_set_aside_and_their_neighbours_arrive() {
    let folder = Folder::new();
    let outcome =
        folder.ok(&["simulate", "--publish", "--technicians", "60", "--days", "5", "--faults", "heavy", "--start", "2026-02-02", "--json"]);
    let published: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let conserved = log::assert_conserved(&folder);
    let rows = folder.rows("SELECT topic, reason, count() FROM dead_letters GROUP BY topic, reason");
    let dead: i64 = rows.iter().map(|row| row[2].parse::<i64>().unwrap()).sum();
    assert!(dead > 0, "heavy faults damage some payloads");
    assert!(rows.iter().all(|row| row[0] == "activity" || row[0] == "calls" || row[0] == "operations"), "{rows:?}");
    // Beside what was published the log holds what operational events say of technicians, ends of emergencies, and each emergency once
    // more: the lane makes sure that it is in the technician's log, or its SOS in operations.
    let own = folder.number("SELECT count() FROM technician_facts_log FINAL WHERE kind IN ('signal', 'clearance')");
    let emergencies = folder.number("SELECT count() FROM alerts WHERE flag = 'S1'");
    assert!(own > 0 && conserved as i64 - own - emergencies <= published["records"].as_i64().unwrap());
    assert!(dead * 20 < conserved as i64, "{dead} of {conserved}");
    let verified = folder.run(&["verify", "--json"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

//! A file of messy days goes in, and every row is what an independent computation gives.

use crate::support::expected::expected;
use crate::support::folder::Folder;
use crate::support::views::{self, DAYS, SHIFTS, VISITS, View};
use crate::support::{events, facts, is_long, log};
use fieldline_schemas::Timestamp;
use std::collections::BTreeSet;

/// Results, less what the oracle does not know: positions in the log.
const NOT_COMPUTED: &[&str] = &["version", "caused_by", "as_of", "definition_version"];
/// After everything: what was imported long after it happened is final.
const LONG_AFTER: Timestamp = Timestamp(i64::MAX / 2);

/// Compares the three views of results with the oracle; returns how many rows there are.
pub fn assert_equals_the_oracle(folder: &Folder) -> usize {
    let known = facts::read(folder);
    let expected = expected(&known, LONG_AFTER);
    let tables: [(&View, _); 3] = [(&SHIFTS, &expected.shifts), (&VISITS, &expected.visits), (&DAYS, &expected.days)];
    for (view, expected) in tables {
        let lines = views::differences(expected, &views::read(folder, view), NOT_COMPUTED);
        assert!(lines.is_empty(), "{} differs from the oracle in {} cells:\n{}", view.name, lines.len(), views::first(&lines));
    }
    tables.iter().map(|(_, table)| table.len()).sum()
}

#[test]
fn every_row_of_an_import_equals_the_oracle() {
    let technicians = if is_long() { 200 } else { 40 };
    let mut lines = events::simulated(technicians, 8, 11, "heavy");
    lines.extend(events::valid_lines());
    lines.push(repeated_shift_start(&lines));
    let folder = Folder::new();
    let file = folder.write("days.ndjson", &lines);
    let outcome = folder.import(&["--json", &file]);
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["lines"], lines.len());
    assert_eq!(summary["events"].as_u64().unwrap() + summary["refused"].as_u64().unwrap(), lines.len() as u64);

    // Everything that was taken is in a table, everything refused is a dead letter with its line.
    log::assert_conserved(&folder);
    assert_eq!(
        folder.number("SELECT count() FROM technician_activity_log"),
        summary["events_by_kind"]["technician_activity"].as_i64().unwrap()
    );
    let refused = folder.rows(&format!("SELECT offset FROM dead_letters WHERE topic = 'file:{file}'"));
    assert_eq!(refused.len() as u64, summary["refused"].as_u64().unwrap());
    assert!(!refused.is_empty(), "heavy faults damage some lines");

    // The comparison must have seen every kind of trouble, or it proves little.
    let rows = assert_equals_the_oracle(&folder);
    assert!(rows > 40 * 8 * 3, "{rows} rows only");
    let codes = folder.rows("SELECT DISTINCT arrayJoin(arrayConcat(s.anomalies, [''])) FROM (SELECT anomalies FROM shifts UNION ALL SELECT anomalies FROM visits) AS s");
    let codes: BTreeSet<&str> = codes.iter().map(|row| row[0].as_str()).filter(|code| !code.is_empty()).collect();
    let wanted = ["A01", "A02", "A05", "A07", "A08", "A10", "A13", "A14", "A16", "A19", "A26", "A27"];
    let unseen: Vec<_> = wanted.iter().filter(|code| !codes.contains(**code)).collect();
    assert!(unseen.is_empty(), "never seen: {unseen:?}; seen: {codes:?}");
    assert!(folder.number("SELECT count() FROM shifts WHERE finality != 'final'") == 0);
}

/// The first shift_start again, two hours later: what the simulator never does.
fn repeated_shift_start(lines: &[String]) -> String {
    let mut event: serde_json::Value = serde_json::from_str(lines.iter().find(|line| line.contains("\"shift_start\"")).unwrap()).unwrap();
    let at = chrono::DateTime::parse_from_rfc3339(event["created_at"].as_str().unwrap()).unwrap() + chrono::TimeDelta::hours(2);
    event["created_at"] = at.to_rfc3339().into();
    event["id"] = "0190a0a0-0000-7000-8000-00000000abce".into();
    format!("{event}\n")
}

#[test]
fn facts_are_unique_and_of_the_highest_revision() {
    let lines = events::simulated(20, 4, 12, "heavy");
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &lines)]);
    let views = [
        ("technician_activity", "technician_activity_log", "technician_contact_id"),
        ("communication_call_details", "communication_call_details_log", "ifNull(queue_name, '')"),
        ("operational_event", "operational_event_log", "1"),
    ];
    for (view, table, subject) in views {
        assert_eq!(folder.number(&format!("SELECT count() - uniqExact({subject}, id) FROM {view}")), 0, "{view}");
        let standing = format!(
            "SELECT {subject} AS s, id, max(revision) AS r FROM {table} GROUP BY s, id \
             HAVING NOT max((revision, voided)).2"
        );
        let same = format!("SELECT count() FROM ({standing}) AS a INNER JOIN {view} AS v ON a.id = v.id AND a.r = v.revision");
        let both = (
            folder.number(&format!("SELECT count() FROM ({standing})")),
            folder.number(&same),
            folder.number(&format!("SELECT count() FROM {view}")),
        );
        assert!(both.0 == both.1 && both.1 == both.2, "{view}: {both:?}");
    }
    assert!(folder.number("SELECT count() FROM technician_activity_log") > folder.number("SELECT count() FROM technician_activity"));
}

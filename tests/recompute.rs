//! `fieldline recompute`: other settings under a higher number, and back again, end in the tables of a straight run.

use crate::support::events;
use crate::support::folder::{Folder, Outcome};
use crate::support::views::{ABOUT_ARRIVAL, SHIFTS, Snapshot, VISITS, differences};
use serde_json::Value;

/// Settings that change rows of every kind: finality, geofences, and which positions count.
pub const OTHER: [&str; 3] =
    ["definition.finality_hours=8760", "definition.geofence_radius_meters=20", "definition.accuracy_max_meters=15"];

/// The flags of a definition.
pub fn definition(number: u16, settings: &[&str]) -> Vec<String> {
    let number = format!("definition.number={number}");
    let all = settings.iter().copied().chain([number.as_str()]);
    all.flat_map(|setting| ["--set".to_owned(), setting.to_owned()]).collect()
}

fn run(folder: &Folder, definition: &[String], arguments: &[&str]) -> Outcome {
    let all: Vec<&str> = definition.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
    folder.run(&all)
}

fn ok(folder: &Folder, definition: &[String], arguments: &[&str]) -> Outcome {
    let outcome = run(folder, definition, arguments);
    assert!(matches!(outcome.code, Some(0 | 3)), "{definition:?} {arguments:?}: {outcome:?}");
    outcome
}

/// Rows by the number of their definition.
pub fn rows_of(folder: &Folder, condition: &str) -> Vec<(u16, i64)> {
    let rows = folder.rows(&format!(
        "SELECT definition_version, count() FROM (SELECT definition_version FROM shifts WHERE {condition} \
         UNION ALL SELECT definition_version FROM visits WHERE {condition}) GROUP BY 1 ORDER BY 1"
    ));
    rows.iter().map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap())).collect()
}

/// Demands that `verify` finds nothing, nothing excused by another definition either.
fn verify(folder: &Folder, definition: &[String]) {
    let outcome = ok(folder, definition, &["verify", "--json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let excused = report["results"]["apart"]["first"].as_array().unwrap().iter().filter(|apart| apart["because"] == "definition").count();
    assert!(report["clean"] == true && excused == 0, "{report}");
}

/// Imports by the old settings, goes over to others, and back.
fn there_and_back(lines: &[String]) {
    let (before, other, back) = (definition(1, &[]), definition(2, &OTHER), definition(3, &[]));
    let straight = |definition: &[String]| {
        let folder = Folder::new();
        ok(&folder, definition, &["import", &folder.write("days.ndjson", lines)]);
        Snapshot::of(&folder)
    };
    let (straight_before, straight_other) = (straight(&before), straight(&other));
    for view in [SHIFTS, VISITS] {
        let differ = differences(&straight_before.0[view.name], &straight_other.0[view.name], ABOUT_ARRIVAL);
        assert!(!differ.is_empty(), "the settings change nothing in {}", view.name);
    }

    let folder = Folder::new();
    ok(&folder, &before, &["import", &folder.write("days.ndjson", lines)]);
    let all = rows_of(&folder, "1")[0].1;
    for (definition, number, straight) in [(&other, 2, &straight_other), (&back, 3, &straight_before)] {
        let outcome = ok(&folder, definition, &["recompute", "--json"]);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert!(report["rows"].as_i64().unwrap() > 0 && report["definition"] == number, "{report}");
        assert_eq!(rows_of(&folder, "1").iter().map(|rows| rows.0).collect::<Vec<_>>(), [number]);
        straight.assert_same(&Snapshot::of(&folder), ABOUT_ARRIVAL, &format!("after a recompute to definition {number}"));
        verify(&folder, definition);
    }
    assert_eq!(rows_of(&folder, "1"), [(3, all)]);
    let behind = run(&folder, &other, &["recompute"]);
    assert!(behind.code == Some(5) && behind.stderr.contains("set definition.number to 4 or higher"), "{behind:?}");
}

#[test]
fn old_rows_come_to_another_definition_and_back() {
    there_and_back(&events::undisputed(events::simulated(15, 6, 81, "heavy")));
}

/// Two days ago: nothing is due today, and everything lies in the live window of the processors.
#[test]
fn rows_of_the_live_window_come_to_another_definition_and_back() {
    let day = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive() - chrono::Days::new(2);
    there_and_back(&events::undisputed(events::simulated_from(&day.to_string(), 15, 1, 82, "heavy")));
}

#[test]
fn a_part_of_the_past_is_recomputed_by_technician_and_by_time() {
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &events::simulated(6, 12, 83, "none"))]);
    let other = definition(2, &OTHER);
    let technician = folder.rows("SELECT technician_contact_id FROM shifts ORDER BY ALL LIMIT 1").remove(0).remove(0);
    let (theirs, others) = (format!("technician_contact_id = '{technician}'"), format!("technician_contact_id != '{technician}'"));

    ok(&folder, &other, &["recompute", "--technician", &technician]);
    assert!(rows_of(&folder, &theirs).iter().all(|rows| rows.0 == 2), "{:?}", rows_of(&folder, &theirs));
    assert!(rows_of(&folder, &others).iter().all(|rows| rows.0 == 1), "{:?}", rows_of(&folder, &others));

    // 72 h after the span lean on it.
    ok(&folder, &other, &["recompute", "--from", "2026-02-05T00:00:00Z", "--to", "2026-02-07T00:00:00Z"]);
    let shifts = |condition: &str| folder.rows(&format!("SELECT DISTINCT definition_version FROM shifts WHERE {others} AND {condition}"));
    assert_eq!(shifts("started_at BETWEEN '2026-02-05 00:00:00' AND '2026-02-07 00:00:00'"), [["2"]]);
    assert_eq!(shifts("started_at > '2026-02-10 00:00:00'"), [["1"]]);
    assert_eq!(shifts("started_at < '2026-02-03 12:00:00'"), [["1"]]);

    // Asked for now, computed by whoever runs next.
    let asked = ok(&folder, &other, &["recompute", "--no-wait"]);
    assert!(asked.stdout.contains("asked for"), "{asked:?}");
    ok(&folder, &other, &["import", &folder.write("nothing.ndjson", &[])]);
    assert!(rows_of(&folder, "1").iter().all(|rows| rows.0 == 2), "{:?}", rows_of(&folder, "1"));
    verify(&folder, &other);
}

#[test]
fn what_can_not_be_recomputed_is_refused_with_its_reason() {
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &events::simulated(3, 30, 84, "none"))]);
    let before = Snapshot::of(&folder);
    let other = definition(2, &OTHER);
    // As if records were kept for some days only.
    folder.meddle("DELETE FROM technician_activity_log WHERE created_at < '2026-02-10 00:00:00'");
    let refused = run(&folder, &other, &["recompute"]);
    assert!(refused.code == Some(5) && refused.stderr.contains("do not hold any more"), "{refused:?}");
    let after = Snapshot::of(&folder);
    for view in [SHIFTS, VISITS] {
        assert_eq!(differences(&before.0[view.name], &after.0[view.name], &[]), Vec::<String>::new(), "{}", view.name);
    }
    ok(&folder, &other, &["recompute", "--from", "2026-02-20T00:00:00Z"]);
    assert_eq!(folder.rows("SELECT DISTINCT definition_version FROM shifts WHERE started_at > '2026-02-20 00:00:00'"), [["2"]]);

    let wrong = [
        (&["recompute", "--from", "yesterday"][..], "--from"),
        (&["recompute", "--from", "2026-02-20T00:00:00Z", "--to", "2026-02-10T00:00:00Z"], "lies after"),
        (&["recompute", "--technician", "somebody"], "--technician"),
    ];
    for (arguments, said) in wrong {
        let outcome = run(&folder, &other, arguments);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(said), "{arguments:?}: {outcome:?}");
    }
}

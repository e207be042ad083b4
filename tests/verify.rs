//! `fieldline verify` finds what was tampered with, and nothing where nothing was.

use crate::support::events;
use crate::support::folder::Folder;
use serde_json::Value;

fn verified(folder: &Folder, code: i32) -> Value {
    let outcome = folder.run(&["verify", "--json"]);
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn count(report: &Value, kind: &str) -> u64 {
    report["results"][kind]["count"].as_u64().unwrap()
}

#[test]
fn finds_changed_removed_and_added_results_and_lost_records() {
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &events::simulated(8, 3, 71, "heavy"))]);
    let clean = verified(&folder, 0);
    assert!(clean["results"]["compared"].as_u64().unwrap() > 50, "{clean}");
    assert_eq!(["changed", "missing", "extra"].map(|kind| count(&clean, kind)), [0, 0, 0]);

    let first = |table: &str, id: &str| {
        folder.rows(&format!("SELECT technician_contact_id, {id} FROM {table} WHERE NOT is_deleted ORDER BY ALL LIMIT 1")).remove(0)
    };

    // A changed value: the same identity, written with a higher version.
    let shift = first("shift_results", "shift_id");
    let one = format!("technician_contact_id = '{}' AND shift_id = '{}'", shift[0], shift[1]);
    folder.meddle(&format!("INSERT INTO shift_results SELECT * REPLACE (work_seconds_lo + 1 AS work_seconds_lo, version + 1 AS version) FROM shift_results FINAL WHERE {one}"));
    let report = verified(&folder, 1);
    assert_eq!(["changed", "missing", "extra"].map(|kind| count(&report, kind)), [1, 0, 0], "{report}");
    assert!(report.to_string().contains(&shift[1]) && report.to_string().contains("work"), "{report}");

    // A removed result.
    let episode = first("episode_results", "first_event_id");
    folder.meddle(&format!("DELETE FROM episode_results WHERE first_event_id = '{}'", episode[1]));
    let report = verified(&folder, 1);
    assert_eq!(["changed", "missing", "extra"].map(|kind| count(&report, kind)), [1, 1, 0], "{report}");
    assert!(report.to_string().contains(&episode[1]), "{report}");

    // An added one.
    let invented = "0190a0a0-0000-7000-8000-0000000000ee";
    folder.meddle(&format!(
        "INSERT INTO shift_results SELECT * REPLACE (toUUID('{invented}') AS shift_id) FROM (SELECT * FROM shift_results FINAL WHERE {one})"
    ));
    let report = verified(&folder, 1);
    assert_eq!(["changed", "missing", "extra"].map(|kind| count(&report, kind)), [1, 1, 1], "{report}");
    assert!(report.to_string().contains(invented), "{report}");
    let told = folder.run(&["verify"]);
    assert_eq!(told.code, Some(1));
    assert!(told.stdout.contains(invented) && told.stdout.contains(&episode[1]) && told.stdout.contains(&shift[1]), "{}", told.stdout);
}

#[test]
fn finds_a_removed_record_of_the_log_tables() {
    for table in ["technician_activity_log", "technician_facts_log", "communication_call_details_log", "operational_event_log"] {
        let folder = Folder::new();
        folder.import(&[&folder.write("days.ndjson", &events::simulated(4, 2, 72, "none"))]);
        let place = folder.rows(&format!("SELECT partition, offset FROM {table} ORDER BY ALL LIMIT 1")).remove(0);
        folder.meddle(&format!("DELETE FROM {table} WHERE partition = {} AND offset = {}", place[0], place[1]));
        let report = verified(&folder, 1);
        assert_eq!(report["log"]["missing"]["count"], 1, "{table}: {report}");
        let named = &report["log"]["missing"]["first"][0];
        assert_eq!((named["partition"].to_string(), named["offset"].to_string()), (place[0].clone(), place[1].clone()), "{table}");
    }
}

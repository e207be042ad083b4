//! Files of events: simulated ones, and golden payloads.

use super::folder::{Running, bare_command};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Well in the past, so that everything imported is final at once.
const FIRST_DAY: &str = "2026-02-02";

/// NDJSON lines of the simulator, each with its line end.
pub fn simulated(technicians: u32, days: u32, seed: u64, faults: &str) -> Vec<String> {
    simulated_from(FIRST_DAY, technicians, days, seed, faults)
}

/// The same from another day on.
pub fn simulated_from(first_day: &str, technicians: u32, days: u32, seed: u64, faults: &str) -> Vec<String> {
    let mut command = bare_command();
    let (technicians, days, seed) = (technicians.to_string(), days.to_string(), seed.to_string());
    command.args(["simulate", "--technicians", &technicians, "--days", &days, "--seed", &seed, "--faults", faults, "--start", first_day]);
    let outcome = Running::start(command).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.split_inclusive('\n').map(str::to_owned).collect()
}

/// The lines without those whose outcome depends on which came first: same id and revision, other content.
pub fn undisputed(lines: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut is_first = |line: &String| {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return true };
        let is_void = event["voided"] == Value::Bool(true);
        seen.insert((event["id"].to_string(), event["revision"].as_u64().unwrap_or(0), is_void))
    };
    lines.into_iter().filter(&mut is_first).collect()
}

/// Kinds of event, and how many lines have each; lines that are no JSON are counted as such.
pub fn count_of(lines: &[String], kind: &str) -> usize {
    let is_kind = |line: &&String| serde_json::from_str::<Value>(line).is_ok_and(|event| event["event"] == kind);
    lines.iter().filter(is_kind).count()
}

/// A golden payload that must be refused.
pub struct Invalid {
    pub name: String,
    pub topic: String,
    /// The JSON form; `None` where the payload is bytes of the log.
    pub text: Option<String>,
    pub reason: String,
    pub detail: String,
}

fn golden(folder: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/golden").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

pub fn invalid() -> Vec<Invalid> {
    let text = |golden: &Value, key: &str| golden[key].as_str().map(str::to_owned);
    let read = |(name, golden): (String, Value)| Invalid {
        topic: text(&golden, "topic").unwrap(),
        text: text(&golden, "text"),
        reason: text(&golden, "reason").unwrap(),
        detail: text(&golden, "detail").unwrap(),
        name,
    };
    golden("invalid").into_iter().map(read).collect()
}

/// Golden payloads that a file may hold, as lines.
pub fn valid_lines() -> Vec<String> {
    let for_files = |(_, golden): &(String, Value)| golden["missing"] == "refuse";
    golden("valid").into_iter().filter(for_files).map(|(_, golden)| format!("{}\n", golden["input"])).collect()
}

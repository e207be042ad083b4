//! A file of calls and incidents goes in, and every row of `calls`, `queue_service_levels` and `incidents` is what the
//! lines of the file say, read as plain JSON: nothing of the pipeline's own reading is used.

use crate::support::folder::Folder;
use crate::support::{events, is_long};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const QUARTER_US: i64 = 900_000_000;
const NULL: &str = "\\N";

/// An event as its line says it.
struct Line(Value);

impl Line {
    fn text(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }
    fn id(&self, name: &str) -> Option<uuid::Uuid> {
        self.text(name).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
    }
    fn whole(&self, name: &str) -> Option<i64> {
        let number = &self.0[name];
        number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
    }
    fn truth(&self, name: &str) -> bool {
        self.0[name].as_bool() == Some(true)
    }
    fn micros(&self, name: &str) -> Option<i64> {
        let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
        self.text(name).map(time)
    }
    fn revision(&self) -> i64 {
        self.whole("revision").unwrap_or(0)
    }

    fn is_outbound(&self) -> bool {
        self.text("call_type") == Some("outbound") || self.text("direction") == Some("outbound")
    }
    fn entered(&self) -> i64 {
        self.micros("started_at").or(self.micros("created_at")).unwrap()
    }
    fn is_offered(&self) -> bool {
        !self.text("queue_name").unwrap_or("").is_empty() && !self.is_outbound()
    }
    fn is_answered(&self) -> bool {
        let (kind, outcome) = (self.text("call_type").unwrap(), self.text("call_outcome").unwrap());
        self.is_offered() && ["answered", "transferred"].contains(&outcome) && !["missed", "voicemail"].contains(&kind)
    }
    fn is_abandoned(&self) -> bool {
        self.is_offered() && !self.is_answered() && (self.truth("abandoned") || self.text("call_type") == Some("missed"))
    }
    fn wait(&self) -> Option<i64> {
        self.whole("wait_time_seconds").filter(|wait| *wait >= 0)
    }

    fn consistency(&self) -> Option<&'static str> {
        let (duration, wait) = (self.whole("duration_seconds"), self.whole("wait_time_seconds"));
        let outcome = self.text("call_outcome").unwrap();
        let cell = match (self.text("call_type").unwrap(), outcome) {
            ("missed", "answered" | "transferred") => Some("error"),
            ("inbound", "no_answer" | "busy") | ("missed", "voicemail_left") => Some("warn"),
            ("voicemail", outcome) if outcome != "voicemail_left" => Some("warn"),
            _ => None,
        };
        let is_unanswered = ["no_answer", "busy", "failed"].contains(&outcome);
        if cell == Some("error") || duration.is_some_and(|d| d < 0) || wait.is_some_and(|w| w < 0) {
            Some("error")
        } else if cell.is_some()
            || (outcome == "transferred" && self.id("transferred_to_contact_id").is_none())
            || (is_unanswered && duration.is_some_and(|d| d > 0))
            || duration.is_some_and(|d| d > 4 * 3_600)
        {
            Some("warn")
        } else {
            (outcome == "answered" && duration == Some(0)).then_some("info")
        }
    }
}

/// The events of a kind that were taken: the lines that are no dead letters.
fn taken(folder: &Folder, lines: &[String], kind: &str) -> Vec<Line> {
    let refused = folder.rows("SELECT offset FROM dead_letters WHERE topic LIKE 'file:%'");
    let refused: BTreeSet<usize> = refused.iter().map(|row| row[0].parse().unwrap()).collect();
    let of_kind = |line: &String| {
        let mut event: Value = serde_json::from_str(line).ok()?;
        // When a phone's line was received is no content.
        event.as_object_mut()?.remove("received_at");
        (event["event"] == kind).then_some(event)
    };
    lines.iter().zip(1..).filter(|(_, number)| !refused.contains(number)).filter_map(|(line, _)| of_kind(line)).map(Line).collect()
}

fn cell(of: Option<impl ToString>) -> String {
    of.map_or(NULL.to_owned(), |of| of.to_string())
}
fn sorted(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort();
    rows
}

/// Compares every row of `calls` and `queue_service_levels`; returns how many there are.
pub fn assert_calls_equal(folder: &Folder, lines: &[String]) -> usize {
    let all = taken(folder, lines, "communication_call_details");
    let mut chosen: BTreeMap<(String, uuid::Uuid), &Line> = BTreeMap::new();
    for line in &all {
        let id = line.id("id").unwrap();
        let queue = line.text("queue_name").filter(|queue| !queue.is_empty()).map(str::to_owned);
        let subject = queue.or(line.id("thread_id").map(|thread| thread.to_string())).unwrap_or_default();
        let rank = |of: &Line| (of.revision(), of.truth("voided"));
        if chosen.get(&(subject.clone(), id)).is_none_or(|best| rank(line) > rank(best)) {
            chosen.insert((subject, id), line);
        }
    }
    let standing: Vec<&Line> = chosen.into_values().filter(|line| !line.truth("voided")).collect();

    let row = |line: &&Line| {
        let interval = line.is_offered().then(|| line.entered().div_euclid(QUARTER_US) * QUARTER_US);
        vec![
            cell(line.id("id")),
            cell(line.id("communication_message_id")),
            cell(line.micros("created_at")),
            cell(line.micros("started_at")),
            cell(line.text("queue_name")),
            cell(line.text("call_type")),
            cell(line.text("call_outcome")),
            cell(line.whole("duration_seconds")),
            cell(line.whole("wait_time_seconds")),
            cell(line.id("agent_contact_id")),
            cell(line.id("thread_id")),
            cell(line.id("root_call_id")),
            line.is_offered().to_string(),
            line.is_answered().to_string(),
            line.is_abandoned().to_string(),
            cell(interval),
            cell(line.consistency()),
        ]
    };
    let calls = folder.rows(
        "SELECT id, communication_message_id, toUnixTimestamp64Micro(created_at), toUnixTimestamp64Micro(started_at), queue_name, call_type, \
         call_outcome, duration_seconds, wait_time_seconds, agent_contact_id, thread_id, root_call_id, offered, answered, abandoned, \
         toUnixTimestamp64Micro(interval_start), consistency FROM calls",
    );
    assert_eq!(sorted(calls), sorted(standing.iter().map(row)), "calls");

    let mut groups: BTreeMap<(String, i64), Vec<&Line>> = BTreeMap::new();
    for line in standing.iter().filter(|line| line.is_offered()) {
        let interval = line.entered().div_euclid(QUARTER_US) * QUARTER_US;
        groups.entry((line.text("queue_name").unwrap().to_owned(), interval)).or_default().push(line);
    }
    let levels = folder.rows(
        "SELECT queue_name, toUnixTimestamp64Micro(interval_start) AS interval_us, offered, answered, abandoned, service_level_f1, \
         service_level_f2, service_level_f3, service_level_f4, service_level_f5, asa_seconds, longest_wait_seconds, abandon_rate, \
         mean_talk_seconds, transfers FROM queue_service_levels ORDER BY queue_name, interval_us",
    );
    assert_eq!(levels.len(), groups.len(), "intervals");
    for (((queue, interval), group), row) in groups.iter().zip(&levels) {
        assert_eq!(row[..2], [queue.clone(), interval.to_string()]);
        let numbers: Vec<Option<f64>> = row[2..].iter().map(|cell| (cell != NULL).then(|| cell.parse().unwrap())).collect();
        assert_eq!(numbers, service_levels(group), "{queue} at {interval}");
    }
    standing.len() + levels.len()
}

/// The numbers of an interval, by the five formulas.
fn service_levels(group: &[&Line]) -> Vec<Option<f64>> {
    let count = |of: &dyn Fn(&Line) -> bool| group.iter().filter(|line| of(line)).count() as f64;
    let mean = |of: Vec<i64>| (!of.is_empty()).then(|| of.iter().sum::<i64>() as f64 / of.len() as f64);
    let ratio = |above: f64, below: f64| (below > 0.0).then(|| above / below);
    let (a, b) = (count(&Line::is_answered), count(&Line::is_abandoned));
    let answered_within = |seconds| count(&|line| line.is_answered() && line.wait().is_some_and(|wait| wait <= seconds));
    let abandoned_within = |seconds| count(&|line| line.is_abandoned() && line.wait().is_some_and(|wait| wait <= seconds));
    let (a20, b20, b5) = (answered_within(20), abandoned_within(20), abandoned_within(5));
    let answered = || group.iter().filter(|line| line.is_answered());
    vec![
        Some(group.len() as f64),
        Some(a),
        Some(b),
        ratio(a20 + b20, a + b),
        ratio(a20, a),
        ratio(a20, a + b),
        ratio(a20, a + b - b20),
        ratio(a20 + b5, a + b),
        mean(answered().filter_map(|line| line.wait()).collect()),
        group.iter().filter_map(|line| line.wait()).max().map(|wait| wait as f64),
        ratio(b, group.len() as f64),
        mean(answered().filter_map(|line| line.whole("duration_seconds")).filter(|talk| *talk >= 0).collect()),
        Some(count(&|line| line.is_answered() && line.text("call_outcome") == Some("transferred"))),
    ]
}

/// Compares every row of `incidents`; returns how many there are and how many were reopened.
pub fn assert_incidents_equal(folder: &Folder, lines: &[String]) -> (usize, usize) {
    let all = taken(folder, lines, "operational_event");
    let mut updates: BTreeMap<uuid::Uuid, Vec<&Line>> = BTreeMap::new();
    for line in &all {
        let known = updates.entry(line.id("id").unwrap()).or_default();
        if known.iter().all(|other| other.0 != line.0) {
            known.push(line);
        }
    }
    let mut rows = Vec::new();
    for (id, mut updates) in updates {
        let void: Vec<i64> = updates.iter().filter(|line| line.truth("voided")).map(|line| line.revision()).collect();
        if void.contains(&updates.iter().map(|line| line.revision()).max().unwrap()) {
            continue;
        }
        updates.retain(|line| !void.contains(&line.revision()));
        updates.sort_by_key(|line| (line.revision(), line.micros("recorded_at").or(line.micros("created_at"))));
        let resolved: Vec<bool> = updates.iter().map(|line| line.micros("resolved_at").is_some()).collect();
        let last = updates[updates.len() - 1];
        let created = last.micros("created_at").unwrap();
        rows.push(vec![
            id.to_string(),
            created.to_string(),
            cell(last.micros("acknowledged_at")),
            cell(last.micros("resolved_at")),
            cell(last.micros("resolved_at").map(|at| at - created).filter(|us| *us >= 0)),
            resolved.windows(2).any(|two| two == [true, false]).to_string(),
            cell(last.text("severity")),
            cell(last.text("event_category")),
            cell(last.text("source_system")),
            updates.len().to_string(),
        ]);
    }
    let reopened = rows.iter().filter(|row| row[5] == "true").count();
    let incidents = folder.rows(
        "SELECT id, toUnixTimestamp64Micro(created_at), toUnixTimestamp64Micro(acknowledged_at), toUnixTimestamp64Micro(resolved_at), \
         toInt64(toDecimal128(resolve_seconds, 6) * 1000000), reopened, severity, event_category, source_system, updates FROM incidents",
    );
    let count = rows.len();
    assert_eq!(sorted(incidents), sorted(rows), "incidents");
    (count, reopened)
}

#[test]
fn calls_and_incidents_of_an_import_equal_its_file() {
    let lines = events::simulated(if is_long() { 300 } else { 60 }, 6, 31, "heavy");
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &lines)]);
    let calls = assert_calls_equal(&folder, &lines);
    let (incidents, _) = assert_incidents_equal(&folder, &lines);
    assert!(calls > 500 && incidents > 50, "{calls} {incidents}");
    assert!(folder.number("SELECT count() FROM dead_letters") > 0, "heavy faults damage some lines");
}

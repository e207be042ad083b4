//! The order, number and manner of arrival change no row.

use crate::support::folder::Folder;
use crate::support::views::{self, ABOUT_ARRIVAL, ACTIVITY, DAYS, SHIFTS, Snapshot, Table, VISITS};
use crate::support::{Random, events};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Longer than a shift, its settling and a spare hour after the last event.
const HOURS_UNTIL_FINAL: i64 = 97;

/// Lines whose rows do not depend on which of two came first.
fn lines() -> &'static [String] {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = events::undisputed(events::simulated(25, 6, 21, "heavy"));
        lines.into_iter().filter(|line| !is_days_ahead(line)).collect()
    })
}

/// A device clock more than a day ahead is refused where the line arrives live, and taken as it is from history.
fn is_days_ahead(line: &str) -> bool {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { return false };
    let time = |key: &str| event[key].as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    time("created_at").zip(time("received_at")).is_some_and(|(created, received)| created - received > chrono::TimeDelta::hours(24))
}

/// The rows of a straight import.
fn straight() -> &'static Snapshot {
    static STRAIGHT: OnceLock<Snapshot> = OnceLock::new();
    STRAIGHT.get_or_init(|| {
        let folder = Folder::new();
        folder.import(&[&folder.write("days.ndjson", lines())]);
        let snapshot = Snapshot::of(&folder);
        assert!(snapshot.rows() > 1_000, "{} rows only", snapshot.rows());
        snapshot
    })
}

#[test]
fn shuffled_doubled_and_cut_in_three_gives_the_same_rows() {
    let folder = import_shuffled(lines());
    straight().assert_same(&Snapshot::of(&folder), ABOUT_ARRIVAL, "shuffled, partly doubled, in three files");
}

/// Shuffled, every fifth line doubled, cut into three files that are imported in any order.
pub fn import_shuffled(lines: &[String]) -> Folder {
    let mut random = Random(3);
    let mut shuffled = lines.to_vec();
    let doubled: Vec<String> = shuffled.iter().filter(|_| random.below(5) == 0).cloned().collect();
    shuffled.extend(doubled);
    random.shuffle(&mut shuffled);
    let third = shuffled.len() / 3;
    let mut parts = [&shuffled[..third], &shuffled[third..2 * third], &shuffled[2 * third..]];
    random.shuffle(&mut parts);
    let folder = Folder::new();
    for (number, part) in parts.into_iter().enumerate() {
        folder.import(&[&folder.write(&format!("part{number}.ndjson"), part)]);
    }
    folder
}

#[test]
fn imported_again_and_in_other_chunks_gives_the_same_rows() {
    let folder = Folder::new();
    let file = folder.write("days.ndjson", lines());
    let chunks = ["--set", "sinks.batch_rows=37", "--set", "sinks.linger_ms=20", "--set", "topics.partitions=3"];
    let import: Vec<&str> = chunks.iter().copied().chain(["import", &file]).collect();
    for what in ["other chunks and partitions", "imported again"] {
        let outcome = folder.run(&import);
        assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
        straight().assert_same(&Snapshot::of(&folder), ABOUT_ARRIVAL, what);
    }
    let (all, standing) = (folder.number("SELECT count() FROM technician_activity_log"), straight().0[ACTIVITY.name].len() as i64);
    assert!(all >= 2 * standing, "{all} records of {standing} events: the second import came in");
}

#[test]
fn one_line_more_gives_the_rows_of_the_longer_file() {
    let shift_start = lines().iter().find(|line| line.contains("\"shift_start\"")).unwrap();
    let mut event: serde_json::Value = serde_json::from_str(shift_start).unwrap();
    event["id"] = "0190a0a0-0000-7000-8000-00000000abcd".into();
    event["activity_type"] = "emergency_stop".into();
    event["device_sequence"] = 1_000_000.into();
    let longer: Vec<String> = lines().iter().cloned().chain([format!("{event}\n")]).collect();

    let appended = Folder::new();
    appended.import(&[&appended.write("days.ndjson", lines())]);
    appended.import(&[&appended.write("longer.ndjson", &longer)]);
    let fresh = Folder::new();
    fresh.import(&[&fresh.write("longer.ndjson", &longer)]);
    let (appended, fresh) = (Snapshot::of(&appended), Snapshot::of(&fresh));
    fresh.assert_same(&appended, ABOUT_ARRIVAL, "one line appended");
    let changed = views::differences(&straight().0[SHIFTS.name], &appended.0[SHIFTS.name], ABOUT_ARRIVAL);
    assert!(!changed.is_empty(), "the line changes its shift");
}

#[test]
fn replayed_as_live_gives_the_same_rows_where_nothing_depends_on_arrival() {
    let folder = Folder::new();
    assert_same_as_live(straight(), &folder.write("days.ndjson", lines()), lines());
}

/// Replays the lines of a file as live and compares the rows with those of a straight import; A29, A19, A20 and distance
/// apart. Returns how many rows were compared, and how many there are.
pub fn assert_same_as_live(straight: &Snapshot, file: &str, lines: &[String]) -> (usize, usize) {
    let folder = Folder::new();
    let until = last_time(lines) + chrono::TimeDelta::hours(HOURS_UNTIL_FINAL);
    folder.import(&["--as-live", "--until", &until.to_rfc3339(), file]);
    let live = Snapshot::of(&folder);

    let ignored = [ABOUT_ARRIVAL, &["distance_meters_lower_bound", "imported", "assigned"]].concat();
    let differing = views::differences(&straight.0[ACTIVITY.name], &live.0[ACTIVITY.name], &ignored);
    assert!(differing.is_empty(), "{}", views::first(&differing));

    // Rows with A29, and the days of such shifts, are compared apart: their cuts depend on where a computation began.
    let apart: BTreeSet<Vec<String>> = [straight, &live].iter().flat_map(|s| touched_by_a29(s)).collect();
    let mut compared = 0;
    for view in [&SHIFTS, &VISITS, &DAYS] {
        let [this, that] = [straight, &live].map(|snapshot| without_arrival(&snapshot.0[view.name], &apart));
        let differing = views::differences(&this, &that, &ignored);
        assert!(differing.is_empty(), "{}: {} cells differ\n{}", view.name, differing.len(), views::first(&differing));
        compared += this.len();
    }
    let all: usize = [&SHIFTS, &VISITS, &DAYS].iter().map(|view| straight.0[view.name].len()).sum();
    assert!(compared * 10 >= all * 9, "{compared} of {all} rows compared");
    (compared, all)
}

/// The time of a log does not go back: what cannot come live any more is refused, and nobody waits for it.
#[test]
fn a_replay_behind_the_logs_time_is_refused_and_one_ahead_of_the_clock_keeps_its_folder() {
    let event = |id: u8, time: &str| {
        format!(
            "{{\"event\":\"technician_activity\",\"id\":\"0190a0a0-0000-7000-8000-0000000000{id:02x}\",\"created_at\":\"{time}\",\
             \"technician_contact_id\":\"0190a0a0-0000-7000-8000-00000000ffff\",\"activity_type\":\"shift_start\"}}\n"
        )
    };
    let folder = Folder::new();
    let file = folder.write("one.ndjson", &[event(1, "2026-03-02T08:00:00Z")]);
    folder.import(&["--as-live", &file]);
    folder.import(&["--as-live", &file]);
    folder.import(&["--as-live", "--until", "2026-03-09T08:00:00Z", &file]);
    let refused = folder.run(&["import", "--as-live", &file]);
    assert!(refused.code == Some(5) && refused.stderr.contains("2026-03-09"), "{refused:?}");

    folder.import(&["--as-live", "--until", "2199-01-01T00:00:00Z", &file]);
    let later = folder.write("later.ndjson", &[event(2, "2026-03-03T08:00:00Z")]);
    for arguments in [&["import", &later][..], &["run"]] {
        let refused = folder.run(arguments);
        assert!(refused.code == Some(5) && refused.stderr.contains("has come to 2199-01-01"), "{refused:?}");
    }
}

/// A replay says of each revision when it would have been published: a timer's at its due time, others in the next second.
#[test]
fn replayed_revisions_were_published_when_they_fell_due() {
    let id = |n: u8| format!("0190a0a0-0000-7000-8000-0000000000{n:02x}");
    let event = |n: u8, received: &str, created: &str, kind: &str| {
        format!(
            "{{\"event\":\"technician_activity\",\"id\":\"{}\",\"received_at\":\"{received}\",\"created_at\":\"{created}\",\
             \"technician_contact_id\":\"{}\",\"activity_type\":\"{kind}\"}}\n",
            id(n),
            id(0)
        )
    };
    let folder = Folder::new();
    let file = folder.write(
        "g4.ndjson",
        &[
            event(1, "2026-03-02T08:00:00.250Z", "2026-03-02T08:00:00Z", "shift_start"),
            event(2, "2026-03-02T21:15:00Z", "2026-03-02T16:58:00Z", "shift_end"),
        ],
    );
    folder.import(&["--as-live", "--until", "2026-03-07T12:00:00Z", &file]);
    let rows =
        folder.rows("SELECT formatDateTime(published_at, '%Y-%m-%d %H:%i:%s'), anomalies, finality FROM shifts_history ORDER BY version");
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(
        rows,
        [
            ["2026-03-02 08:00:01", "[]", "provisional"],
            ["2026-03-02 19:00:00", "['A02']", "provisional"],
            ["2026-03-02 21:15:01", "[]", "provisional"],
            ["2026-03-05 16:58:00", "[]", "final"],
        ]
    );
}

/// The last time that any line carries.
fn last_time(lines: &[String]) -> chrono::DateTime<chrono::FixedOffset> {
    let events = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let times = events.flat_map(|event| {
        ["created_at", "received_at", "planned_end"]
            .map(|key| event[key].as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok()))
    });
    // A damaged year is no time to wait for.
    times.flatten().filter(|time| time.timestamp() < 1_800_000_000).max().unwrap()
}

/// Identities that a row with A29 has to do with; of a shift also its dates.
fn touched_by_a29(snapshot: &Snapshot) -> Vec<Vec<String>> {
    let mut keys = Vec::new();
    for view in [&SHIFTS, &VISITS, &DAYS] {
        for (key, row) in snapshot.0[view.name].iter().filter(|(_, row)| views::codes(&row["anomalies"]).contains("A29")) {
            keys.push(key.clone());
            if let Some(date) = row.get("shift_date") {
                let date: chrono::NaiveDate = date.parse().unwrap();
                keys.extend([0, 1].map(|days| vec![key[0].clone(), (date + chrono::Days::new(days)).to_string()]));
            }
        }
    }
    keys
}

/// The rows without what is about arrival or positions.
fn without_arrival(table: &Table, apart: &BTreeSet<Vec<String>>) -> Table {
    const APART: [&str; 5] = ["A17", "A18", "A19", "A20", "A27"];
    let kept = table.iter().filter(|(key, _)| !apart.contains(*key));
    kept.map(|(key, row)| {
        let mut row = row.clone();
        let codes: Vec<String> = views::codes(&row["anomalies"]).into_iter().filter(|code| !APART.contains(&code.as_str())).collect();
        row.insert("anomalies".to_owned(), codes.join(","));
        (key.clone(), row)
    })
    .collect()
}

//! Incidents by the order of their updates, also against a computation that goes through the updates one by one.

use crate::setup::{MORNING, Random, TestDatabase, at, insert_log, operation};
use fieldline_schemas::events::{EventCategory, OperationalEvent, Severity};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::DAY_US;
use fieldline_schemas::{AnyRecord, Timestamp};
use std::collections::BTreeMap;

type Operation = OperationalEvent<'static>;

fn insert(test: &TestDatabase, log: impl IntoIterator<Item = Operation>) {
    insert_log(test, log.into_iter().map(AnyRecord::OperationalEvent));
}

/// An update of an incident of 08:00.
fn update(number: u8, revision: u32, recorded: Option<i64>, resolved: Option<i64>) -> Operation {
    let mut update = operation(number, 0);
    update.common.revision = revision;
    update.common.recorded_at = recorded.map(at);
    update.resolved_at = resolved.map(at);
    update
}
fn void(number: u8, revision: u32) -> Operation {
    let mut void = update(number, revision, None, None);
    void.common.voided = true;
    void
}

#[test]
fn the_last_update_is_the_row_and_the_order_says_what_was_reopened() {
    let test = TestDatabase::new("incident_order");
    insert(
        &test,
        [
            // 1: resolved by the higher revision, though recorded and appended before the lower one.
            update(1, 1, Some(5), Some(4)),
            update(1, 0, Some(9), None),
            // 2: by recorded_at it was open, resolved, open again.
            update(2, 0, Some(30), None),
            update(2, 0, Some(20), Some(15)),
            update(2, 0, Some(10), None),
            // 3: recorded never, so by the place in the log: resolved since.
            update(3, 0, None, None),
            update(3, 0, None, Some(20)),
            // 4: the same, then the first update once more: a repetition, which changes nothing.
            update(4, 0, None, None),
            update(4, 0, None, Some(20)),
            update(4, 0, None, None),
            // 5: a void wins its revision whatever came later, and withdraws the incident.
            update(5, 0, Some(1), None),
            void(5, 1),
            update(5, 1, Some(50), Some(40)),
            // 6: restored by a higher revision; what the voided one said does not count.
            update(6, 0, Some(1), None),
            update(6, 1, Some(2), Some(3)),
            void(6, 1),
            update(6, 2, Some(4), None),
            // 7: resolved before it happened.
            update(7, 0, None, Some(-1)),
            // 8: reopened twice, resolved in the end; what a resolution and a later one say between does not matter.
            update(8, 0, Some(1), Some(1)),
            update(8, 0, Some(2), None),
            update(8, 0, Some(3), Some(3)),
            update(8, 0, Some(4), Some(4)),
            update(8, 1, Some(5), None),
            update(8, 2, Some(6), Some(6)),
        ],
    );
    test.check(
        "SELECT substring(toString(id), 3, 2), resolve_seconds, reopened, updates, reopenings, revision FROM incidents ORDER BY id",
        &[
            "01\t240\tfalse\t2\t0\t1",
            "02\t\\N\ttrue\t3\t1\t0",
            "03\t1200\tfalse\t2\t0\t0",
            "04\t1200\tfalse\t2\t0\t0",
            "06\t\\N\tfalse\t2\t0\t2",
            "07\t\\N\tfalse\t1\t0\t0",
            "08\t360\ttrue\t6\t2\t2",
        ],
    );
    test.check("SELECT count(), countIf(resolved_at IS NULL) FROM incidents", &["7\t2"]);
}

/// What an update does not carry is NULL, also what an earlier one carried.
#[test]
fn an_update_is_the_whole_event() {
    let test = TestDatabase::new("incident_whole");
    let mut first = update(1, 0, Some(1), None);
    (first.acknowledged_at, first.title, first.source_system) = (Some(at(2)), Some("door".into()), Some("panel".into()));
    let mut second = update(1, 0, Some(2), None);
    (second.severity, second.event_category, second.source_system) = (Severity::Info, EventCategory::System, None);
    second.common.created_at = at(-1);
    insert(&test, [first.clone(), second]);
    test.check(
        "SELECT created_at, acknowledged_at, acknowledge_seconds, severity, event_category, source_system, title FROM incidents",
        &["2026-03-02 07:59:00.000000\t\\N\t\\N\tinfo\tsystem\t\\N\t\\N"],
    );
    let test = TestDatabase::new("incident_acknowledged");
    let early = Operation { acknowledged_at: Some(at(-2)), ..update(2, 0, None, None) };
    insert(&test, [first, early]);
    test.check("SELECT acknowledge_seconds FROM incidents ORDER BY id", &["120", "\\N"]);
}

/// Age is by the clock of the log of operations.
#[test]
fn open_incidents_grow_older_by_the_log() {
    let test = TestDatabase::new("incident_age");
    let mut ahead = operation(3, 60);
    ahead.severity = Severity::Info;
    // The third record is appended at 08:00:02.
    insert(&test, [operation(1, -10), Operation { resolved_at: Some(at(0)), ..operation(2, -10) }, ahead]);
    test.check("SELECT open_seconds FROM incidents ORDER BY id", &["602", "\\N", "\\N"]);
    test.check(
        "SELECT incidents, resolved, open, open_seconds_mean, open_seconds_median, open_seconds_max FROM incident_statistics \
         WHERE grouped_by = 'all'",
        &["3\t1\t2\t602\t602\t602"],
    );
}

/// One incident as the updates give it, by the definition read aloud.
struct Expected {
    last: Operation,
    updates: usize,
    reopenings: usize,
}

fn expected(log: &[Operation]) -> BTreeMap<EventId, Expected> {
    let mut by_id: BTreeMap<EventId, Vec<&Operation>> = BTreeMap::new();
    for record in log {
        by_id.entry(record.common.id).or_default().push(record);
    }
    let mut rows = BTreeMap::new();
    for (id, records) in by_id {
        let is_void = |revision: u32| records.iter().any(|r| r.common.voided && r.common.revision == revision);
        if is_void(records.iter().map(|r| r.common.revision).max().unwrap()) {
            continue;
        }
        let mut updates: Vec<&Operation> = Vec::new();
        for record in &records {
            if !is_void(record.common.revision) && !updates.contains(record) {
                updates.push(record);
            }
        }
        // Stable: what is equal stays in the order of the log.
        updates.sort_by_key(|r| (r.common.revision, r.common.recorded_at.unwrap_or(r.common.created_at)));
        let reopenings = updates.windows(2).filter(|two| two[0].resolved_at.is_some() && two[1].resolved_at.is_none()).count();
        rows.insert(id, Expected { last: (*updates[updates.len() - 1]).clone(), updates: updates.len(), reopenings });
    }
    rows
}

fn messy_log(random: &mut Random, recorded: bool) -> Vec<Operation> {
    let ids: Vec<[u8; 16]> = (0..400).map(|_| random.id()).collect();
    (0..3_000)
        .map(|number| {
            let minutes = |random: &mut Random| random.below(40) as i64 - 4;
            let mut record = operation(0, 0);
            record.common.id = EventId::from_bytes(random.pick(&ids));
            record.common.revision = random.below(3) as u32;
            record.common.voided = random.below(12) == 0;
            record.common.created_at = random.pick(&[at(0), at(0), at(1), Timestamp(MORNING.0 - 3 * DAY_US + 1)]);
            // With `recorded`, no two records are alike in it, so that the order of arrival decides nothing.
            record.common.recorded_at = if recorded { Some(at(0) + number) } else { random.pick(&[None, None, Some(at(1)), Some(at(2))]) };
            record.resolved_at = (random.below(2) == 0).then(|| at(minutes(random)) + random.pick(&[0, 1]));
            record.acknowledged_at = (random.below(2) == 0).then(|| at(minutes(random)));
            record.event_category = random.pick(EventCategory::ALL);
            record.severity = random.pick(Severity::ALL);
            record.source_system = random.pick(&[None, Some("panel"), Some("fleet")]).map(Into::into);
            record
        })
        .collect()
}

fn seconds(from: Timestamp, to: Option<Timestamp>) -> Option<i64> {
    to.map(|to| to.since(from)).filter(|us| *us >= 0)
}
fn text<T: ToString>(of: Option<T>) -> String {
    of.map_or("\\N".to_owned(), |of| of.to_string())
}

/// Compares the rows of `incidents` with those of `log`.
fn compare(test: &TestDatabase, log: &[Operation]) -> BTreeMap<EventId, Expected> {
    let rows = expected(log);
    let mut lines: Vec<String> = rows
        .values()
        .map(|row| {
            let r = &row.last;
            format!(
                "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                r.common.id,
                r.common.created_at.0,
                text(r.acknowledged_at.map(|t| t.0)),
                text(r.resolved_at.map(|t| t.0)),
                text(seconds(r.common.created_at, r.resolved_at)),
                text(seconds(r.common.created_at, r.acknowledged_at)),
                row.reopenings > 0,
                row.updates,
                row.reopenings,
                r.severity.symbol(),
                r.event_category.symbol(),
                text(r.source_system.as_deref()),
            )
        })
        .collect();
    lines.sort();
    let query = "SELECT id, toUnixTimestamp64Micro(created_at), toUnixTimestamp64Micro(acknowledged_at), toUnixTimestamp64Micro(resolved_at), \
                 toInt64(resolve_seconds * 1000000), toInt64(acknowledge_seconds * 1000000), reopened, updates, reopenings, severity, \
                 event_category, source_system FROM incidents ORDER BY toString(id)";
    assert_eq!(test.lines(query), lines);
    // Both views of an incident choose the same update.
    test.check(
        "SELECT count() FROM (SELECT id, revision, resolved_at, acknowledged_at, severity, received_at FROM incidents) AS i \
         FULL OUTER JOIN (SELECT id, revision, resolved_at, acknowledged_at, severity, received_at FROM operational_event) AS e USING id \
         WHERE i.received_at != e.received_at",
        &["0"],
    );
    rows
}

#[test]
fn messy_updates_equal_going_through_them_one_by_one() {
    let test = TestDatabase::new("incidents");
    let mut log = messy_log(&mut Random(4), false);
    // Every third record comes again at the end.
    log.extend(log.iter().step_by(3).cloned().collect::<Vec<_>>());
    insert(&test, log.clone());
    insert(&test, log.clone());
    let rows = compare(&test, &log);
    let reopened = rows.values().filter(|row| row.reopenings > 0).count();
    assert!(rows.len() > 250 && reopened > 50, "{} {reopened}", rows.len());
    statistics(&test, rows.values());
}

#[test]
fn neither_order_nor_repetition_changes_an_incident() {
    let random = &mut Random(5);
    let log = messy_log(random, true);
    let rows = |log: &[Operation], name: &str| {
        let test = TestDatabase::new(name);
        insert(&test, log.to_vec());
        compare(&test, log);
        test.lines("SELECT * EXCEPT (open_seconds, received_at) FROM incidents ORDER BY id")
    };
    let straight = rows(&log, "incidents_straight");
    assert!(straight.len() > 250);
    let mut repeated = log.clone();
    repeated.extend(log.iter().filter(|_| random.below(3) == 0).cloned().collect::<Vec<_>>());
    random.shuffle(&mut repeated);
    assert_eq!(rows(&repeated, "incidents_shuffled"), straight);
    assert_eq!(rows(&log.iter().rev().cloned().collect::<Vec<_>>(), "incidents_backwards"), straight);
}

/// Counts, means and medians by going through the rows.
fn statistics<'a>(test: &TestDatabase, rows: impl Iterator<Item = &'a Expected>) {
    let mut groups: BTreeMap<(&str, String, String, String), Vec<&Expected>> = BTreeMap::new();
    for row in rows {
        let (category, severity) = (row.last.event_category.symbol().to_owned(), row.last.severity.symbol().to_owned());
        let source = row.last.source_system.as_deref().unwrap_or("").to_owned();
        let none = String::new;
        for key in [
            ("all", none(), none(), none()),
            ("category", category.clone(), none(), none()),
            ("severity", none(), severity.clone(), none()),
            ("source", none(), none(), source.clone()),
            ("category_severity_source", category, severity, source),
        ] {
            groups.entry(key).or_default().push(row);
        }
    }
    let keys: Vec<String> = groups.keys().map(|(by, c, s, o)| format!("{by}\t{c}\t{s}\t{o}")).collect();
    let order = "ORDER BY CAST(grouped_by, 'String'), CAST(event_category, 'String'), CAST(severity, 'String'), source_system";
    assert_eq!(test.lines(&format!("SELECT grouped_by, event_category, severity, source_system FROM incident_statistics {order}")), keys);
    let query = format!(
        "SELECT incidents, acknowledged, acknowledge_seconds_known, acknowledge_seconds_mean, acknowledge_seconds_median, resolved, \
         resolve_seconds_known, resolve_seconds_mean, resolve_seconds_median, reopened, open, acknowledged_share \
         FROM incident_statistics {order}"
    );
    for (line, (key, group)) in test.lines(&query).iter().zip(&groups) {
        let actual: Vec<Option<f64>> = line.split('\t').map(|cell| (cell != "\\N").then(|| cell.parse().unwrap())).collect();
        let count = |of: &dyn Fn(&Expected) -> bool| group.iter().filter(|row| of(row)).count() as f64;
        let times = |of: &dyn Fn(&Operation) -> Option<Timestamp>| -> [Option<f64>; 3] {
            let mut known: Vec<i64> = group.iter().filter_map(|row| seconds(row.last.common.created_at, of(&row.last))).collect();
            known.sort_unstable();
            let n = known.len();
            let mean = (n > 0).then(|| known.iter().sum::<i64>() as f64 / n as f64 / 1e6);
            let median = (n > 0).then(|| (known[(n - 1) / 2] + known[n / 2]) as f64 / 2.0 / 1e6);
            [Some(n as f64), mean, median]
        };
        let acknowledged = count(&|row| row.last.acknowledged_at.is_some());
        let mut expect = vec![Some(group.len() as f64), Some(acknowledged)];
        expect.extend(times(&|last| last.acknowledged_at));
        expect.push(Some(count(&|row| row.last.resolved_at.is_some())));
        expect.extend(times(&|last| last.resolved_at));
        expect.push(Some(count(&|row| row.reopenings > 0)));
        expect.push(Some(count(&|row| row.last.resolved_at.is_none())));
        expect.push(Some(acknowledged / group.len() as f64));
        assert_eq!(actual, expect, "{key:?}");
    }
    assert!(groups.len() > 30);
}

//! `verify` finds what SQL has changed behind our back, and a record that is gone.

use crate::setup::MORNING;
use crate::world::{World, activity};
use fieldline_schemas::AnyRecord;
use fieldline_schemas::events::ActivityType::*;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};

fn world() -> World {
    let mut world = World::new("verify", MORNING);
    let mut records: Vec<AnyRecord<'static>> = Vec::new();
    for (who, day) in (0..20).map(|n| (1 + n % 2, n)) {
        let start = MORNING - (40 - day as i64) * DAY_US;
        let events = [(0, ShiftStart, false), (10, TravelStart, true), (40, ArrivedOnSite, true), (41, WorkStarted, true)];
        let events = events.into_iter().chain([(90, LeftSite, true), (480, ShiftEnd, false)]);
        for (n, (minute, kind, at_visit)) in (0..).zip(events) {
            records.push(activity(who, day * 10 + n, start + minute * MINUTE_US, kind, at_visit.then_some(day)).into());
        }
    }
    // And a day that is lived now, with a late event of today.
    records.push(activity(1, 900, MORNING - HOUR_US, ShiftStart, None).into());
    records.push(activity(1, 901, MORNING - HOUR_US / 2, ArrivedOnSite, Some(77)).into());
    world.append(records);
    world.check();
    world
}

#[test]
fn rows_that_were_changed_removed_and_added_are_found() {
    let world = world();
    let mutate = |sql: &str| world.test.database.execute(&format!("{sql} SETTINGS mutations_sync = 2")).unwrap();
    let shift = |n: u32| {
        let sql = format!("SELECT shift_id FROM shift_results FINAL WHERE NOT is_deleted ORDER BY started_at LIMIT 1 OFFSET {n}");
        world.test.lines(&sql)[0].clone()
    };
    let (changed, removed, source) = (shift(2), shift(5), shift(7));

    mutate(&format!("ALTER TABLE shift_results UPDATE work_seconds_lo = work_seconds_lo + 1 WHERE shift_id = '{changed}'"));
    let report = world.verify();
    assert_eq!((report.changed.count, report.missing.count, report.extra.count, report.apart.count), (1, 0, 0, 0), "{report:#?}");
    let difference = &report.changed.first[0];
    assert!(difference.row.to_string().contains(&changed));
    let column = &difference.columns[0];
    assert_eq!((difference.columns.len(), column.name.as_str()), (1, "work_seconds_lo"));
    let seconds = |text: &str| text.parse::<f64>().unwrap();
    assert_eq!(seconds(&column.stored) - seconds(&column.computed), 1.0, "{column:?}");

    mutate(&format!("ALTER TABLE shift_results DELETE WHERE shift_id = '{removed}'"));
    let report = world.verify();
    assert_eq!((report.changed.count, report.missing.count, report.extra.count), (1, 1, 0), "{report:#?}");
    assert!(report.missing.first[0].to_string().contains(&removed));

    let added = "e0e0e0e0-0000-4000-8000-000000000000";
    let insert = |table: &str, replaced: &str, of: &str| {
        let sql = format!("INSERT INTO {table} SELECT * REPLACE ({replaced}) FROM (SELECT * FROM {table} FINAL WHERE {of} LIMIT 1)");
        world.test.database.execute(&sql).unwrap();
    };
    insert("shift_results", &format!("'{added}'::UUID AS shift_id"), &format!("shift_id = '{source}'"));
    insert("episode_results", "generateUUIDv4() AS first_event_id, true AS is_deleted", "NOT is_deleted");
    let report = world.verify();
    assert_eq!((report.changed.count, report.missing.count, report.extra.count), (1, 1, 1), "a tombstone is no row: {report:#?}");
    assert!(report.extra.first[0].to_string().contains(added));
    assert!(!report.is_clean());
}

#[test]
fn a_record_that_is_gone_shows_in_its_results() {
    let world = World::new("verify_log", MORNING);
    let mut world = world;
    let at = |minute: i64| MORNING - 30 * DAY_US + minute * MINUTE_US;
    world.append([
        activity(1, 1, at(0), ShiftStart, None).into(),
        activity(1, 2, at(10), ArrivedOnSite, Some(1)).into(),
        activity(1, 3, at(60), LeftSite, Some(1)).into(),
        activity(1, 4, at(480), ShiftEnd, None).into(),
    ]);
    world.check();
    let before = world.test.lines("SELECT count() FROM technician_activity_log");
    assert_eq!(before, ["4"]);
    world
        .test
        .database
        .execute("ALTER TABLE technician_activity_log DELETE WHERE activity_type = 'left_site' SETTINGS mutations_sync = 2")
        .unwrap();
    let report = world.verify();
    assert_eq!((report.changed.count, report.missing.count, report.extra.count), (2, 0, 0), "the visit and its shift: {report:#?}");
    world.test.database.execute("ALTER TABLE technician_activity_log DELETE WHERE true SETTINGS mutations_sync = 2").unwrap();
    let report = world.verify();
    assert_eq!((report.changed.count, report.missing.count, report.extra.count), (0, 0, 2), "{report:#?}");
}

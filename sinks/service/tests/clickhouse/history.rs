//! The past is computed again: imports of years, amendments and voids of what is long over, plans that come late.
//! What is expected is the fold of everything that was appended.

use crate::setup::MORNING;
use crate::world::{World, activity, event, technician};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::AnyRecord;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType::*;
use fieldline_schemas::events::{ShiftPlan, TechnicianActivity};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};
use fieldline_sinks::SinkControl;
use fieldline_sinks::history::{self, HistoryConfig, HistoryError};
use std::sync::Arc;

/// A working day of two visits; its events have the ids from `10 * day` on.
pub fn day(who: u128, day: i64) -> Vec<TechnicianActivity<'static>> {
    let morning = MORNING + day * DAY_US;
    let id = |n: u128| (who << 64) + (1 << 32) + (day + 10_000) as u128 * 20 + n;
    let (first, second) = (id(0), id(1));
    let events = [
        (0, ShiftStart, None),
        (10, TravelStart, Some(first)),
        (40, ArrivedOnSite, Some(first)),
        (45, WorkStarted, Some(first)),
        (120, WorkCompleted, Some(first)),
        (130, LeftSite, Some(first)),
        (131, TravelStart, Some(second)),
        (160, ArrivedOnSite, Some(second)),
        (165, WorkStarted, Some(second)),
        (300, WorkCompleted, Some(second)),
        (305, LeftSite, Some(second)),
        (480, ShiftEnd, None),
    ];
    (0..).zip(events).map(|(n, (minute, kind, visit))| activity(who, id(n), morning + minute * MINUTE_US, kind, visit)).collect()
}

pub fn days(who: u128, range: std::ops::Range<i64>) -> Vec<AnyRecord<'static>> {
    range.filter(|d| d % 7 < 5).flat_map(|d| day(who, d)).map(AnyRecord::from).collect()
}

/// Amends an event: the next revision of it.
pub fn amended(mut record: TechnicianActivity<'static>, change: impl FnOnce(&mut TechnicianActivity<'static>)) -> AnyRecord<'static> {
    record.common.revision += 1;
    change(&mut record);
    record.into()
}

#[test]
fn years_are_imported_amended_and_voided() {
    let mut world = World::new("history_years", MORNING);
    // Two years of three technicians, and one who works without ever ending a shift or resting 12 hours.
    let mut records: Vec<AnyRecord<'static>> = (1..=3).flat_map(|who| days(who, -730..-10)).collect();
    for n in 0..400_i64 {
        let kind = if n % 2 == 0 { ArrivedOnSite } else { LeftSite };
        let at = MORNING - 300 * DAY_US + n * 5 * HOUR_US;
        records.push(activity(4, (4 << 64) + n as u128, at, kind, Some((n / 6) as u128)).into());
    }
    // In no order at all.
    let count = records.len();
    let shuffled: Vec<_> = (0..count).map(|n| records[n * 7919 % count].clone()).collect();
    assert_ne!(count % 7919, 0);
    world.append(shuffled);
    world.check();
    assert!(world.stored().iter().any(|line| line.contains("A29")), "nobody leans on context");

    // Imported again: nothing changes, and nothing is published.
    let before = (world.stored(), world.requests(), world.test.lines("SELECT count() FROM shift_results_history"));
    world.append(records.clone());
    world.settle();
    assert_eq!((world.stored(), world.requests(), world.test.lines("SELECT count() FROM shift_results_history")), before);

    // An arrival a year ago was in truth an hour earlier; the day after loses its shift_start; one event moves to another
    // day; an event comes that nobody had sent; one is withdrawn from the chain without rest.
    let old = day(1, -365);
    world.append([
        amended(old[2].clone(), |e| e.common.created_at = e.common.created_at - HOUR_US / 4),
        amended(day(2, -365)[0].clone(), |e| e.common.voided = true),
        amended(day(3, -365)[0].clone(), |e| e.common.created_at = e.common.created_at - 35 * DAY_US + 10 * HOUR_US),
        activity(1, 77, MORNING - 366 * DAY_US + 20 * HOUR_US, FuelStop, None).into(),
        amended(activity(4, (4 << 64) + 8, MORNING - 300 * DAY_US + 40 * HOUR_US, ArrivedOnSite, Some(1)), |e| e.common.voided = true),
    ]);
    world.check();
    let withdrawn = world.test.lines("SELECT count() FROM shift_results FINAL WHERE is_deleted");
    assert_eq!(withdrawn, ["1"], "the shift without its start");

    // What was voided comes back, and the moved shift_start goes home.
    world
        .append([amended(day(2, -365)[0].clone(), |e| e.common.revision = 2), amended(day(3, -365)[0].clone(), |e| e.common.revision = 2)]);
    world.check();
    assert_eq!(world.test.lines("SELECT count() FROM shift_results FINAL WHERE is_deleted"), ["0"]);
}

#[test]
fn parts_of_a_history_come_in_any_order() {
    let mut world = World::new("history_parts", MORNING);
    let chain = |range: std::ops::Range<i64>| {
        let event = |n: i64| {
            let kind = [TravelStart, ArrivedOnSite, WorkStarted, LeftSite][(n % 4) as usize];
            activity(9, (9 << 64) + n as u128, MORNING - 400 * DAY_US + n * 7 * HOUR_US, kind, Some((n / 9) as u128)).into()
        };
        range.map(event).collect::<Vec<AnyRecord<'static>>>()
    };
    for part in [800..1_000, 0..200, 500..800, 200..500] {
        world.append(chain(part));
        world.check();
    }
}

#[test]
fn a_late_plan_changes_a_shift_without_end() {
    let mut world = World::new("history_plan", MORNING);
    let mut forgotten = day(1, -50);
    forgotten.pop();
    world.append(forgotten.into_iter().map(AnyRecord::from));
    world.check();
    let planned_start = MORNING - 50 * DAY_US;
    let plan = ShiftPlan {
        id: event(5),
        revision: 0,
        voided: false,
        technician_contact_id: technician(1),
        planned_start,
        planned_end: planned_start + 8 * HOUR_US,
        lone_worker: false,
        time_zone: None,
    };
    world.append([AnyRecord::from(plan)]);
    world.check();
}

#[test]
fn a_successor_repeats_what_was_published_and_not_committed() {
    let mut world = World::new("history_successor", MORNING);
    world.append(days(1, -60..-10));
    world.check();
    let fetch = |world: &World, table: &str| world.test.lines(&format!("SELECT * EXCEPT (published_at) FROM {table} FINAL ORDER BY ALL"));
    let tables = ["shift_results", "episode_results", "shift_results_history", "episode_results_history"];
    let before: Vec<_> = tables.iter().map(|table| fetch(&world, table)).collect();
    assert!(before.iter().all(|rows| rows.len() > 30));

    // As if the worker had died before its commit: another group reads all requests from the first.
    world.stop_history();
    let partitions = 0..crate::world::PARTITIONS;
    let topic = fieldline_schemas::Topic::Recompute.full_name("fieldline.");
    let mut consumer = fieldline_log::Log::consumer(&*world.log, "fieldline.history", &[&topic]).unwrap();
    let mut owned = 0;
    while owned < partitions.len() {
        if let fieldline_log::Polled::Assigned(assigned) = consumer.poll(std::time::Duration::from_millis(10), 1).unwrap() {
            for at in assigned {
                owned += 1;
                consumer.commit(&[(at, fieldline_log::Committed { offset: 0, metadata: String::new() })]).unwrap();
            }
        }
    }
    drop(consumer);
    world.start_history();
    world.settle();
    let records = world.history.rows.load(std::sync::atomic::Ordering::Relaxed);
    assert!(records as usize >= before[0].len() + before[1].len(), "the successor put out {records} rows");
    let after: Vec<_> = tables.iter().map(|table| fetch(&world, table)).collect();
    assert_eq!(after, before);
}

#[test]
fn what_is_no_request_is_set_aside() {
    let world = World::new("history_poison", MORNING);
    let mut producer = fieldline_log::Log::producer(&*world.log).unwrap();
    let topic = fieldline_schemas::Topic::Recompute.full_name("fieldline.");
    let append = fieldline_log::Append {
        destination: fieldline_log::Destination::Partition(1),
        key: b"k",
        value: b"\x01 nonsense",
        append_time: None,
    };
    producer.append(&topic, append).unwrap();
    producer.flush(std::time::Duration::from_secs(5)).unwrap();
    world.settle();
    let end = |partition| {
        let topic = fieldline_schemas::Topic::DeadLetters.full_name("fieldline.");
        fieldline_log::Log::watermarks(&*world.log, &fieldline_log::TopicPartition { topic, partition }).unwrap().end
    };
    assert_eq!((0..crate::world::PARTITIONS).map(end).sum::<i64>(), 1);
}

/// Bounds of a test's own clock.
#[test]
fn the_days_of_these_tests_are_history() {
    let newest = day(1, -11).last().map(|event| event.common.created_at);
    assert!(newest < Some(Timestamp(MORNING.0 - 96 * HOUR_US)));
}

/// What an older definition must not do after a newer one: rows of the newer would be followed by its own.
#[test]
fn an_older_definition_does_not_go_on_from_a_newer_ones_commits() {
    let mut world = World::new("history_definitions", MORNING);
    let definition = |number, finality_us| Definition { number, finality_us, ..Definition::default() };
    let run = |world: &World, definition: Definition, control: Arc<SinkControl>| {
        let config = HistoryConfig { definition, ..World::config() };
        history::run(&config, world.log(), &world.test.target, control)
    };
    world.append(days(1, -60..-50));
    world.settle();
    world.stop_history();
    // A newer one works through the next requests, and leaves its number beside its commits.
    world.append(days(2, -60..-50));
    std::thread::scope(|scope| {
        let control = SinkControl::new();
        let (of_thread, world) = (Arc::clone(&control), &world);
        let newer = scope.spawn(move || run(world, definition(2, 72 * HOUR_US), of_thread));
        world.settle();
        control.stop();
        newer.join().unwrap().unwrap();
    });
    let behind = run(&world, definition(1, 72 * HOUR_US), SinkControl::new()).unwrap_err();
    assert!(matches!(behind, HistoryError::DefinitionBehind { ours: 1, theirs: 2, .. }), "{behind}");
    assert!(behind.to_string().contains("set definition.number to 3 or higher"), "{behind}");
    let differs = run(&world, definition(2, 100 * HOUR_US), SinkControl::new()).unwrap_err();
    assert!(matches!(differs, HistoryError::DefinitionDiffers { number: 2, .. }), "{differs}");
    assert!(differs.to_string().contains("set definition.number to 3 or higher"), "{differs}");
}

//! Plans that wait: from `plans` into the technician's log, and what they change there.

use crate::bench::{Bench, PARTITIONS, START, activity, encode, home, technician};
use fieldline_log::Destination;
use fieldline_log::memory::MemoryOptions;
use fieldline_processors::{Driver, Note};
use fieldline_schemas::events::{ActivityType, ShiftPlan};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::results::Kpi;
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_schemas::{Anomaly, AnyRecord, Timestamp, Topic, key_in};

const WHO: u64 = 1;
const SHIFT: Timestamp = Timestamp(START.0 + 14 * DAY_US + 8 * HOUR_US);

/// Revision `n` of the plan of a shift of so many hours.
fn plan(revision: u32, starts_at: Timestamp, hours: i64, voided: bool) -> AnyRecord<'static> {
    AnyRecord::ShiftPlan(ShiftPlan {
        id: EventId(uuid::Uuid::from_u64_pair(5, 5)),
        revision,
        voided,
        technician_contact_id: technician(WHO),
        planned_start: starts_at,
        planned_end: starts_at + hours * HOUR_US,
        lone_worker: false,
        time_zone: None,
    })
}

fn wait(bench: &Bench, at: Timestamp, plan: &AnyRecord<'_>) {
    let destination = Destination::Partition(home(technician(WHO)));
    bench.send_to(Topic::Plans, destination, Some(at), &key_in(Topic::Plans, plan), &encode(plan));
}

/// Plays what comes to `plans`, then a shift on the day that nobody ends; the driver is killed after each of them where `kills`.
fn play(plans: &[(Timestamp, AnyRecord<'static>)], kills: bool) -> Bench {
    let bench = Bench::new(MemoryOptions::default());
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    let start = (SHIFT, activity(WHO, 0, SHIFT, ActivityType::ShiftStart));
    let mut records: Vec<_> = plans.iter().chain([&start]).cloned().collect();
    records.sort_by_key(|(at, _)| *at);
    for (at, record) in records {
        driver.advance_to(at).unwrap();
        match &record {
            AnyRecord::ShiftPlan(_) => wait(&bench, at, &record),
            _ => bench.send(&[(at, record)]),
        }
        driver.drain().unwrap();
        driver.commit().unwrap();
        if kills {
            driver = Driver::new(bench.config(), bench.log()).unwrap();
        }
    }
    driver.advance_to(SHIFT + 3 * DAY_US).unwrap();
    driver.commit().unwrap();
    bench
}

/// When each revision came into the technician's log. What comes within minutes of a kill may come twice, which is legal.
fn released(bench: &Bench) -> Vec<(Timestamp, u32)> {
    let found = bench.read(Topic::Activity).into_iter().filter_map(|(partition, at, record)| match record {
        AnyRecord::ShiftPlan(plan) => {
            assert_eq!(partition, home(technician(WHO)));
            Some((at, plan.revision))
        }
        _ => None,
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    found.dedup();
    found
}

/// When the shift_end was found missing, after the start of the shift.
fn missing_after(bench: &Bench) -> i64 {
    let found = bench.read(Topic::Kpis).into_iter().find_map(|(_, at, record)| match record {
        AnyRecord::Kpi(kpi) => match &kpi.kpi {
            Kpi::Shift(shift) if shift.anomalies.contains(Anomaly::A02) => Some(at),
            _ => None,
        },
        _ => None,
    });
    found.unwrap().since(SHIFT)
}

#[test]
fn a_plan_is_released_a_day_before_its_start_and_rules_when_a_shift_end_is_missing() {
    assert_eq!(missing_after(&play(&[], false)), 11 * HOUR_US, "without a plan");
    for kills in [false, true] {
        let bench = play(&[(START, plan(0, SHIFT, 6, false))], kills);
        assert_eq!(released(&bench), [(SHIFT - DAY_US, 0)]);
        assert_eq!(missing_after(&bench), 7 * HOUR_US);
    }
}

#[test]
fn changed_three_times_the_last_one_rules() {
    let changes = [
        (START, plan(0, SHIFT + DAY_US, 6, false)),
        (START + DAY_US, plan(1, SHIFT, 4, false)),
        (START + 2 * DAY_US, plan(2, SHIFT, 5, false)),
        (START + 3 * DAY_US, plan(3, SHIFT, 8, false)),
    ];
    for kills in [false, true] {
        let bench = play(&changes, kills);
        let due = SHIFT - DAY_US;
        assert_eq!(released(&bench), [(due, 0), (due, 1), (due, 2), (due, 3)]);
        assert_eq!(missing_after(&bench), 9 * HOUR_US);
    }
}

#[test]
fn cancelled_it_rules_nothing() {
    for cancelled_at in [START + DAY_US, SHIFT - HOUR_US, SHIFT + HOUR_US] {
        let bench = play(&[(START, plan(0, SHIFT, 6, false)), (cancelled_at, plan(1, SHIFT, 6, true))], true);
        assert_eq!(missing_after(&bench), 11 * HOUR_US, "cancelled at {cancelled_at}");
        let at = cancelled_at.max(SHIFT - DAY_US);
        assert_eq!(released(&bench), [(SHIFT - DAY_US, 0), (at, 1)]);
    }
}

#[test]
fn moved_earlier_and_after_the_fact_it_goes_at_once() {
    let far = SHIFT + 30 * DAY_US;
    let bench = play(&[(START, plan(0, far, 6, false)), (SHIFT - 2 * HOUR_US, plan(1, SHIFT, 6, false))], true);
    assert_eq!(released(&bench), [(SHIFT - 2 * HOUR_US, 0), (SHIFT - 2 * HOUR_US, 1)]);
    assert_eq!(missing_after(&bench), 7 * HOUR_US);
    // During the shift it is made longer, and then put off by a month, which takes it from this shift.
    let bench = play(&[(START, plan(0, SHIFT, 6, false)), (SHIFT + HOUR_US, plan(1, SHIFT, 8, false))], true);
    assert_eq!((released(&bench)[1], missing_after(&bench)), ((SHIFT + HOUR_US, 1), 9 * HOUR_US));
    let bench = play(&[(START, plan(0, SHIFT, 6, false)), (SHIFT + HOUR_US, plan(1, far, 6, false))], true);
    assert_eq!((released(&bench)[1], missing_after(&bench)), ((SHIFT + HOUR_US, 1), 11 * HOUR_US));
}

#[test]
fn a_successor_releases_nothing_twice_and_knows_up_to_where_its_predecessor_did() {
    let bench = play(&[(START, plan(0, SHIFT, 6, false))], false);
    let before = bench.read(Topic::Activity).len();
    let notes = (0..PARTITIONS).filter_map(|partition| bench.committed(partition));
    let own = bench.committed(home(technician(WHO))).unwrap();
    let note: Note = serde_json::from_str(&own.metadata).unwrap();
    assert!(note.released_through.is_some_and(|through| through >= (SHIFT + DAY_US).0));
    let others = notes.filter(|committed| committed.metadata != own.metadata);
    assert!(others.map(|committed| serde_json::from_str::<Note>(&committed.metadata).unwrap()).all(|note| note.released_through.is_none()));
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.advance_to(SHIFT + 4 * DAY_US).unwrap();
    assert_eq!(bench.read(Topic::Activity).len(), before);
    // What came while nobody looked, and may have been missed by the predecessor, goes again rather than never.
    let late = plan(1, SHIFT + 4 * DAY_US, 6, false);
    wait(&bench, SHIFT + 4 * DAY_US, &late);
    driver.drain().unwrap();
    assert_eq!(released(&bench).len(), 2);
}

#[test]
fn what_nobody_can_read_waits_for_nothing_and_blocks_nothing() {
    let bench = Bench::new(MemoryOptions::default());
    bench.send_to(Topic::Plans, Destination::Partition(home(technician(WHO))), Some(START), b"k", b"garbage");
    wait(&bench, START, &plan(0, SHIFT, 6, false));
    let mut driver = Driver::new(bench.config(), bench.log()).unwrap();
    driver.advance_to(SHIFT).unwrap();
    assert_eq!(released(&bench), [(SHIFT - DAY_US, 0)]);
}

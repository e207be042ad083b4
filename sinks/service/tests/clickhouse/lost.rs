//! A group that goes on without a member while that has work in hand: what it had is not committed by it, the next owner does
//! it again, and the tables show it once.

use crate::fickle::{Fickle, Hears};
use crate::gate::Gate;
use crate::history::{amended, day, days};
use crate::setup::{MORNING, TestDatabase, activity, at, technician};
use crate::sinks::{Pipeline, Run};
use crate::world::World;
use fieldline_schemas::events::{ActivityType, DeadLetter, DeadLetterReason};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::results::{Identity, Kpi, KpiRecord, Stamp};
use fieldline_schemas::{AnyRecord, Timestamp, Topic, Version};
use fieldline_sinks::history;
use fieldline_sinks::{ClickHouseTarget, SinkConfig, SinkControl, raw_sink, results_sink};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Records of each of the batches: one that is inserted, one that waits for it, one that is still being read, one afterwards.
const LOT: u32 = 30;
/// So many polls of a lost member show that it does nothing more.
const POLLS: u32 = 20;

/// What differs between the two sinks.
struct Stage {
    run: Run,
    group: &'static str,
    topics: &'static [Topic],
    record: fn(u32) -> (Topic, AnyRecord<'static>),
    /// One number each: how many records are told of.
    counts: &'static [&'static str],
}

fn numbered(number: u32) -> [u8; 16] {
    let mut id = [0x40; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

const RAW: Stage = Stage {
    run: raw_sink::run,
    group: raw_sink::GROUP,
    topics: &[Topic::Activity],
    record: |number| {
        let mut record = activity(0, 0, ActivityType::FuelStop);
        record.common.id = EventId::from_bytes(numbered(number));
        record.technician_contact_id = technician((number % 7) as u8);
        (Topic::Activity, record.into())
    },
    counts: &[
        "SELECT count() FROM technician_activity",
        "SELECT count() FROM technician_activity_log FINAL",
        "SELECT uniqExact(partition, offset) FROM technician_activity_log",
    ],
};

/// Every second one a dead letter.
const RESULTS: Stage = Stage {
    run: results_sink::run,
    group: results_sink::GROUP,
    topics: &[Topic::Kpis, Topic::DeadLetters],
    record: |number| {
        if number % 2 == 0 {
            let shift = Identity::Shift {
                technician_contact_id: TechnicianId::from_bytes(numbered(number % 7)),
                shift_id: EventId::from_bytes(numbered(number)),
            };
            let stamp = Stamp { version: Version(u64::from(number) + 1), as_of: at(0), caused_by: None };
            return (Topic::Kpis, AnyRecord::Kpi(KpiRecord { stamp, kpi: Kpi::Tombstone(shift) }));
        }
        let letter = DeadLetter {
            topic: "activity".into(),
            partition: 0,
            offset: i64::from(number),
            received_at: at(0),
            reason: DeadLetterReason::UnknownFraming,
            detail: "".into(),
            stage: "decode".into(),
            key: (&b"k"[..]).into(),
            payload: (&b"?"[..]).into(),
        };
        (Topic::DeadLetters, AnyRecord::DeadLetter(letter))
    },
    counts: &["SELECT (SELECT count() FROM shifts_history) + (SELECT count() FROM dead_letters)"],
};

/// Loses a sink while it has work in hand, lets the next one do it, and brings the first back. How often the lost one tried to
/// commit although it knew.
fn commits_of_a_lost_sink(name: &str, stage: &Stage, hears: Hears) -> u32 {
    let test = TestDatabase::new(name);
    let gate = Gate::before(&test.target.url);
    let behind = ClickHouseTarget { url: gate.url.clone(), ..test.target.clone() };
    let next = Pipeline::new();
    let fickle = Fickle::new(Arc::clone(&next.log), &format!("fieldline.{}", stage.group), hears);
    let member = Arc::clone(&fickle.member);
    let lost = Pipeline { log: fickle, control: SinkControl::new() };
    for control in [&lost.control, &next.control] {
        control.hurry(true);
    }
    let append = |lot: u32| {
        (lot * LOT..(lot + 1) * LOT).map(stage.record).for_each(|(topic, record)| next.append(topic, &record));
    };
    let committed = || stage.topics.iter().map(|topic| next.committed(stage.group, *topic)).sum::<i64>();

    gate.shut();
    let first = lost.start(stage.run, &behind, &SinkConfig::default());
    for lot in 0..3 {
        append(lot);
        lost.wait_until("a lot is in hand", || lost.control.records.load(SeqCst) == u64::from((lot + 1) * LOT));
        lost.wait_until("an insert is on its way", || gate.holds_an_answer());
    }
    assert_eq!((committed(), lost.control.blocks.load(SeqCst)), (0, 0), "nothing is acknowledged yet");
    member.lose();
    if hears == Hears::AtThePoll {
        lost.wait_until("it hears of its loss", || member.polls_away.load(SeqCst) > POLLS);
    }

    let second = next.start(stage.run, &test.target, &SinkConfig::default());
    next.wait_until("the next owner has done it again", || committed() == i64::from(3 * LOT));
    next.control.stop();
    second.join().unwrap().unwrap();
    gate.open();
    lost.wait_until("the answers arrive after all", || lost.control.rows.load(SeqCst) >= u64::from(LOT));
    let polls = member.polls_away.load(SeqCst);
    lost.wait_until("it has had time to commit them", || member.polls_away.load(SeqCst) > polls + POLLS);
    assert_eq!(committed(), i64::from(3 * LOT));
    assert_eq!(member.commits_refused.load(SeqCst) > 0, hears == Hears::AtTheCommit);
    let too_many = member.commits_after_all.load(SeqCst);
    if too_many == 0 {
        member.come_back();
        append(3);
        lost.wait_until("it works on from where the next one stood", || committed() == i64::from(4 * LOT));
        for count in stage.counts {
            test.check(count, &[&(4 * LOT).to_string()]);
        }
    }
    lost.control.stop();
    first.join().unwrap().unwrap();
    too_many
}

#[test]
fn a_lost_sink_commits_nothing_and_the_tables_show_everything_once() {
    for (name, stage) in [("lost_raw", RAW), ("lost_results", RESULTS)] {
        assert_eq!(commits_of_a_lost_sink(name, &stage, Hears::AtThePoll), 0, "{name}");
        assert_eq!(commits_of_a_lost_sink(&format!("{name}_late"), &stage, Hears::AtTheCommit), 0, "{name}, told late");
    }
}

/// The control: a sink to which nobody says that it is lost commits, and that is seen.
#[test]
fn a_sink_that_does_not_heed_its_loss_is_found() {
    for (name, stage) in [("lost_raw_deaf", RAW), ("lost_results_deaf", RESULTS)] {
        assert_ne!(commits_of_a_lost_sink(name, &stage, Hears::Never), 0, "{name}");
    }
}

/// History hears of its loss between two turns only: while it reads and computes, another may do the same.
#[test]
fn a_lost_history_worker_leaves_no_trace() {
    let mut world = World::new("lost_history", MORNING);
    world.stop_history();
    let gate = Gate::before(&world.test.target.url);
    let behind = ClickHouseTarget { url: gate.url.clone(), ..world.test.target.clone() };
    let fickle = Fickle::new(world.log(), "fieldline.history", Hears::AtTheCommit);
    let (member, control) = (Arc::clone(&fickle.member), SinkControl::new());
    gate.shut();
    let lost = {
        let control = Arc::clone(&control);
        std::thread::spawn(move || history::run(&World::config(), fickle, &behind, control))
    };
    let waits = Pipeline { log: world.log(), control: Arc::clone(&control) };
    world.append((1..=3).flat_map(|who| days(who, -400..-380)));
    waits.wait_until("it reads the past", || gate.holds_an_answer());
    assert_eq!(waits.committed(history::GROUP, Topic::Recompute), 0);
    member.lose();

    world.start_history();
    world.check();
    world.stop_history();
    let committed = waits.committed(history::GROUP, Topic::Recompute);
    assert!(committed > 0);
    let versions = "SELECT count(), uniqExact(shift_id, version) FROM shift_results_history FINAL";
    let before = world.test.lines(versions);
    gate.open();
    waits.wait_until("its rows are out", || control.rows.load(SeqCst) > 0);
    waits.wait_until("its commit is refused", || member.commits_refused.load(SeqCst) > 0);
    waits.wait_until("it hears why", || member.polls_away.load(SeqCst) > POLLS);
    world.check();
    assert_eq!(waits.committed(history::GROUP, Topic::Recompute), committed);
    assert_eq!(member.commits_after_all.load(SeqCst), 0);
    assert_eq!(world.test.lines(versions), before, "what it put out were the same rows in the same versions");

    member.come_back();
    let of_old = day(2, -390);
    world.append([amended(of_old[2].clone(), |event| event.common.created_at = Timestamp(event.common.created_at.0 - 60_000_000))]);
    world.check();
    assert!(waits.committed(history::GROUP, Topic::Recompute) > committed, "it works on");
    control.stop();
    lost.join().unwrap().unwrap();
}

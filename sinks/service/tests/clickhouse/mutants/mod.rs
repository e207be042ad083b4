//! Negative controls: stages that break a promise on purpose, and the check from the broker's side that catches each.
//!
//! Every scenario runs twice, with the same faults: once with a right stage, where nothing may be found, and once with the
//! mutant, where the promise that it breaks must be among what is found. `tapped` is the wrong log, `invariants` the checks.

mod invariants;
mod tapped;

use crate::setup::{MORNING, TestDatabase};
use crate::world::{PARTITIONS, activity, event, technician};
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Destination, Log, TopicPartition, TopicSpec, partition_for_key};
use fieldline_processors::{ProcessorConfig, StopToken};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::events::ActivityType::*;
use fieldline_schemas::events::TechnicianActivity;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of};
use fieldline_sinks::{ClickHouseTarget, SinkConfig, SinkControl, raw_sink, results_sink};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tapped::{Fault, Mutation, Tap};

pub const PREFIX: &str = "fieldline.";
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A stage that commits nothing new for so long has come as far as it will.
const STILL: Duration = Duration::from_millis(700);
const TECHNICIANS: u128 = 24;

/// A log of one day, told in two halves, and the tables.
struct Day {
    test: TestDatabase,
    log: Arc<MemoryLog>,
    codec: Codec,
}

impl Day {
    fn new(name: &str) -> Self {
        let log = MemoryLog::new(MemoryOptions { event_time: false, waits: true, clock: MORNING });
        for topic in Topic::ALL {
            log.ensure_topic(&TopicSpec { name: topic.full_name(PREFIX), partitions: PARTITIONS, retention: None, compacted: false })
                .unwrap();
        }
        Self { test: TestDatabase::new(name), log, codec: Codec::new() }
    }

    fn plain(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    /// Appends a record when it happens; where it lies.
    fn append(&self, record: TechnicianActivity<'static>, at: Timestamp) -> (i32, i64) {
        self.log.set_clock(at);
        let record = AnyRecord::from(record);
        let (key, mut value) = (key_of(&record), Vec::new());
        self.codec.encode(&record, &mut value);
        let topic = Topic::Activity.full_name(PREFIX);
        let partition = partition_for_key(&key, PARTITIONS);
        let offset = self.log.watermarks(&TopicPartition { topic: topic.clone(), partition }).unwrap().end;
        let mut producer = self.log.producer().unwrap();
        producer.append(&topic, Append { destination: Destination::ByKey, key: &key, value: &value, append_time: None }).unwrap();
        producer.flush(WAIT_MAX).unwrap();
        (partition, offset)
    }

    fn event(
        who: u128,
        n: u128,
        minute: i64,
        kind: fieldline_schemas::events::ActivityType,
        visit: Option<u128>,
    ) -> TechnicianActivity<'static> {
        let mut record = activity(who, who << 32 | n, MORNING + minute * MINUTE_US, kind, visit);
        (record.common.imported, record.common.source) = (false, Some("app".into()));
        record
    }

    /// The morning: a visit each. The first technician's first arrival comes twice; where its first copy lies.
    fn morning(&self) -> (i32, i64) {
        let mut first_copy = None;
        for (n, (minute, kind)) in
            [(0, ShiftStart), (10, TravelStart), (40, ArrivedOnSite), (45, WorkStarted), (120, WorkCompleted), (130, LeftSite)]
                .into_iter()
                .enumerate()
        {
            for who in 1..=TECHNICIANS {
                let visit = (n > 0).then_some(who * 100);
                let record = Self::event(who, n as u128, minute, kind, visit);
                let at = record.common.created_at + who as i64 * SECOND_US;
                let place = self.append(record.clone(), at);
                if who == 1 && kind == ArrivedOnSite {
                    first_copy = Some(place);
                    self.append(record, at);
                }
            }
        }
        first_copy.unwrap()
    }

    /// The afternoon: another visit; then most end their shifts, one voids the shift's beginning, one falls silent.
    fn afternoon(&self) {
        for (n, (minute, kind)) in
            [(140, TravelStart), (170, ArrivedOnSite), (175, WorkStarted), (300, WorkCompleted)].into_iter().enumerate()
        {
            for who in 1..=TECHNICIANS {
                let record = Self::event(who, 100 + n as u128, minute, kind, Some(who * 100 + 1));
                let at = record.common.created_at + who as i64 * SECOND_US;
                self.append(record, at);
            }
        }
        for who in 2..=TECHNICIANS {
            let record = Self::event(who, 200, 480, ShiftEnd, None);
            let at = record.common.created_at + who as i64 * SECOND_US;
            self.append(record, at);
        }
        let mut void = Self::event(2, 0, 0, ShiftStart, None);
        (void.common.revision, void.common.voided) = (1, true);
        self.append(void, MORNING + 500 * MINUTE_US);
    }

    fn ends(&self, topic: Topic) -> Vec<(TopicPartition, i64)> {
        let at = |partition| TopicPartition { topic: topic.full_name(PREFIX), partition };
        (0..PARTITIONS).map(at).map(|at| (at.clone(), self.log.watermarks(&at).unwrap().end)).collect()
    }

    fn committed(&self, group: &str, topic: Topic) -> Vec<i64> {
        let committed =
            |(at, _): (TopicPartition, i64)| self.log.committed(&format!("{PREFIX}{group}"), &at).unwrap().map_or(0, |c| c.offset);
        self.ends(topic).into_iter().map(committed).collect()
    }

    /// Returns when the group has come to the end, or as far as it will.
    fn settle(&self, group: &str, topic: Topic, is_alive: &dyn Fn() -> bool) {
        let (mut seen, mut since) = (Vec::new(), Instant::now());
        while is_alive() {
            let committed = self.committed(group, topic);
            let is_done = committed.iter().zip(self.ends(topic)).all(|(committed, (_, end))| *committed >= end);
            // Ticks go on; done is what was there when the look began.
            if is_done && seen == committed || since.elapsed() > STILL {
                return;
            }
            if committed != seen {
                (seen, since) = (committed, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn processors(poll_records_max: usize) -> ProcessorConfig {
        let often = Duration::from_millis(20);
        let config = ProcessorConfig::new(PREFIX, Definition::default());
        ProcessorConfig {
            tick_every: Some(often),
            commit_every: Duration::from_millis(5),
            poll_wait: Duration::from_millis(5),
            poll_records_max,
            ..config
        }
    }

    /// One process of the processors, until it has worked through everything or is dead; the clock goes on meanwhile.
    fn process(&self, tap: &Arc<Tap>) {
        let (log, stop) = (tap.log(), StopToken::default());
        let of_thread = stop.clone();
        let thread = std::thread::spawn(move || fieldline_processors::run(Self::processors(64), log, of_thread));
        let clock = self.log.clock();
        for second in 1..=3 {
            self.log.set_clock(clock + second * SECOND_US);
            self.settle("processors", Topic::Activity, &|| !thread.is_finished());
        }
        stop.stop();
        // A process that was killed ends with an error, which nobody hears.
        let _ = thread.join().unwrap();
    }

    fn sink(&self, group: &'static str, topic: Topic, log: Arc<dyn Log>, target: &ClickHouseTarget) {
        let control = SinkControl::new();
        control.hurry(true);
        let (target, of_thread) = (target.clone(), Arc::clone(&control));
        let thread = std::thread::spawn(move || match group {
            raw_sink::GROUP => raw_sink::run(&SinkConfig::default(), log, &target, of_thread),
            _ => results_sink::run(&SinkConfig::default(), log, &target, of_thread),
        });
        self.settle(group, topic, &|| !thread.is_finished());
        control.stop();
        let _ = thread.join().unwrap();
    }

    fn right(&self) -> Arc<Tap> {
        Tap::new(self.plain(), None, Fault::default())
    }

    fn raw_sink(&self, tap: &Arc<Tap>) {
        self.sink(raw_sink::GROUP, Topic::Activity, tap.log(), &self.test.target);
    }

    fn results_sink(&self, tap: &Arc<Tap>) {
        self.sink(results_sink::GROUP, Topic::Kpis, tap.log(), &self.test.target);
    }

    /// The day goes on for another so many hours, with right processors.
    fn pass(&self, hours: i64, tap: &Arc<Tap>) {
        self.log.set_clock(self.log.clock() + hours * HOUR_US);
        self.process(tap);
    }
}

/// Runs a scenario with a right stage and with the mutant; demands that the check `caught_by` finds the mutant, and that there is
/// nothing to find without it.
#[track_caller]
fn check(name: &str, mutation: Mutation, caught_by: &str, scenario: impl Fn(&Day, Option<Mutation>) -> Arc<Tap>) {
    for wrong in [None, Some(mutation)] {
        let day = Day::new(&format!("mutant_{name}_{}", if wrong.is_some() { "wrong" } else { "right" }));
        let tap = scenario(&day, wrong);
        let found = invariants::broken(&day.test, &day.log, &tap);
        println!("{name}, {wrong:?}: fired {}, found {:?}", tap.fired.load(Ordering::Relaxed), found.keys());
        match wrong {
            None => assert!(found.is_empty(), "nothing was done wrongly, and found was {found:?}"),
            Some(_) => {
                assert!(tap.fired.load(Ordering::Relaxed) > 0, "{name} was never at work");
                assert!(found.contains_key(caught_by), "{name} broke {caught_by}, and found was {found:?}");
            }
        }
    }
}

/// Everything right but one stage, which `mutated` runs.
fn with_processors(day: &Day, mutated: impl FnOnce(&Day)) {
    day.morning();
    mutated(day);
    day.afternoon();
    day.pass(30, &day.right());
    day.raw_sink(&day.right());
    day.results_sink(&day.right());
}

#[test]
fn commit_before_ack_is_caught() {
    check("commit_before_ack", Mutation::CommitBeforeAck, "I4", |day, wrong| {
        day.morning();
        day.afternoon();
        day.pass(30, &day.right());
        // A raw sink whose database does not answer, and which then dies.
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        let nobody = ClickHouseTarget { url: "http://127.0.0.1:9".into(), ..day.test.target.clone() };
        day.sink(raw_sink::GROUP, Topic::Activity, tap.log(), &nobody);
        day.raw_sink(&day.right());
        day.results_sink(&day.right());
        tap
    });
}

#[test]
fn commit_over_a_gap_is_caught() {
    // One of the last outputs of the day: no later row makes good for it.
    let straight = Day::new("mutant_outputs");
    straight.morning();
    straight.afternoon();
    let counted = straight.right();
    straight.process(&counted);
    let withheld = Some(counted.outputs.load(Ordering::Relaxed) - 12);
    check("commit_over_gap", Mutation::CommitOverGap, "I3", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault { withheld, ..Fault::default() });
        day.morning();
        day.afternoon();
        day.process(&tap);
        day.pass(30, &day.right());
        day.raw_sink(&day.right());
        day.results_sink(&day.right());
        tap
    });
}

#[test]
fn publish_after_revoke_is_caught() {
    check("publish_after_revoke", Mutation::PublishAfterRevoke, "I4 owner", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault { reads_ahead: true, ..Fault::default() });
        with_processors(day, |day| {
            let stop = StopToken::default();
            let (log, of_thread) = (tap.log(), stop.clone());
            let zombie = std::thread::spawn(move || fieldline_processors::run(Day::processors(2), log, of_thread));
            while tap.polls.load(Ordering::Relaxed) < 20 {
                std::thread::yield_now();
            }
            day.process(&day.right());
            stop.stop();
            // The mutant ends with an error: what it commits is not its own.
            let _ = zombie.join().unwrap();
        });
        tap
    });
}

#[test]
fn lowest_version_wins_is_caught() {
    check("lowest_version", Mutation::LowestVersionWins, "I3", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        results_through(day, &tap);
        tap
    });
}

#[test]
fn a_lost_tombstone_is_caught() {
    check("tombstone_lost", Mutation::TombstoneLost, "I8", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        results_through(day, &tap);
        tap
    });
}

/// Both halves of the day, each of them published, and the results through `tap`.
fn results_through(day: &Day, tap: &Arc<Tap>) {
    day.morning();
    day.process(&day.right());
    day.afternoon();
    day.pass(30, &day.right());
    day.raw_sink(&day.right());
    day.results_sink(tap);
}

#[test]
fn a_skipped_tick_is_caught() {
    check("tick_skipped", Mutation::TickSkipped, "I7", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        day.morning();
        day.process(&tap);
        day.afternoon();
        day.pass(30, &tap);
        day.raw_sink(&day.right());
        day.results_sink(&day.right());
        tap
    });
}

#[test]
fn a_lost_first_duplicate_is_caught() {
    let first = Day::new("mutant_first_duplicate_place").morning();
    let mutation = Mutation::FirstDuplicateLost { partition: first.0, offset: first.1 };
    check("first_duplicate", mutation, "I1", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        assert_eq!(day.morning(), first);
        day.process(&day.right());
        day.afternoon();
        day.pass(30, &day.right());
        day.raw_sink(&tap);
        day.results_sink(&day.right());
        tap
    });
}

#[test]
fn outputs_on_during_a_replay_with_a_wrong_version_are_caught() {
    check("replay_puts_out", Mutation::ReplayPutsOut, "I8", |day, wrong| {
        let tap = Tap::new(day.plain(), wrong, Fault::default());
        with_processors(day, |day| {
            day.process(&day.right());
            day.process(&tap);
        });
        tap
    });
}

#[test]
fn the_scenarios_hold_what_the_mutants_need() {
    let day = Day::new("mutant_scenario");
    results_through(&day, &day.right());
    day.test.check("SELECT count() > 10 FROM (SELECT shift_id FROM shift_results_history FINAL GROUP BY 1 HAVING count() > 3)", &["1"]);
    day.test.check("SELECT count() FROM shift_results FINAL WHERE is_deleted", &["1"]);
    let silent = format!("SELECT has(anomalies, 'A02'), isNull(ended_at) FROM shifts WHERE technician_contact_id = '{}'", technician(1));
    day.test.check(&silent, &["1\t1"]);
    let twice = format!("SELECT count() FROM technician_activity_log FINAL WHERE id = '{}'", event(1 << 32 | 2));
    day.test.check(&twice, &["2"]);
}

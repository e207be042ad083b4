//! The rules of the state, one at a time.

use crate::scenario::{activity, technician};
use crate::tables::{Output, identity, run, settings};
use fieldline_processors_core::facts::{ActivityFact, SignalFact};
use fieldline_processors_core::flags::Device;
use fieldline_processors_core::partition::{Claim, Effects, Input, Inserted, Partition, Position, Record, Settings, Standing, Window};
use fieldline_schemas::events::ActivityType::{self, ShiftEnd, ShiftStart};
use fieldline_schemas::events::{EventCategory, RecomputeRequest, Severity};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::results::{Finality, Identity, Kpi, KpiRecord};
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomaly, Timestamp};

/// From the beginning to the end of time.
const ALWAYS: (Timestamp, Timestamp) = (Timestamp::MIN, Timestamp::MAX);

const START: Timestamp = crate::scenario::EPOCH;

fn id(n: u64) -> EventId {
    EventId(uuid::Uuid::from_u64_pair(0, n))
}

fn event(n: u64, hours: i64, activity_type: ActivityType) -> Claim<ActivityFact> {
    activity(id(n), START + hours * HOUR_US, activity_type, None)
}

/// One technician's claims, each arriving after so many seconds from the start; then silence for so many hours.
struct Log {
    records: Vec<Record>,
}

impl Log {
    fn new() -> Self {
        Self { records: Vec::new() }
    }
    fn at(mut self, seconds: i64, input: Input) -> Self {
        let offset = self.records.len() as i64;
        self.records.push(Record { offset, append_time: START + seconds * SECOND_US, input });
        self
    }
    fn claim(self, hours: i64, claim: Claim<ActivityFact>) -> Self {
        self.at(hours * 3600, Input::Activity(technician(1), claim))
    }
    fn tick(self, hours: i64) -> Self {
        self.at(hours * 3600 + 1, Input::Tick { since: None })
    }
    fn run(&self) -> (Vec<KpiRecord>, Vec<RecomputeRequest>) {
        let outputs: Vec<Output> = run(&mut Partition::new(settings()), &self.records).0;
        let (mut kpis, mut requests) = (Vec::new(), Vec::new());
        for output in outputs {
            kpis.extend(output.effects.kpis);
            requests.extend(output.effects.recompute);
        }
        (kpis, requests)
    }
}

fn shift(record: &KpiRecord) -> &fieldline_schemas::results::ShiftResult {
    match &record.kpi {
        Kpi::Shift(shift) => shift,
        other => panic!("a shift is wanted, not {other:?}"),
    }
}

#[test]
fn a_row_goes_out_when_the_second_is_over_and_says_through_which_record_it_is_true() {
    let log = Log::new()
        .claim(0, event(1, 0, ShiftStart))
        .at(0, Input::Heartbeat(technician(1), Device::new("phone"), Timestamp(0)))
        .claim(8, event(2, 8, ShiftEnd));
    let (kpis, _) = log.run();
    assert_eq!(kpis.len(), 1, "the end of the shift lies in an unfinished second");
    let first = &kpis[0];
    assert_eq!((first.stamp.version.offset(), first.stamp.as_of, first.stamp.caused_by), (0, START, Some(id(1))));
    let (kpis, _) = log.at(8 * 3600 + 1, Input::Nothing).run();
    assert_eq!(kpis.len(), 2);
    let second = &kpis[1];
    assert_eq!((second.stamp.version.offset(), second.stamp.caused_by), (2, Some(id(2))));
    assert_eq!(shift(second).durations.shift.value_us, Some(8 * HOUR_US));
}

#[test]
fn only_the_latest_row_of_a_second_goes_out() {
    let who = technician(1);
    let start = |n| Input::Activity(who, activity(id(n), START + n as i64, ShiftStart, None));
    let log = Log::new().at(0, start(3)).at(0, start(2)).at(0, start(1)).tick(1);
    let (kpis, _) = log.run();
    assert_eq!(kpis.len(), 1, "the shifts of the later starts were never seen outside: {kpis:?}");
    assert_eq!(identity(&kpis[0].kpi), Identity::Shift { technician_contact_id: who, shift_id: id(1) });
    assert_eq!(kpis[0].stamp.version.offset(), 2);
}

#[test]
fn a_missing_end_and_finality_are_found_by_time_alone_and_as_of_their_own_time() {
    let (kpis, requests) = Log::new().claim(0, event(1, 0, ShiftStart)).tick(200).run();
    assert_eq!(requests, []);
    let seen: Vec<_> =
        kpis.iter().map(|kpi| (kpi.stamp.as_of.since(START) / HOUR_US, kpi.stamp.version.offset(), kpi.stamp.version.step())).collect();
    assert_eq!(seen, [(0, 0, 0), (11, 1, 0), (96, 1, 1)], "start, S5 at 11 h, final 72 h after the close at 24 h");
    assert!(!shift(&kpis[0]).anomalies.contains(Anomaly::A02) && shift(&kpis[1]).anomalies.contains(Anomaly::A02));
    assert_eq!((shift(&kpis[1]).finality, shift(&kpis[2]).finality), (Finality::Provisional, Finality::Final));
    assert!(kpis[1..].iter().all(|kpi| kpi.stamp.caused_by.is_none()));
}

#[test]
fn a_void_leaves_a_tombstone_and_leaving_the_window_does_not() {
    let void = Claim { revision: 1, voided: true, ..event(1, 0, ShiftStart) };
    let (kpis, _) = Log::new().claim(0, event(1, 0, ShiftStart)).claim(1, void).tick(2).run();
    assert!(matches!(kpis[1].kpi, Kpi::Tombstone(Identity::Shift { shift_id, .. }) if shift_id == id(1)), "{kpis:?}");
    assert_eq!(kpis[1].stamp.caused_by, Some(id(1)));

    let old = Log::new()
        .claim(0, event(1, 0, ShiftStart))
        .claim(8, event(2, 8, ShiftEnd))
        .tick(150)
        .claim(300, event(3, 300, ShiftStart))
        .tick(301);
    let (kpis, requests) = old.run();
    assert!(kpis.iter().all(|kpi| !matches!(kpi.kpi, Kpi::Tombstone(_))), "{kpis:?}");
    assert_eq!(requests, []);
}

#[test]
fn what_comes_too_late_is_asked_of_history_once_for_each_second() {
    let before = Log::new().tick(1_000);
    let late = |n: u64, hours| Input::Activity(technician(1), event(n, hours, ShiftStart));
    let (kpis, requests) = before.at(1_000 * 3600 + 5, late(1, 10)).at(1_000 * 3600 + 5, late(2, 40)).tick(1_001).run();
    assert_eq!(kpis, []);
    assert_eq!(requests.len(), 1);
    let RecomputeRequest { event_ids, from, to, offset, clock, caused_by, .. } = &requests[0];
    assert_eq!((event_ids.as_slice(), *from, *to), (&[id(1), id(2)][..], START + 10 * HOUR_US, START + 40 * HOUR_US));
    assert_eq!((*offset, *clock, *caused_by), (2, START + (1_000 * 3600 + 5) * SECOND_US, Some(id(2))));
}

#[test]
fn exactly_72_hours_late_is_in_time() {
    for (seconds, requests_wanted) in [(72 * 3600, 0), (72 * 3600 + 1, 1)] {
        let (kpis, requests) = Log::new().at(seconds, Input::Activity(technician(1), event(1, 0, ShiftStart))).tick(80).run();
        assert_eq!((requests.len(), !kpis.is_empty()), (requests_wanted, true), "{seconds} s late");
    }
}

#[test]
fn an_amendment_of_something_unknown_is_asked_of_history_and_of_something_known_is_not() {
    let amended = Claim { revision: 1, ..event(1, 1, ShiftStart) };
    let (kpis, requests) = Log::new().claim(2, amended).tick(3).run();
    assert_eq!((kpis.len(), requests.len()), (1, 1));
    let (kpis, requests) = Log::new().claim(1, event(1, 0, ShiftStart)).claim(2, amended).tick(3).run();
    assert_eq!((kpis.len(), requests.len()), (2, 0));
}

#[test]
fn a_frozen_unit_that_changes_is_asked_of_history_and_not_published() {
    // A break 23.5 h into a shift without end: in time until 95.5 h, while the shift itself is live until 96 h.
    let late = activity(id(2), START + 23 * HOUR_US + 30 * MINUTE_US, ActivityType::BreakStart, None);
    let arrives = |minutes: i64| {
        let log = Log::new().claim(0, event(1, 0, ShiftStart)).tick(90).at(minutes * 60, Input::Activity(technician(1), late));
        let (kpis, requests) = log.at(minutes * 60 + 5, Input::Nothing).run();
        let by_event = kpis.iter().filter(|kpi| kpi.stamp.caused_by == Some(id(2))).count();
        (by_event, requests.first().map(|request| (request.from.since(START), request.event_ids.len())))
    };
    assert_eq!(arrives(95 * 60), (1, None));
    assert_eq!(arrives(95 * 60 + 45), (1, Some((23 * HOUR_US + 30 * MINUTE_US, 1))), "late, and its shift is live still");
    assert_eq!(arrives(96 * 60 + 1), (0, Some((0, 1))), "late, and its shift is frozen: the span covers the shift's begin");
}

#[test]
fn a_conflict_is_flagged_and_a_void_wins_without_one() {
    let first = event(1, 0, ShiftStart);
    let other = Claim { content: 99, ..first };
    let void = Claim { voided: true, ..first };
    let window = Window::at(START + HOUR_US);
    let mut standing = Standing::default();
    let facts = |standing: &Standing<ActivityFact>| {
        let mut facts = Vec::new();
        standing.collect(window, ALWAYS, &mut facts);
        facts
    };
    let decides = |inserted| matches!(inserted, Inserted::Decides { changed: Some(_), .. });
    assert!(decides(standing.insert(&first, window)));
    assert_eq!(standing.insert(&first, window), Inserted::Duplicate);
    assert!(decides(standing.insert(&other, window)));
    assert!(facts(&standing)[0].anomalies.contains(Anomaly::A27));
    assert!(decides(standing.insert(&void, window)));
    assert_eq!(facts(&standing), []);
    assert_eq!(standing.insert(&Claim { content: 5, ..void }, window), Inserted::Duplicate, "of a void only id and revision matter");
    assert_eq!(standing.insert(&other, window), Inserted::Duplicate);
    let restored = Claim { revision: 2, ..first };
    assert!(decides(standing.insert(&restored, window)));
    assert!(facts(&standing)[0].anomalies.is_empty(), "judged on the highest revision only");
    assert_eq!(standing.insert(&Claim { revision: 1, content: 3, ..first }, window), Inserted::Outranked);
}

#[test]
fn of_a_signal_the_last_update_stands_and_a_void_wins_its_revision() {
    let fact = SignalFact::new(id(1), START, EventCategory::Security, Severity::Error, None);
    let claim = Claim { id: id(1), revision: 0, voided: false, content: 5, own: START, fact };
    let resolved = SignalFact { resolved_at: Some(START + 1), ..fact };
    let window = Window::at(START);
    let mut standing = Standing::default();
    standing.insert(&Claim { content: 7, fact: resolved, ..claim }, window);
    assert_eq!(standing.insert(&claim, window), Inserted::Outranked, "an earlier update that came later");
    assert_eq!(standing.insert(&claim, window), Inserted::Duplicate);
    let mut facts = Vec::new();
    standing.collect(window, ALWAYS, &mut facts);
    assert_eq!(facts, [resolved]);
    standing.insert(&Claim { voided: true, content: 1, ..claim }, window);
    assert_eq!(standing.insert(&Claim { content: 9, ..claim }, window), Inserted::Outranked);
    facts.clear();
    standing.collect(window, ALWAYS, &mut facts);
    assert_eq!(facts, []);
}

#[test]
fn a_record_of_another_partition_is_sent_there_and_leaves_no_trace() {
    let settings = Settings { partition: 3, home: |_, partitions| partitions - 1, partitions: 8, ..settings() };
    let mut partition = Partition::new(settings);
    let mut effects = Effects::default();
    let record = |offset, input| Record { offset, append_time: START, input };
    partition.apply(&record(4, Input::Activity(technician(1), event(1, 0, ShiftStart))), &mut effects).unwrap();
    assert_eq!(effects.misplaced, [fieldline_processors_core::partition::Misplaced { offset: 4, partition: 7 }]);
    assert_eq!((partition.technicians(), partition.counters().misplaced), (0, 1));
}

#[test]
fn an_outage_is_a_gap_and_time_that_a_tick_vouches_for_is_not() {
    let mut partition = Partition::new(settings());
    let mut effects = Effects::default();
    let mut at = |seconds: i64, since: Option<i64>| {
        let since = since.map(|s| START + s * SECOND_US);
        partition
            .apply(&Record { offset: seconds, append_time: START + seconds * SECOND_US, input: Input::Tick { since } }, &mut effects)
            .unwrap();
        partition.last_gap().map(|gap| gap.since(START) / SECOND_US)
    };
    assert_eq!(
        [at(0, None), at(10, None), at(21, None), at(500, Some(21)), at(900, Some(600))],
        [None, None, Some(21), Some(21), Some(900)]
    );
}

#[test]
fn the_finished_position_is_the_start_of_the_unfinished_second() {
    let log = Log::new().claim(0, event(1, 0, ShiftStart)).at(1, Input::Nothing).at(1, Input::Nothing).at(0, Input::Nothing);
    let (_, positions) = run(&mut Partition::new(settings()), &log.records);
    assert_eq!(positions, [Position { offset: 0, clock: START }, Position { offset: 1, clock: START }]);
}

#[test]
fn technicians_of_whom_nothing_is_left_are_forgotten() {
    let mut partition = Partition::new(settings());
    let log = Log::new().claim(0, event(1, 0, ShiftStart)).claim(8, event(2, 8, ShiftEnd)).tick(195);
    run(&mut partition, &log.records);
    assert_eq!(partition.technicians(), 1, "what is left goes in bulk, some hours later");
    let more = log.tick(310).tick(320);
    run(&mut partition, &more.records[3..]);
    assert_eq!((partition.technicians(), partition.next_due()), (0, None));
}

/// When the row of a shift without end becomes final, the first event that is still folded must not pass for the
/// technician's first: the row keeps saying that its cuts depend on context.
#[test]
fn a29_stays_when_a_row_becomes_final() {
    let stop = |n: u64, hours: i64| (START + hours * HOUR_US, Input::Activity(technician(1), event(n, hours, ActivityType::FuelStop)));
    let mut arrivals = vec![(START, Input::Activity(technician(1), event(1, 0, ShiftStart)))];
    arrivals.extend((1..=10).map(|n| stop(n + 1, n as i64 * 11)));
    arrivals.push((START + 121 * HOUR_US, Input::Activity(technician(1), event(50, 121, ShiftStart))));
    arrivals.push(stop(51, 126));
    arrivals.extend((0..40).map(|n| (START + (127 + 6 * n) * HOUR_US, Input::Tick { since: None })));
    let (outputs, _) = run(&mut Partition::new(settings()), &crate::scenario::number(arrivals));
    let rows = outputs.iter().flat_map(|output| &output.effects.kpis).filter_map(|record| match &record.kpi {
        Kpi::Shift(shift) if shift.shift_id == id(50) => Some((shift.finality, shift.anomalies.contains(Anomaly::A29))),
        _ => None,
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.last(), Some(&(Finality::Final, true)), "{rows:?}");
}

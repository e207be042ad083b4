//! Service levels, also against a computation that goes through the records one by one and shares no code with the views.

use crate::setup::{MORNING, Random, TestDatabase, call, insert_log};
use fieldline_schemas::AnyRecord;
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::ids::{ContactId, EventId};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use std::collections::{BTreeMap, BTreeSet};

type Call = CommunicationCall<'static>;

const THRESHOLDS: [i32; 12] = [15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600];
const QUARTER_US: i64 = 15 * MINUTE_US;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

fn insert(test: &TestDatabase, calls: &[Call]) {
    insert_log(test, calls.iter().cloned().map(AnyRecord::CommunicationCall));
}

/// A 1000, B 60, A20 860, B20 20, B5 10 gives F1 83.0, F2 86.0, F3 81.1, F4 82.7, F5 82.1 %.
#[test]
fn g7() {
    let test = TestDatabase::new("g7");
    let mut calls = Vec::new();
    let mut put = |count: usize, call_type, wait_seconds| {
        for _ in 0..count {
            let mut record = Call { call_type, wait_time_seconds: Some(wait_seconds), ..call(0, Some("sales")) };
            record.common.id = EventId(uuid::Uuid::from_u128(calls.len() as u128));
            calls.push(record);
        }
    };
    put(860, CallType::Inbound, 20);
    put(140, CallType::Inbound, 21);
    put(10, CallType::Missed, 5);
    put(10, CallType::Missed, 20);
    put(40, CallType::Missed, 21);
    insert(&test, &calls);
    let ratios = "service_level_f1, service_level_f2, service_level_f3, service_level_f4, service_level_f5";
    let expect: Vec<f64> = vec![880.0 / 1060.0, 860.0 / 1000.0, 860.0 / 1060.0, 860.0 / 1040.0, 870.0 / 1060.0];
    let percent: Vec<String> = expect.iter().map(|ratio| format!("{:.1}", ratio * 100.0)).collect();
    assert_eq!(percent, ["83.0", "86.0", "81.1", "82.7", "82.1"]);
    let counts = "SELECT answered, abandoned, answered_within_20, abandoned_within_20, abandoned_within_5 FROM";
    for from in ["queue_service_levels", "queue_days", "queue_service_levels_by_threshold WHERE threshold_seconds = 20"] {
        assert_eq!(
            numbers(&test, &format!("SELECT {ratios} FROM {from}")),
            [expect.iter().copied().map(Some).collect::<Vec<_>>()],
            "{from}"
        );
    }
    test.check(&format!("{counts} queue_service_levels"), &["1000\t60\t860\t20\t10"]);
    test.check(&format!("{counts} queue_days"), &["1000\t60\t860\t20\t10"]);
}

/// Cells as numbers, `None` for NULL; the same digits, whatever their spelling.
fn numbers(test: &TestDatabase, sql: &str) -> Vec<Vec<Option<f64>>> {
    let number = |cell: &str| if cell == "\\N" { None } else { Some(cell.parse().unwrap()) };
    test.lines(sql).iter().map(|line| line.split('\t').map(number).collect()).collect()
}

/// What standing calls of one queue and interval, or day, come to.
#[derive(Default)]
struct Tally {
    offered: u32,
    calls: BTreeSet<EventId>,
    agents: BTreeSet<ContactId>,
    transfers: u32,
    /// Waits of the answered and the abandoned; of an unknown one `None`.
    answered: Vec<Option<i32>>,
    abandoned: Vec<Option<i32>>,
    longest: Option<i32>,
    talks: Vec<i32>,
}

fn ratio(above: f64, below: f64) -> Option<f64> {
    (below != 0.0).then(|| above / below)
}
fn within(waits: &[Option<i32>], seconds: i32) -> f64 {
    waits.iter().flatten().filter(|wait| **wait <= seconds).count() as f64
}
fn sum(of: impl IntoIterator<Item = i32>) -> f64 {
    of.into_iter().map(f64::from).sum()
}

impl Tally {
    fn add(&mut self, call: &Call) {
        let wait = call.wait_time_seconds.filter(|wait| *wait >= 0);
        self.offered += 1;
        self.calls.insert(call.root_call_id.unwrap_or(call.common.id));
        self.longest = self.longest.max(wait);
        let is_taken = matches!(call.call_outcome, CallOutcome::Answered | CallOutcome::Transferred);
        if is_taken && !matches!(call.call_type, CallType::Missed | CallType::Voicemail) {
            self.answered.push(wait);
            self.talks.extend(call.duration_seconds.filter(|seconds| *seconds >= 0));
            self.agents.extend(call.agent_contact_id);
            self.transfers += u32::from(call.call_outcome == CallOutcome::Transferred);
        } else if call.abandoned == Some(true) || call.call_type == CallType::Missed {
            self.abandoned.push(wait);
        }
    }

    fn levels(&self, seconds: i32) -> [Option<f64>; 5] {
        let (a, b) = (self.answered.len() as f64, self.abandoned.len() as f64);
        let (a_t, b_t, b_s) = (within(&self.answered, seconds), within(&self.abandoned, seconds), within(&self.abandoned, 5));
        [ratio(a_t + b_t, a + b), ratio(a_t, a), ratio(a_t, a + b), ratio(a_t, a + b - b_t), ratio(a_t + b_s, a + b)]
    }

    /// The columns that intervals and days have in common.
    fn row(&self) -> Vec<Option<f64>> {
        let (o, a, b) = (f64::from(self.offered), self.answered.len() as f64, self.abandoned.len() as f64);
        let short = within(&self.abandoned, 5);
        let known = |waits: &[Option<i32>]| waits.iter().flatten().count() as f64;
        let waited = |waits: &[Option<i32>]| sum(waits.iter().flatten().copied());
        let mut row = vec![Some(o), Some(a), Some(b)];
        row.extend(self.levels(20));
        row.extend([
            ratio(waited(&self.answered), known(&self.answered)),
            self.longest.map(f64::from),
            ratio(b, o),
            ratio(sum(self.talks.iter().copied()), self.talks.len() as f64),
            Some(f64::from(self.transfers)),
            ratio(f64::from(self.transfers), a),
            ratio(b - short, o - short),
            Some(short),
            Some(known(&self.answered)),
            Some(waited(&self.answered)),
            Some(known(&self.abandoned)),
            Some(waited(&self.abandoned)),
            Some(self.talks.len() as f64),
            Some(sum(self.talks.iter().copied())),
        ]);
        row
    }
}

const COMMON_COLUMNS: &str = "offered, answered, abandoned, service_level_f1, service_level_f2, service_level_f3, service_level_f4, \
    service_level_f5, asa_seconds, longest_wait_seconds, abandon_rate, mean_talk_seconds, transfers, transfer_rate, \
    abandon_rate_without_short, abandoned_within_5, answered_waits_known, answered_wait_seconds, abandoned_waits_known, \
    abandoned_wait_seconds, talks_known, talk_seconds";

/// The records of a log that stand: of each id of a queue the highest revision, a void before anything else of it, then
/// the first.
fn standing(log: &[Call]) -> Vec<&Call> {
    let mut chosen: BTreeMap<(String, EventId), &Call> = BTreeMap::new();
    for record in log {
        // Without a queue the subject is the thread or the call: such calls are in no queue.
        let key = (record.queue_name.clone().unwrap_or_default().into_owned(), record.common.id);
        let rank = |of: &Call| (of.common.revision, of.common.voided);
        if chosen.get(&key).is_none_or(|best| rank(record) > rank(best)) {
            chosen.insert(key, record);
        }
    }
    chosen.into_values().filter(|record| !record.common.voided).collect()
}

/// By queue and whole multiples of `length_us`.
fn tallies(log: &[Call], length_us: i64) -> BTreeMap<(String, i64), Tally> {
    let mut tallies: BTreeMap<(String, i64), Tally> = BTreeMap::new();
    for call in standing(log) {
        let queue = call.queue_name.as_deref().unwrap_or("");
        if queue.is_empty() || call.call_type == CallType::Outbound || call.direction.as_deref() == Some("outbound") {
            continue;
        }
        let entered = call.started_at.unwrap_or(call.common.created_at);
        tallies.entry((queue.to_owned(), entered.0.div_euclid(length_us))).or_default().add(call);
    }
    tallies
}

fn messy_log(random: &mut Random) -> Vec<Call> {
    const QUEUES: [Option<&str>; 7] = [Some("sales"), Some("sales"), Some("support"), Some("Größe ☎ '\t"), Some(" "), Some(""), None];
    let ids: Vec<[u8; 16]> = (0..1_200).map(|_| random.id()).collect();
    let agents: Vec<[u8; 16]> = (0..5).map(|_| random.id()).collect();
    (0..4_000)
        .map(|_| {
            let any_wait = random.below(700) as i32;
            let at = |random: &mut Random| {
                let quarter = random.below(6) as i64 * QUARTER_US + random.pick(&[0, 0, DAY_US, -57 * 365 * DAY_US]);
                let edge = random.pick(&[-1, 0, 1]);
                let second = random.below(900) as i64 * SECOND_US;
                MORNING + quarter + random.pick(&[edge, edge, second])
            };
            let mut record = call(0, random.pick(&QUEUES));
            record.common.id = EventId::from_bytes(random.pick(&ids));
            record.common.revision = random.below(3) as u32;
            record.common.voided = random.below(7) == 0;
            record.common.created_at = at(random);
            record.started_at = (random.below(3) > 0).then(|| at(random));
            record.call_type =
                random.pick(&[CallType::Inbound, CallType::Inbound, CallType::Missed, CallType::Voicemail, CallType::Outbound]);
            record.call_outcome = random.pick(CallOutcome::ALL);
            let near = random.pick(&THRESHOLDS) + random.pick(&[-1, 0, 1]);
            record.wait_time_seconds = random.pick(&[
                None,
                Some(-1),
                Some(0),
                Some(4),
                Some(5),
                Some(6),
                Some(near),
                Some(near),
                Some(any_wait),
                Some(i32::MAX),
                Some(i32::MIN),
            ]);
            record.duration_seconds = random.pick(&[None, Some(-3), Some(0), Some(1), Some(any_wait), Some(20_000), Some(i32::MAX)]);
            record.abandoned = random.pick(&[None, Some(false), Some(true)]);
            record.direction = random.pick(&[None, Some("inbound"), Some("inbound"), Some("outbound"), Some("Outbound")]).map(Into::into);
            record.agent_contact_id = (random.below(2) == 0).then(|| ContactId::from_bytes(random.pick(&agents)));
            record.root_call_id = (random.below(2) == 0).then(|| EventId::from_bytes(random.pick(&ids)));
            record
        })
        .collect()
}

/// Compares three views with the tallies of `log`.
fn compare(test: &TestDatabase, log: &[Call]) -> usize {
    let key = "hex(queue_name), intDiv(toUnixTimestamp64Micro(interval_start) - positiveModulo(toUnixTimestamp64Micro(interval_start), 900000000), 900000000)";
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    let keys = |tallies: &BTreeMap<(String, i64), Tally>| {
        tallies.keys().map(|(queue, number)| format!("{}\t{number}", hex(queue))).collect::<Vec<_>>()
    };
    let quarters = tallies(log, QUARTER_US);
    let days = tallies(log, DAY_US);

    let order = "ORDER BY queue_name, interval_start";
    assert_eq!(test.lines(&format!("SELECT {key} FROM queue_service_levels {order}")), keys(&quarters));
    let within_columns = |what: &str| THRESHOLDS.map(|t| format!("{what}_within_{t}")).join(", ");
    let (answered, abandoned) = (within_columns("answered"), within_columns("abandoned"));
    let rows = numbers(test, &format!("SELECT {COMMON_COLUMNS}, {answered}, {abandoned} FROM queue_service_levels {order}"));
    for ((place, tally), row) in quarters.iter().zip(&rows) {
        let counters = [&tally.answered, &tally.abandoned].into_iter().flat_map(|waits| THRESHOLDS.map(|t| Some(within(waits, t))));
        assert_eq!(row, &tally.row().into_iter().chain(counters).collect::<Vec<_>>(), "{place:?}");
    }

    let rows = numbers(
        test,
        "SELECT threshold_seconds, offered, answered, abandoned, answered_within, abandoned_within, abandoned_within_5, service_level_f1, \
         service_level_f2, service_level_f3, service_level_f4, service_level_f5 FROM queue_service_levels_by_threshold \
         ORDER BY queue_name, interval_start, threshold_seconds",
    );
    let expect = quarters.values().flat_map(|tally| {
        THRESHOLDS.map(|t| {
            let counts = [tally.offered as usize, tally.answered.len(), tally.abandoned.len()].map(|count| Some(count as f64));
            let withins = [within(&tally.answered, t), within(&tally.abandoned, t), within(&tally.abandoned, 5)].map(Some);
            [Some(f64::from(t))].into_iter().chain(counts).chain(withins).chain(tally.levels(t)).collect::<Vec<_>>()
        })
    });
    assert_eq!(rows, expect.collect::<Vec<_>>());

    let order = "ORDER BY queue_name, call_date";
    assert_eq!(test.lines(&format!("SELECT hex(queue_name), toInt64(call_date) FROM queue_days {order}")), keys(&days));
    let rows = numbers(test, &format!("SELECT {COMMON_COLUMNS}, calls, agents, median_wait_seconds FROM queue_days {order}"));
    for ((place, tally), row) in days.iter().zip(&rows) {
        let mut waits: Vec<i32> = tally.answered.iter().flatten().copied().collect();
        waits.sort_unstable();
        let middle = |of: usize| f64::from(waits[of]);
        let median = (!waits.is_empty()).then(|| (middle((waits.len() - 1) / 2) + middle(waits.len() / 2)) / 2.0);
        let own = [Some(tally.calls.len() as f64), Some(tally.agents.len() as f64), median];
        assert_eq!(row, &tally.row().into_iter().chain(own).collect::<Vec<_>>(), "{place:?}");
    }
    // Sums of intervals are the day's, and the busiest of them is named.
    test.check(
        "SELECT count() FROM queue_days AS d INNER JOIN \
         (SELECT queue_name, toDate32(interval_start) AS day, sum(offered) AS o, sum(answered_within_20) AS a, max(offered) AS most, \
          argMin(interval_start, (-toInt64(offered), interval_start)) AS first FROM queue_service_levels GROUP BY queue_name, day) AS s \
         ON d.queue_name = s.queue_name AND d.call_date = s.day \
         WHERE (offered, answered_within_20, busiest_interval_offered, busiest_interval_start) != (o, a, most, first)",
        &["0"],
    );
    quarters.len()
}

#[test]
fn messy_calls_equal_going_through_them_one_by_one() {
    let test = TestDatabase::new("service_levels");
    let log = messy_log(&mut Random(20_261_125));
    // The same insert twice, as a retry whose first attempt had succeeded leaves it.
    insert(&test, &log);
    insert(&test, &log);
    let intervals = compare(&test, &log);
    assert!(intervals > 60, "{intervals} intervals only");
    // Every case must have been there, or the comparison proves little.
    for (what, least) in [
        ("calls WHERE NOT offered", 300),
        ("calls WHERE answered AND known_wait_seconds IS NULL", 20),
        ("calls WHERE abandoned AND known_wait_seconds <= 5", 20),
        ("calls WHERE offered AND NOT answered AND NOT abandoned", 50),
        ("queue_service_levels WHERE service_level_f4 IS NULL", 1),
        ("queue_service_levels WHERE asa_seconds IS NULL", 1),
    ] {
        let count: u64 = test.lines(&format!("SELECT count() FROM {what}"))[0].parse().unwrap();
        assert!(count >= least, "{what}: {count}");
    }
}

/// Any order, any repetition, and the last hour long after the rest: the same rows. Records that contradict each other
/// are left out, since which of them stands depends on which came first.
#[test]
fn neither_order_nor_repetition_nor_lateness_changes_a_row() {
    let random = &mut Random(7);
    let mut log = messy_log(random);
    let mut seen = BTreeSet::new();
    log.retain(|r| seen.insert((r.queue_name.clone().unwrap_or_default(), r.common.id, r.common.revision)));
    let rows = |log: &[Call], name: &str| {
        let test = TestDatabase::new(name);
        insert(&test, log);
        compare(&test, log);
        ["queue_service_levels", "queue_days", "call_journeys", "call_repeats", "call_backs"].map(|view| {
            let mut lines = test.lines(&format!("SELECT * FROM {view}"));
            lines.sort();
            lines
        })
    };
    let straight = rows(&log, "levels_straight");
    assert!(straight.iter().all(|lines| lines.len() >= 8), "{:?}", straight.each_ref().map(Vec::len));
    let mut repeated = log.clone();
    repeated.extend(log.iter().filter(|_| random.below(3) == 0).cloned().collect::<Vec<_>>());
    random.shuffle(&mut repeated);
    assert_eq!(rows(&repeated, "levels_shuffled"), straight);
    log.sort_by_key(|r| (r.started_at.unwrap_or(r.common.created_at) >= MORNING + 75 * MINUTE_US, r.common.id));
    assert_eq!(rows(&log, "levels_late"), straight);
}

#[test]
fn the_views_name_the_definition_whose_formulas_they_hold() {
    let test = TestDatabase::new("definition_of_views");
    insert(&test, &[call(1, Some("sales"))]);
    let number = fieldline_processors_core::definition::Definition::default().number;
    for view in ["calls", "queue_service_levels", "queue_service_levels_by_threshold", "queue_days", "call_repeats"] {
        test.check(&format!("SELECT DISTINCT definition_version FROM {view}"), &[&number.to_string()]);
    }
}

//! Calls of one caller: repeats, calls back, and sentiment where its scale is declared. Also against a computation that
//! looks at every pair of calls.

use crate::setup::{MORNING, Random, TestDatabase, at, call, event, insert_log, operation};
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::ids::{EventId, ThreadId};
use fieldline_schemas::time::{DAY_US, MINUTE_US};
use fieldline_schemas::{AnyRecord, Timestamp};

type Call = CommunicationCall<'static>;

fn insert(test: &TestDatabase, calls: impl IntoIterator<Item = Call>) {
    insert_log(test, calls.into_iter().map(AnyRecord::CommunicationCall));
}

const THREAD: Option<ThreadId> = Some(ThreadId::from_bytes([0x11; 16]));

fn of_thread(number: u8, entered_at: Timestamp) -> Call {
    Call { thread_id: THREAD, started_at: Some(entered_at), ..call(number, Some("sales")) }
}

#[test]
fn a_further_inbound_call_within_seven_days_is_a_repeat() {
    let test = TestDatabase::new("call_repeats");
    let week = 7 * DAY_US;
    let start = Timestamp(MORNING.0 - 30 * DAY_US);
    let mut transfer = of_thread(2, start + 60 * MINUTE_US);
    transfer.root_call_id = Some(event(1));
    let mut first = of_thread(1, start);
    first.call_outcome = CallOutcome::Transferred;
    let mut missed = of_thread(4, start + 3 * week);
    (missed.call_type, missed.call_outcome, missed.queue_name) = (CallType::Missed, CallOutcome::NoAnswer, None);
    let mut outbound = of_thread(5, start + 3 * week + 1);
    outbound.call_type = CallType::Outbound;
    // The second call comes 7 days after the first entry to the microsecond; its own next one a microsecond too late.
    let calls = [first, transfer, of_thread(3, start + week), missed, outbound, call(6, Some("sales"))];
    insert(&test, calls.clone());
    let expect = [
        "01\ttrue\t604800\ttrue\tfalse\tfinal",
        "02\tfalse\t601200\ttrue\tfalse\tfinal",
        "03\tfalse\t1209600\tfalse\ttrue\tfinal",
        "06\tfalse\t\\N\t\\N\t\\N\tprovisional",
    ];
    let query = "SELECT substring(toString(id), 3, 2), transferred, seconds_to_next, repeated, first_contact_resolved, finality \
                 FROM call_repeats ORDER BY id";
    test.check(query, &expect);
    test.check(
        "SELECT queue_name, call_date, answered, without_thread, provisional, judged, repeated, first_contact_resolution FROM queue_repeats \
         ORDER BY call_date",
        &["sales\t2026-01-31\t2\t0\t0\t2\t2\t0", "sales\t2026-02-07\t1\t0\t0\t1\t0\t1", "sales\t2026-03-02\t1\t1\t0\t0\t0\t\\N"],
    );

    // Late: a call between, and the first is amended away to a microsecond before.
    let test = TestDatabase::new("call_repeats_late");
    let mut amended = of_thread(1, start + -1);
    (amended.common.revision, amended.call_outcome) = (1, CallOutcome::Transferred);
    let mut void = of_thread(3, start);
    (void.common.revision, void.common.voided) = (1, true);
    insert(&test, calls.into_iter().chain([amended, void, of_thread(7, start + 60 * MINUTE_US + week)]));
    test.check(
        query,
        &[
            "01\ttrue\t608400.000001\tfalse\ttrue\tfinal",
            "02\tfalse\t604800\ttrue\tfalse\tfinal",
            "06\tfalse\t\\N\t\\N\t\\N\tprovisional",
            "07\tfalse\t1206000\tfalse\ttrue\tfinal",
        ],
    );
}

/// The clock is that of the log of calls, and no other: nothing depends on when the question is asked.
#[test]
fn a_call_is_provisional_until_seven_days_have_passed_in_the_log() {
    let test = TestDatabase::new("call_repeats_finality");
    let week = 7 * DAY_US;
    let alarm = AnyRecord::OperationalEvent(operation(9, 0));
    // Records are appended from MORNING on, a second apart: the third one at MORNING + 2 s.
    let calls = [of_thread(1, MORNING + (2_000_000 - week)), of_thread(2, MORNING + (2_000_001 - week)), of_thread(3, at(-1))];
    insert_log(&test, calls.into_iter().map(AnyRecord::CommunicationCall).chain([alarm]));
    test.check(
        "SELECT substring(toString(id), 3, 2), repeated, finality FROM call_repeats ORDER BY id",
        &["01\ttrue\tfinal", "02\ttrue\tprovisional", "03\tfalse\tprovisional"],
    );
    test.check("SELECT sum(judged), sum(provisional), sum(repeated) FROM queue_repeats", &["1\t2\t1"]);
}

#[test]
fn a_missed_call_is_called_back() {
    let test = TestDatabase::new("call_backs");
    let outbound = |number, minutes, call_outcome| Call { call_type: CallType::Outbound, call_outcome, ..of_thread(number, at(minutes)) };
    let missed =
        |number, minutes| Call { call_type: CallType::Missed, call_outcome: CallOutcome::NoAnswer, ..of_thread(number, at(minutes)) };
    let abandoned = Call { call_outcome: CallOutcome::Failed, abandoned: Some(true), ..of_thread(6, at(40)) };
    let alone = Call { thread_id: None, ..missed(7, 0) };
    let ours = Call { direction: Some("outbound".into()), ..missed(8, 50) };
    let calls = [
        missed(1, 0),
        outbound(2, 10, CallOutcome::NoAnswer),
        missed(3, 20),
        outbound(4, 20, CallOutcome::Answered),
        outbound(5, 30, CallOutcome::Answered),
        abandoned,
        alone,
        ours,
    ];
    insert(&test, calls);
    test.check(
        "SELECT substring(toString(id), 3, 2), call_type, abandoned, call_back_seconds, reach_seconds, dateDiff('minute', entered_at, called_again_at) \
         FROM call_backs ORDER BY id",
        &[
            "01\tmissed\ttrue\t600\t1200\t20",
            // Not by a call of the same instant.
            "03\tmissed\ttrue\t600\t600\t20",
            "06\tinbound\ttrue\t600\t\\N\t\\N",
            "07\tmissed\ttrue\t\\N\t\\N\t\\N",
        ],
    );
}

fn entered(of: &Call) -> i64 {
    of.started_at.unwrap_or(of.common.created_at).0
}
fn is_outbound(of: &Call) -> bool {
    of.call_type == CallType::Outbound || of.direction.as_deref() == Some("outbound")
}
fn is_taken(of: &Call) -> bool {
    matches!(of.call_outcome, CallOutcome::Answered | CallOutcome::Transferred)
}

#[test]
fn threads_equal_looking_at_every_pair() {
    let random = &mut Random(31);
    let roots: Vec<[u8; 16]> = (0..60).map(|_| random.id()).collect();
    let calls: Vec<Call> = (0..1_800)
        .map(|_| {
            let mut record = call(0, random.pick(&[Some("sales"), None]));
            record.common.id = EventId::from_bytes(random.id());
            record.common.created_at = MORNING + -(random.below(60) as i64 * DAY_US / 2) + random.pick(&[0, 0, 1, -1]);
            record.call_type = random.pick(CallType::ALL);
            record.call_outcome = random.pick(CallOutcome::ALL);
            record.direction = random.pick(&[None, Some("inbound"), Some("outbound")]).map(Into::into);
            record.thread_id = random.pick(&[None, Some([1; 16]), Some([2; 16]), Some([3; 16])]).map(ThreadId::from_bytes);
            record.root_call_id = (random.below(3) == 0).then(|| EventId::from_bytes(random.pick(&roots)));
            record.abandoned = random.pick(&[None, Some(true)]);
            record
        })
        .collect();
    let test = TestDatabase::new("threads");
    insert(&test, calls.clone());

    let root = |of: &Call| of.root_call_id.unwrap_or(of.common.id);
    let together = |a: &Call, b: &Call| a.thread_id.is_some() && a.thread_id == b.thread_id;
    let us = |time: Option<i64>| time.map_or("\\N".to_owned(), |us| us.to_string());
    let mut repeats = Vec::new();
    let mut backs = Vec::new();
    for a in &calls {
        let id = a.common.id;
        // A call begins with the first of its inbound contacts.
        let begins = |b: &Call| calls.iter().all(|c| is_outbound(c) || !(together(b, c) && root(c) == root(b)) || entered(c) >= entered(b));
        let later = |filter: &dyn Fn(&Call) -> bool| {
            calls.iter().filter(|b| together(a, b) && entered(b) > entered(a) && filter(b)).map(entered).min()
        };
        if !is_outbound(a) && is_taken(a) && a.call_type == CallType::Inbound {
            let next = later(&|b| !is_outbound(b) && begins(b));
            let repeated = match (a.thread_id, next) {
                (None, _) => "\\N".to_owned(),
                (_, next) => next.is_some_and(|next| next - entered(a) <= 7 * DAY_US).to_string(),
            };
            repeats.push(format!("{id}\t{}\t{repeated}", us(next)));
        }
        let has_queue = a.queue_name.is_some();
        let is_abandoned = has_queue && a.abandoned == Some(true) && !(is_taken(a) && a.call_type == CallType::Inbound);
        if !is_outbound(a) && (a.call_type == CallType::Missed || is_abandoned) {
            let back = later(&is_outbound);
            let reached = later(&|b| is_outbound(b) && is_taken(b) && b.call_type != CallType::Missed);
            let again = later(&|b| !is_outbound(b));
            backs.push(format!("{id}\t{}\t{}\t{}", us(back), us(reached), us(again)));
        }
    }
    repeats.sort();
    backs.sort();
    assert!(repeats.len() > 50 && backs.len() > 50, "{} {}", repeats.len(), backs.len());
    let micros = |column: &str| format!("toUnixTimestamp64Micro({column})");
    let next = micros("next_inbound_at");
    assert_eq!(test.lines(&format!("SELECT id, {next}, repeated FROM call_repeats ORDER BY toString(id)")), repeats);
    let [back, reached, again] = ["called_back_at", "reached_at", "called_again_at"].map(micros);
    assert_eq!(test.lines(&format!("SELECT id, {back}, {reached}, {again} FROM call_backs ORDER BY toString(id)")), backs);
}

#[test]
fn sentiment_has_a_row_only_where_its_scale_is_declared() {
    let test = TestDatabase::new("sentiment");
    let scored = |number, queue, scale: Option<&str>, basis: Option<&'static str>, score| {
        let mut record = Call { sentiment_score: Some(score), sentiment_basis: basis.map(Into::into), ..call(number, queue) };
        record.common.metadata = scale.map(|scale| format!(r#"{{"sentiment_scale":{scale}}}"#).into());
        record
    };
    let scale = Some(r#""-1..1""#);
    insert(
        &test,
        [
            scored(1, Some("sales"), scale, Some("text"), 0.5),
            scored(2, Some("sales"), scale, Some("text"), -0.25),
            scored(3, Some("sales"), scale, Some("text"), 1.0),
            scored(4, Some("sales"), scale, Some("text"), 0.0),
            scored(5, Some("sales"), scale, Some("voice"), 0.75),
            scored(6, Some("sales"), Some(r#""stars""#), None, 4.0),
            scored(7, Some("sales"), None, Some("text"), 9.0),
            scored(8, Some("sales"), Some("null"), Some("text"), 9.0),
            scored(9, None, scale, Some("text"), 9.0),
            Call { sentiment_score: None, ..scored(10, Some("support"), scale, Some("text"), 9.0) },
        ],
    );
    test.check(
        "SELECT queue_name, call_date, sentiment_scale, sentiment_basis, is_from_voice, scored, mean_sentiment_score, median_sentiment_score, \
         lowest_sentiment_score, highest_sentiment_score FROM queue_sentiment ORDER BY sentiment_scale, sentiment_basis",
        &[
            "sales\t2026-03-02\t-1..1\ttext\tfalse\t4\t0.3125\t0.25\t-0.25\t1",
            "sales\t2026-03-02\t-1..1\tvoice\ttrue\t1\t0.75\t0.75\t0.75\t0.75",
            "sales\t2026-03-02\tstars\t\tfalse\t1\t4\t4\t4\t4",
        ],
    );
}

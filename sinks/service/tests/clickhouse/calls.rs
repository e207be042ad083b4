//! What each call record counts as, and whether it is consistent: every cell and every rule, worked out by hand.

use crate::setup::{MORNING, TestDatabase, at, call, event, insert_log};
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::ids::{ContactId, EventId, ThreadId};
use fieldline_schemas::{AnyRecord, Timestamp};
use fieldline_sinks_rows::{CallRows, Position};

type Call = CommunicationCall<'static>;

fn insert(test: &TestDatabase, calls: impl IntoIterator<Item = Call>) {
    insert_log(test, calls.into_iter().map(AnyRecord::CommunicationCall));
}

const SOMEBODY: ContactId = ContactId::from_bytes([0xc0; 16]);

/// A call in the queue `sales` of every type with every outcome, numbered in this order.
fn every_cell(change: impl Fn(Call) -> Call) -> Vec<Call> {
    let cells = CallType::ALL.iter().flat_map(|kind| CallOutcome::ALL.iter().map(|outcome| (*kind, *outcome)));
    let cell = |(number, (call_type, call_outcome))| change(Call { call_type, call_outcome, ..call(number, Some("sales")) });
    (0..).zip(cells).map(cell).collect()
}

/// In a queue, transferred to somebody, the caller did not hang up: only type and outcome speak.
#[test]
fn every_type_with_every_outcome() {
    let test = TestDatabase::new("call_cells");
    insert(&test, every_cell(|cell| Call { transferred_to_contact_id: Some(SOMEBODY), abandoned: Some(false), ..cell }));
    test.check(
        "SELECT call_type, call_outcome, if(offered, 'offered', '-'), if(answered, 'answered', '-'), if(abandoned, 'abandoned', '-'), \
         consistency, inconsistencies FROM calls ORDER BY id",
        &[
            "inbound\tanswered\toffered\tanswered\t-\t\\N\t[]",
            "inbound\tvoicemail_left\toffered\t-\t-\t\\N\t[]",
            "inbound\tno_answer\toffered\t-\t-\twarn\t['inbound_not_answered']",
            "inbound\tbusy\toffered\t-\t-\twarn\t['inbound_not_answered']",
            "inbound\tfailed\toffered\t-\t-\t\\N\t[]",
            "inbound\ttransferred\toffered\tanswered\t-\t\\N\t[]",
            "outbound\tanswered\t-\t-\t-\t\\N\t[]",
            "outbound\tvoicemail_left\t-\t-\t-\t\\N\t[]",
            "outbound\tno_answer\t-\t-\t-\t\\N\t[]",
            "outbound\tbusy\t-\t-\t-\t\\N\t[]",
            "outbound\tfailed\t-\t-\t-\t\\N\t[]",
            "outbound\ttransferred\t-\t-\t-\t\\N\t[]",
            "missed\tanswered\toffered\t-\tabandoned\terror\t['missed_but_answered']",
            "missed\tvoicemail_left\toffered\t-\tabandoned\twarn\t['missed_with_voicemail']",
            "missed\tno_answer\toffered\t-\tabandoned\t\\N\t[]",
            "missed\tbusy\toffered\t-\tabandoned\t\\N\t[]",
            "missed\tfailed\toffered\t-\tabandoned\t\\N\t[]",
            "missed\ttransferred\toffered\t-\tabandoned\terror\t['missed_but_answered']",
            "voicemail\tanswered\toffered\t-\t-\twarn\t['voicemail_not_left']",
            "voicemail\tvoicemail_left\toffered\t-\t-\t\\N\t[]",
            "voicemail\tno_answer\toffered\t-\t-\twarn\t['voicemail_not_left']",
            "voicemail\tbusy\toffered\t-\t-\twarn\t['voicemail_not_left']",
            "voicemail\tfailed\toffered\t-\t-\twarn\t['voicemail_not_left']",
            "voicemail\ttransferred\toffered\t-\t-\twarn\t['voicemail_not_left']",
        ],
    );
    test.check(
        "SELECT offered, answered, abandoned, transfers, service_level_f1, service_level_f4, asa_seconds, longest_wait_seconds, abandon_rate \
         FROM queue_service_levels",
        &["18\t2\t6\t1\t0\t0\t\\N\t\\N\t0.3333333333333333"],
    );
}

/// The caller hung up: abandoned is everything in the queue that was not answered.
#[test]
fn a_caller_who_hung_up_has_abandoned_unless_answered() {
    let test = TestDatabase::new("call_hung_up");
    insert(&test, every_cell(|cell| Call { abandoned: Some(true), ..cell }));
    test.check(
        "SELECT call_type, count(), countIf(offered), countIf(answered), countIf(abandoned) FROM calls GROUP BY call_type ORDER BY call_type",
        &["inbound\t6\t6\t2\t4", "missed\t6\t6\t0\t6", "outbound\t6\t0\t0\t0", "voicemail\t6\t6\t0\t6"],
    );
}

#[test]
fn every_rule_of_consistency_to_its_bound() {
    type Change = fn(&mut Call);
    let cases: &[(Change, &str)] = &[
        (|c| c.duration_seconds = Some(1), "\\N\t[]"),
        (|c| c.duration_seconds = Some(0), "info\t['answered_for_0_seconds']"),
        (|c| c.duration_seconds = Some(-1), "error\t['negative_duration']"),
        (|c| c.wait_time_seconds = Some(0), "\\N\t[]"),
        (|c| c.wait_time_seconds = Some(-1), "error\t['negative_wait']"),
        (|c| c.duration_seconds = Some(14_400), "\\N\t[]"),
        (|c| c.duration_seconds = Some(14_401), "warn\t['longer_than_4_hours']"),
        (|c| c.call_outcome = CallOutcome::Transferred, "warn\t['transferred_to_nobody']"),
        (
            |c| (c.call_outcome, c.transferred_to_contact_id, c.duration_seconds) = (CallOutcome::Transferred, Some(SOMEBODY), Some(0)),
            "\\N\t[]",
        ),
        (|c| (c.call_type, c.call_outcome, c.duration_seconds) = (CallType::Outbound, CallOutcome::Failed, Some(0)), "\\N\t[]"),
        (
            |c| (c.call_type, c.call_outcome, c.duration_seconds) = (CallType::Outbound, CallOutcome::NoAnswer, Some(1)),
            "warn\t['duration_without_answer']",
        ),
        (
            |c| (c.call_type, c.call_outcome, c.duration_seconds) = (CallType::Outbound, CallOutcome::Busy, Some(1)),
            "warn\t['duration_without_answer']",
        ),
        (
            |c| (c.call_type, c.call_outcome, c.duration_seconds) = (CallType::Missed, CallOutcome::Failed, Some(1)),
            "warn\t['duration_without_answer']",
        ),
        (|c| (c.call_outcome, c.duration_seconds) = (CallOutcome::VoicemailLeft, Some(1)), "\\N\t[]"),
        (
            |c| {
                (c.call_type, c.call_outcome) = (CallType::Missed, CallOutcome::Transferred);
                (c.duration_seconds, c.wait_time_seconds) = (Some(20_000), Some(-7));
            },
            "error\t['missed_but_answered','negative_wait','transferred_to_nobody','longer_than_4_hours']",
        ),
        (
            |c| (c.call_outcome, c.duration_seconds, c.wait_time_seconds) = (CallOutcome::Answered, Some(0), Some(-7)),
            "error\t['negative_wait','answered_for_0_seconds']",
        ),
    ];
    let test = TestDatabase::new("call_consistency");
    insert(
        &test,
        cases.iter().enumerate().map(|(number, (change, _))| {
            let mut changed = call(number as u8, None);
            change(&mut changed);
            changed
        }),
    );
    let expect: Vec<&str> = cases.iter().map(|(_, expect)| *expect).collect();
    test.check("SELECT consistency, inconsistencies FROM calls ORDER BY id", &expect);
}

#[test]
fn what_is_offered_and_to_which_quarter_of_an_hour() {
    let test = TestDatabase::new("call_offered");
    let started = |number, started_at: Timestamp| Call { started_at: Some(started_at), ..call(number, Some("sales")) };
    let mut outbound = call(6, Some("sales"));
    outbound.direction = Some("outbound".into());
    let mut text = call(7, Some("sales"));
    text.direction = Some("sideways".into());
    let mut old = started(8, Timestamp(-1));
    old.thread_id = Some(ThreadId::from_bytes([1; 16]));
    let calls = [
        call(0, Some("sales")),
        started(1, at(15) + -1),
        started(2, at(15)),
        started(3, at(-1)),
        call(4, None),
        call(5, Some("")),
        outbound,
        text,
        old,
        call(9, Some(" ")),
    ];
    insert(&test, calls);
    test.check(
        "SELECT substring(toString(id), 3, 2), offered, entered_at, interval_start FROM calls ORDER BY id",
        &[
            "00\ttrue\t2026-03-02 08:00:00.000000\t2026-03-02 08:00:00.000000",
            "01\ttrue\t2026-03-02 08:14:59.999999\t2026-03-02 08:00:00.000000",
            "02\ttrue\t2026-03-02 08:15:00.000000\t2026-03-02 08:15:00.000000",
            "03\ttrue\t2026-03-02 07:59:00.000000\t2026-03-02 07:45:00.000000",
            "04\tfalse\t2026-03-02 08:00:00.000000\t\\N",
            "05\tfalse\t2026-03-02 08:00:00.000000\t\\N",
            "06\tfalse\t2026-03-02 08:00:00.000000\t\\N",
            "07\ttrue\t2026-03-02 08:00:00.000000\t2026-03-02 08:00:00.000000",
            "08\ttrue\t1969-12-31 23:59:59.999999\t1969-12-31 23:45:00.000000",
            "09\ttrue\t2026-03-02 08:00:00.000000\t2026-03-02 08:00:00.000000",
        ],
    );
    test.check(
        "SELECT queue_name, interval_start, offered FROM queue_service_levels ORDER BY queue_name, interval_start",
        &[
            " \t2026-03-02 08:00:00.000000\t1",
            "sales\t1969-12-31 23:45:00.000000\t1",
            "sales\t2026-03-02 07:45:00.000000\t1",
            "sales\t2026-03-02 08:00:00.000000\t3",
            "sales\t2026-03-02 08:15:00.000000\t1",
        ],
    );
}

/// A transfer's second record is a contact of its own, and the same call.
#[test]
fn contacts_are_counted_by_record_and_calls_by_their_root() {
    let test = TestDatabase::new("call_journeys");
    let thread = Some(ThreadId::from_bytes([7; 16]));
    let first = Call {
        call_outcome: CallOutcome::Transferred,
        transferred_to_contact_id: Some(SOMEBODY),
        wait_time_seconds: Some(10),
        duration_seconds: Some(60),
        agent_contact_id: Some(ContactId::from_bytes([1; 16])),
        thread_id: thread,
        ..call(1, Some("front"))
    };
    let second = Call {
        started_at: Some(at(2)),
        wait_time_seconds: Some(30),
        duration_seconds: Some(90),
        agent_contact_id: Some(SOMEBODY),
        root_call_id: Some(event(1)),
        ..call(2, Some("expert"))
    };
    let alone =
        Call { call_type: CallType::Missed, call_outcome: CallOutcome::NoAnswer, wait_time_seconds: Some(-5), ..call(3, Some("front")) };
    let outbound = Call { call_type: CallType::Outbound, ..call(4, None) };
    insert(&test, [second, outbound, first, alone]);
    test.check(
        "SELECT substring(toString(call_id), 3, 2), contacts, began_at, queues, offered, answered, abandoned, transfers, agents, wait_seconds, \
         talk_seconds, thread_id, is_inbound FROM call_journeys ORDER BY call_id",
        &[
            "01\t2\t2026-03-02 08:00:00.000000\t['front','expert']\t2\t2\t0\t1\t2\t40\t150\t07070707-0707-0707-0707-070707070707\ttrue",
            "03\t1\t2026-03-02 08:00:00.000000\t['front']\t1\t0\t1\t0\t0\t\\N\t0\t\\N\ttrue",
            "04\t1\t2026-03-02 08:00:00.000000\t[]\t0\t0\t0\t0\t0\t0\t0\t\\N\tfalse",
        ],
    );
    test.check(
        "SELECT queue_name, offered, calls, answered, transfers, transfer_rate, agents FROM queue_days ORDER BY queue_name",
        &["expert\t1\t1\t1\t0\t0\t1", "front\t2\t2\t1\t1\t1\t1"],
    );
}

/// An amendment moves a call to another interval, a void takes it away, a call that moves to another queue is a void
/// there and a new id here; nothing of what people said is in the views.
#[test]
fn only_what_stands_counts() {
    let test = TestDatabase::new("calls_standing");
    let mut amended = call(1, Some("sales"));
    (amended.common.revision, amended.started_at) = (1, Some(at(60)));
    let mut void = call(2, Some("sales"));
    (void.common.revision, void.common.voided) = (1, true);
    let mut moved = call(3, Some("support"));
    moved.transcription = Some("what was said".into());
    moved.recording_url = Some("https://recordings.example/3".into());
    insert(&test, [amended, call(1, Some("sales")), call(2, Some("sales")), void, call(2, Some("sales")), moved]);
    test.check(
        "SELECT queue_name, interval_start, offered FROM queue_service_levels ORDER BY queue_name",
        &["sales\t2026-03-02 09:00:00.000000\t1", "support\t2026-03-02 08:00:00.000000\t1"],
    );
    test.check(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND (name LIKE '%recording%' OR name LIKE '%transcript%' \
         OR name = 'sentiment_score') ORDER BY table, name",
        &[
            "communication_call_details\trecording_url",
            "communication_call_details\tsentiment_score",
            "communication_call_details\ttranscription",
            "communication_call_details_log\trecording_url",
            "communication_call_details_log\tsentiment_score",
            "communication_call_details_log\ttranscription",
        ],
    );
}

/// A filter on the queue reads the queue's part of the log only.
#[test]
fn a_queue_is_read_without_the_others() {
    let test = TestDatabase::new("calls_pruned");
    let mut rows = CallRows::default();
    for number in 0..60_000_i64 {
        let mut record = call(0, Some(["north", "south", "west"][number as usize % 3]));
        record.common.id = EventId(uuid_of(number));
        rows.push(Position { partition: 0, offset: number, received_at: MORNING }, number as u128, &record);
    }
    test.insert("communication_call_details_log", &rows);
    let granules = |sql: &str| -> Vec<(u32, u32)> {
        let lines = test.lines(&format!("EXPLAIN indexes = 1 {sql}"));
        // Of each reading the last index is that of the primary key.
        let by_primary_key = lines.iter().skip_while(|line| line.trim() != "PrimaryKey");
        let counts = by_primary_key.filter_map(|line| line.trim().strip_prefix("Granules: ")?.split_once('/'));
        counts.map(|(read, all)| (read.parse().unwrap(), all.parse().unwrap())).collect()
    };
    for sql in [
        "SELECT * FROM queue_service_levels WHERE queue_name = 'south'",
        "SELECT * FROM queue_days WHERE queue_name = 'south'",
        "SELECT * FROM calls WHERE subject = 'south'",
    ] {
        let read = granules(sql);
        assert!(!read.is_empty() && read.iter().all(|(read, all)| read * 2 < *all), "{sql}: {read:?}");
    }
    test.check("SELECT queue_name, offered FROM queue_days WHERE queue_name = 'south'", &["south\t20000"]);
}

fn uuid_of(number: i64) -> uuid::Uuid {
    uuid::Uuid::from_u128(number as u128)
}

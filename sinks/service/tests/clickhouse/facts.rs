//! The log tables and the views of facts.

use crate::setup::{TestDatabase, activity, at, call, event, operation, technician, visit};
use fieldline_schemas::events::{
    ActivityType, Clearance, CommunicationCall, DeadLetter, DeadLetterReason, Location, ResolveReason, ShiftPlan, Signal,
};
use fieldline_schemas::ids::{ContactId, ThreadId, VehicleId};
use fieldline_sinks_rows::{ActivityRows, CallRows, DeadLetterRows, Fact, FactRows, OperationRows, Position};

fn position(offset: i64, minutes: i64) -> Position {
    Position { partition: 3, offset, received_at: at(minutes) }
}

fn full_call(number: u8, queue: Option<&'static str>) -> CommunicationCall<'static> {
    CommunicationCall {
        duration_seconds: Some(95),
        wait_time_seconds: Some(-1),
        sentiment_score: Some(0.25),
        ivr_path: Some(r#"[{"line":"AA0204"}]"#.into()),
        abandoned: Some(false),
        ..call(number, queue)
    }
}

#[test]
fn an_activity_with_every_field_reads_as_it_was_written() {
    let test = TestDatabase::new("activity_fields");
    let mut rows = ActivityRows::default();
    let mut full = activity(1, 0, ActivityType::ArrivedOnSite);
    full.common.revision = 2;
    full.common.created_at = full.common.created_at + 123_456;
    full.common.utc_offset_minutes = Some(-330);
    full.common.recorded_at = Some(at(1));
    full.common.device_id = Some("d-1".into());
    full.common.device_sequence = Some(-7);
    full.common.source = Some("mobile".into());
    full.common.imported = true;
    full.common.assigned = vec!["id".into(), "created_at".into()];
    full.common.metadata = Some(r#"{"a":"\t'"}"#.into());
    full.visit_id = Some(visit(1));
    full.vehicle_id = Some(VehicleId::from_bytes([0xab; 16]));
    full.location =
        Some(Location { latitude: Some(52.5), longitude: Some(-0.125), accuracy_meters: Some(12), address: Some("Wharf 1".into()) });
    full.notes = Some("Größe 💡".into());
    rows.push(position(7, 2), u128::MAX - 1, &full);
    rows.push(position(8, 3), 5, &activity(2, 1, ActivityType::EmergencyStop));
    // Enough different texts for indexes of two bytes.
    let names: Vec<_> = (0..400).map(|n| format!("device {n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let mut other = activity(3, 2, ActivityType::FuelStop);
        other.common.device_id = Some(name.as_str().into());
        other.common.source = Some(["mobile", "", "desktop"][n % 3].into());
        rows.push(position(9 + n as i64, 4), 0, &other);
    }
    test.insert("technician_activity_log", &rows);
    test.check(
        "SELECT partition, offset, received_at, id, revision, voided, created_at, utc_offset_minutes, recorded_at, device_id, \
         device_sequence, source, imported, assigned, content_hash, technician_contact_id, activity_type, visit_id, vehicle_id, kind \
         FROM technician_activity_log WHERE offset < 9 ORDER BY offset",
        &[
            "3\t7\t2026-03-02 08:02:00.000000\te0010000-0000-4000-8000-000000000000\t2\tfalse\t2026-03-02 08:00:00.123456\t-330\t\
             2026-03-02 08:01:00.000000\td-1\t-7\tmobile\ttrue\t['id','created_at']\t340282366920938463463374607431768211454\t\
             70010000-0000-4000-8000-000000000000\tarrived_on_site\t50010000-0000-4000-8000-000000000000\t\
             abababab-abab-abab-abab-abababababab\ttechnician_activity",
            "3\t8\t2026-03-02 08:03:00.000000\te0020000-0000-4000-8000-000000000000\t0\tfalse\t2026-03-02 08:01:00.000000\t\\N\t\\N\t\\N\t\
             \\N\t\\N\tfalse\t[]\t5\t70010000-0000-4000-8000-000000000000\temergency_stop\t\\N\t\\N\ttechnician_activity",
        ],
    );
    test.check(
        "SELECT location.latitude, location.longitude, location.accuracy_meters, location.address, notes, metadata \
         FROM technician_activity WHERE id IN ('e0010000-0000-4000-8000-000000000000', 'e0020000-0000-4000-8000-000000000000') \
         ORDER BY id FORMAT TSVRaw",
        &["52.5\t-0.125\t12\tWharf 1\tGröße 💡\t{\"a\":\"\\t'\"}", "\\N\t\\N\t\\N\t\\N\t\\N\t\\N"],
    );
    test.check(
        "SELECT count(), uniqExact(device_id), countIf(device_id = 'device ' || toString(offset - 9)), countIf(source = '') \
         FROM technician_activity_log WHERE offset >= 9",
        &["400\t400\t400\t133"],
    );
    test.check("SELECT has_location FROM technician_activity_log WHERE offset < 9 ORDER BY offset", &["true", "false"]);
}

#[test]
fn of_each_id_the_right_record_stands() {
    let test = TestDatabase::new("standing");
    let mut rows = ActivityRows::default();
    let mut offset = 0;
    let mut push = |number, revision, voided, notes: &'static str| {
        let mut record = activity(number, i64::from(number), ActivityType::WorkStarted);
        record.common.revision = revision;
        record.common.voided = voided;
        record.notes = Some(notes.into());
        rows.push(position(offset, offset), 0, &record);
        offset += 1;
    };
    push(1, 0, false, "a duplicate: the first");
    push(1, 0, false, "a duplicate: the second");
    push(2, 1, false, "the higher revision, first in the log");
    push(2, 0, false, "the lower revision");
    push(3, 0, false, "withdrawn");
    push(3, 1, true, "the void");
    push(4, 1, true, "a void");
    push(4, 2, false, "restored");
    push(5, 0, false, "voided in its own revision, later");
    push(5, 0, true, "the void of the same revision");
    push(6, 0, true, "a void that came first");
    push(6, 0, false, "of the same revision");
    let mut elsewhere = activity(1, 1, ActivityType::WorkStarted);
    elsewhere.technician_contact_id = technician(2);
    elsewhere.notes = Some("the same id under another technician".into());
    rows.push(position(99, 99), 0, &elsewhere);
    test.insert("technician_activity_log", &rows);
    let expect =
        ["1\ta duplicate: the first", "1\tthe same id under another technician", "2\tthe higher revision, first in the log", "4\trestored"];
    let query = "SELECT dateDiff('minute', toDateTime64('2026-03-02 08:00:00', 6, 'UTC'), created_at), notes FROM technician_activity ORDER BY id, notes";
    test.check(query, &expect);
    // The same insert once more: a retry whose first attempt had succeeded.
    test.insert("technician_activity_log", &rows);
    test.check(query, &expect);
    test.check("SELECT count(), uniqExact(partition, offset) FROM technician_activity_log FINAL", &["13\t13"]);
    test.database.execute("OPTIMIZE TABLE technician_activity_log FINAL").unwrap();
    test.check(query, &expect);
}

#[test]
fn calls_stand_per_queue() {
    let test = TestDatabase::new("calls");
    let mut rows = CallRows::default();
    let mut threaded = full_call(3, Some(""));
    threaded.thread_id = Some(ThreadId::from_bytes([0x11; 16]));
    let mut moved = full_call(1, Some("sales"));
    moved.common.revision = 1;
    moved.common.voided = true;
    for (offset, record) in
        [full_call(1, Some("sales")), full_call(1, Some("support")), moved, full_call(2, None), threaded].iter().enumerate()
    {
        rows.push(position(offset as i64, 0), 0, record);
    }
    test.insert("communication_call_details_log", &rows);
    test.check(
        "SELECT subject, queue_name, call_type, call_outcome, duration_seconds, wait_time_seconds, sentiment_score, ivr_path, abandoned \
         FROM communication_call_details ORDER BY id, subject FORMAT TSVRaw",
        &[
            "support\tsupport\tinbound\tanswered\t95\t-1\t0.25\t[{\"line\":\"AA0204\"}]\tfalse",
            "e0020000-0000-4000-8000-000000000000\t\\N\tinbound\tanswered\t95\t-1\t0.25\t[{\"line\":\"AA0204\"}]\tfalse",
            "11111111-1111-1111-1111-111111111111\t\tinbound\tanswered\t95\t-1\t0.25\t[{\"line\":\"AA0204\"}]\tfalse",
        ],
    );
}

#[test]
fn the_last_update_of_an_operational_event_is_the_row() {
    let test = TestDatabase::new("operations");
    let mut rows = OperationRows::default();
    let mut offset = 0;
    let mut push = |number, revision, recorded: Option<i64>, voided, title: &'static str| {
        let mut record = operation(number, 0);
        record.common.revision = revision;
        record.common.recorded_at = recorded.map(at);
        record.common.voided = voided;
        record.title = Some(title.into());
        rows.push(position(offset, 0), title.len() as u128, &record);
        offset += 1;
    };
    push(1, 0, Some(20), false, "recorded last, though not last in the log");
    push(1, 0, Some(10), false, "recorded first");
    push(2, 0, None, false, "recorded never: created_at counts");
    push(2, 0, None, false, "the same, later in the log");
    push(3, 1, Some(5), false, "the higher revision");
    push(3, 0, Some(50), false, "the lower revision, recorded later");
    push(4, 0, Some(1), true, "a void wins its revision");
    push(4, 0, Some(9), false, "whatever came later");
    push(5, 0, None, false, "open");
    push(5, 0, None, false, "resolved since");
    push(5, 0, None, false, "open");
    test.insert("operational_event_log", &rows);
    test.check(
        "SELECT title, event_type, event_category, severity FROM operational_event ORDER BY id",
        &[
            "recorded last, though not last in the log\talarm_triggered\tsecurity\tcritical",
            "the same, later in the log\talarm_triggered\tsecurity\tcritical",
            "the higher revision\talarm_triggered\tsecurity\tcritical",
            // What was sent again has happened once, at its first place.
            "resolved since\talarm_triggered\tsecurity\tcritical",
        ],
    );
}

#[test]
fn other_facts_of_a_technician_keep_their_time_and_payload() {
    let test = TestDatabase::new("technician_facts");
    let mut rows = FactRows::default();
    let plan = ShiftPlan {
        id: event(1),
        revision: 4,
        voided: false,
        technician_contact_id: technician(1),
        planned_start: at(0),
        planned_end: at(480),
        lone_worker: true,
        time_zone: Some("Europe/Amsterdam".into()),
    };
    let mut resolved = operation(2, 10);
    resolved.technician_contact_id = Some(technician(1));
    resolved.resolved_at = Some(at(90));
    let signal = |event| Signal {
        source_topic: "operations".into(),
        source_partition: 2,
        source_offset: 77,
        event,
        technician_contact_id: None,
        is_emergency: false,
        alert_id: None,
    };
    let clearance = Clearance {
        id: event(3),
        technician_contact_id: technician(1),
        alert_id: "S1:x:y".into(),
        created_at: at(30),
        reason: Some(ResolveReason::Assisted),
        actor_contact_id: Some(ContactId::from_bytes([1; 16])),
    };
    rows.push(position(0, -100), 1, Fact::ShiftPlan(&plan), b"\x00plan\xff");
    rows.push(position(1, 100), 2, Fact::Signal(&signal(resolved.clone())), b"s");
    rows.push(position(2, 20), 3, Fact::Signal(&signal(resolved)), b"s");
    rows.push(position(3, 31), 4, Fact::Clearance(&clearance), b"c");
    test.insert("technician_facts_log", &rows);
    test.check(
        "SELECT kind, revision, dateDiff('minute', toDateTime64('2026-03-02 08:00:00', 6, 'UTC'), fact_at), lone_worker, source_offset, \
         severity, reason, hex(payload) FROM technician_facts_log ORDER BY offset",
        &[
            "shift_plan\t4\t0\ttrue\t\\N\t\\N\t\\N\t00706C616EFF",
            // The later of created_at and resolved_at, at most the append time.
            "signal\t0\t90\t\\N\t77\tcritical\t\\N\t73",
            "signal\t0\t20\t\\N\t77\tcritical\t\\N\t73",
            "clearance\t0\t30\t\\N\t\\N\t\\N\tassisted\t63",
        ],
    );
}

#[test]
fn a_dead_letter_is_one_row_per_source_position() {
    let test = TestDatabase::new("dead_letters");
    let letter = |offset, stage: &'static str| DeadLetter {
        topic: "fieldline.activity".into(),
        partition: 1,
        offset,
        received_at: at(0),
        reason: DeadLetterReason::MalformedUuid,
        detail: "visit_id: not a uuid".into(),
        stage: stage.into(),
        key: b"k".as_slice().into(),
        payload: b"\xff\x00".as_slice().into(),
    };
    let mut rows = DeadLetterRows::default();
    // Processors and the raw sink both set a record aside.
    rows.push(position(5, 1), &letter(40, "decode"));
    rows.push(position(6, 2), &letter(40, "validate"));
    rows.push(position(7, 3), &letter(41, "decode"));
    test.insert("dead_letters_log", &rows);
    test.insert("dead_letters_log", &rows);
    test.check(
        "SELECT topic, partition, offset, reason, detail, stage, key, hex(payload), dead_lettered_at FROM dead_letters ORDER BY offset",
        &[
            "fieldline.activity\t1\t40\tmalformed_uuid\tvisit_id: not a uuid\tdecode\tk\tFF00\t2026-03-02 08:01:00.000000",
            "fieldline.activity\t1\t41\tmalformed_uuid\tvisit_id: not a uuid\tdecode\tk\tFF00\t2026-03-02 08:03:00.000000",
        ],
    );
}

//! Names, teams, silences and what people did about alerts: by the sink into their tables, conserved, each as it stands.

use crate::setup::{TestDatabase, at, event, technician};
use crate::sinks::Pipeline;
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Delivery, DeliveryOutcome, Silence};
use fieldline_schemas::events::{ActionKind, AlertAction, Contact, ContactKind, ResolveReason, Tick};
use fieldline_schemas::ids::ContactId;
use fieldline_schemas::{AnyRecord, Topic};
use fieldline_sinks::verify::conservation;
use fieldline_sinks::{Deadlines, SinkConfig, raw_sink};

fn contact(who: u8, revision: u32, name: &'static str, team: Option<&'static str>) -> AnyRecord<'static> {
    let (id, display_name) = (ContactId(technician(who).0), Some(name.into()));
    AnyRecord::Contact(Contact { id, revision, display_name, team: team.map(Into::into), kind: ContactKind::Technician })
}

fn action(number: u8, alert_id: &'static str, note: &'static str) -> AnyRecord<'static> {
    AnyRecord::AlertAction(AlertAction {
        id: event(number),
        created_at: at(i64::from(number)),
        alert_id: alert_id.into(),
        action: ActionKind::Resolve,
        reason: Some(ResolveReason::Assisted),
        actor_contact_id: Some(ContactId(technician(9).0)),
        note: Some(note.into()),
    })
}

fn silence(revision: u32, voided: bool) -> AnyRecord<'static> {
    AnyRecord::Silence(Silence {
        id: event(40),
        revision,
        voided,
        created_at: at(0),
        until: at(60),
        flag: None,
        technician_contact_id: None,
        team: Some("north".into()),
        actor_contact_id: None,
        note: Some("roadworks".into()),
    })
}

fn delivery() -> AnyRecord<'static> {
    AnyRecord::Delivery(Delivery {
        alert_id: "S5:a:b".into(),
        notification: 1,
        receiver: "desk".into(),
        channel: "webhook".into(),
        attempt: 1,
        outcome: DeliveryOutcome::Acknowledged,
        attempted_at: at(0),
        waited_us: 0,
        took_us: 0,
        status: None,
        detail: "".into(),
    })
}

#[test]
fn contacts_silences_and_actions_are_stored_once_and_conserved() {
    let test = TestDatabase::new("people");
    let pipeline = Pipeline::new();
    pipeline.control.hurry(true);
    let of_contacts = [
        contact(1, 0, "Anna", Some("north")),
        contact(1, 0, "Anna", Some("north")), // Sent again.
        contact(1, 2, "Anna B.", None),       // Left the team.
        contact(1, 1, "Anna", Some("south")), // Came after what it precedes.
        contact(2, 0, "Ben", Some("north")),
        contact(2, 0, "Benjamin", Some("south")), // Other content of one revision: the first stands.
        silence(0, false),
        silence(1, true),
        silence(0, false),
    ];
    let of_alerts = [
        action(1, "S5:a:b", "spoke to them"),
        action(1, "S5:a:b", "spoke to them"),
        action(2, "S5:a:b", "again"),
        action(1, "S1:x:y:z", "another alert"),
        delivery(),
        AnyRecord::Tick(Tick { since: None }),
    ];
    of_contacts.iter().for_each(|record| pipeline.append(Topic::Contacts, record));
    of_alerts.iter().for_each(|record| pipeline.append(Topic::AlertEvents, record));
    pipeline.append_bytes(Topic::Contacts, b"k", b"\xff no record");
    let check = || conservation(&*pipeline.log, &Registry::default(), "fieldline.", &test.target, Deadlines::default()).unwrap();
    let before = check();
    // The tick and the delivery are nobody's word: 10 records of contacts, 4 actions.
    assert_eq!((before.records, before.missing.count, before.pending["raw-sink"]), (14, 14, 14), "{before:?}");

    let sink = pipeline.start(raw_sink::run, &test.target, &SinkConfig::default());
    pipeline.wait_until("all committed", || {
        pipeline.committed(raw_sink::GROUP, Topic::Contacts) == 10 && pipeline.committed(raw_sink::GROUP, Topic::AlertEvents) == 6
    });
    pipeline.control.stop();
    sink.join().unwrap().unwrap();
    // What can not be read is among the dead letters, which no results sink has brought over yet.
    let after = check();
    assert_eq!((after.records, after.missing.count, after.pending.get("raw-sink")), (14, 1, None), "{after:?}");

    let anna = "SELECT revision, display_name, team, contact_kind FROM contacts ORDER BY id";
    let standing = ["2\tAnna B.\t\\N\ttechnician", "0\tBen\tnorth\ttechnician"];
    test.check(anna, &standing);
    test.check(
        "SELECT revision, voided, team, note, dateDiff('minute', created_at, until) FROM silences",
        &["1\ttrue\tnorth\troadworks\t60"],
    );
    const ACTIONS: &str = "SELECT alert_id, flag, subject, action, reason, note, dateDiff('minute', toDateTime64('2026-03-02 08:00:00', 6, 'UTC'), created_at) \
         FROM alert_actions ORDER BY alert_id, id";
    let done = [
        "S1:x:y:z\tS1\tx:y\tresolve\tassisted\tanother alert\t1",
        "S5:a:b\tS5\ta\tresolve\tassisted\tspoke to them\t1",
        "S5:a:b\tS5\ta\tresolve\tassisted\tagain\t2",
    ];
    test.check(ACTIONS, &done);
    test.check(
        "SELECT (SELECT count() FROM contacts_log FINAL), (SELECT count() FROM silences_log FINAL), (SELECT count() FROM alert_actions_log FINAL)",
        &["6\t3\t4"],
    );
    // Names are for views: they join by the person's id.
    test.check(
        "SELECT c.display_name FROM alert_actions AS a LEFT JOIN contacts AS c ON c.id = a.actor_contact_id",
        &["", "", ""].map(|_| "\\N"),
    );

    // A row that is lost is missed.
    test.database.execute("ALTER TABLE alert_actions_log DELETE WHERE note = 'again' SETTINGS mutations_sync = 2").unwrap();
    assert_eq!(check().missing.count, 2);
}

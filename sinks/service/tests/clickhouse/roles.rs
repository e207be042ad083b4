//! Roles: what each may read and may not, tried as the role itself. The engine keeps no users that SQL makes, so the users
//! stand in a file, with the grants of our own statements; everything else is done by the statements as they are.

use crate::common;
use crate::results::{shift, stamp};
use crate::setup::{TestDatabase, activity, at, common as common_fields, technician};
use fieldline_schemas::events::{ActivityType, CallOutcome, CallType, CommunicationCall, Contact, ContactKind, Location};
use fieldline_schemas::ids::{ContactId, VehicleId};
use fieldline_sinks::engine::{Engine, EngineCommand};
use fieldline_sinks::roles::{self, Role};
use fieldline_sinks::{Answer, ClickHouseTarget, Database, Deadlines, Engines, migrate};
use fieldline_sinks_rows::{ActivityRows, CallRows, ContactRows, Position, ShiftRows};
use std::path::Path;

const NAME: &str = "fieldline";
const SECRETS: [&str; 6] = ["https://recordings/17", "said in confidence", "door code 4711", "Wharf 1", "Anna", "52.5"];

#[test]
fn every_view_is_classified() {
    let test = TestDatabase::new("roles_views");
    let views = test.lines("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name");
    let listed: Vec<_> = roles::VIEWS.iter().map(|(view, _)| view.to_string()).collect();
    assert_eq!(views, listed, "who sees a view stands in roles/policy.rs");
}

#[test]
fn every_statement_is_one_that_clickhouse_understands() {
    let test = TestDatabase::new("roles_statements");
    let statements = roles::statements(NAME, &roles::find(&test.target, Deadlines::default()).unwrap(), 7);
    assert!(statements.len() > 60, "{}", statements.len());
    for sql in statements {
        let escaped = sql.replace('\\', "\\\\").replace('\'', "\\'");
        assert!(!test.lines(&format!("SELECT formatQuery('{escaped}')")).is_empty(), "{sql}");
    }
}

/// The engine on a folder, with users of its own: it takes them from the folder that it runs in.
fn engine(data: &Path, users: &Path, default: &str) -> Engine {
    std::fs::write(users.join("config.xml"), "<clickhouse><users_config>users.xml</users_config></clickhouse>").unwrap();
    let user = |name: &str, rights: &str| {
        format!("<{name}><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>{rights}</{name}>")
    };
    let owner = user("fieldline_views_owner", &format!("<grants><query>GRANT SELECT ON {NAME}.*</query></grants>"));
    let users_file = format!(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>{}{owner}</users></clickhouse>",
        user("default", default)
    );
    std::fs::write(users.join("users.xml"), users_file).unwrap();
    let mut config = common::config(data);
    let mut arguments = vec!["-C".into(), users.into(), config.command.program.into_os_string()];
    arguments.append(&mut config.command.arguments);
    config.command = EngineCommand { program: "/usr/bin/env".into(), arguments, environment: config.command.environment };
    Engine::start(config).unwrap()
}

fn open(engine: &Engine, database: &str) -> (ClickHouseTarget, Database) {
    let target = ClickHouseTarget::embedded(&engine.endpoint(), database);
    let database = Database::open(&target, Deadlines::default()).unwrap();
    (target, database)
}

fn insert_secrets(test: &TestDatabase) {
    let place = |offset| Position { partition: 0, offset, received_at: at(offset) };
    let mut located = activity(1, 0, ActivityType::ArrivedOnSite);
    located.notes = Some("door code 4711".into());
    located.vehicle_id = Some(VehicleId::from_bytes([9; 16]));
    located.location =
        Some(Location { latitude: Some(52.5), longitude: Some(4.9), accuracy_meters: None, address: Some("Wharf 1".into()) });
    let mut activities = ActivityRows::default();
    activities.push(place(1), 0, &located);
    test.insert("technician_activity_log", &activities);
    let call = CommunicationCall {
        common: common_fields(2, 0),
        communication_message_id: None,
        call_type: CallType::Inbound,
        call_outcome: CallOutcome::Answered,
        duration_seconds: Some(95),
        wait_time_seconds: Some(3),
        recording_url: Some("https://recordings/17".into()),
        transcription: Some("said in confidence".into()),
        sentiment_score: None,
        sentiment_basis: None,
        transferred_to_contact_id: None,
        queue_name: Some("service".into()),
        ivr_path: None,
        channel_type: None,
        direction: None,
        started_at: None,
        agent_contact_id: Some(ContactId(technician(1).0)),
        thread_id: None,
        root_call_id: None,
        abandoned: None,
    };
    let mut calls = CallRows::default();
    calls.push(place(2), 0, &call);
    test.insert("communication_call_details_log", &calls);
    let mut contacts = ContactRows::default();
    let (id, kind) = (ContactId(technician(1).0), ContactKind::Technician);
    contacts.push(place(3), 0, &Contact { id, revision: 0, display_name: Some("Anna".into()), team: Some("north".into()), kind });
    test.insert("contacts_log", &contacts);
    let mut shifts = ShiftRows::default();
    shifts.push(&stamp(10, None), at(0), &shift(1));
    test.insert("shift_results", &shifts);
}

/// Everything that the role's database shows.
fn everything(database: &Database) -> String {
    let names = "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name";
    let text = |sql: &str| String::from_utf8(database.query(sql, "TabSeparated").unwrap_or_else(|error| panic!("{sql}: {error}"))).unwrap();
    text(names).lines().map(|view| format!("{view}: {}", text(&format!("SELECT * FROM {view}")))).collect()
}

#[test]
fn a_role_reads_its_views_and_nothing_beneath_them() {
    let (data, users) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let administrator = engine(data.path(), users.path(), "<access_management>1</access_management>");
    let (target, _) = open(&administrator, NAME);
    migrate(&target, Engines::Single, Deadlines::default()).unwrap();
    let test = TestDatabase { target: target.clone(), database: open(&administrator, NAME).1 };
    insert_secrets(&test);
    // The engine has no place for users that SQL makes: the first statement fails, and nothing is changed.
    let refused = roles::apply(&target, Deadlines::default(), 7).unwrap_err();
    assert!(refused.to_string().starts_with("statement 1 of "), "{refused}");
    test.check("SELECT count() FROM system.databases WHERE name LIKE 'fieldline_%'", &["0"]);
    let found = roles::find(&target, Deadlines::default()).unwrap();
    let statements = roles::statements(NAME, &found, 0x5eed << 64 | 0x5ec8e7);
    let (of_users, of_views): (Vec<_>, Vec<_>) =
        statements.iter().partition(|sql| ["CREATE USER", "CREATE ROLE", "GRANT "].iter().any(|start| sql.starts_with(start)));
    for _ in 0..2 {
        of_views.iter().for_each(|sql| test.database.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}")));
    }
    test.check("SELECT count() FROM pseudonym_key", &["1"]);
    // A view that a role saw once is taken away.
    test.database.execute(&format!("CREATE VIEW {NAME}_analyst.safety_board AS SELECT 1 AS x")).unwrap();
    let again = roles::statements(NAME, &roles::find(&target, Deadlines::default()).unwrap(), 8);
    let dropped: Vec<_> = again.iter().filter(|sql| sql.starts_with("DROP")).collect();
    assert_eq!(dropped, ["DROP VIEW IF EXISTS fieldline_analyst.safety_board"]);
    test.database.execute(dropped[0]).unwrap();
    drop(test);
    drop(administrator);

    for role in Role::ALL {
        let name = format!("{NAME}_{}", role.name());
        let to = format!(" TO {name}");
        let grants: Vec<_> = of_users.iter().filter_map(|sql| sql.strip_suffix(&to)).collect();
        assert_eq!(grants, [format!("GRANT SELECT ON {name}.*")]);
        let engine = engine(data.path(), users.path(), &format!("<grants><query>{}</query></grants>", grants[0]));
        let (_, database) = open(&engine, &name);
        let seen = everything(&database);
        let expected: &[&str] = match role {
            Role::Analyst => &[],
            Role::Safety => &["door code 4711", "Wharf 1", "Anna", "52.5"],
            Role::Compliance => &["Anna"],
            Role::Recordings => &["https://recordings/17", "said in confidence"],
        };
        let found: Vec<_> = SECRETS.into_iter().filter(|secret| seen.contains(secret)).collect();
        let expected: Vec<_> = SECRETS.into_iter().filter(|secret| expected.contains(secret)).collect();
        assert_eq!(found, expected, "{role:?}");
        let knows_who = seen.contains(&technician(1).to_string());
        assert_eq!(knows_who, role != Role::Analyst, "{role:?}");

        let denied = |sql: &str| match database.query(sql, "TabSeparated") {
            Err(Answer::Refused { code: Some(497), .. }) => {}
            other => panic!("{role:?} {sql}: {other:?}"),
        };
        for table in
            ["technician_activity_log", "communication_call_details_log", "dead_letters_log", "shifts", "contacts", "pseudonym_key"]
        {
            denied(&format!("SELECT * FROM {NAME}.{table}"));
        }
        denied(&format!("SELECT count() FROM {NAME}.technician_activity_log WHERE notes LIKE 'door%'"));
        let view = if role == Role::Recordings { "communication_call_details" } else { "shifts" };
        denied(&format!("DROP VIEW {view}"));
        denied(&format!("INSERT INTO {NAME}.pseudonym_key VALUES (1, 1)"));
        denied("SELECT * FROM file('/etc/hostname', 'LineAsString')");
        let text = String::from_utf8(database.query(&format!("SHOW CREATE VIEW {view}"), "TabSeparated").unwrap()).unwrap();
        assert!(!text.contains(&0x5eed.to_string()) && !text.contains(&0x5ec8e7.to_string()), "{text}");
        if role == Role::Analyst {
            // A person is one person everywhere, and the figures are those of the base.
            let joined = "SELECT c.team, round(100 * s.utilisation, 2), k.queue_name, toString(s.technician_contact_id) FROM shifts AS s \
                 INNER JOIN contacts AS c ON c.id = s.technician_contact_id \
                 INNER JOIN communication_call_details AS k ON k.agent_contact_id = s.technician_contact_id";
            let line = String::from_utf8(database.query(joined, "TabSeparated").unwrap()).unwrap();
            assert!(line.starts_with("north\t88.67\tservice\t") && !line.contains("70010000"), "{line}");
        }
    }
}

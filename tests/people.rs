//! What people said and wrote stays where it belongs: in the records of it, and nowhere else.

use crate::support::folder::Folder;

const SECRETS: [&str; 3] = ["https://recordings.example/17", "SAID-IN-CONFIDENCE", "WRITTEN-BY-HAND"];
/// The only places of free text and recordings: the facts themselves, and the original bytes of what was refused.
const PLACES: &[&str] = &[
    "communication_call_details",
    "communication_call_details_log",
    "dead_letters",
    "dead_letters_log",
    "technician_activity",
    "technician_activity_log",
];

fn call(id: u32, rest: &str) -> String {
    format!(
        "{{\"event\":\"communication_call_details\",\"id\":\"0190a0a0-0000-7000-8000-0000000001{id:02}\",\"created_at\":\"2026-02-02T09:00:00Z\",\
         \"call_type\":\"inbound\",\"recording_url\":\"{}\",\"transcription\":\"{}\"{rest}}}\n",
        SECRETS[0], SECRETS[1]
    )
}

fn activity(id: u32, time: &str, kind: &str, rest: &str) -> String {
    format!(
        "{{\"event\":\"technician_activity\",\"id\":\"0190a0a0-0000-7000-8000-0000000002{id:02}\",\"created_at\":\"2026-02-02T{time}Z\",\
         \"technician_contact_id\":\"0190a0a0-0000-7000-8000-00000000000a\",\"activity_type\":\"{kind}\",\"notes\":\"{}\"{rest}}}\n",
        SECRETS[2]
    )
}

#[test]
fn recordings_transcripts_and_notes_are_in_no_alert_log_or_error() {
    let huge = SECRETS[1].repeat(40_000);
    let lines = [
        activity(1, "08:00:00", "shift_start", ""),
        // Pages, with what was written on it; the shift is never ended, so that flags are raised later.
        activity(2, "08:30:00", "emergency_stop", ",\"metadata\":{\"said\":\"WRITTEN-BY-HAND\"}"),
        activity(3, "08:45:00", "work_started", ",\"visit_id\":\"0190a0a0-0000-7000-8000-00000000000b\""),
        call(1, ",\"call_outcome\":\"answered\",\"queue_name\":\"service\",\"ivr_path\":[\"SAID-IN-CONFIDENCE\"]"),
        // Refused, each for another reason, with the secret in the field at fault or beside it.
        call(2, ""),
        call(3, ",\"call_outcome\":\"SAID-IN-CONFIDENCE\""),
        call(4, ",\"call_outcome\":\"answered\",\"started_at\":\"SAID-IN-CONFIDENCE\""),
        call(5, ",\"call_outcome\":\"answered\",\"agent_contact_id\":\"SAID-IN-CONFIDENCE\""),
        call(6, ",\"call_outcome\":\"answered\",\"transcription\":\"SAID-IN-CONFIDENCE\""),
        call(7, ",\"call_outcome\":\"answered\",\"metadata\":{\"SAID-IN-CONFIDENCE\":1,\"SAID-IN-CONFIDENCE\":2}"),
        call(8, &format!(",\"call_outcome\":\"answered\",\"ivr_path\":[\"{huge}\"]")),
        activity(4, "09:00:00", "WRITTEN-BY-HAND", ""),
        activity(5, "09:00:00", "left_site", ",\"location\":\"WRITTEN-BY-HAND\""),
        "{\"event\":\"WRITTEN-BY-HAND\",\"notes\":\"WRITTEN-BY-HAND\"}\n".to_owned(),
        "WRITTEN-BY-HAND SAID-IN-CONFIDENCE\n".to_owned(),
    ];
    let folder = Folder::new();
    let file = folder.write("secrets.ndjson", &lines);
    let outcome = folder.run(&["--log", "trace", "import", "--as-live", "--until", "2026-02-03T12:00:00Z", &file]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let tells = |text: &str| SECRETS.into_iter().find(|secret| text.contains(secret));
    assert_eq!(tells(&outcome.stdout), None, "{}", outcome.stdout);
    for line in outcome.stderr.lines() {
        assert_eq!(tells(line), None, "{line}");
    }
    assert_eq!(folder.number("SELECT count() FROM dead_letters"), 11);
    let verified = folder.ok(&["--log", "trace", "verify", "--json"]);
    assert_eq!(tells(&verified.stdout).or(tells(&verified.stderr)), None);

    let tables = folder.rows("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name");
    let mut told = Vec::new();
    for table in tables.concat() {
        let text = folder.ok(&["sql", "--format", "TSV", &format!("SELECT * FROM {table}")]).stdout;
        if tells(&text).is_some() {
            told.push(table);
        }
    }
    assert_eq!(told, PLACES);
    // Of what was refused, only the bytes themselves.
    let letters = folder.ok(&["sql", "--format", "TSV", "SELECT * EXCEPT (payload) FROM dead_letters"]).stdout;
    assert_eq!(tells(&letters), None, "{letters}");

    // An import pages nobody; as if live it would: with what was written on the emergency_stop in its record, and not in the page.
    let replayed = folder.ok(&["--log", "trace", "backtest", "--until", "2026-02-03T12:00:00Z", "--json", &file]);
    assert!(replayed.stdout.contains("S1:") && replayed.stdout.contains("S5:"), "nothing was flagged: {replayed:?}");
    assert_eq!(tells(&replayed.stdout).or(tells(&replayed.stderr)), None);
}

#[test]
fn roles_need_a_server_with_users_and_can_be_looked_at_without_one() {
    let folder = Folder::new();
    let outcome = folder.run(&["roles"]);
    assert!(outcome.code == Some(2) && outcome.stderr.contains("clickhouse.url"), "{outcome:?}");
    folder.import(&[&folder.write("one.ndjson", &[activity(1, "08:00:00", "shift_start", "")])]);
    let printed = folder.ok(&["roles", "--print"]).stdout;
    let statements: Vec<_> = printed.lines().collect();
    assert!(statements.iter().all(|line| line.ends_with(';')), "{printed}");
    assert!(statements.contains(&"GRANT SELECT ON fieldline_recordings.* TO fieldline_recordings;"), "{printed}");
    let analyst =
        statements.iter().find(|line| line.starts_with("CREATE OR REPLACE VIEW fieldline_analyst.communication_call_details ")).unwrap();
    assert!(
        analyst.contains("SQL SECURITY DEFINER") && !analyst.contains("transcription") && !analyst.contains("recording_url"),
        "{analyst}"
    );
    assert_ne!(printed, folder.ok(&["roles", "--print"]).stdout, "the key is one that can be guessed");
}

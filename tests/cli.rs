//! What the command line promises: exit codes, settings, what goes to which stream.

use crate::support::folder::{Folder, Outcome, Running, bare_command, signal_process, wait_until};
use crate::support::{events, log};
use rustix::process::Signal;
use serde_json::Value;

fn bare(arguments: &[&str]) -> Outcome {
    let mut command = bare_command();
    command.args(arguments);
    Running::start(command).finish()
}

#[test]
fn a_wrong_command_line_or_setting_is_exit_code_2() {
    let cases: &[(&[&str], &str)] = &[
        (&["--no-such-option"], "--no-such-option"),
        (&["no-such-command"], "no-such-command"),
        (&["import"], "FILE"),
        (&["import", "x", "--until", "2026-03-29T06:00:00Z"], "--as-live"),
        (&["simulate", "--faults", "some"], "some"),
        (&["simulate", "--technicians", "0"], "0"),
        (&["--set", "sinks.batch_rows", "config"], "NAME=VALUE"),
        (&["--set", "sinks.batch_rowz=1", "run"], "sinks.batch_rowz"),
        (&["--set", "topics.partitions=0", "run"], "topics.partitions"),
        (&["--config", "no-such-file.toml", "run"], "no-such-file.toml"),
        (&["sql", "SELECT 1", "--format", "JSON; DROP"], "JSON; DROP"),
        (&["import", "Cargo.toml", "--as-live", "--until", "2026-03-29T06:00:00"], "offset"),
        (&["simulate", "--start", "2026-02-30"], "2026-02-30"),
        (&["--log", "nope", "run"], "nope"),
        (&["--set", "definition.number=0", "run"], "definition.number"),
        (&["--set", "definition.number=4096", "run"], "definition.number"),
        (&["--set", "sinks.linger=1", "run"], "those of sinks are sinks.batch_rows, sinks.linger_ms; `fieldline config`"),
        (&["topics", "check"], "kafka.brokers"),
        (&["run", "--role", "sinks"], "kafka.brokers"),
    ];
    for (arguments, named) in cases {
        let outcome = bare(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(named) && outcome.stdout.is_empty(), "{arguments:?}: {outcome:?}");
    }
}

/// The reading end of a pipe goes away, as in `| head -1`; what was begun is done all the same, and the exit code tells how it ended.
#[test]
fn nothing_ends_because_nobody_reads() {
    let unread = |command: &mut std::process::Command| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdin(std::process::Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
    };
    let folder = Folder::new();
    let file = folder.write("broken.ndjson", &["{}\n".to_owned()]);
    for (arguments, code) in
        [(&["config"][..], 0), (&["engine", "status"], 0), (&["import", &file], 3), (&["verify"], 0), (&["topics", "check"], 2)]
    {
        let mut command = folder.command(arguments);
        unread(&mut command);
        assert_eq!(command.status().unwrap().code(), Some(code), "{arguments:?}");
    }
    let mut command = folder.command(&["run"]);
    unread(&mut command);
    let mut run = command.spawn().unwrap();
    wait_until("the pipeline runs", || folder.path().join("api.json").exists());
    signal_process(run.id(), Signal::TERM);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_is_not_there_is_named_while_it_is_waited_for() {
    let folder = Folder::new();
    let mut asking = folder.spawn(&["--set", "clickhouse.url=http://127.0.0.1:1", "sql", "SELECT 1"]);
    asking.wait_until_said("http://127.0.0.1:1 is asked again");
    asking.kill_all();
}

#[test]
fn help_and_version_are_printed() {
    let help = bare(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["demo", "import", "simulate", "run", "sql", "verify", "engine", "config", "Exit codes"] {
        assert!(help.stdout.contains(command), "{command}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("engine-serve"), "{}", help.stdout);
    assert_eq!(bare(&["--version"]).stdout.trim(), format!("fieldline {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_printed_sample_is_taken_as_a_settings_file() {
    let sample = bare(&["config"]);
    assert_eq!(sample.code, Some(0));
    assert!(sample.stdout.contains("[sinks]") && sample.stdout.contains("FIELDLINE_KAFKA_BROKERS"), "{}", sample.stdout);
    let folder = Folder::new().with_log();
    let file = folder.write("fieldline.toml", &[sample.stdout]);
    let outcome = folder.ok(&["--config", &file, "sql", "--format", "TSV", "SELECT 1"]);
    assert_eq!(outcome.stdout, "1\n");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let folder = Folder::new().with_log();
    let file = folder.write("fieldline.toml", &["[clickhouse]\ndatabase = \"of_the_file\"\n".to_owned()]);
    let asked = |environment: Option<&str>, flag: Option<&str>| {
        let mut command = folder.command(&["--config", &file]);
        if let Some(name) = environment {
            command.env("FIELDLINE_CLICKHOUSE_DATABASE", name);
        }
        if let Some(name) = flag {
            command.arg("--set").arg(format!("clickhouse.database={name}"));
        }
        command.args(["sql", "--format", "TSV", "SELECT currentDatabase()"]);
        let outcome = Running::start(command).finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout.trim().to_owned()
    };
    assert_eq!(asked(None, None), "of_the_file");
    assert_eq!(asked(Some("of_the_environment"), None), "of_the_environment");
    assert_eq!(asked(Some("of_the_environment"), Some("of_the_flag")), "of_the_flag");
}

#[test]
fn the_data_folder_may_come_from_the_environment() {
    let folder = Folder::new().with_log();
    let mut command = bare_command();
    command.env("FIELDLINE_DATA_DIR", folder.path()).args(["sql", "--format", "TSV", "SELECT 1"]);
    assert_eq!(Running::start(command).finish().code, Some(0));
    assert!(folder.path().join("clickhouse").exists() || std::fs::read_dir(folder.path()).unwrap().next().is_some());
}

#[test]
fn a_failing_query_is_exit_code_5_with_its_reason_on_standard_error_only() {
    let folder = Folder::new().with_log();
    for (query, named) in [
        ("SELECT no_such_column FROM shifts", "no_such_column"),
        ("SELEC 1", "Syntax error"),
        ("SELECT throwIf(1, 'on purpose')", "on purpose"),
    ] {
        let outcome = folder.run(&["sql", query]);
        assert_eq!(outcome.code, Some(5), "{outcome:?}");
        assert!(outcome.stderr.contains(named) && outcome.stdout.is_empty(), "{outcome:?}");
    }
}

#[test]
fn a_missing_file_is_exit_code_5_and_named() {
    let folder = Folder::new();
    let outcome = folder.run(&["import", "no/such/file.ndjson"]);
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    assert!(outcome.stderr.contains("opening no/such/file.ndjson") && outcome.stderr.contains("import again"), "{outcome:?}");
    assert!(!folder.path().exists(), "nothing is made for a name that is mistyped");
}

#[test]
fn everything_that_prints_a_table_prints_json_too() {
    let folder = Folder::new();
    let file = folder.write("days.ndjson", &events::simulated(3, 1, 81, "none"));
    let simulate = ["simulate", "--publish", "--technicians", "2", "--days", "1", "--start", "2026-02-02", "--json"];
    for arguments in [&["import", "--json", &file][..], &simulate, &["verify", "--json"], &["engine", "status", "--json"]] {
        let outcome = folder.ok(arguments);
        assert!(serde_json::from_str::<Value>(&outcome.stdout).is_ok(), "{arguments:?}: {outcome:?}");
    }
    let formats = [("JSONEachRow", "{\"a\":1}\n"), ("CSVWithNames", "\"a\"\n1\n"), ("TSV", "1\n")];
    for (format, text) in formats {
        assert_eq!(folder.ok(&["sql", "SELECT 1 AS a", "--format", format]).stdout, text);
    }
    let demo = folder.ok(&["demo", "--technicians", "5", "--seconds", "0", "--json"]);
    assert!(serde_json::from_str::<Value>(&demo.stdout).is_ok(), "{demo:?}");
}

#[test]
fn a_run_holds_its_folder_answers_queries_and_stops_when_asked() {
    let folder = Folder::new();
    folder.import(&[&folder.write("days.ndjson", &events::simulated(5, 2, 82, "light"))]);
    let shifts = folder.number("SELECT count() FROM shifts");
    let mut run = folder.spawn(&["run"]);
    run.wait_until_said("fieldline runs on");

    // A query beside it asks its engine.
    wait_until("the run answers", || folder.run(&["sql", "SELECT 1"]).code == Some(0));
    assert_eq!(folder.number("SELECT count() FROM shifts"), shifts);

    // Any other command on the folder says who holds it.
    let file = folder.write("more.ndjson", &events::simulated(1, 1, 83, "none"));
    for arguments in [&["run"][..], &["import", &file], &["verify"], &["simulate", "--publish", "--technicians", "1"]] {
        let outcome = folder.run(arguments);
        assert!(outcome.code == Some(4) && outcome.stderr.contains("stop that process first"), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(&run.id().to_string()), "{arguments:?} names the holder {}: {outcome:?}", run.id());
    }
    assert!(run.is_alive());

    let engine = run.engine().unwrap();
    run.signal(Signal::TERM);
    let outcome = run.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!crate::support::folder::is_process_alive(engine), "the engine ends with the run");
    assert_eq!(log::pending(&folder), 0);
    assert_eq!(folder.number("SELECT count() FROM shifts"), shifts);
}

#[test]
fn standard_input_can_be_imported_and_asked() {
    let folder = Folder::new();
    let lines = events::simulated(3, 1, 84, "none");
    let file = folder.write("days.ndjson", &lines);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!(
        "'{}' --data-dir '{}' import - --json < '{file}'",
        env!("CARGO_BIN_EXE_fieldline"),
        folder.path().display()
    ));
    let outcome = Running::start(shell).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let summary: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["lines"], lines.len());
    assert_eq!(folder.number("SELECT count() FROM technician_activity_log"), events::count_of(&lines, "technician_activity") as i64);
}

#[test]
fn a_relative_data_folder_is_taken_from_where_the_command_is_given_and_no_settings_of_others() {
    let folder = Folder::new();
    let beside = folder.path().parent().unwrap().to_owned();
    std::fs::create_dir_all(beside.join("here/log")).unwrap();
    // Somebody else's: the engine would take users and settings from it.
    std::fs::write(beside.join("config.xml"), "<clickhouse><users_config>nowhere.xml</users_config></clickhouse>").unwrap();
    let mut command = bare_command();
    command.current_dir(&beside).args(["--data-dir", "./here", "sql", "--format", "TSV", "SELECT count() FROM shifts"]);
    let outcome = Running::start(command).finish();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "0\n"), "{outcome:?}");
    assert!(beside.join("here/clickhouse").exists());
}

#[test]
fn a_folder_without_data_is_exit_code_2_and_is_not_made() {
    let folder = Folder::new();
    for arguments in [&["sql", "SELECT 1"][..], &["verify"]] {
        let outcome = folder.run(arguments);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("there is no data in") && outcome.stdout.is_empty(), "{outcome:?}");
    }
    assert!(!folder.path().exists());
}

/// What the message about changed settings says can be done, and does what it says.
#[test]
fn settings_of_the_definition_change_with_its_number() {
    let activity = |technician: u8, number: u8, kind: &str, at: &str| {
        format!(
            "{{\"event\":\"technician_activity\",\"id\":\"0190a0a0-0000-7000-8000-0000000000{technician}{number}\",\"created_at\":\"{at}\",\
             \"technician_contact_id\":\"0190a0a0-0000-7000-8000-00000000000{technician}\",\"activity_type\":\"{kind}\"}}\n"
        )
    };
    let day = |technician| {
        [activity(technician, 1, "shift_start", "2026-02-02T08:00:00Z"), activity(technician, 2, "shift_end", "2026-02-02T16:00:00Z")]
    };
    let folder = Folder::new();
    let days = folder.write("days.ndjson", &[day(1), day(2)].concat());
    let until = |time: &'static str| ["import", "--as-live", "--until", time];
    let rows = |folder: &Folder| folder.rows("SELECT definition_version, finality FROM shifts ORDER BY technician_contact_id");
    folder.ok(&[&until("2026-02-06T00:00:00Z")[..], &[&days]].concat());
    assert_eq!(rows(&folder), [["1", "final"], ["1", "final"]]);

    let late = folder.write(
        "late.ndjson",
        &[activity(1, 3, "fuel_stop", "2026-02-02T12:00:00Z").replace("{\"event\"", "{\"received_at\":\"2026-02-06T01:00:00Z\",\"event\"")],
    );
    let hours = ["--set", "definition.finality_hours=100"];
    let outcome = folder.run(&[&hours[..], &until("2026-02-06T02:00:00Z"), &[&late]].concat());
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    assert!(outcome.stderr.contains("Set definition.number to 2 or higher"), "{outcome:?}");

    let numbered = ["--set", "definition.finality_hours=100", "--set", "definition.number=2"];
    folder.ok(&[&numbered[..], &until("2026-02-06T02:00:00Z"), &[&late]].concat());
    assert_eq!(rows(&folder)[0], ["2", "provisional"], "touched");
    assert_eq!(rows(&folder)[1], ["1", "final"], "as it was");
    let report: Value = serde_json::from_str(&folder.ok(&[&numbered[..], &["verify", "--json"]].concat()).stdout).unwrap();
    assert_eq!(report["results"]["apart"]["first"][0]["because"], "definition", "{report}");

    let behind = folder.run(&[&until("2026-02-06T03:00:00Z")[..], &[&late]].concat());
    assert_eq!(behind.code, Some(5), "{behind:?}");
    assert!(behind.stderr.contains("set definition.number to 3 or higher"), "{behind:?}");
    folder.ok(&[&numbered[..], &until("2026-02-06T21:00:00Z"), &[&late]].concat());
    assert_eq!(rows(&folder)[0], ["2", "final"]);
}

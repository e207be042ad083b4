//! Alerts as people meet them: on the command line beside a `run`, over HTTP behind a token, in a backtest, in the demo.

use crate::support::desk::SafetyDesk;
use crate::support::events;
use crate::support::folder::{Folder, wait_until};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Status of a request to `address`.
fn status(address: &str, method: &str, path: &str, token: Option<&str>, body: &str) -> u16 {
    answer(address, method, path, token, body).split(' ').nth(1).unwrap().parse().unwrap()
}

/// The whole answer.
fn answer(address: &str, method: &str, path: &str, token: Option<&str>, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n{authorization}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_running_process_takes_actions_from_commands_and_over_http() {
    const TOKEN: &str = "a token of the test's own";
    let folder = Folder::new();
    let api = ["--set", "api.listen=127.0.0.1:0", "--set", &format!("api.token={TOKEN}"), "run"];
    let mut run = folder.spawn(&api);
    run.wait_until_said("fieldline runs on");

    let tested = folder.ok(&["alerts", "test", "--severity", "critical"]);
    assert!(tested.stdout.contains("terminal") && tested.stdout.contains("acknowledged"), "{tested:?}");
    assert!(run.said("stderr").contains("a test of the way to the receivers"), "{}", run.said("stderr"));
    let listed = folder.ok(&["alerts", "list", "--all", "--flag", "S12", "--json"]);
    let alert: serde_json::Value = serde_json::from_str(listed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&alert["state"], &alert["severity"]), (&"resolved".into(), &"critical".into()));
    assert_eq!(folder.ok(&["alerts", "list"]).stdout.matches("S12").count(), 0, "what is resolved is listed with --all only");
    let shown = folder.ok(&["alerts", "show", alert["alert_id"].as_str().unwrap(), "--json"]);
    assert!(shown.stdout.contains("\"step\":\"notified\""), "{shown:?}");

    for (arguments, told) in [
        (&["alerts", "resolve", "nonsense"][..], "no alert id"),
        (&["alerts", "resolve", "S1:a:b"], "reason"),
        (&["alerts", "resolve", "S1:a:b", "--reason", "boredom"], "false_alarm"),
        (&["alerts", "silence", "--until", "8h", "--flag", "S1"], "S1 and S6"),
        (&["alerts", "silence", "--until", "2020-01-01T00:00:00Z"], "over already"),
        (&["alerts", "note", "S5:a:b"], "--note"),
        (&["alerts", "list", "--flag", "S9"], "S14"),
        (&["alerts", "test", "--severity", "dire"], "critical"),
    ] {
        let outcome = folder.run(arguments);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(told), "{arguments:?}: {outcome:?}");
    }
    folder.ok(&["alerts", "silence", "--until", "8h", "--flag", "S11", "--note", "roadworks"]);
    let unknown = folder.run(&["alerts", "show", "S1:a:b"]);
    assert!(unknown.code == Some(5) && unknown.stderr.contains("no alert \"S1:a:b\""), "{unknown:?}");
    let none = folder.ok(&["alerts", "list", "--flag", "S7"]);
    assert!(none.stdout.is_empty() && none.stderr.contains("no such alert is open"), "{none:?}");

    let said = run.said("stderr");
    let address = said.split("actions on alerts at http://").nth(1).unwrap().split('/').next().unwrap();
    let acknowledge = "/v1/alerts/S5:a:b/acknowledge";
    assert_eq!(status(address, "POST", acknowledge, None, "{}"), 401);
    assert_eq!(status(address, "POST", acknowledge, Some("another token altogether"), "{}"), 401);
    let known = format!("/v1/alerts/{}/note", alert["alert_id"].as_str().unwrap());
    assert_eq!(status(address, "POST", &known, Some(TOKEN), "{\"note\":\"seen\"}"), 202);
    assert_eq!(status(address, "POST", acknowledge, Some(TOKEN), "{}"), 404, "nobody has opened it");
    assert_eq!(status(address, "POST", "/v1/alerts/S1:a:b/resolve", Some(TOKEN), "{}"), 400);
    assert_eq!(status(address, "POST", "/v1/alerts/S5:a:b/explode", Some(TOKEN), "{}"), 404);
    assert_eq!(status(address, "POST", acknowledge, Some(TOKEN), &format!("{{\"note\":\"{}\"}}", "x".repeat(200_000))), 413);
    for (method, path, body, code) in [
        ("GET", "/v1/alerts?flag=S5'%20OR%201", "", 400),
        ("GET", "/v1/alerts?flags=S5", "", 400),
        ("GET", "/v1/alerts/S5:a:b", "", 404),
        ("GET", "/v1/alert", "", 404),
        ("DELETE", "/v1/alerts", "", 405),
        ("POST", acknowledge, "{\"remark\":\"seen\"}", 422),
        ("POST", acknowledge, "{", 400),
        ("POST", &known, "{}", 400),
        ("POST", &known, "{\"note\":\" \"}", 400),
        ("POST", "/v1/silences", "{}", 422),
    ] {
        let refused = answer(address, method, path, Some(TOKEN), body);
        assert!(refused.starts_with(&format!("HTTP/1.1 {code}")) && refused.contains("{\"error\":\""), "{method} {path}: {refused}");
    }
    assert!(!said.contains(TOKEN), "{said}");
}

/// Synthetic emergencies go round while nobody but the metrics and the switch outside hears of them.
#[test]
fn the_watch_pings_outside_and_leaves_no_trace_where_people_look() {
    let (folder, outside) = (Folder::new(), SafetyDesk::start());
    let ping = format!("watch.ping_url={}", outside.url);
    let mut run = folder.spawn(&["--set", "watch.beat_seconds=1", "--set", &ping, "--set", "observe.listen=127.0.0.1:0", "run"]);
    run.wait_until_said("fieldline runs on");
    wait_until("the switch outside is pinged", || outside.told().len() >= 3);
    let said = run.said("stderr");
    let address = said.split("metrics at http://").nth(1).unwrap().split('/').next().unwrap();
    let page = answer(address, "GET", "/metrics", None, "");
    let value = |name: &str| -> f64 {
        let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("fieldline_watch_beat_age_seconds") < 30.0, "{page}");
    assert!(value("fieldline_watch_beat_seconds_count") >= 24.0, "each beat goes through eight partitions: {page}");
    assert!(value("fieldline_watch_pings_total{outcome=\"acknowledged\"}") >= 2.0, "{page}");
    assert_eq!(status(address, "GET", "/readyz", None, ""), 200);
    // What is not there yet would come within a second.
    std::thread::sleep(std::time::Duration::from_secs(2));
    for view in
        ["alerts", "alerts_history", "safety_board", "alert_deliveries", "technician_activity", "emergencies_undelivered", "dead_letters"]
    {
        assert_eq!(folder.number(&format!("SELECT count() FROM {view}")), 0, "{view}");
    }
    assert!(!run.said("stderr").contains("ALERT"), "{}", run.said("stderr"));
}

#[test]
fn a_listener_without_a_token_is_refused() {
    let outcome = Folder::new().run(&["--set", "api.listen=127.0.0.1:0", "run"]);
    assert!(outcome.code == Some(2) && outcome.stderr.contains("api.token"), "{outcome:?}");
}

#[test]
fn a_backtest_tells_the_same_twice_and_what_a_threshold_changes() {
    let folder = Folder::new();
    let file = folder.write("day.ndjson", &events::simulated(60, 2, 5, "heavy"));
    let pages = |arguments: &[&str]| folder.ok(&[arguments, &["backtest", &file]].concat()).stdout;
    let (first, second) = (pages(&[]), pages(&[]));
    assert_eq!(first, second);
    assert!(first.contains("S5:") && first.lines().last().is_some_and(|line| !line.contains("nobody")), "{first}");
    let both = pages(&["--set", "flags.travel_hours=1"]);
    assert!(both.starts_with("before") && both.contains("after"), "{both}");
    let json: serde_json::Value = serde_json::from_str(&folder.ok(&["backtest", &file, "--json"]).stdout).unwrap();
    let opened = json["pages"].as_array().unwrap().iter().filter(|page| page["step"] == "opened").count() as u64;
    let alerts: u64 = json["flags"].as_object().unwrap().values().map(|tally| tally["alerts"].as_u64().unwrap()).sum();
    assert!(opened > 0 && opened <= alerts, "{opened} of {alerts}");
    assert!(!folder.path().join("backtest").exists(), "nothing of it stays");
}

//! A real Alertmanager, where its program is; `FIELDLINE_DEMAND_ALERTMANAGER` says that it must be.

use crate::bench::{Running, alert, append_alerts, config, log, resolved, wait_until};
use fieldline_schemas::alerts::FlagCode;
use fieldline_sinks::deliver::{Channel, Endpoint, Receiver};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Debian's name, then everyone else's.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

struct Alertmanager {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    program: &'static str,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Alertmanager {
    fn find() -> Option<&'static str> {
        let is_there = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        let found = PROGRAMS.into_iter().find(is_there);
        if found.is_none() {
            assert!(std::env::var_os("FIELDLINE_DEMAND_ALERTMANAGER").is_none(), "no Alertmanager is installed, and it is demanded");
            println!("left out: no Alertmanager is installed");
        }
        found
    }

    fn start(program: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
        std::fs::write(folder.path().join("alertmanager.yml"), settings).unwrap();
        let port = free_port();
        let mut alertmanager = Self { child: Self::spawn(program, &folder, port), port, folder, program };
        alertmanager.wait();
        alertmanager
    }

    fn spawn(program: &str, folder: &tempfile::TempDir, port: u16) -> Child {
        Command::new(program)
            .arg(format!("--config.file={}", folder.path().join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // Alone: no gossip, no port for it.
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn wait(&mut self) {
        wait_until("Alertmanager is ready", || {
            assert!(self.child.try_wait().unwrap().is_none(), "Alertmanager has ended");
            self.get("/-/ready").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Kills it and starts it anew on the same port: it has forgotten its alerts.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(self.program, &self.folder, self.port);
        self.wait();
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Alerts that it holds open.
    fn active(&self) -> Vec<Value> {
        let (status, body) = self.get("/api/v2/alerts?active=true").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_real_alertmanager_opens_keeps_and_resolves() {
    let Some(program) = Alertmanager::find() else { return };
    let mut alertmanager = Alertmanager::start(program);
    let log = log();
    let channel = Channel::Alertmanager {
        endpoint: Endpoint::new(&format!("http://127.0.0.1:{}/", alertmanager.port)),
        resend_every: Duration::from_millis(500),
    };
    let running = Running::start(config(vec![Receiver::new("am", channel)]), log.clone());
    let (emergency, missing_end) = (alert(1, FlagCode::S1, 1), alert(2, FlagCode::S5, 1));
    append_alerts(log.as_ref(), [emergency.clone(), missing_end]);
    wait_until("both are open", || alertmanager.active().len() == 2);
    let open = alertmanager.active();
    let found = open.iter().find(|open| open["labels"]["alertname"] == "S1").unwrap();
    assert_eq!(found["labels"]["alert_id"].as_str(), Some(&*emergency.alert_id));
    assert_eq!(found["labels"]["severity"], "critical");
    assert_eq!(found["labels"]["technician"].as_str(), Some(&*emergency.technician_contact_id.unwrap().to_string()));
    assert_eq!(found["annotations"]["description"].as_str(), Some(&*emergency.reasoning));

    // It forgets, and is told again without a new notification.
    let recorded = crate::bench::deliveries(log.as_ref(), fieldline_schemas::Topic::Deliveries).len();
    alertmanager.restart();
    wait_until("both are open again", || alertmanager.active().len() == 2);
    assert!(running.control.receivers[0].repeated.load(Ordering::Relaxed) >= 2);
    assert_eq!(crate::bench::deliveries(log.as_ref(), fieldline_schemas::Topic::Deliveries).len(), recorded);

    append_alerts(log.as_ref(), [resolved(alert(2, FlagCode::S5, 2))]);
    wait_until("one is resolved", || alertmanager.active().len() == 1);
    // Repetitions of the other do not bring it back.
    std::thread::sleep(Duration::from_secs(2));
    let open = alertmanager.active();
    assert_eq!((open.len(), &open[0]["labels"]["alertname"]), (1, &Value::from("S1")));
    append_alerts(log.as_ref(), [resolved(alert(1, FlagCode::S1, 2))]);
    wait_until("nothing is open", || alertmanager.active().is_empty());
    running.end().unwrap();
}

//! The same binary on real Apache Kafka, in processes of their own: engine, processors, sinks, importers.

mod alerts;
mod crowd;
mod definitions;
mod figures;
mod latency;
mod operations;
mod rebuild;
mod refused;
mod registry;
mod same_views;
mod shares;
mod soak;
#[cfg(feature = "tls")]
mod tokens;

use crate::support::folder::{Folder, Outcome, Running};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A member that dies is missed after this; the brokers allow no less.
const SESSION_MS: u64 = 6_000;

/// One broker for all tests that do not harm it; it dies with the test process.
fn shared_kafka() -> Option<&'static Kafka> {
    static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start_or_leave_out(KafkaOptions::default())).as_ref()
}

/// A pipeline on Kafka with topics of its own, and an engine in a folder of its own.
struct Deployment {
    folder: Folder,
    settings: Vec<String>,
    engine: Running,
}

impl Deployment {
    /// Makes the topics and starts the engine, nothing else.
    fn new(brokers: &str, partitions: u32) -> Self {
        let deployment = Self::without_topics(brokers, partitions);
        let made = deployment.run(&["topics", "create"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        deployment
    }

    fn without_topics(brokers: &str, partitions: u32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let settings = [
            format!("kafka.brokers={brokers}"),
            format!("kafka.session_timeout_ms={SESSION_MS}"),
            format!("topics.prefix=t{number}."),
            format!("topics.partitions={partitions}"),
        ];
        let settings = settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect();
        let folder = Folder::new();
        let mut engine = folder.spawn(&["engine", "run"]);
        engine.wait_until_said("answers at");
        Self { folder, settings, engine }
    }

    /// Starts the engine anew, with the present settings.
    fn restart_engine(&mut self) {
        let engine = self.spawn(&["engine", "run"]);
        std::mem::replace(&mut self.engine, engine).kill_all();
        self.engine.wait_until_said("answers at");
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        self.settings.iter().map(String::as_str).chain(arguments.iter().copied()).collect()
    }

    fn spawn(&self, arguments: &[&str]) -> Running {
        self.folder.spawn(&self.arguments(arguments))
    }

    /// A process of one role that ends itself when it passes a point of its code (`log/src/crash.rs`) so many times.
    fn start_crashing(&self, role: &str, at: &str) -> Running {
        let mut command = self.folder.command(&self.arguments(&["run", "--role", role]));
        command.env("FIELDLINE_CRASH_AT", at);
        Running::start(command)
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.folder.run(&self.arguments(arguments))
    }

    /// A process of one role, at work.
    fn start(&self, role: &str) -> Running {
        let mut process = self.spawn(&["run", "--role", role]);
        process.wait_until_said("fieldline runs on");
        process
    }

    /// The same with a page of metrics.
    fn start_observed(&self, role: &str) -> Observed {
        let mut process = self.spawn(&["--log", "info", "--set", "observe.listen=127.0.0.1:0", "run", "--role", role]);
        process.wait_until_said("metrics at http://127.0.0.1:");
        let said = process.said("stderr");
        let port = said.split("metrics at http://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Observed { process, port }
    }

    /// The text before the names of its topics and groups.
    fn prefix(&self) -> &str {
        self.settings.iter().find_map(|setting| setting.strip_prefix("topics.prefix=")).unwrap()
    }

    /// Imports and demands that nothing failed; refused lines are told by exit code 3.
    fn import(&self, file: &str) {
        let outcome = self.run(&["import", file]);
        assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
    }

    /// Results computed again, and every record of the log found in the tables.
    fn verify(&self) {
        let verified = self.run(&["verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}

/// A process of one role that can be asked how it is.
struct Observed {
    process: Running,
    port: u16,
}

impl Observed {
    /// The answer's head and body; nothing from a process that does not answer.
    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return answer };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        asked.map(|_| answer).unwrap_or_default()
    }

    fn is_ready(&self) -> bool {
        self.get("/readyz").starts_with("HTTP/1.1 200")
    }

    /// Partitions of a topic that a stage of this process owns.
    fn owned(&self, stage: &str, topic: &str) -> Vec<i32> {
        let start = format!("fieldline_lag_records{{stage=\"{stage}\",topic=\"{topic}\",partition=\"");
        let page = self.get("/metrics");
        let partitions = page.lines().filter_map(|line| line.strip_prefix(&start)?.split('"').next()?.parse().ok());
        partitions.collect()
    }
}

//! Real Apache Kafka for tests: started, stopped, killed, paused. The README says what it needs.
#![expect(clippy::expect_used, reason = "tests only: whatever fails here fails the test that asked")]

mod broker;
mod jars;
mod process;
mod settings;

use broker::Broker;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tempfile::TempDir;

/// How long brokers may take until each of them knows all others; a busy machine takes its time.
const START_WAIT_MAX: Duration = Duration::from_secs(180);

/// What is started.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// 1 or 3. With three, topics that name no replication factor have three copies, of which two must be in sync.
    pub brokers: usize,
    /// Lines of every `server.properties`, after our own.
    pub properties: Vec<(String, String)>,
    /// Users and their passwords of a second listener that asks for them (SASL PLAIN). With users there is an authorizer
    /// that lets only the first of them, and whoever comes without a name, do everything; the others may nothing.
    pub users: Vec<(String, String)>,
    /// A third listener, with TLS; the second one has it then, too.
    pub tls: bool,
    /// The second listener takes tokens instead of users: any JWT that names a subject, with no signature. Whoever connects must
    /// show a new one after so many milliseconds.
    pub tokens_for_ms: Option<u32>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self { brokers: 1, properties: Vec::new(), users: Vec::new(), tls: false, tokens_for_ms: None }
    }
}

/// A running cluster. It is killed when dropped, and when the test process ends in whatever way.
pub struct Kafka {
    brokers: Vec<Broker>,
    folder: TempDir,
    certificate_file: Option<PathBuf>,
}

impl Kafka {
    /// Whether Kafka can be started here, else what is missing. Fetches the jars where they are not there yet.
    pub fn available() -> Result<(), String> {
        jars::folder().map(|_| ())
    }

    /// One broker for all tests that need nothing of their own; it goes with the last of them.
    pub fn shared_or_leave_out() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Kafka>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let started = Arc::new(Self::start_or_leave_out(KafkaOptions::default())?);
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    /// Starts a cluster, or says that the test is left out, once, and why. Where Kafka is demanded its absence is a panic.
    pub fn start_or_leave_out(options: KafkaOptions) -> Option<Self> {
        match Self::available() {
            Ok(()) => Some(Self::start(options)),
            Err(missing) => {
                let demanded = std::env::var("FIELDLINE_DEMAND_KAFKA").is_ok_and(|value| value == "1");
                assert!(!demanded, "real Kafka is demanded (FIELDLINE_DEMAND_KAFKA): {missing}");
                // Not through eprintln, which a passing test keeps to itself. In one piece and on a line of its own, though
                // others write to the same terminal.
                _ = std::io::stderr().write_all(format!("\nleft out: real Kafka: {missing}\n").as_bytes());
                None
            }
        }
    }

    /// Returns when every broker answers and knows all others.
    pub fn start(options: KafkaOptions) -> Self {
        let jars = jars::folder().expect("real Kafka");
        let folder = tempfile::Builder::new().prefix("fieldline-kafka-").tempdir().expect("a temporary folder");
        let certificate = options.tls.then(|| settings::Certificate::make(folder.path()));
        let certificate_file = certificate.as_ref().map(|certificate| certificate.pem.clone());
        let plan = settings::Plan::new(&options, certificate);
        let mut brokers: Vec<_> = (0..options.brokers).map(|number| Broker::prepare(&jars, folder.path(), &plan, number)).collect();
        brokers.iter_mut().for_each(Broker::run);
        let kafka = Self { brokers, folder, certificate_file };
        kafka.wait_until_up();
        kafka
    }

    /// Waits until all brokers answer and know each other.
    pub fn wait_until_up(&self) {
        let ids: Vec<i32> = self.brokers.iter().map(Broker::id).collect();
        for broker in &self.brokers {
            broker.wait_until_it_knows(&ids, START_WAIT_MAX);
        }
    }

    /// Addresses of the listener that asks for no name.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.ports().plain)).collect::<Vec<_>>().join(",")
    }

    /// Addresses of the listener that asks for a user and password.
    pub fn sasl_bootstrap(&self) -> String {
        self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.ports().sasl)).collect::<Vec<_>>().join(",")
    }

    /// Addresses of the listener with TLS.
    pub fn tls_bootstrap(&self) -> String {
        self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.ports().tls)).collect::<Vec<_>>().join(",")
    }

    /// The certificate that its clients must believe, PEM.
    pub fn certificate_file(&self) -> PathBuf {
        self.certificate_file.clone().expect("a cluster that was started with TLS")
    }

    /// The place of a broker in the calls below, by the id that clients see.
    pub fn place_of(&self, broker_id: i32) -> Option<usize> {
        self.brokers.iter().position(|broker| broker.id() == broker_id)
    }

    /// Ends a broker in good order (SIGTERM).
    pub fn stop(&mut self, broker: usize) {
        self.brokers[broker].stop();
    }

    /// SIGKILL: what was not with the operating system is lost.
    pub fn kill9(&mut self, broker: usize) {
        self.brokers[broker].kill();
    }

    /// Starts a broker that was stopped or killed, on its old ports and folder. `wait_until_up` waits for it.
    pub fn restart(&mut self, broker: usize) {
        self.brokers[broker].run();
    }

    /// SIGSTOP: connections stay open, nothing answers.
    pub fn pause(&self, broker: usize) {
        self.brokers[broker].pause();
    }

    pub fn resume(&self, broker: usize) {
        self.brokers[broker].resume();
    }

    /// Runs one of Kafka's tools by its class, against this cluster, and returns what it prints.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let jars = jars::folder().expect("real Kafka");
        let output = Command::new("java")
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
            .arg(jars.join("*"))
            .arg(class)
            .args(["--bootstrap-server", &self.bootstrap()])
            .args(arguments)
            .output()
            .expect("running one of Kafka's tools");
        let (printed, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{class} {arguments:?}: {printed}{complained}");
        printed.into_owned()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for broker in &self.brokers {
                eprintln!("the end of the log of broker {}:\n{}", broker.id(), broker.log_tail());
            }
        }
        self.brokers.iter_mut().for_each(Broker::kill);
        if std::env::var("FIELDLINE_KEEP_KAFKA").is_ok_and(|value| value == "1") {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}

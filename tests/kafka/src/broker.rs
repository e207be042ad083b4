//! One broker: its folder, its process, and whether it answers.

use crate::process::Process;
use crate::settings::{Plan, Ports};
use rustix::process::Signal;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The id of the cluster's storage: any 16 bytes in URL-safe base64.
const CLUSTER_ID: &str = "ZmllbGRsaW5lLXRlc3RzIQ";
/// How long a broker may take to end in good order before it is killed.
const STOP_WAIT_MAX: Duration = Duration::from_secs(60);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
const LOG_TAIL_LINES: usize = 40;

pub(crate) struct Broker {
    number: usize,
    ports: Ports,
    jars: PathBuf,
    settings: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Broker {
    /// Writes its settings and formats its folder.
    pub(crate) fn prepare(jars: &Path, folder: &Path, plan: &Plan, number: usize) -> Self {
        let settings = folder.join(format!("broker-{}.properties", number + 1));
        let data = folder.join(format!("data-{}", number + 1));
        fs::write(&settings, plan.server_properties(number, &data)).expect("writing a broker's settings");
        let log = folder.join(format!("broker-{}.log", number + 1));
        let broker = Self { number, ports: plan.ports[number], jars: jars.to_owned(), settings, log, process: None };
        let mut command = broker.java(&["-Dorg.slf4j.simpleLogger.defaultLogLevel=error"], "kafka.tools.StorageTool");
        let formatted = command.args(["format", "-t", CLUSTER_ID, "-c"]).arg(&broker.settings).output();
        let formatted = formatted.expect("running java");
        assert!(formatted.status.success(), "formatting a broker's folder: {}", String::from_utf8_lossy(&formatted.stderr));
        broker
    }

    fn java(&self, options: &[&str], class: &str) -> Command {
        let mut command = Command::new("java");
        // Quick to start and small rather than fast.
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args(options);
        command.arg("-cp").arg(self.jars.join("*")).arg(class);
        command
    }

    pub(crate) fn id(&self) -> i32 {
        self.number as i32 + 1
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "broker {} runs already", self.id());
        let log = || OpenOptions::new().create(true).append(true).open(&self.log).expect("opening a broker's log");
        let mut command = self.java(&[], "kafka.Kafka");
        command.arg(&self.settings).stdin(Stdio::null()).stdout(log()).stderr(log());
        self.process = Some(Process::start(command).expect("starting a broker"));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::TERM);
            process.wait(STOP_WAIT_MAX);
        }
    }

    pub(crate) fn kill(&mut self) {
        // Dropping it kills it and waits.
        self.process = None;
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a running broker").signal(signal);
    }

    pub(crate) fn wait_until_it_knows(&self, ids: &[i32], wait: Duration) {
        let deadline = Instant::now() + wait;
        loop {
            let known = self.known_brokers();
            if known.as_ref().is_ok_and(|known| ids.iter().all(|id| known.contains(id))) {
                return;
            }
            assert!(Instant::now() < deadline, "broker {} does not know {ids:?} but {known:?}\n{}", self.id(), self.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The ids of the brokers that this one tells of: a Metadata request, version 1, about no topic.
    fn known_brokers(&self) -> std::io::Result<Vec<i32>> {
        let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], self.ports.plain).into(), ANSWER_WAIT_MAX)?;
        stream.set_read_timeout(Some(ANSWER_WAIT_MAX))?;
        // Size; key 3, version 1, correlation 7, no client id; an empty list of topics.
        stream.write_all(&[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0])?;
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size).min(1 << 20) as usize];
        stream.read_exact(&mut answer)?;
        // Correlation; the brokers: id, host, port, rack, the texts with their lengths before them.
        let mut rest = &answer[..];
        let mut number = |bytes: usize| -> std::io::Result<i64> {
            let mut value = [0; 8];
            rest.read_exact(&mut value[8 - bytes..])?;
            Ok(i64::from_be_bytes(value))
        };
        number(4)?;
        let count = number(4)?;
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(number(4)? as i32);
            for _ in 0..number(2)? {
                number(1)?;
            }
            number(4)?;
            let rack = number(2)?;
            // -1, as two bytes: there is none.
            for _ in 0..if rack == 0xffff { 0 } else { rack } {
                number(1)?;
            }
        }
        Ok(ids)
    }

    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

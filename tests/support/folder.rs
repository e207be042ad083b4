//! A data folder and the commands that are run on it.

use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No command of a test may take longer; fetching the engine is the longest.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A folder of its own for a test; what still runs on it is killed with it.
pub struct Folder {
    dir: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    /// What killed it, where it did not end by itself.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// As if something had been imported here: `sql` makes no folder by itself.
    pub fn with_log(self) -> Self {
        std::fs::create_dir_all(self.path().join("log")).unwrap();
        self
    }

    /// A file beside the data.
    pub fn write(&self, name: &str, lines: &[String]) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, lines.concat()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary on this folder, with nothing else of the environment that it would heed.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare_command();
        command.arg("--data-dir").arg(self.path()).args(arguments);
        command
    }

    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).finish()
    }

    /// Runs and demands exit code 0.
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome
    }

    /// Imports and demands that nothing failed; refused lines are told by exit code 3.
    pub fn import(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(&[&["import"], arguments].concat());
        assert!(matches!(outcome.code, Some(0 | 3)), "{arguments:?}: {outcome:?}");
        outcome
    }

    /// Cells of a query, as ClickHouse writes them.
    pub fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let outcome = self.ok(&["sql", "--format", "TSV", query]);
        outcome.stdout.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// The only number that a query gives.
    pub fn number(&self, query: &str) -> i64 {
        let rows = self.rows(query);
        assert!(rows.len() == 1 && rows[0].len() == 1, "{query}: {rows:?}");
        rows[0][0].parse().unwrap()
    }

    /// Changes what is stored, behind the pipeline's back.
    pub fn meddle(&self, statement: &str) {
        self.ok(&["sql", "--format", "Null", statement]);
    }
}

/// The binary without anything of this process's settings but the engine's path.
pub fn bare_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldline"));
    let ours = |name: &str| name.starts_with("FIELDLINE_") && name != "FIELDLINE_ENGINE";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// A command that runs, leader of a process group of its own.
pub struct Running {
    child: Child,
    output: TempDir,
    ended: bool,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        let child =
            command.process_group(0).stdin(std::process::Stdio::null()).stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        Self { child, output, ended: false }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The engine's process: the command's only child.
    pub fn engine(&self) -> Option<u32> {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        processes
            .into_iter()
            .find(|id| state_and_parent(*id).is_some_and(|(state, parent)| state != "Z" && parent == self.id().to_string()))
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn finish(mut self) -> Outcome {
        let status = self.wait();
        self.ended = true;
        self.outcome(status)
    }

    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < COMMAND_WAIT_MAX, "still running after {COMMAND_WAIT_MAX:?}: {}", self.said("stderr"));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn outcome(&self, status: ExitStatus) -> Outcome {
        Outcome { code: status.code(), signal: status.signal(), stdout: self.said("stdout"), stderr: self.said("stderr") }
    }

    pub fn said(&self, stream: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.output.path().join(stream)).unwrap()).into_owned()
    }

    /// Returns when the command has said `text` on standard error.
    pub fn wait_until_said(&mut self, text: &str) {
        wait_until(text, || {
            assert!(self.is_alive() || self.said("stderr").contains(text), "ended before it said {text:?}: {}", self.said("stderr"));
            self.said("stderr").contains(text)
        });
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        signal_process(self.id(), signal);
    }

    /// kill -9 of the command and everything that it started.
    pub fn kill_all(mut self) {
        self.end();
    }

    /// kill -9 of the command's own process only.
    pub fn kill_alone(mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.wait();
        self.ended = true;
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            if let Some(group) = rustix::process::Pid::from_raw(self.child.id() as i32) {
                _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn signal_process(id: u32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(id as i32).unwrap();
    _ = rustix::process::kill_process(id, signal);
}

/// Whether the process exists and is no zombie.
pub fn is_process_alive(id: u32) -> bool {
    state_and_parent(id).is_some_and(|(state, _)| state != "Z")
}

/// The two fields after the command's name, which is in parentheses and may hold anything.
fn state_and_parent(id: u32) -> Option<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace().map(str::to_owned);
    fields.next().zip(fields.next())
}

/// Waits, within bounds, until something has happened.
pub fn wait_until(what: &str, mut has_happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !has_happened() {
        assert!(started.elapsed() < COMMAND_WAIT_MAX, "waited {COMMAND_WAIT_MAX:?} until {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

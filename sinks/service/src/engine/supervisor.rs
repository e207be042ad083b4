//! The parent's side: [`Engine`] keeps a child alive that serves libchdb.
//!
//! The parent makes the listening socket and keeps it: address and token stay the same over restarts, nobody else can
//! take the port, and a request that comes while the child is down waits in the socket's queue for the next child.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{ffi::OsString, io};

use super::control::{self, Readiness, StartMessage};
use super::{Endpoint, EngineError};

/// How long a child may take until it answers, replay of its parts included.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause before the first restart; doubled with each further one.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two restarts.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);
/// A child that lived this long makes the next pause the shortest again.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// How long a child may take to end after it was asked to; its own budget for running requests is shorter.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// The engine's log is begun anew at a start that finds it larger.
const LOG_BYTES_MAX: u64 = 1 << 20;
/// How much of the log goes into an error message.
const LOG_TAIL_BYTES: u64 = 800;
/// Folder of the engine inside the data folder, and its log beside it.
const ENGINE_DIR: &str = "clickhouse";
const LOG_FILE: &str = "clickhouse.log";

/// How the child is started: this program with these arguments must end in [`super::serve`].
#[derive(Clone, Debug)]
pub struct EngineCommand {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Added to the parent's environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The file that [`super::install::locate`] or [`super::install::install`] answered.
    pub library: PathBuf,
    /// The engine keeps its tables in the folder `clickhouse` in here.
    pub data_dir: PathBuf,
    pub command: EngineCommand,
    /// Where queries are refused because the engine holds too much memory; 0: the engine's own default (0.9 of the machine).
    pub memory_bytes_max: u64,
    /// Requests that run at once; further ones wait.
    pub requests_max: usize,
    /// How long an engine process that still holds the folder is waited for.
    pub folder_wait: Duration,
}

impl EngineConfig {
    /// Requests at once where nothing else is said.
    pub const REQUESTS_MAX: usize = 16;
    /// An old process ends within its stop budget after its parent is gone.
    pub const FOLDER_WAIT: Duration = Duration::from_secs(20);

    /// The defaults for a library, a folder and a command.
    pub fn new(library: PathBuf, data_dir: PathBuf, command: EngineCommand) -> Self {
        Self { library, data_dir, command, memory_bytes_max: 0, requests_max: Self::REQUESTS_MAX, folder_wait: Self::FOLDER_WAIT }
    }
}

/// A running embedded engine. Dropping it stops it in order.
pub struct Engine {
    shared: Arc<Shared>,
    supervisor: Option<JoinHandle<()>>,
}

struct Shared {
    config: EngineConfig,
    endpoint: Endpoint,
    listener: TcpListener,
    version: String,
    /// The control socket of the present child.
    state: Mutex<State>,
    stopping: Condvar,
    restarts: AtomicU64,
    child_id: AtomicU32,
}

struct State {
    stopping: bool,
    control: Option<UnixStream>,
}

impl Engine {
    /// Starts the engine and returns when it answers. An old child that is still dying on the same folder is waited for.
    pub fn start(mut config: EngineConfig) -> Result<Self, EngineError> {
        // The child runs in a folder of its own, where a relative path would lead elsewhere.
        for path in [&mut config.data_dir, &mut config.library] {
            *path = std::path::absolute(&*path).map_err(EngineError::file("finding", path.as_path()))?;
        }
        let folder = config.data_dir.join(ENGINE_DIR);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(EngineError::file("making the folder", &folder))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(EngineError::system("listening on 127.0.0.1"))?;
        let address = listener.local_addr().map_err(EngineError::system("listening on 127.0.0.1"))?;
        let endpoint = Endpoint {
            url: format!("http://{address}"),
            user: "fieldline".into(),
            password: format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()),
            database: "default".into(),
            process_id: std::process::id(),
        };
        let started = Started::new(&config, &endpoint, &listener)?;
        if let Err(error) = endpoint.write(&config.data_dir) {
            started.end();
            return Err(error);
        }
        let shared = Arc::new(Shared {
            endpoint,
            listener,
            version: started.version.clone(),
            state: Mutex::new(State { stopping: false, control: started.control.try_clone().ok() }),
            stopping: Condvar::new(),
            restarts: AtomicU64::new(0),
            child_id: AtomicU32::new(started.child.id()),
            config,
        });
        let supervised = Arc::clone(&shared);
        let supervisor = std::thread::Builder::new()
            .name("engine-supervisor".into())
            .spawn(move || supervised.supervise(started))
            .map_err(EngineError::system("starting the engine's supervisor"))?;
        Ok(Self { shared, supervisor: Some(supervisor) })
    }

    /// Where it answers; the same over restarts.
    pub fn endpoint(&self) -> Endpoint {
        self.shared.endpoint.clone()
    }

    /// The engine's version, as the library tells it.
    pub fn version(&self) -> &str {
        &self.shared.version
    }

    /// How often the child was started again.
    pub fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Relaxed)
    }

    /// The child's process id.
    pub fn process_id(&self) -> u32 {
        self.shared.child_id.load(Ordering::Relaxed)
    }

    /// Lets running requests finish within the child's budget, then ends it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.stopping = true;
            if let Some(control) = &state.control {
                // A child that is gone already needs no word.
                let _ = control::send_stop(control);
            }
            self.shared.stopping.notify_all();
        }
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
        self.shared.endpoint.remove(&self.shared.config.data_dir);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for each child's end and starts the next one, until the stop.
    fn supervise(&self, first: Started) {
        let mut pause = RESTART_PAUSE_MIN;
        let mut present = Some(first);
        loop {
            if let Some(mut started) = present.take() {
                let since = Instant::now();
                started.wait_for_hang_up();
                self.state().control = None;
                let status = started.end();
                if self.state().stopping {
                    return;
                }
                if since.elapsed() >= STEADY_AFTER {
                    pause = RESTART_PAUSE_MIN;
                }
                tracing::warn!(status, pause_ms = pause.as_millis() as u64, "the engine's process ended; starting it again");
            }
            let state = self.state();
            let (state, _) =
                self.stopping.wait_timeout_while(state, pause, |state| !state.stopping).unwrap_or_else(PoisonError::into_inner);
            if state.stopping {
                return;
            }
            drop(state);
            pause = (pause * 2).min(RESTART_PAUSE_MAX);
            match Started::new(&self.config, &self.endpoint, &self.listener) {
                Ok(started) => {
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    self.child_id.store(started.child.id(), Ordering::Relaxed);
                    let mut state = self.state();
                    state.control = started.control.try_clone().ok();
                    if state.stopping {
                        // The stop came while it was starting and reached nobody.
                        let _ = control::send_stop(&started.control);
                    }
                    drop(state);
                    present = Some(started);
                }
                Err(error) => {
                    tracing::error!(%error, pause_ms = pause.as_millis() as u64, "the engine's process would not start; trying again")
                }
            }
        }
    }
}

/// A child that has answered.
struct Started {
    child: Child,
    control: UnixStream,
    version: String,
}

impl Started {
    fn new(config: &EngineConfig, endpoint: &Endpoint, listener: &TcpListener) -> Result<Self, EngineError> {
        let log_path = config.data_dir.join(LOG_FILE);
        let log = open_log(&log_path).map_err(EngineError::file("opening", &log_path))?;
        let duplicate = log.try_clone().map_err(EngineError::file("opening", &log_path))?;
        let (ours, theirs) = UnixStream::pair().map_err(EngineError::system("making the engine's control socket"))?;
        let child = Command::new(&config.command.program)
            .args(&config.command.arguments)
            .envs(config.command.environment.iter().map(|(name, value)| (name, value)))
            // The engine takes users and settings from any config.xml of the folder that it runs in.
            .current_dir(config.data_dir.join(ENGINE_DIR))
            // The engine formats and parses times in the process's zone where a column names none.
            .env("TZ", "UTC")
            // A Ctrl-C in the terminal is for the parent, which ends the engine when it has no more use for it.
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(duplicate)
            .stderr(log)
            .spawn()
            .map_err(EngineError::file("starting", &config.command.program))?;
        let mut started = Self { child, control: ours, version: String::new() };
        match started.shake_hands(config, endpoint, listener) {
            Ok(version) => {
                started.version = version;
                Ok(started)
            }
            Err(reason) => {
                started.kill();
                Err(EngineError::NotReady { reason, log_tail: log_tail(&log_path) })
            }
        }
    }

    fn shake_hands(&mut self, config: &EngineConfig, endpoint: &Endpoint, listener: &TcpListener) -> Result<String, String> {
        let message = StartMessage {
            library: config.library.clone(),
            path: config.data_dir.join(ENGINE_DIR),
            user: endpoint.user.clone(),
            password: endpoint.password.clone(),
            memory_bytes_max: config.memory_bytes_max,
            requests_max: config.requests_max,
            folder_wait_ms: u64::try_from(config.folder_wait.as_millis()).unwrap_or(u64::MAX),
        };
        let exchange = || {
            self.control.set_read_timeout(Some(READY_TIMEOUT))?;
            control::send_start(&self.control, &message, listener)?;
            let readiness = control::receive_readiness(&self.control)?;
            self.control.set_read_timeout(None)?;
            Ok(readiness)
        };
        match exchange() {
            Ok(Readiness::Ready { version }) => Ok(version),
            Ok(Readiness::Failed { reason }) => Err(reason),
            Err(error) => Err(describe(&error)),
        }
    }

    /// Returns when the child has closed its end: it is gone, or about to be.
    fn wait_for_hang_up(&mut self) {
        let mut rest = [0; 64];
        loop {
            match self.control.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Waits for the child's end, kills it if need be, and describes how it ended.
    fn end(mut self) -> String {
        let _ = control::send_stop(&self.control);
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => {
                    self.kill();
                    return format!("killed: it had not ended {} s after its stop", STOP_TIMEOUT.as_secs());
                }
                Err(error) => return error.to_string(),
            }
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("no answer within {} s", READY_TIMEOUT.as_secs()),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => "it ended".into(),
        _ => error.to_string(),
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() > LOG_BYTES_MAX {
        file.set_len(0)?;
    }
    Ok(file)
}

fn log_tail(path: &Path) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        io::Result::Ok(String::from_utf8_lossy(&tail).trim().to_owned())
    };
    match read() {
        Ok(tail) if tail.is_empty() => "(nothing)".into(),
        Ok(tail) => tail,
        Err(error) => format!("(unreadable: {error})"),
    }
}

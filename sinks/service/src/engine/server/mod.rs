//! The child's side: serves the ClickHouse HTTP interface over libchdb on the socket that the parent hands over.
//!
//! What it offers: queries and inserts by GET and POST, statement in the URL, the body, a form or split over URL and
//! body; formats, databases, settings and `{name:Type}` parameters per request; LZ4 blocks (`decompress=1`,
//! `compress=1`), `Content-Encoding` gzip and lz4 on the way in; results and inserts as streams.
//!
//! What it leaves out: users and roles (one random token instead), sessions (`session_id` is taken and has no effect:
//! nothing outlives a request), progress headers, compressed answers other than `compress=1`.

mod answer;
mod blocks;
mod body;
mod handler;
mod pool;
mod request;
mod statement;

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::EngineError;
use super::control::{self, Readiness, StartMessage};
use super::ffi::Library;
use handler::Service;
use pool::Pool;

/// How long the engine may refuse its folder although nobody holds our lock on it.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);
/// Pause between two tries of either.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long running requests may take to finish after an orderly stop was asked for.
const STOP_BUDGET: Duration = Duration::from_secs(10);
/// The same when the parent is gone: whoever waited for the answers is gone too.
const ORPHAN_BUDGET: Duration = Duration::from_secs(1);
/// How long finished answers may take to go out after that.
const ANSWER_BUDGET: Duration = Duration::from_secs(1);
/// Threads of the HTTP layer; the statements run on blocking threads and in the engine's own.
const HTTP_THREADS: usize = 2;

/// The child process: reads its settings from the control socket on standard input, serves until the parent asks for
/// a stop or disappears, or SIGTERM comes, and returns when every connection to the engine is closed.
pub fn serve() -> Result<(), EngineError> {
    let control =
        std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).map_err(EngineError::system("taking the control socket"))?;
    let (message, listener) = control::receive_start(&control)?;
    let prepared = prepare(&message);
    let readiness = match &prepared {
        Ok(prepared) => Readiness::Ready { version: prepared.version.clone() },
        Err(error) => Readiness::Failed { reason: error.to_string() },
    };
    // A parent that cannot be told is gone; the life line says so as well.
    let _ = control::send_readiness(&control, &readiness);
    let Prepared { pool, _folder, .. } = prepared?;
    let service = Arc::new(Service::new(Arc::clone(&pool), &message.user, &message.password));

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .enable_all()
        .build()
        .map_err(EngineError::system("starting the HTTP threads"))?;
    let outcome = runtime.block_on(run(service, listener, control, Arc::clone(&pool)));
    // Anything still running past the budget holds a connection, and the library crashes at exit under open ones:
    // ending at once loses nothing that was acknowledged.
    if let Err(EngineError::Killed { budget_seconds }) = &outcome {
        eprintln!("statements still ran {budget_seconds} s after the stop; ending without them");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    runtime.shutdown_background();
    outcome
}

/// The engine, opened.
struct Prepared {
    pool: Arc<Pool>,
    version: String,
    /// Locked while the process lives.
    _folder: File,
}

fn prepare(message: &StartMessage) -> Result<Prepared, EngineError> {
    let folder = lock_folder(&message.path, Duration::from_millis(message.folder_wait_ms))?;
    let library = Library::load(&message.library)?;
    let mut arguments = vec![format!("--path={}", message.path.display())];
    if message.memory_bytes_max > 0 {
        arguments.push(format!("--max_server_memory_usage={}", message.memory_bytes_max));
    }
    let deadline = Instant::now() + CONNECT_WAIT_MAX;
    let anchor = loop {
        match library.connect(&arguments) {
            Some(connection) => break connection,
            None if Instant::now() < deadline => std::thread::sleep(RETRY_PAUSE),
            None => return Err(EngineError::Refused { path: message.path.clone(), log_tail: "(the lines above)".into() }),
        }
    };
    let version = library.version();
    Ok(Prepared { pool: Pool::new(library, arguments, anchor, message.requests_max), version, _folder: folder })
}

/// Waits until no other engine process holds the folder: after a kill the old child may still be dying.
fn lock_folder(path: &Path, wait_max: Duration) -> Result<File, EngineError> {
    let lock = File::open(path).map_err(EngineError::file("opening", path))?;
    let deadline = Instant::now() + wait_max;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(RETRY_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::Held { path: path.to_owned(), waited_seconds: wait_max.as_secs() });
            }
            Err(TryLockError::Error(error)) => return Err(EngineError::file("locking", path)(error)),
        }
    }
}

/// Why the service ends.
enum Stop {
    Asked,
    Orphaned,
}

async fn run(service: Arc<Service>, listener: std::net::TcpListener, control: UnixStream, pool: Arc<Pool>) -> Result<(), EngineError> {
    listener.set_nonblocking(true).map_err(EngineError::system("taking the listening socket"))?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(EngineError::system("taking the listening socket"))?;
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(EngineError::system("listening for SIGTERM"))?;
    let life_line = watch_life_line(control)?;

    let (stop_accepting, accepting_stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stopped = async move {
            // Both answers, a word and a dropped sender, mean stop.
            let _ = accepting_stopped.await;
        };
        axum::serve(listener, handler::router(service)).with_graceful_shutdown(stopped).await
    });
    let stop = tokio::select! {
        stop = life_line => stop.unwrap_or(Stop::Orphaned),
        _ = terminate.recv() => Stop::Asked,
    };
    let _ = stop_accepting.send(());
    let budget = match stop {
        Stop::Asked => STOP_BUDGET,
        Stop::Orphaned => ORPHAN_BUDGET,
    };
    tokio::time::timeout(budget, pool.close()).await.map_err(|_| EngineError::Killed { budget_seconds: budget.as_secs() })?;
    // An answer that nobody reads would keep its connection for ever.
    let _ = tokio::time::timeout(ANSWER_BUDGET, server).await;
    Ok(())
}

/// Reports what the parent says, or that it is gone, from a thread of its own: the runtime may be busy.
fn watch_life_line(mut control: UnixStream) -> Result<oneshot::Receiver<Stop>, EngineError> {
    let (tell, told) = oneshot::channel();
    let watch = move || {
        let mut byte = [0];
        let stop = match control.read(&mut byte) {
            Ok(1..) => Stop::Asked,
            Ok(0) | Err(_) => Stop::Orphaned,
        };
        // The receiver is gone only if the service has ended by itself.
        let _ = tell.send(stop);
        // The socket stays open until the process ends: its closing tells the parent that the child is gone.
        std::mem::forget(control);
    };
    std::thread::Builder::new().name("life-line".into()).spawn(watch).map_err(EngineError::system("watching the parent"))?;
    Ok(told)
}

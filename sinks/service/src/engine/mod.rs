//! The embedded ClickHouse: where no server is configured, libchdb (ClickHouse's own engine as a library) runs in a
//! child process of the same binary and serves the ClickHouse HTTP interface on loopback. Everything else sees an
//! ordinary ClickHouse URL.
//!
//! ```text
//! parent                                     child (`serve`)
//! Engine ── supervisor ── control socket ──► life line, settings, listening socket
//!    └────── listening socket (kept open) ─► HTTP ─► pool of connections ─► libchdb
//! ```
//!
//! * `supervisor`: [`Engine`], the parent's side: starts the child, restarts it, stops it.
//! * `control`: what the two say to each other over the child's standard input.
//! * `server`: the child's side, [`serve`].
//! * `endpoint`: where the engine answers, and the file that tells other processes.
//! * [`install`]: finds the library or fetches it.
//! * `ffi`: the only file that names libchdb.

mod control;
mod endpoint;
mod ffi;
pub mod install;
mod server;
mod supervisor;

use std::io;
use std::path::PathBuf;

pub use endpoint::{ENDPOINT_FILE, Endpoint, write_private};
pub use server::serve;
pub use supervisor::{Engine, EngineCommand, EngineConfig};

/// Why the embedded engine could not be started, kept or installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("loading the engine's library {}: {source}", path.display())]
    Load { path: PathBuf, source: libloading::Error },
    #[error("{doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{doing}: {source}")]
    System { doing: &'static str, source: io::Error },
    #[error("another process holds the engine's folder {} (waited {waited_seconds} s for it to end)", path.display())]
    Held { path: PathBuf, waited_seconds: u64 },
    #[error("the engine would not open {}; its log says: {log_tail}", path.display())]
    Refused { path: PathBuf, log_tail: String },
    #[error("the engine's process ended or fell silent before it was ready: {reason}; its log says: {log_tail}")]
    NotReady { reason: String, log_tail: String },
    #[error("the engine's process got no proper start message from its parent ({reason}); it is not meant to be started by hand")]
    Control { reason: String },
    #[error("the engine still had work after {budget_seconds} s of its stop and was killed; what it had acknowledged is kept")]
    Killed { budget_seconds: u64 },
    #[error("{0}")]
    Install(#[from] install::InstallError),
}

impl EngineError {
    fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

//! Downloads the archive: with npm's client, or from the library's public release with curl. Both are run as programs,
//! so that the user's proxies, certificates and registry settings apply.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::platform::Platform;
use super::{InstallError, LIBRARY_VERSION, LOOK_PAUSE, Progress, Step};

/// Longest download.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Of a failed program's own words, this many lines at most are shown.
const MESSAGE_LINES_MAX: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Npm,
    Release,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Release => "release",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Npm => "with npm",
            Self::Release => "from the library's public release, with curl",
        }
    }
}

/// A downloaded archive.
pub(super) struct Archive {
    pub path: PathBuf,
    /// What it must hash to, as `sha512-BASE64`; `None`: only the library in it is pinned.
    pub sha512: Option<String>,
}

/// Downloads the package.
pub(super) fn npm(program: &Path, platform: &Platform, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Archive, InstallError> {
    #[derive(Deserialize)]
    struct Packed {
        filename: String,
        integrity: String,
    }
    let mut command = Command::new(program);
    command
        .args(["pack", &platform.npm_package, "--json", "--ignore-scripts", "--no-update-notifier", "--no-fund", "--loglevel=error"])
        .args(["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"])
        // A cache of its own: progress can be seen in it, and no second copy stays behind.
        .arg("--cache")
        .arg(folder.join("cache"));
    let output = run(command, folder, platform.archive_bytes, progress)?;
    let packed: Vec<Packed> =
        serde_json::from_slice(&output).map_err(|error| InstallError::Fetch(format!("npm's answer was not understood: {error}")))?;
    let [packed] = packed.as_slice() else { return Err(InstallError::Fetch("npm's answer names no package".into())) };
    // Only a plain file of the folder: the name comes from outside.
    let name = Path::new(&packed.filename).file_name().unwrap_or(OsStr::new(""));
    Ok(Archive { path: folder.join(name), sha512: Some(platform.npm_integrity.map_or_else(|| packed.integrity.clone(), Into::into)) })
}

/// Downloads the asset of the public release.
pub(super) fn release(
    program: &Path,
    platform: &Platform,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Archive, InstallError> {
    if platform.library_sha256.is_none() {
        return Err(InstallError::Fetch("no checksum is known for this platform's library, so it is not taken from there".into()));
    }
    let path = folder.join(platform.release_asset);
    let mut command = Command::new(program);
    command
        .args(["--fail", "--location", "--silent", "--show-error", "--proto", "=https", "--proto-redir", "=https"])
        .args(["--connect-timeout", "20", "--speed-limit", "1000", "--speed-time", "60", "--output"])
        .arg(&path)
        .arg(format!("https://github.com/chdb-io/chdb-core/releases/download/v{LIBRARY_VERSION}/{}", platform.release_asset));
    run(command, folder, None, progress)?;
    Ok(Archive { path, sha512: None })
}

/// Runs a downloading program to its end and answers its output; meanwhile the growing folder tells the progress.
fn run(mut command: Command, folder: &Path, bytes_total: Option<u64>, progress: &mut dyn FnMut(Progress)) -> Result<Vec<u8>, InstallError> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output_path = folder.join("output");
    let messages_path = folder.join("messages");
    let create = |path: &Path| File::create(path).map_err(InstallError::file("making", path));
    // Files, not pipes: nobody has to empty them while it runs.
    command.current_dir(folder).stdin(Stdio::null()).stdout(create(&output_path)?).stderr(create(&messages_path)?);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => InstallError::Fetch(format!("there is no {name} on this machine")),
        _ => InstallError::Fetch(format!("starting {name}: {error}")),
    })?;
    let deadline = Instant::now() + DOWNLOAD_TIMEOUT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_PAUSE),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(InstallError::Fetch(format!("{name} had not finished after {} s", DOWNLOAD_TIMEOUT.as_secs())));
            }
            Err(error) => return Err(InstallError::Fetch(format!("waiting for {name}: {error}"))),
        }
        let bytes_done = size_of(folder).min(bytes_total.unwrap_or(u64::MAX));
        progress(Progress { step: Step::Downloading, bytes_done, bytes_total });
    };
    if !status.success() {
        let messages = fs::read(&messages_path).unwrap_or_default();
        return Err(InstallError::Fetch(format!("{name} ended with {status}: {}", last_words(&String::from_utf8_lossy(&messages)))));
    }
    fs::read(&output_path).map_err(InstallError::file("reading", &output_path))
}

/// The first lines that say something: what follows them is where the program keeps its logs.
fn last_words(messages: &str) -> String {
    let lines: Vec<&str> = messages.lines().map(str::trim).filter(|line| !line.is_empty()).take(MESSAGE_LINES_MAX).collect();
    if lines.is_empty() { "it said nothing".into() } else { lines.join("; ") }
}

/// Bytes of the files in a folder and below; what vanishes meanwhile counts nothing.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

//! Finds the engine's library, or fetches it.
//!
//! In this order: a path that the user gave; the cache folder; npm's client, if it is there, with the package pinned by
//! the hash of its archive and of the library; the library's public release, pinned by the library's hash alone (this
//! last way could not be tried where it was written). The library is checked when it is installed; later starts only
//! compare its size and time with a stamp beside it, for hashing half a gigabyte takes a second.

mod fetch;
mod platform;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use platform::Platform;

/// Version of the library that this release works with.
pub const LIBRARY_VERSION: &str = "26.7.3";

const LIBRARY_FILE: &str = "libchdb.so";
const STAMP_FILE: &str = "libchdb.stamp.json";
const LOCK_FILE: &str = "install.lock";
const UNFINISHED_DIR: &str = "unfinished";
/// How long another process may take with its installation.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30 * 60);
/// Time between two looks at the lock or at a download.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Why the library could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    #[error("there is no engine library at {}, the path given for it", .0.display())]
    GivenPathMissing(PathBuf),
    #[error("neither XDG_CACHE_HOME nor HOME names a folder to keep the engine in; set one, or name the library's path (FIELDLINE_ENGINE)")]
    NoCacheFolder,
    #[error("there is no embedded engine for {0}; configure the URL of a ClickHouse server instead")]
    Platform(String),
    #[error("{doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("another process has been installing the engine for {waited_seconds} s; end it, or remove {}", path.display())]
    Locked { path: PathBuf, waited_seconds: u64 },
    #[error("{what} does not have the pinned checksum (expected {expected}, found {found}); it was refused")]
    Checksum { what: String, expected: String, found: String },
    #[error("{0}")]
    Fetch(String),
    #[error(
        "the ClickHouse engine (libchdb {LIBRARY_VERSION}, 178 MB) could not be fetched:\n{attempts}\n\
         What to do: try again with a network connection (npm or curl must be installed); or fetch libchdb.so of release \
         {LIBRARY_VERSION} on another machine and name its path in FIELDLINE_ENGINE; or configure the URL of a ClickHouse server"
    )]
    Unavailable { attempts: String },
}

impl InstallError {
    fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

/// What an installation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another process installs; this one waits.
    Waiting,
    Downloading,
    Checking,
    Unpacking,
}

/// How far an installation has come; reported several times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    pub bytes_done: u64,
    pub bytes_total: Option<u64>,
}

/// The library, if it is there: the given path, else the installed one.
pub fn locate(given: Option<&Path>) -> Result<Option<PathBuf>, InstallError> {
    if let Some(path) = given {
        return given_path(path).map(Some);
    }
    Installer::here()?.installed()
}

/// The library, fetched first if it is not there. Safe to call from several processes at once.
pub fn install(given: Option<&Path>, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, InstallError> {
    if let Some(path) = given {
        return given_path(path);
    }
    Installer::here()?.install(progress)
}

fn given_path(path: &Path) -> Result<PathBuf, InstallError> {
    if path.is_file() { Ok(path.to_owned()) } else { Err(InstallError::GivenPathMissing(path.to_owned())) }
}

/// Folder that holds the installed library: `fieldline/engine/VERSION` in the user's cache folder.
pub fn cache_dir() -> Result<PathBuf, InstallError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))).ok_or(InstallError::NoCacheFolder)?;
    Ok(cache.join("fieldline").join("engine").join(LIBRARY_VERSION))
}

/// Where to install what, and with which programs.
struct Installer {
    folder: PathBuf,
    platform: Platform,
    npm: PathBuf,
    curl: PathBuf,
}

/// Says that the library beside it was checked when it had this size and time.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified_ns: u64,
    sha256: String,
}

impl Installer {
    fn here() -> Result<Self, InstallError> {
        Ok(Self { folder: cache_dir()?, platform: Platform::here()?, npm: "npm".into(), curl: "curl".into() })
    }

    fn library(&self) -> PathBuf {
        self.folder.join(LIBRARY_FILE)
    }

    /// The installed library, if it is the one that was checked. One without a stamp is checked now.
    fn installed(&self) -> Result<Option<PathBuf>, InstallError> {
        let library = self.library();
        let Some((bytes, modified_ns)) = size_and_time(&library)? else { return Ok(None) };
        let stamp = fs::read(self.folder.join(STAMP_FILE)).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok());
        if let Some(stamp) = &stamp
            && (stamp.bytes, stamp.modified_ns) == (bytes, modified_ns)
            && self.platform.library_sha256.is_none_or(|pinned| pinned == stamp.sha256)
        {
            return Ok(Some(library));
        }
        let Some(pinned) = self.platform.library_sha256 else { return Ok(None) };
        let found = unpack::sha256(&library, &mut |_| {}).map_err(InstallError::file("checking", &library))?;
        if found != pinned {
            return Ok(None);
        }
        self.stamp(found)?;
        Ok(Some(library))
    }

    fn stamp(&self, sha256: String) -> Result<(), InstallError> {
        let library = self.library();
        let Some((bytes, modified_ns)) = size_and_time(&library)? else { return Ok(()) };
        let path = self.folder.join(STAMP_FILE);
        let text = serde_json::to_vec(&Stamp { bytes, modified_ns, sha256 }).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text)).map_err(InstallError::file("writing", &path))
    }

    fn install(&self, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, InstallError> {
        if let Some(library) = self.installed()? {
            return Ok(library);
        }
        fs::create_dir_all(&self.folder).map_err(InstallError::file("making the folder", &self.folder))?;
        let _lock = self.lock(progress)?;
        // Another process may have finished it meanwhile.
        if let Some(library) = self.installed()? {
            return Ok(library);
        }
        let unfinished = self.folder.join(UNFINISHED_DIR);
        remove_folder(&unfinished)?;
        fs::create_dir(&unfinished).map_err(InstallError::file("making the folder", &unfinished))?;
        let result = self.fetch_into(&unfinished, progress);
        let removed = remove_folder(&unfinished);
        let sha256 = result?;
        removed?;
        self.stamp(sha256)?;
        Ok(self.library())
    }

    /// Fetches, checks and puts the library in its place; answers its checksum.
    fn fetch_into(&self, unfinished: &Path, progress: &mut dyn FnMut(Progress)) -> Result<String, InstallError> {
        let mut attempts = Vec::new();
        for source in [fetch::Source::Npm, fetch::Source::Release] {
            let attempt = unfinished.join(source.name());
            fs::create_dir(&attempt).map_err(InstallError::file("making the folder", &attempt))?;
            match self.fetch_from(source, &attempt, progress) {
                Ok(sha256) => return Ok(sha256),
                // No second source makes room on a disk.
                Err(error @ InstallError::File { .. }) => return Err(error),
                Err(error) => attempts.push(format!("- {}: {error}", source.title())),
            }
        }
        Err(InstallError::Unavailable { attempts: attempts.join("\n") })
    }

    fn fetch_from(&self, source: fetch::Source, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<String, InstallError> {
        let archive = match source {
            fetch::Source::Npm => fetch::npm(&self.npm, &self.platform, folder, progress)?,
            fetch::Source::Release => fetch::release(&self.curl, &self.platform, folder, progress)?,
        };
        if let Some(expected) = &archive.sha512 {
            let total = fs::metadata(&archive.path).map_or(0, |metadata| metadata.len());
            let mut report = |bytes_done| progress(Progress { step: Step::Checking, bytes_done, bytes_total: Some(total) });
            let found = unpack::sha512_integrity(&archive.path, &mut report).map_err(InstallError::file("checking", &archive.path))?;
            if *expected != found {
                return Err(InstallError::Checksum { what: "the downloaded archive".into(), expected: expected.clone(), found });
            }
        }
        let unpacked = folder.join(LIBRARY_FILE);
        let total = self.platform.library_bytes;
        let mut report = |bytes_done| progress(Progress { step: Step::Unpacking, bytes_done, bytes_total: total });
        let found = unpack::library(&archive.path, &unpacked, &mut report)?;
        if let Some(pinned) = self.platform.library_sha256
            && pinned != found
        {
            return Err(InstallError::Checksum { what: "the engine's library".into(), expected: pinned.into(), found });
        }
        let library = self.library();
        fs::rename(&unpacked, &library).map_err(InstallError::file("putting the engine's library at", &library))?;
        Ok(found)
    }

    fn lock(&self, progress: &mut dyn FnMut(Progress)) -> Result<File, InstallError> {
        let path = self.folder.join(LOCK_FILE);
        let open = || File::options().write(true).create(true).truncate(false).open(&path);
        let file = open().map_err(InstallError::file("opening", &path))?;
        let deadline = Instant::now() + LOCK_WAIT_MAX;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    progress(Progress { step: Step::Waiting, bytes_done: 0, bytes_total: None });
                    std::thread::sleep(LOOK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(InstallError::Locked { path, waited_seconds: LOCK_WAIT_MAX.as_secs() }),
                Err(TryLockError::Error(error)) => return Err(InstallError::file("locking", path)(error)),
            }
        }
    }
}

fn size_and_time(path: &Path) -> Result<Option<(u64, u64)>, InstallError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(InstallError::file("looking at", path)(error)),
    };
    let modified = metadata.modified().map_err(InstallError::file("looking at", path))?;
    let since_1970 = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some((metadata.len(), u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))))
}

fn remove_folder(path: &Path) -> Result<(), InstallError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InstallError::file("removing", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! What is read: a file or standard input.

use super::error::ImportError;
use super::gunzip::Gunzip;
use fieldline_schemas::limits::NAME_BYTES_MAX;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const READ_BYTES: usize = 256 << 10;
/// Of a path that is too long to be a dead letter's topic, so much of its end is kept beside its fingerprint.
const PATH_END_BYTES: usize = 512;

/// One source of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Stdin,
}

impl Source {
    /// `-` is standard input, everything else a path.
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::File(argument.to_owned()) }
    }

    /// The name in messages: the path as it was given.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.to_string_lossy().into_owned(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// What stands for the topic in the dead letters of its lines: `file:` and the path as it was given, so that two files
    /// of one name in different folders stay apart; `file:-` for standard input.
    pub fn topic(&self) -> String {
        let Self::File(path) = self else { return "file:-".to_owned() };
        let topic = format!("file:{}", path.to_string_lossy());
        if topic.len() <= NAME_BYTES_MAX {
            return topic;
        }
        let end = topic.char_indices().map(|(at, _)| at).find(|at| topic.len() - at <= PATH_END_BYTES).unwrap_or(topic.len());
        format!("file:{:016x}…{}", xxh3_64(topic.as_bytes()), &topic[end..])
    }

    /// Whether there is something that can be opened, without opening it.
    pub fn check(&self) -> Result<(), ImportError> {
        let Self::File(path) = self else { return Ok(()) };
        let fail = |source| ImportError::Open { file: self.name(), source };
        match std::fs::metadata(path).map_err(fail)?.is_dir() {
            true => Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"))),
            false => Ok(()),
        }
    }

    /// Bytes on disk; `None` where that cannot be known.
    pub fn bytes_total(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| m.len()),
            Self::Stdin => None,
        }
    }

    /// The text, gunzipped where it begins as gzip does. `bytes_read` counts what is taken from the disk.
    pub(super) fn open(&self, bytes_read: Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, ImportError> {
        let fail = |source| ImportError::Open { file: self.name(), source };
        self.check()?;
        let raw: Box<dyn Read + Send> = match self {
            Self::File(path) => Box::new(File::open(path).map_err(fail)?),
            Self::Stdin => Box::new(io::stdin()),
        };
        let mut counted = Counted { inner: raw, bytes_read };
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        Read::by_ref(&mut counted).take(GZIP_MAGIC.len() as u64).read_to_end(&mut magic).map_err(fail)?;
        let is_gzip = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(counted);
        Ok(if is_gzip { Box::new(Gunzip::new(BufReader::with_capacity(READ_BYTES, whole))) } else { Box::new(whole) })
    }
}

struct Counted<R> {
    inner: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes_read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_paths_as_given_and_fit_a_dead_letter() {
        let topic = |path: &str| Source::from_argument(Path::new(path)).topic();
        assert_eq!(topic("a/day.ndjson"), "file:a/day.ndjson");
        assert_eq!(topic("./-"), "file:./-");
        assert_eq!(topic("-"), "file:-");
        let long = |start: &str| topic(&format!("{start}/{}/day.ndjson", "é".repeat(2_000)));
        assert!(long("a").len() <= NAME_BYTES_MAX && long("a").ends_with("/day.ndjson"), "{}", long("a"));
        assert_ne!(long("a"), long("b"));
    }
}

//! What is read: a file or standard input.

use super::error::ImportError;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const READ_BYTES: usize = 256 << 10;

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

    /// The name in messages and dead letters: the file's own name, without its folders.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned(),
            Self::Stdin => "stdin".to_owned(),
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
        let raw: Box<dyn Read + Send> = match self {
            Self::File(path) => {
                if path.is_dir() {
                    return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
                }
                Box::new(File::open(path).map_err(fail)?)
            }
            Self::Stdin => Box::new(io::stdin()),
        };
        let mut counted = Counted { inner: raw, bytes_read };
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        Read::by_ref(&mut counted).take(GZIP_MAGIC.len() as u64).read_to_end(&mut magic).map_err(fail)?;
        let is_gzip = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(counted);
        Ok(if is_gzip { Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole))) } else { Box::new(whole) })
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

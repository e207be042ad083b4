//! One process at a time in a data folder, and a name for it.

use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The lock lasts as long as the file is open, however the process ends.
pub(crate) struct Hold {
    file: File,
}

const HOLDER_BYTES_MAX: u64 = 512;

impl Hold {
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::io("could not open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder may be about to write its name; then it has none yet.
                let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
                if read.is_err() || holder.trim().is_empty() {
                    "another process".clone_into(&mut holder);
                }
                return Err(Error::InUse { path: folder.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(Error::Io { what: "could not lock", path, source }),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(name().as_bytes()));
        written.map_err(Error::io("could not write the lock file", &path))?;
        Ok(Self { file })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing is not enough while another thread starts a process: between its fork and its exec that process has the
        // file too, and with it the lock. Should unlocking fail, closing is what is left.
        let _ = self.file.unlock();
    }
}

/// The process and its command: the program and its first word, no further arguments, as they may hold secrets.
fn name() -> String {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let command = words.next().map(|w| w.to_string_lossy().into_owned()).filter(|w| !w.starts_with('-'));
    let command: String = command.map(|c| format!(" {c}")).unwrap_or_default().chars().take(80).collect();
    format!("process {} ({program}{command})\n", std::process::id())
}

//! Where the engine answers. The address is also in a file of the data folder, readable by its owner only, so that a
//! second process (`fieldline sql`) can ask while the first one holds the folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EngineError;

/// Name of the file inside the data folder.
pub const ENDPOINT_FILE: &str = "engine.json";

/// A ClickHouse HTTP address with its credentials. It stays the same over restarts of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    pub user: String,
    /// Random, made at the start. A secret: it opens every file that the engine's process can read.
    pub password: String,
    pub database: String,
    /// The process that runs the engine, for messages.
    pub process_id: u32,
}

impl Endpoint {
    /// The address that a running process wrote into the folder; `None` where no engine runs there.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, EngineError> {
        let path = data_dir.join(ENDPOINT_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::file("reading", path)(error)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| EngineError::file("reading", path)(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    /// Writes the file whole or not at all.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), EngineError> {
        let write = || write_private(data_dir, ENDPOINT_FILE, &serde_json::to_vec(self)?);
        write().map_err(EngineError::file("writing", data_dir.join(ENDPOINT_FILE)))
    }

    /// Removes the file if it is still about this engine.
    pub(super) fn remove(&self, data_dir: &Path) {
        if Self::read(data_dir).is_ok_and(|found| found.as_ref() == Some(self)) {
            // Left behind it would only lead to a closed port.
            let _ = fs::remove_file(data_dir.join(ENDPOINT_FILE));
        }
    }
}

/// Writes a file of the folder that only its owner can read, whole or not at all.
pub fn write_private(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.new"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    fs::rename(&unfinished, folder.join(name))
}

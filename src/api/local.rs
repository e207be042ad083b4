//! The way from a command to the process that holds the data folder: a file that only its owner can read.

use crate::desk::Unfit;
use anyhow::{Context, Result, bail};
use fieldline_sinks::engine::write_private;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "api.json";
const ANSWER_BYTES_MAX: usize = 16 << 20;
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// Where a running process listens to commands on the same folder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    pub url: String,
    pub token: String,
}

impl Local {
    /// What a running process wrote into the folder; `None` where none runs there.
    pub fn read(data_dir: &Path) -> Result<Option<Self>> {
        let path = data_dir.join(FILE);
        match fs::read(&path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Writes the file, whole or not at all; it goes with the guard.
    pub fn write(&self, data_dir: &Path) -> Result<LocalFile> {
        let path = data_dir.join(FILE);
        write_private(data_dir, FILE, &serde_json::to_vec(self)?).with_context(|| format!("writing {}", path.display()))?;
        Ok(LocalFile { path })
    }
}

/// Removes the file when the process stops; one that was left behind leads to a closed port and is passed over.
pub struct LocalFile {
    path: PathBuf,
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the process; `None` where nobody listens any more. An answer that is no success is an error with its text.
pub fn call(local: &Local, method: &str, path: &str, body: Option<&serde_json::Value>) -> Result<Option<serde_json::Value>> {
    let doing = || format!("asking the running process at {}", local.url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().with_context(doing)?;
    runtime.block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WAIT_MAX));
        let client: Client<_, Full<axum::body::Bytes>> = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let text = body.map(serde_json::Value::to_string).unwrap_or_default();
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", local.url))
            .header("authorization", format!("Bearer {}", local.token))
            .header("content-type", "application/json")
            .body(Full::new(text.into()))
            .with_context(doing)?;
        let talk = async {
            let response = match client.request(request).await {
                Err(error) if error.is_connect() => return Ok(None),
                response => response.with_context(doing)?,
            };
            let status = response.status();
            let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let bytes = bytes.map_err(|error| anyhow::anyhow!(error)).with_context(doing)?.to_bytes();
            if status.is_success() {
                return Ok(Some(serde_json::from_slice(&bytes).with_context(doing)?));
            }
            let told: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
            match told.as_ref().and_then(|told| told["error"].as_str()) {
                Some(error) if status == axum::http::StatusCode::BAD_REQUEST => Err(Unfit(error.to_owned()).into()),
                Some(error) => bail!("{error}"),
                None => bail!("{}: it answered {status}", doing()),
            }
        };
        tokio::time::timeout(ANSWER_WAIT_MAX, talk).await.with_context(|| format!("{}: no answer within 30 s", doing()))?
    })
}

//! `fieldline engine install|status|run`.

use crate::cli::EngineAction;
use crate::config::Config;
use crate::engine::{Database, library};
use anyhow::{Context, Result};
use fieldline_sinks::engine::install;
use std::path::Path;

pub fn run(config: &Config, action: &EngineAction) -> Result<()> {
    match action {
        EngineAction::Install { from } => {
            if let Some(from) = from {
                return take(from);
            }
            tell!("{}", library(config)?.display())?;
        }
        EngineAction::Run => {
            let stopping = super::run::stop_signal()?;
            let database = Database::start(config)?;
            super::migrate(&database.target)?;
            remark!("the engine of {} answers at {}; stop it with Ctrl-C", config.data_dir.display(), database.target.url);
            stopping.recv().context("waiting for a signal")?;
        }
        EngineAction::Status(arguments) => {
            let found = install::locate(config.engine.as_deref())?;
            if arguments.json {
                tell!("{}", serde_json::json!({ "version": install::LIBRARY_VERSION, "library": found }))?;
            } else {
                match found {
                    Some(path) => tell!("ClickHouse engine {} at {}", install::LIBRARY_VERSION, path.display())?,
                    None => tell!("not installed; `fieldline engine install` fetches version {}", install::LIBRARY_VERSION)?,
                }
            }
        }
    }
    Ok(())
}

/// Copies a library that is already on this machine into the cache folder.
fn take(from: &Path) -> Result<()> {
    let folder = install::cache_dir()?;
    std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let (unfinished, to) = (folder.join("libchdb.so.new"), folder.join("libchdb.so"));
    std::fs::copy(from, &unfinished).with_context(|| format!("copying {} to {}", from.display(), unfinished.display()))?;
    std::fs::rename(&unfinished, &to).with_context(|| format!("renaming {} to {}", unfinished.display(), to.display()))?;
    // Looking it up checks it against the pinned checksum.
    let installed =
        install::locate(None)?.with_context(|| format!("{} is not the engine of version {}", from.display(), install::LIBRARY_VERSION))?;
    tell!("{}", installed.display())?;
    Ok(())
}

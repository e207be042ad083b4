//! Which ClickHouse: the one that is configured, the one that another process runs on the data folder, or our own.

use crate::config::Config;
use anyhow::{Context, Result};
use fieldline_sinks::clickhouse::ClickHouseTarget;
use fieldline_sinks::engine::install::{self, Progress, Step};
use fieldline_sinks::engine::{Endpoint, Engine, EngineCommand, EngineConfig};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::sync::Arc;

/// A ClickHouse that can be asked, and the engine behind it where it is ours.
pub struct Database {
    pub target: ClickHouseTarget,
    /// Held so that it runs as long as it is asked.
    engine: Option<Arc<Engine>>,
}

impl Database {
    /// The configured server, else an engine of our own on the data folder.
    pub fn start(config: &Config) -> Result<Self> {
        if let Some(external) = &config.clickhouse {
            let target = ClickHouseTarget {
                url: external.url.clone(),
                user: external.user.clone(),
                password: external.password.clone(),
                database: config.clickhouse_database.clone(),
            };
            return Ok(Self { target, engine: None });
        }
        let library = library(config)?;
        let command = EngineCommand {
            program: std::env::current_exe().context("finding this program, to run the engine in a process of its own")?,
            arguments: vec!["engine-serve".into(), "--nice".into(), config.bulk_nice.to_string().into()],
            environment: Vec::new(),
        };
        let mut settings = EngineConfig::new(library, config.data_dir.clone(), command);
        settings.memory_bytes_max = config.clickhouse_memory_max_mib << 20;
        let engine = Engine::start(settings)?;
        Ok(Self { target: embedded_target(&engine.endpoint(), config), engine: Some(Arc::new(engine)) })
    }

    /// For a sink: as `start`; on Kafka, where several processes may share an embedded engine, as `reach`.
    pub fn serve(config: &Config) -> Result<Self> {
        if config.kafka.is_some() { Self::reach(config) } else { Self::start(config) }
    }

    /// Tells how often the engine's process was started again, where the engine is ours.
    pub fn engine_restarts(&self) -> Option<Box<dyn Fn() -> u64 + Send + Sync>> {
        let engine = self.engine.clone()?;
        Some(Box::new(move || engine.restarts()))
    }

    /// As `start`, but asks an engine that another process runs on the data folder, if there is one.
    pub fn reach(config: &Config) -> Result<Self> {
        if config.clickhouse.is_none()
            && let Some(endpoint) = Endpoint::read(&config.data_dir)?
        {
            let target = embedded_target(&endpoint, config);
            if answers(&target) {
                return Ok(Self { target, engine: None });
            }
        }
        Self::start(config)
    }
}

fn answers(target: &ClickHouseTarget) -> bool {
    let anywhere = ClickHouseTarget { database: "default".into(), ..target.clone() };
    fieldline_sinks::clickhouse::Database::open(&anywhere, Default::default()).is_ok_and(|d| d.query("SELECT 1", "TSV").is_ok())
}

fn embedded_target(endpoint: &Endpoint, config: &Config) -> ClickHouseTarget {
    ClickHouseTarget::embedded(endpoint, &config.clickhouse_database)
}

/// The engine's library, fetched with a progress bar where it is not there yet.
pub fn library(config: &Config) -> Result<PathBuf> {
    if let Some(found) = install::locate(config.engine.as_deref())? {
        return Ok(found);
    }
    remark!("The ClickHouse engine is not installed yet; fetching it once (about 180 MB, 570 MB unpacked).");
    let bar = ProgressBar::new(0);
    let library = install::install(config.engine.as_deref(), &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    let library = library?;
    remark!("Installed {}", library.display());
    Ok(library)
}

fn show(bar: &ProgressBar, progress: Progress) {
    let doing = match progress.step {
        Step::Waiting => "waiting for another installation",
        Step::Downloading => "downloading",
        Step::Checking => "checking",
        Step::Unpacking => "unpacking",
    };
    let template = match progress.bytes_total {
        Some(_) => "{msg:32} {bar:30} {bytes}/{total_bytes} {elapsed}",
        None => "{msg:32} {spinner} {bytes} {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(doing);
    bar.set_length(progress.bytes_total.unwrap_or(progress.bytes_done));
    bar.set_position(progress.bytes_done);
}

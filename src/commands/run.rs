//! `fieldline run`: the pipeline until somebody stops it.

use super::WrongCommand;
use crate::api::{self, Api, Local, LocalFile};
use crate::cli::Run;
use crate::config::Config;
use crate::desk::Desk;
use crate::log::Time;
use crate::pipeline::{Pipeline, Role};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often the stages are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub fn run(config: &Config, arguments: &Run) -> Result<()> {
    let roles = if arguments.role.is_empty() { &Role::ALL[..] } else { &arguments.role };
    if config.kafka.is_none() && !Role::ALL.iter().all(|role| roles.contains(role)) {
        let why = "--role divides the work between processes, which an embedded log can not be: it belongs to one";
        return Err(WrongCommand(format!("{why}. Set kafka.brokers, or leave --role out")).into());
    }
    let stopping = stop_signal()?;
    let mut pipeline = Pipeline::start_roles(config, Time::Clock, roles)?;
    if roles.contains(&Role::Sinks) {
        pipeline.start_delivery()?;
    }
    pipeline.start_watch()?;
    if let Some(listen) = config.observe_listen {
        let address = crate::observe::serve(listen, Arc::new(pipeline.watched()))?;
        remark!("metrics at http://{address}/metrics");
    }
    let _local = serve_actions(config, &pipeline)?;
    let place = config.kafka.as_ref().map_or_else(|| config.data_dir.display().to_string(), |kafka| kafka.brokers.clone());
    remark!("fieldline runs on {place}; stop it with Ctrl-C");
    let outcome = loop {
        match stopping.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = pipeline.check() {
                    break Err(error);
                }
            }
            _ => break Ok(()),
        }
    };
    remark!("stopping: finishing what is in hand");
    let stopped = pipeline.stop();
    outcome.and(stopped)
}

/// Takes actions on alerts where that is configured, and those of commands on the same folder.
fn serve_actions(config: &Config, pipeline: &Pipeline) -> Result<Option<LocalFile>> {
    let serve = |listen, token: String| {
        let desk = Desk::open(Arc::clone(&pipeline.log), &pipeline.schemas, config)?;
        api::serve(listen, Arc::new(Api { desk, target: pipeline.target().ok().cloned(), token }))
    };
    if let Some(settings) = &config.api {
        let address = serve(settings.listen, settings.token.clone())?;
        remark!("actions on alerts at http://{address}/v1/alerts");
    }
    if config.kafka.is_some() {
        return Ok(None);
    }
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let address = serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), token.clone())?;
    Local { url: format!("http://{address}"), token }.write(&config.data_dir).map(Some)
}

/// Tells of the first Ctrl-C or SIGTERM; a second one ends the process at once.
pub fn stop_signal() -> Result<std::sync::mpsc::Receiver<()>> {
    let (tell, told) = channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("listening for signals")?;
    let listen = move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
            for signals in 0.. {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                if signals > 0 {
                    std::process::exit(130);
                }
                _ = tell.send(());
            }
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).context("listening for signals")?;
    Ok(told)
}

//! Delivery: alerts to receivers, each by itself.
//!
//! ```text
//! alerts ──► book (what is owed) ──► urgent first ──► send ──► policy ──► again later, or done, or given up
//! contacts ──► people ──► routes, silences ──┘          └──► deliveries; acknowledged and given up also alert_events
//! ```
//! * `book`: what a receiver has been told and is owed. `policy`: what follows from an answer. `route`, `people`: who is told
//!   of what, and what is held back.
//! * `worker`: one receiver's loop. `journal`: records of attempts. `control`: what can be watched.
//! * `direct`: past the log, where the log is what is wrong.
//! * `send`: one attempt over one channel; `message` its contents, `group` those of several alerts, `signature`, `http`, `mail` its ways. `config`: receivers.
//!
//! The log is the only memory. At a start a receiver folds `alerts` from its beginning, reads what `deliveries` has recorded
//! of that which is then owed, and sends the rest. A crash between a receiver's acknowledgement and its record repeats that
//! one notification, with the same key.

mod book;
pub mod config;
mod control;
mod direct;
mod group;
pub(crate) mod http;
mod journal;
mod mail;
pub mod message;
mod people;
pub mod policy;
mod route;
#[cfg(test)]
mod samples;
mod send;
mod signature;
mod worker;

pub use config::{Channel, Deadlines, DeliverConfig, Encryption, Endpoint, Hidden, Mailbox, Receiver, Style};
pub use control::{DeliverControl, ReceiverControl};
pub(crate) use direct::Direct;
pub use group::{GROUP_MAX, GroupBy};
pub use message::{Template, TemplateError};
pub use route::Route;
pub use signature::{NoSecret, SigningSecret};

use fieldline_log::{Error as LogError, Log};
use people::People;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use worker::Worker;

/// How often the receivers' threads are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why delivery ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    #[error("{doing}: {source}")]
    Log { doing: String, source: LogError },
    #[error("receiver {receiver}: {reason}")]
    Receiver { receiver: String, reason: String },
    #[error("starting {what}: {reason}")]
    Start { what: String, reason: String },
}

fn doing(what: impl FnOnce() -> String) -> impl FnOnce(LogError) -> DeliverError {
    move |source| DeliverError::Log { doing: what(), source }
}

/// Opens a receiver's channel and closes it again: whether its settings can be worked with, before anything runs.
pub fn check(receiver: &Receiver) -> Result<(), DeliverError> {
    let refused = |reason| DeliverError::Receiver { receiver: receiver.name.clone(), reason };
    send::Sender::new(receiver).map(drop).map_err(refused)
}

/// Runs every receiver, each on a thread of its own, until `control` asks them to stop or one of them fails.
pub fn run(config: DeliverConfig, log: Arc<dyn Log>, control: Arc<DeliverControl>) -> Result<(), DeliverError> {
    let config = Arc::new(config);
    let people = Arc::<People>::default();
    let mut threads: Vec<JoinHandle<Result<(), DeliverError>>> = Vec::new();
    let outcome = start(&config, &log, &control, &people, &mut threads);
    let outcome = outcome.and_then(|()| {
        loop {
            if let Some(ended) = threads.iter().position(JoinHandle::is_finished) {
                break join(threads.swap_remove(ended));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    });
    // One has ended: all do.
    control.stop();
    threads.into_iter().map(join).fold(outcome, Result::and)
}

fn join(thread: JoinHandle<Result<(), DeliverError>>) -> Result<(), DeliverError> {
    let panicked = |_| Err(DeliverError::Start { what: "a receiver".to_owned(), reason: "it panicked; the message is above".to_owned() });
    thread.join().unwrap_or_else(panicked)
}

fn start(
    config: &Arc<DeliverConfig>,
    log: &Arc<dyn Log>,
    control: &Arc<DeliverControl>,
    people: &Arc<People>,
    threads: &mut Vec<JoinHandle<Result<(), DeliverError>>>,
) -> Result<(), DeliverError> {
    let mut spawn = |name: String, work: Box<dyn FnOnce() -> Result<(), DeliverError> + Send>| {
        let failed = |error: std::io::Error| DeliverError::Start { what: name.clone(), reason: error.to_string() };
        threads.push(std::thread::Builder::new().name(name.clone()).spawn(work).map_err(failed)?);
        Ok(())
    };
    let (of, known, log_of, stop) = (Arc::clone(config), Arc::clone(people), Arc::clone(log), Arc::clone(control));
    let follow = move || {
        let followed = people::follow(&known, log_of.as_ref(), &of.prefix, &of.schemas, &|| stop.is_stopping());
        followed.map_err(doing(|| "following contacts and silences".to_owned()))
    };
    spawn("contacts".to_owned(), Box::new(follow))?;
    for (number, receiver) in config.receivers.iter().enumerate() {
        let worker = Worker::new(number, Arc::clone(config), Arc::clone(log), Arc::clone(control), Arc::clone(people));
        spawn(format!("receiver-{}", receiver.name), Box::new(move || worker?.run()))?;
    }
    Ok(())
}

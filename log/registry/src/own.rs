//! Our own schemas: found or registered, read back, and only then written.

use crate::api::Api;
use crate::{RegistryError, Remote, lock, pause_after};
use fieldline_schemas::Kind;
use fieldline_schemas::wire::{SchemaId, SchemaIds, schemas};
use std::sync::{Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The name under which the versions of a kind's schema stand: the record's own full name (RecordNameStrategy).
///
/// Not the topic's (TopicNameStrategy): `activity` carries seven kinds. Not both (TopicRecordNameStrategy): a record goes
/// from one topic into another as it is, so that its versions must agree everywhere, and every prefix would have subjects
/// of its own.
pub fn subject(kind: Kind) -> String {
    format!("fieldline.{}", kind.name())
}

/// How far the registration is.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_done: bool,
    failure: Option<RegistryError>,
}

impl Registration {
    fn set(&self, state: State) {
        *lock(&self.state) = state;
        self.changed.notify_all();
    }

    pub fn wait(&self, wait_max: Option<Duration>) -> Result<bool, RegistryError> {
        let until = wait_max.and_then(|wait| Instant::now().checked_add(wait));
        let mut state = lock(&self.state);
        loop {
            match &state.failure {
                _ if state.is_done => return Ok(true),
                Some(error) if error.is_lasting() => return Err(error.clone()),
                _ => {}
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Ok(false),
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

pub(crate) fn register_until_done(remote: &Weak<Remote>) {
    for attempts in 1.. {
        let Some(remote) = remote.upgrade() else { return };
        match register(&remote.api, &remote.ids) {
            Ok(()) => {
                tracing::info!(attempts, "our schemas are registered; records are written with their ids");
                return remote.registration.set(State { is_done: true, failure: None });
            }
            Err(error) => {
                let pause = pause_after(attempts);
                if error.is_lasting() {
                    tracing::error!(attempts, "{error}; until somebody mends it no record is written with an id; again in {pause:?}");
                } else {
                    tracing::warn!(attempts, "{error}; meanwhile no record is written with an id; again in {pause:?}");
                }
                remote.registration.set(State { is_done: false, failure: Some(error) });
                drop(remote);
                std::thread::sleep(pause);
            }
        }
    }
}

/// Gives every kind its id, all of them or none.
fn register(api: &Api, ids: &SchemaIds) -> Result<(), RegistryError> {
    let mut found = Vec::new();
    for current in schemas().all() {
        let subject = subject(current.kind);
        let id = match api.find(&subject, current.json)? {
            Some(id) => id,
            None => {
                api.demand_rule(&subject)?;
                api.register(&subject, current.json)?
            }
        };
        let doing = || format!("reading back schema id {id} of {subject}");
        let meaning = |source| RegistryError::Meaning { doing: doing(), source };
        if !ids.knows(SchemaId::Registry(id)) {
            // A follower may not have heard of it yet: that passes.
            let json = api.schema(id)?.ok_or_else(|| RegistryError::Malformed { doing: doing(), what: "it does not have it" })?;
            ids.learn(SchemaId::Registry(id), &json).map_err(meaning)?;
        }
        found.push((current, id));
    }
    for (current, id) in found {
        let meaning = |source| RegistryError::Meaning { doing: format!("taking schema id {id} for {}", subject(current.kind)), source };
        ids.adopt(current.kind, id).map_err(meaning)?;
    }
    Ok(())
}

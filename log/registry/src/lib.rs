//! A schema registry: the ids that our records are written with, and the schemas of ids that are read.
//!
//! ```text
//! start ─► thread: find or register each of our schemas ─► ids of our kinds ─► frames that are written
//! batch ─► an id that nobody knows? ─► ask ─► its schema ─► the batch is handled
//!                                        ├──► there is none ─► the batch is handled, its record a dead letter
//!                                        └──► no answer ─► the batch is put back; the partition stands still
//! ```
//! * `target`, `error`: where it is, what goes wrong. `http`: one request. `api`: what is asked, what answers mean.
//! * `own`: our schemas. `asking`: those of others.
//!
//! Nothing is lost and nothing set aside because a registry was away for a moment. What is known once stays known: an id
//! never changes its meaning. Blocking, for threads that own partitions; not to be called from asynchronous code.

mod api;
mod asking;
mod error;
mod http;
mod own;
mod target;

pub use error::RegistryError;
pub use own::subject;
pub use target::{Deadlines, RegistryTarget};

use api::Api;
use asking::{Asking, Problem};
use fieldline_log::{Batch, Consumer};
use fieldline_schemas::Codec;
use fieldline_schemas::wire::SchemaIds;
use own::Registration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// What a process knows of schemas, and whom it asks. Cheap to clone; every clone shares what one has learned.
///
/// Without a registry (the default) records are single objects, and an id in a frame is one that nobody knows.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    ids: Arc<SchemaIds>,
    remote: Option<Arc<Remote>>,
}

#[derive(Debug)]
pub(crate) struct Remote {
    api: Api,
    codec: Codec,
    ids: Arc<SchemaIds>,
    asking: Mutex<Asking>,
    problem: Mutex<Problem>,
    registration: Registration,
}

/// How often a registry was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Answered as it should, "there is no such schema" included.
    pub answered: u64,
    pub failed: u64,
}

impl Registry {
    /// Begins to find or register our schemas, in a thread of its own, again and again until that is done or every clone
    /// is gone. Until then records are written as single objects, which every reader here takes as well.
    pub fn start(target: RegistryTarget) -> Result<Self, RegistryError> {
        let ids = Arc::<SchemaIds>::default();
        let remote = Arc::new(Remote {
            api: Api::new(target),
            codec: Codec::with_ids(Arc::clone(&ids)),
            ids: Arc::clone(&ids),
            asking: Mutex::default(),
            problem: Mutex::default(),
            registration: Registration::default(),
        });
        let weak = Arc::downgrade(&remote);
        let thread = std::thread::Builder::new().name("schema-registry".to_owned());
        thread.spawn(move || own::register_until_done(&weak)).map_err(|error| RegistryError::Start { reason: error.to_string() })?;
        Ok(Self { ids, remote: Some(remote) })
    }

    /// Waits until our schemas have ids, at most `wait_max`; whether they have. An error is what a person must mend.
    pub fn wait_registered(&self, wait_max: Option<Duration>) -> Result<bool, RegistryError> {
        self.remote.as_ref().map_or(Ok(true), |remote| remote.registration.wait(wait_max))
    }

    /// A codec that shares the ids.
    pub fn codec(&self) -> Codec {
        Codec::with_ids(Arc::clone(&self.ids))
    }

    /// Whether the batch may be handled: every schema that its frames name is known, or known not to exist. If not, it was
    /// put back: the consumer reads it again, after a short pause that is taken here. The partition stands still meanwhile.
    pub fn admits(&self, batch: &Batch, consumer: &mut dyn Consumer) -> fieldline_log::Result<bool> {
        let is_known = self.learn(batch.iter().map(|record| record.value));
        if !is_known && let Some(offset) = batch.first_offset() {
            consumer.seek(&batch.partition, offset)?;
        }
        Ok(is_known)
    }

    /// Asks for the schemas that the payloads name and nobody here knows. False: not everything is answered, and a short
    /// pause was taken.
    pub fn learn<'a>(&self, payloads: impl Iterator<Item = &'a [u8]>) -> bool {
        self.remote.as_ref().is_none_or(|remote| remote.learn(payloads))
    }

    /// Returns when every schema that the batch names is known, or known not to exist, and is loud until then: for commands,
    /// which a person can stop.
    pub fn learn_patiently(&self, batch: &Batch) {
        while !self.learn(batch.iter().map(|record| record.value)) {}
    }

    /// What keeps a partition standing still at present.
    pub fn problem(&self) -> Option<String> {
        lock(&self.remote.as_ref()?.problem).present()
    }

    /// `None`: there is no registry.
    pub fn requests(&self) -> Option<Requests> {
        self.remote.as_ref().map(|remote| remote.api.requests())
    }
}

/// How long to wait after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(PAUSE_MAX)
}

/// What a thread that panicked has left is whole: nothing is changed in steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

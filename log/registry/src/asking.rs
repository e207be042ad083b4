//! Schemas of ids that nobody here knows.

use crate::{Remote, lock, pause_after};
use fieldline_schemas::wire::SchemaId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A registry's follower may not have heard of a schema that its leader has just given an id: "there is none" is believed
/// when it is still said after so long.
const DOUBT: Duration = Duration::from_secs(1);
/// So long it is then not asked again.
const TRUST: Duration = Duration::from_secs(600);
/// Ids of which that is remembered; more than a batch can hold, or one could never be finished.
const GONE_MAX: usize = 1 << 16;
/// Longer than any pause with the attempt after it.
const PROBLEM_OVER: Duration = Duration::from_secs(30);
/// How long one pause of a stage is at most: it has other partitions.
const REST_MAX: Duration = Duration::from_millis(100);

/// What was asked, for all stages of a process.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    failures: u32,
    retry_at: Option<Instant>,
    gone: BTreeMap<u32, Gone>,
}

/// The registry said that there is no such schema.
#[derive(Clone, Copy, Debug)]
struct Gone {
    said_at: Instant,
    is_sure: bool,
}

/// What keeps partitions standing still, and when it was last met.
#[derive(Debug, Default)]
pub(crate) struct Problem(Option<(Instant, String)>);

impl Problem {
    /// A problem is asked about again and again as long as a partition stands still because of it; then it is over.
    pub fn present(&self) -> Option<String> {
        self.0.as_ref().filter(|(met_at, _)| met_at.elapsed() < PROBLEM_OVER).map(|(_, what)| what.clone())
    }
}

impl Remote {
    /// Whether everything that the payloads name is answered now; if not, a short pause was taken.
    pub fn learn<'a>(&self, payloads: impl Iterator<Item = &'a [u8]>) -> bool {
        let unknown: BTreeSet<u32> = payloads.filter_map(|payload| self.codec.unknown_id(payload)).collect();
        if unknown.is_empty() {
            return true;
        }
        let mut asking = lock(&self.asking);
        let until = Instant::now() + self.api.target.deadlines.total;
        let again_at = unknown.into_iter().filter_map(|id| self.settle(&mut asking, id, until)).min();
        drop(asking);
        let Some(again_at) = again_at else { return true };
        std::thread::sleep(again_at.saturating_duration_since(Instant::now()).min(REST_MAX));
        false
    }

    /// Finds out what an id means; when to ask again, where that cannot be found out now.
    fn settle(&self, asking: &mut Asking, id: u32, until: Instant) -> Option<Instant> {
        // Another stage may have asked meanwhile.
        if self.ids.knows(SchemaId::Registry(id)) {
            return None;
        }
        let now = Instant::now();
        let gone = asking.gone.get(&id).copied();
        match gone {
            Some(Gone { said_at, is_sure: true }) if now < said_at + TRUST => return None,
            Some(Gone { said_at, is_sure: false }) if now < said_at + DOUBT => return Some(said_at + DOUBT),
            _ => {}
        }
        if let Some(retry_at) = asking.retry_at.filter(|retry_at| now < *retry_at) {
            return Some(retry_at);
        }
        if now >= until {
            return Some(now);
        }
        match self.api.schema(id) {
            Ok(json) => {
                asking.failures = 0;
                *lock(&self.problem) = Problem::default();
                match json {
                    Some(json) => self.take_in(id, &json),
                    None => return asking.note_gone(id, gone.is_some()),
                }
                None
            }
            Err(error) => {
                asking.failures += 1;
                let (attempts, pause) = (asking.failures, pause_after(asking.failures));
                if error.is_lasting() {
                    tracing::error!(attempts, "{error}; what holds such records stands still until somebody mends it; again in {pause:?}");
                } else {
                    tracing::warn!(attempts, "{error}; what holds such records stands still meanwhile; again in {pause:?}");
                }
                *lock(&self.problem) = Problem(Some((Instant::now(), error.to_string())));
                let retry_at = Instant::now() + pause;
                asking.retry_at = Some(retry_at);
                Some(retry_at)
            }
        }
    }

    fn take_in(&self, id: u32, json: &str) {
        match self.ids.learn(SchemaId::Registry(id), json) {
            Ok(_) => tracing::info!(id, "a schema was looked up"),
            Err(error) => tracing::warn!(id, "{error}: its records are dead letters"),
        }
    }
}

impl Asking {
    /// When to ask again before it is believed.
    fn note_gone(&mut self, id: u32, is_sure: bool) -> Option<Instant> {
        if self.gone.len() >= GONE_MAX {
            self.gone.clear();
        }
        let said_at = Instant::now();
        self.gone.insert(id, Gone { said_at, is_sure });
        if is_sure {
            tracing::warn!(id, "the schema registry has no schema of this id: its records are dead letters");
            return None;
        }
        Some(said_at + DOUBT)
    }
}

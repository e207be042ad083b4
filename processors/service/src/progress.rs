//! What can be watched from outside: how far each partition is.

use fieldline_log::TopicPartition;
use fieldline_processors_core::partition::Counters;
use fieldline_schemas::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Where one partition stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The highest append time seen.
    pub clock: Option<Timestamp>,
    /// The next offset to read.
    pub position: i64,
    /// One past the last record, when that was last asked.
    pub end: i64,
    pub committed: Option<i64>,
    /// While the state is rebuilt: from where to where.
    pub rebuild: Option<(i64, i64)>,
    pub technicians: usize,
    pub dead_letters: u64,
    pub kpis: u64,
    pub recompute_requests: u64,
    pub flags: u64,
    pub counters: Counters,
}

impl PartitionProgress {
    /// Records that are not processed yet.
    pub fn lag(&self) -> i64 {
        (self.end - self.position).max(0)
    }

    /// How much of a rebuild is done, 0 to 1; 1 when none is going on.
    pub fn rebuilt(&self) -> f64 {
        match self.rebuild {
            Some((from, to)) if to > from => ((self.position - from) as f64 / (to - from) as f64).clamp(0.0, 1.0),
            _ => 1.0,
        }
    }
}

/// What a process has done in every partition that it owns or owned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub dead_letters: u64,
    pub kpis: u64,
    pub recompute_requests: u64,
    pub flags: u64,
    pub counters: Counters,
}

impl Totals {
    fn add(&mut self, progress: &PartitionProgress) {
        self.dead_letters += progress.dead_letters;
        self.kpis += progress.kpis;
        self.recompute_requests += progress.recompute_requests;
        self.flags += progress.flags;
        self.counters = self.counters.plus(&progress.counters);
    }
}

#[derive(Debug, Default)]
struct Shared {
    owned: BTreeMap<TopicPartition, PartitionProgress>,
    given_up: Totals,
}

/// A shared view of every owned partition.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Shared>>);

impl Progress {
    pub fn snapshot(&self) -> BTreeMap<TopicPartition, PartitionProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).owned.clone()
    }

    /// Totals since the process began; they only grow.
    pub fn totals(&self) -> Totals {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = shared.given_up;
        shared.owned.values().for_each(|progress| totals.add(progress));
        totals
    }

    pub(crate) fn set(&self, partition: &TopicPartition, progress: PartitionProgress) {
        let owned = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).owned;
        match owned.get_mut(partition) {
            Some(known) => *known = progress,
            None => drop(owned.insert(partition.clone(), progress)),
        }
    }

    pub(crate) fn remove(&self, partition: &TopicPartition) {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = shared.owned.remove(partition) {
            shared.given_up.add(&progress);
        }
    }
}

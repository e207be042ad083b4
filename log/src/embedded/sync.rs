//! Syncing in groups: one thread puts on the disk whatever was appended since its last round.

use super::partition::PartitionLog;
use crate::broker::wake::lock;
use crate::{Error, Result};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Queue {
    dirty: Vec<Arc<PartitionLog>>,
    stopped: bool,
}

/// The partitions that wait for the next round.
#[derive(Default)]
pub(crate) struct Syncer {
    queue: Mutex<Queue>,
    condvar: Condvar,
}

impl Syncer {
    pub(crate) fn add(&self, partition: Option<Arc<PartitionLog>>) {
        let Some(partition) = partition else { return };
        let mut queue = lock(&self.queue);
        if !queue.dirty.iter().any(|p| Arc::ptr_eq(p, &partition)) {
            queue.dirty.push(partition);
            self.condvar.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        lock(&self.queue).stopped = true;
        self.condvar.notify_one();
    }

    /// The thread's work: rounds, at most one per interval, until stopped and nothing is left.
    pub(crate) fn run(&self, interval: Duration) {
        loop {
            let mut queue = lock(&self.queue);
            while queue.dirty.is_empty() && !queue.stopped {
                queue = self.condvar.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let due = Instant::now() + interval;
            let dirty = std::mem::take(&mut queue.dirty);
            drop(queue);
            if dirty.is_empty() {
                return;
            }
            for partition in dirty {
                partition.sync();
            }
            // Appends of the meantime are the next group.
            let mut queue = lock(&self.queue);
            while !queue.stopped && Instant::now() < due {
                let left = due.saturating_duration_since(Instant::now());
                queue = self.condvar.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Makes new names in a folder survive a power loss.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("could not sync the folder", folder))
}

//! Asks the watch to stop, and shows what it sees.

use crate::histogram::Histogram;
use fieldline_schemas::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared with a running watch.
#[derive(Debug)]
pub struct WatchControl {
    stop: AtomicBool,
    /// When a beat last came back through every partition, by this machine's clock, in microseconds since 1970; before the first
    /// one when the watch began, 0 where no beats are sent.
    whole_us: AtomicI64,
    /// From the append of a beat to its return, in seconds, one for each partition.
    pub beat_seconds: Histogram<10>,
    /// Pings of the switch outside: taken, and given up.
    pub pinged: AtomicU64,
    pub pings_failed: AtomicU64,
    standing: Mutex<Vec<(String, String)>>,
}

impl WatchControl {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            stop: AtomicBool::default(),
            whole_us: AtomicI64::default(),
            beat_seconds: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]),
            pinged: AtomicU64::default(),
            pings_failed: AtomicU64::default(),
            standing: Mutex::default(),
        })
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn set_whole(&self, at: Timestamp) {
        self.whole_us.store(at.0, Ordering::Relaxed);
    }

    /// When a beat last came back through every partition; `None` where none are sent.
    pub fn whole_at(&self) -> Option<Timestamp> {
        Some(self.whole_us.load(Ordering::Relaxed)).filter(|us| *us != 0).map(Timestamp)
    }

    pub(super) fn set_standing<'a>(&self, standing: impl Iterator<Item = (&'a str, &'a str)>) {
        let standing = standing.map(|(component, reasoning)| (component.to_owned(), reasoning.to_owned())).collect();
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Components of which an S12 stands, and why.
    pub fn standing(&self) -> Vec<(String, String)> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! Asks delivery to stop, and shows what it does.

use super::config::DeliverConfig;
use fieldline_log::Readings;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::DeliveryOutcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Shared with running receivers.
#[derive(Debug, Default)]
pub struct DeliverControl {
    stop: AtomicBool,
    pub receivers: Vec<Arc<ReceiverControl>>,
}

impl DeliverControl {
    pub fn new(config: &DeliverConfig) -> Arc<Self> {
        let receivers = config.receivers.iter().map(|receiver| {
            let stage = format!("receiver-{}", receiver.name);
            Arc::new(ReceiverControl { name: receiver.name.clone(), stage, ..ReceiverControl::default() })
        });
        Arc::new(Self { stop: AtomicBool::default(), receivers: receivers.collect() })
    }

    /// Asks every receiver to end what is under way, record it and return.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What one receiver does.
#[derive(Debug, Default)]
pub struct ReceiverControl {
    pub name: String,
    /// Its name among the stages.
    pub stage: String,
    attempts: [AtomicU64; DeliveryOutcome::ALL.len()],
    /// Repetitions of what is open and told, for Alertmanager: taken, and not taken.
    pub repeated: AtomicU64,
    pub repeats_failed: AtomicU64,
    owed: AtomicU64,
    /// Append time of the oldest notification that is owed; 0 for none.
    owed_since_us: AtomicI64,
    pub readings: Readings,
}

impl ReceiverControl {
    pub(super) fn count(&self, outcome: DeliveryOutcome) {
        self.attempts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Attempts that ended so.
    pub fn attempts(&self, outcome: DeliveryOutcome) -> u64 {
        self.attempts[outcome as usize].load(Ordering::Relaxed)
    }

    pub(super) fn set_backlog(&self, (owed, since): (u64, Option<Timestamp>)) {
        self.owed.store(owed, Ordering::Relaxed);
        self.owed_since_us.store(since.map_or(0, |at| at.0), Ordering::Relaxed);
    }

    /// Alerts of which it is owed a notification, as of the last second.
    pub fn owed(&self) -> u64 {
        self.owed.load(Ordering::Relaxed)
    }

    /// Since when the oldest of them.
    pub fn owed_since(&self) -> Option<Timestamp> {
        Some(self.owed_since_us.load(Ordering::Relaxed)).filter(|us| *us != 0).map(Timestamp)
    }
}

//! How a sink is set, and what can be asked of one that runs.

use crate::histogram::Histogram;
use crate::writer::WriterConfig;
use fieldline_log::Readings;
use fieldline_registry::Registry;
use fieldline_schemas::topics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// A batch of this many rows goes out as soon as the inserter is free.
    pub rows_min: usize,
    /// A batch goes out when its first record has waited this long, however small it is.
    pub age_max: Duration,
    /// While the inserter is busy a batch grows up to this many rows or bytes; then reading waits.
    pub rows_max: usize,
    pub bytes_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { rows_min: 10_000, age_max: Duration::from_secs(1), rows_max: 100_000, bytes_max: 64 << 20 }
    }
}

/// Settings of a sink.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub batch: BatchLimits,
    pub writer: WriterConfig,
    /// The ids that records are written with, and whom to ask for those that are read.
    pub schemas: Registry,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            prefix: topics::PREFIX_DEFAULT.to_owned(),
            batch: BatchLimits::default(),
            writer: WriterConfig::default(),
            schemas: Registry::default(),
        }
    }
}

/// Shared with a running sink: asks it to stop or to hurry, and shows how far it is.
#[derive(Debug)]
pub struct SinkControl {
    stop: AtomicBool,
    hurry: AtomicBool,
    pub records: AtomicU64,
    pub rows: AtomicU64,
    pub blocks: AtomicU64,
    pub dead_letters: AtomicU64,
    pub retries: AtomicU64,
    pub commits: AtomicU64,
    /// Rows of each insert.
    pub insert_rows: Histogram<8>,
    /// Seconds from an insert's first attempt to its acknowledgement, or to its being given up.
    pub insert_seconds: Histogram<10>,
    /// How far it is in each partition that it owns.
    pub readings: Readings,
}

impl Default for SinkControl {
    fn default() -> Self {
        Self {
            stop: AtomicBool::default(),
            hurry: AtomicBool::default(),
            records: AtomicU64::default(),
            rows: AtomicU64::default(),
            blocks: AtomicU64::default(),
            dead_letters: AtomicU64::default(),
            retries: AtomicU64::default(),
            commits: AtomicU64::default(),
            insert_rows: Histogram::new([10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0]),
            insert_seconds: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]),
            readings: Readings::default(),
        }
    }
}

impl SinkControl {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
    /// Asks the sink to insert what it has, commit and return. What cannot be inserted soon is read again next time.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
    /// While set, what has been read goes out as soon as the topics have nothing more: for `import`, which waits for it.
    pub fn hurry(&self, hurry: bool) {
        self.hurry.store(hurry, Ordering::Relaxed);
    }
    pub(super) fn is_hurrying(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }
}

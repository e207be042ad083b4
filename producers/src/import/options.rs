//! How files are imported, and the limits of it.

use fieldline_schemas::SosTypes;
use std::time::Duration;

/// The longest line that is read. A longer one is refused; its first part becomes the dead letter.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Text that is parsed at a time.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Chunks waiting between two steps, each way.
pub(super) const CHUNKS_WAITING_MAX: usize = 4;
/// How often progress is told.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Refused lines that are told one by one; all are counted.
pub const REFUSED_KEPT_DEFAULT: usize = 20;
/// More parsers than this never pay: one thread appends.
pub(super) const PARSERS_MAX: usize = 16;

/// Options of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// Threads that parse; 1 to 16.
    pub parsers: usize,
    /// How many refused lines the summary names one by one.
    pub refused_kept_max: usize,
    /// Whether events are history, which pages nobody. `false` only where notifications are recorded instead of sent: a
    /// backtest, which takes the events for new whatever the files say.
    pub imported: bool,
    /// Operational events that take the emergency lane too, where events are no history.
    pub sos: SosTypes,
    /// How long the end may wait until everything is durable.
    pub flush_wait_max: Duration,
}

impl Default for ImportOptions {
    fn default() -> Self {
        let parsers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        Self {
            parsers,
            refused_kept_max: REFUSED_KEPT_DEFAULT,
            imported: true,
            sos: SosTypes::default(),
            flush_wait_max: Duration::from_secs(60),
        }
    }
}

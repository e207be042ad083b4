//! What the processors need to know.

use crate::progress::Progress;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::partition::Path;
use fieldline_registry::Registry;
use fieldline_schemas::SosTypes;
use std::time::Duration;

/// Validated settings.
#[derive(Clone, Debug)]
pub struct ProcessorConfig {
    /// Before every topic and group name: `fieldline.`.
    pub prefix: String,
    /// Threads, each a member of the group.
    pub workers: usize,
    /// Raised by hand when rows of another log must be overruled. 0 to 15.
    pub epoch: u8,
    pub definition: Definition,
    pub flags: FlagSettings,
    /// Operational events that are emergencies by themselves.
    pub sos: SosTypes,
    /// How rows are brought up to date: the results are the same.
    pub path: Path,
    /// A partition on which nothing moved for this long gets a tick. `None`: somebody else moves the time.
    pub tick_every: Option<Duration>,
    /// Outputs carry the clock of their partition as append time: on a log of event time (time-lapse).
    pub event_time: bool,
    pub commit_every: Duration,
    /// The longest wait for records in one poll.
    pub poll_wait: Duration,
    /// The most records of one poll.
    pub poll_records_max: usize,
    /// The longest wait for acknowledgements when a partition is given up.
    pub flush_wait: Duration,
    /// Where the state of each partition can be watched.
    pub progress: Progress,
    /// The ids that records are written with, and whom to ask for those that are read.
    pub schemas: Registry,
}

impl ProcessorConfig {
    pub fn new(prefix: &str, definition: Definition) -> Self {
        Self {
            prefix: prefix.to_owned(),
            workers: 1,
            epoch: 0,
            definition,
            flags: FlagSettings::default(),
            sos: SosTypes::default(),
            path: Path::Incremental,
            tick_every: Some(Duration::from_secs(1)),
            event_time: false,
            commit_every: Duration::from_secs(1),
            poll_wait: Duration::from_millis(100),
            poll_records_max: 4096,
            flush_wait: Duration::from_secs(30),
            progress: Progress::default(),
            schemas: Registry::default(),
        }
    }

    /// The consumer group of the processors.
    pub fn group(&self) -> String {
        format!("{}processors", self.prefix)
    }
}

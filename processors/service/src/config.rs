//! What the processors need to know.

use crate::progress::Progress;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::partition::Path;
use fieldline_registry::Registry;
use fieldline_schemas::{SosTypes, Topic};
use std::time::Duration;

/// Topics whose partitions are shared out among workers by a group of their own, so that each worker has its part of each:
/// one group of all topics balances their partitions together, and one of three members once had none of `activity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The technicians' log.
    Technicians,
    /// What is derived record by record.
    Events,
}

impl Share {
    pub const ALL: [Self; 2] = [Self::Technicians, Self::Events];

    /// What its members read.
    pub fn topics(self) -> &'static [Topic] {
        match self {
            Self::Technicians => &[Topic::Activity],
            Self::Events => &[Topic::Calls, Topic::Operations],
        }
    }

    /// The name of its group, after the prefix.
    pub fn group(self) -> &'static str {
        match self {
            Self::Technicians => "processors",
            Self::Events => "event-processors",
        }
    }

    /// Whose commits say where to go on while this group has none of its own: until 2026-11-25 one group read all topics.
    pub(crate) fn predecessor(self) -> Option<Self> {
        (self == Self::Events).then_some(Self::Technicians)
    }
}

/// Validated settings.
#[derive(Clone, Debug)]
pub struct ProcessorConfig {
    /// Before every topic and group name: `fieldline.`.
    pub prefix: String,
    /// Threads of each share, each a member of its group.
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

    /// The consumer group of a share.
    pub fn group(&self, share: Share) -> String {
        format!("{}{}", self.prefix, share.group())
    }
}

//! Every promise of the traits as a check against the traits alone, for any log behind them.
//!
//! Written to pass against a real cluster: each case has topics and groups of its own, waits for what must happen with a
//! deadline and never for a time to pass, and tolerates gaps between offsets. A case panics where a promise is broken.
#![expect(clippy::unwrap_used, reason = "a check has nobody to hand an error to; the panic is its result")]

mod appends;
mod commits;
mod groups;
mod member;
mod reading;
mod times;
mod topics;

use crate::{Append, Destination, Log, TopicPartition, TopicSpec};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The log lets records name their append time.
    pub event_time: bool,
    /// Polls really wait, so that other threads may be waited for.
    pub waits: bool,
    /// How long anything may take that must happen; generous, as nothing waits for it to pass.
    pub deadline: Duration,
}

type Case = fn(&Suite<'_>);

const CASES: &[(&str, Case)] = &[
    ("a topic is made once and keeps its partition count", topics::made_once),
    ("what does not exist is refused", topics::unknown_is_refused),
    ("a key decides the partition as Kafka's does", appends::partition_by_key),
    ("order is kept within a partition", appends::order_is_kept),
    ("numbers are contiguous and the acknowledged frontier follows", appends::acknowledgements),
    ("records of two producers all arrive", appends::two_producers),
    ("an oversize record is refused and the producer goes on", appends::oversize_is_refused),
    ("the largest payload passes", appends::large_payload_passes),
    ("append times do not go back", times::append_times_do_not_go_back),
    ("an offset is found by time", times::offset_by_time),
    ("records name their append time", times::event_time),
    ("watermarks of empty and filled partitions", reading::watermarks),
    ("nothing is read before a start is named", reading::nothing_before_seek),
    ("a batch keeps to the records asked for", reading::records_max),
    ("seek goes back, forward and to the end", reading::seek),
    ("a paused partition is silent and loses nothing", reading::pause),
    ("an append ends the wait of a poll", reading::append_wakes_poll),
    ("members share the partitions, whoever joins or goes", groups::members_share),
    ("no record is lost while members come and go", groups::nothing_lost_in_rebalance),
    ("groups do not concern each other", groups::independent_groups),
    ("what is not owned is refused", groups::not_owned_is_refused),
    ("commits survive reopening, note included", commits::survive_reopening),
    ("a group goes on where it committed", commits::resume),
    ("a commit may go back, a long note is refused", commits::back_and_limits),
];

/// Runs every case. `make` opens the log, the same one each time; it is called again only when every earlier handle of
/// the case has been dropped.
pub fn run_all(make: impl Fn() -> Arc<dyn Log>, options: Options) {
    let suite = Suite { make: &make, options };
    for (name, case) in CASES {
        eprintln!("conformance: {name}");
        case(&suite);
    }
}

struct Suite<'a> {
    make: &'a dyn Fn() -> Arc<dyn Log>,
    options: Options,
}

static NAMES: AtomicU64 = AtomicU64::new(0);

impl Suite<'_> {
    fn open(&self) -> Arc<dyn Log> {
        (self.make)()
    }

    /// A name that nobody used before, also not in an earlier run against the same cluster.
    fn name(&self, what: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        format!("conformance.{what}-{}-{now}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
    }

    fn topic(&self, log: &Arc<dyn Log>, partitions: i32) -> String {
        let name = self.name("topic");
        log.ensure_topic(&TopicSpec { name: name.clone(), partitions, retention: None, compacted: false }).unwrap();
        name
    }

    /// Calls `step` until it says that it is done.
    fn until(&self, what: &str, mut step: impl FnMut() -> bool) {
        let deadline = Instant::now() + self.options.deadline;
        while !step() {
            assert!(Instant::now() < deadline, "did not happen within {:?}: {what}", self.options.deadline);
        }
    }

    /// Appends the values to one partition and waits for their acknowledgement.
    fn append(&self, log: &Arc<dyn Log>, partition: &TopicPartition, values: impl IntoIterator<Item = Vec<u8>>) {
        let mut producer = log.producer().unwrap();
        for value in values {
            let destination = Destination::Partition(partition.partition);
            producer.append(&partition.topic, Append { destination, key: b"", value: &value, append_time: None }).unwrap();
        }
        producer.flush(self.options.deadline).unwrap();
    }
}

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

fn number(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

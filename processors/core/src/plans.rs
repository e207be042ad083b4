//! Plans that wait: when each revision of a plan goes into its technician's log.
//!
//! A revision is released 24 h before the earliest start of any revision of its id, so that whoever changes a plan whose day
//! has come changes it at once, also to a day that is far away. The clock is that of the technicians' partition.

use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{DAY_US, MINUTE_US};
use std::collections::{BTreeMap, BTreeSet};

/// How long before its start a plan is released.
pub const RELEASED_BEFORE_US: i64 = DAY_US;
/// What came to `plans` so long before the clock up to which a predecessor released was read by it: clocks of brokers differ.
pub const READ_WITHIN_US: i64 = 10 * MINUTE_US;
/// Ids are remembered so long after their start: as long as `plans` keeps them.
const REMEMBERED_US: i64 = 400 * DAY_US;

/// One revision of a plan as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub id: EventId,
    pub revision: u32,
    /// When that which it plans begins.
    pub starts_at: Timestamp,
    /// When it came to `plans`.
    pub received_at: Timestamp,
    /// Its record, as it goes on.
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
}

/// The plans of one partition.
#[derive(Clone, Debug, Default)]
pub struct PlanQueue {
    /// Up to which clock a predecessor released everything.
    released_through: Option<Timestamp>,
    plans: BTreeMap<EventId, Plan>,
    due: BTreeSet<(Timestamp, EventId)>,
}

#[derive(Clone, Debug)]
struct Plan {
    /// Of every revision that was ever seen.
    earliest: Timestamp,
    waiting: Vec<Revision>,
}

impl Plan {
    /// A day before its earliest start; of what comes after that, when it has come. So a successor that reads the log behind
    /// its time releases nothing ahead of it.
    fn due(&self) -> Timestamp {
        let came = self.waiting.iter().map(|revision| revision.received_at).min();
        came.into_iter().fold(self.earliest - RELEASED_BEFORE_US, Timestamp::max)
    }
}

impl PlanQueue {
    pub fn new(released_through: Option<Timestamp>) -> Self {
        Self { released_through, ..Self::default() }
    }

    /// Takes in a revision; the same one twice waits once.
    pub fn take(&mut self, revision: Revision) {
        let id = revision.id;
        let plan = self.plans.entry(id).or_insert(Plan { earliest: revision.starts_at, waiting: Vec::new() });
        self.due.remove(&(plan.due(), id));
        plan.earliest = plan.earliest.min(revision.starts_at);
        let release_at = plan.earliest - RELEASED_BEFORE_US;
        // What was due and had come before a predecessor released it is in the log, and so is what waited for it to be due.
        let through = self.released_through;
        if through.is_some_and(|through| release_at <= through && revision.received_at <= through - READ_WITHIN_US) {
            plan.waiting.clear();
        } else {
            // What lies back for a day when it comes is history: its publisher has put it into the log.
            let is_history = revision.starts_at <= revision.received_at - DAY_US;
            let is_known = plan.waiting.iter().any(|known| known.revision == revision.revision);
            if !is_history && !is_known {
                plan.waiting.push(revision);
            }
        }
        if !plan.waiting.is_empty() {
            self.due.insert((plan.due(), id));
        }
    }

    /// The next instant at which something is to be released.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Everything that is due by `clock`, in the order of its instants; of one plan in the order of its revisions.
    pub fn release(&mut self, clock: Timestamp) -> Vec<Revision> {
        let mut released = Vec::new();
        while let Some((due, id)) = self.due.first().copied()
            && due <= clock
        {
            self.due.remove(&(due, id));
            let Some(plan) = self.plans.get_mut(&id) else { continue };
            let (mut now, later) = std::mem::take(&mut plan.waiting).into_iter().partition(|waiting| waiting.received_at <= clock);
            plan.waiting = later;
            if !plan.waiting.is_empty() {
                self.due.insert((plan.due(), id));
            }
            now.sort_by_key(|revision: &Revision| revision.revision);
            released.append(&mut now);
        }
        released
    }

    /// Forgets ids that nobody can amend any more.
    pub fn prune(&mut self, clock: Timestamp) {
        self.plans.retain(|_, plan| !plan.waiting.is_empty() || plan.earliest > clock - REMEMBERED_US);
    }
}

//! What flags need of a fold: shifts that nobody ended, and how things stand after the last event.

use super::walk::Column;
use crate::facts::Position;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::EventId;

/// A shift without an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnendedShift {
    pub shift_id: EventId,
    pub started_at: Timestamp,
    /// Where the next shift_start superseded it, else 24 h after its start.
    pub closed_at: Timestamp,
    pub superseded: bool,
    pub planned_end: Option<Timestamp>,
    pub lone_worker: bool,
    /// From here on its end is missing (A02, S5).
    pub missing_from: Timestamp,
    pub last_event_at: Timestamp,
    pub last_event_type: ActivityType,
}

/// Where a state of travelling began that has not been broken since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Begun {
    /// The travel_start.
    pub id: EventId,
    pub at: Timestamp,
    /// Later than `at` where a break or an emergency lay over the travel: nobody was silent then.
    pub counted_from: Timestamp,
    pub imported: bool,
}

/// The technician's last event that stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Last {
    pub id: EventId,
    pub at: Timestamp,
    pub activity_type: ActivityType,
    pub imported: bool,
}

/// How things stand after the last event, before time ends what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tail {
    pub column: Column,
    pub last: Option<Last>,
    pub open_shift: Option<EventId>,
    pub travel: Option<Begun>,
    /// The last trusted one, whatever its age.
    pub position: Option<Position>,
}

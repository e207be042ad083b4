//! Shifts and episodes while the walk fills them.

use super::stretch::Going;
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::{EventId, VisitId};
use fieldline_schemas::{Anomalies, Timestamp};

/// A shift as the walk leaves it.
#[derive(Clone, Debug)]
pub(super) struct ShiftDraft {
    pub id: EventId,
    pub utc_offset_minutes: i16,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub closed_at: Timestamp,
    /// Closed by the start of another shift.
    pub superseded: bool,
    /// Its shift_start is history.
    pub imported: bool,
    pub last_event_at: Timestamp,
    pub last_event_type: ActivityType,
    /// Codes of its events, per local date in the order met.
    pub codes: Vec<(i32, Anomalies)>,
    /// Named visits with an arrival or work in it, each once.
    pub visits: Vec<VisitId>,
    /// Named visits with a work_completed in it, with the local date.
    pub completed: Vec<(i32, VisitId)>,
    pub distance_meters: f64,
    /// A29 of its shift_start.
    pub depends_on_context: bool,
}

/// What an attendance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SiteState {
    /// Arrived, not started.
    Site,
    Work,
    Pause,
    /// Completed, still there.
    Done,
}

/// An attendance that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attendance {
    pub state: SiteState,
    /// Whether the technician is there for the state machine: not after a travel_start.
    pub present: bool,
    /// The whole attendance; its own events are those of its parts too.
    pub on_site: Going,
    /// Since when `state` lasts.
    pub state_since: Timestamp,
    /// The technician started for, or arrived at, another place since then.
    pub left_since: bool,
}

impl Attendance {
    /// The part that is going on, as a stretch of its own.
    pub fn part(&self) -> Going {
        Going {
            start: self.state_since,
            possible_from: self.state_since,
            start_quality: fieldline_schemas::results::Quality::Observed,
            ..self.on_site
        }
    }
}

/// A visit's own travel that is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisitTravel {
    pub going: Going,
    /// Another named visit was travelled to, or arrived at, since.
    pub rerouted: bool,
}

/// An episode of a visit (`None`: the nameless one), or a loose event.
#[derive(Clone, Debug)]
pub(super) struct EpisodeDraft {
    pub visit: Option<VisitId>,
    pub first_event_id: EventId,
    pub first_event_at: Timestamp,
    pub last_event_at: Timestamp,
    pub is_loose: bool,
    pub has_visit_event: bool,
    pub has_travel: bool,
    pub has_attendance: bool,
    pub travel: Option<VisitTravel>,
    /// Own events of the travel rule until there is an attendance.
    pub travel_last_own: Timestamp,
    pub attendance: Option<Attendance>,
    /// Its first event in a shift.
    pub first_in_shift_at: Option<Timestamp>,
    /// The first and the last shift that hold one of its events.
    pub shifts: Option<(u32, u32)>,
    pub travel_started_at: Option<Timestamp>,
    pub arrived_at: Option<Timestamp>,
    pub left_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub codes: Anomalies,
    /// A29 of its first event.
    pub depends_on_context: bool,
}

impl EpisodeDraft {
    pub fn expires_at(&self) -> Timestamp {
        match &self.attendance {
            Some(attendance) => attendance.on_site.expires_at(),
            None => self.travel_last_own + crate::definition::UNIT_US,
        }
    }
}

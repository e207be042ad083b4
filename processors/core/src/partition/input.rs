//! A record of `activity` as the state takes it: its technician, and what it claims.

use super::standing::Claim;
use crate::facts::{ActivityFact, ClearanceFact, ShiftPlanFact, SignalFact, VisitPlanFact};
use crate::flags::Device;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::{EventId, TechnicianId};

/// A record of a technician's log, without its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    Activity(TechnicianId, Claim<ActivityFact>),
    ShiftPlan(TechnicianId, Claim<ShiftPlanFact>),
    VisitPlan(TechnicianId, Claim<VisitPlanFact>),
    Signal(TechnicianId, Claim<SignalFact>),
    Clearance(TechnicianId, Claim<ClearanceFact>),
    /// The device lived at that time. No KPI depends on it.
    Heartbeat(TechnicianId, Device, Timestamp),
    /// Time passes; the writer vouches for the time from `since` on.
    Tick {
        since: Option<Timestamp>,
    },
    /// What could not be understood moves the clock like any record, and nothing else.
    Nothing,
}

impl Input {
    /// Whose log the record belongs to.
    pub fn technician(&self) -> Option<TechnicianId> {
        match self {
            Input::Activity(id, _)
            | Input::ShiftPlan(id, _)
            | Input::VisitPlan(id, _)
            | Input::Signal(id, _)
            | Input::Clearance(id, _)
            | Input::Heartbeat(id, ..) => Some(*id),
            Input::Tick { .. } | Input::Nothing => None,
        }
    }
}

impl Input {
    /// Its own time, of what belongs to a technician.
    pub(super) fn own(&self) -> Timestamp {
        match self {
            Input::Activity(_, claim) => claim.own,
            Input::ShiftPlan(_, claim) => claim.own,
            Input::VisitPlan(_, claim) => claim.own,
            Input::Signal(_, claim) => claim.own,
            Input::Clearance(_, claim) => claim.own,
            Input::Heartbeat(.., created_at) => *created_at,
            Input::Tick { .. } | Input::Nothing => Timestamp::MIN,
        }
    }
}

/// What history needs to know of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    pub id: EventId,
    pub own: Timestamp,
}

impl About {
    pub const NOTHING: Self = Self { id: EventId(uuid::Uuid::nil()), own: Timestamp(i64::MAX) };
}

impl<F> From<&Claim<F>> for About {
    fn from(claim: &Claim<F>) -> Self {
        Self { id: claim.id, own: claim.own }
    }
}

//! The records of one technician, by kind.

use super::input::{About, Input};
use super::standing::{Fact, Inserted, Standing};
use super::window::Window;
use crate::facts::{ActivityFact, ClearanceFact, Facts, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{Anomaly, Timestamp};

impl Fact for ActivityFact {
    const LAST_STANDS: bool = false;
    fn conflicted(&mut self) {
        self.anomalies.insert(Anomaly::A27);
    }
}
impl Fact for ShiftPlanFact {
    const LAST_STANDS: bool = false;
}
impl Fact for VisitPlanFact {
    const LAST_STANDS: bool = false;
}
impl Fact for ClearanceFact {
    const LAST_STANDS: bool = false;
}
impl Fact for SignalFact {
    const LAST_STANDS: bool = true;
}

/// What was claimed, and what of it stands.
#[derive(Clone, Debug, Default)]
pub struct Records {
    activities: Standing<ActivityFact>,
    shift_plans: Standing<ShiftPlanFact>,
    visit_plans: Standing<VisitPlanFact>,
    signals: Standing<SignalFact>,
    clearances: Standing<ClearanceFact>,
}

impl Records {
    pub fn is_empty(&self) -> bool {
        let have_plans = !self.shift_plans.is_empty() || !self.visit_plans.is_empty();
        self.activities.is_empty() && !have_plans && self.signals.is_empty() && self.clearances.is_empty()
    }

    /// The earliest activity that may still be folded; `Timestamp::MAX` where there is none.
    pub fn oldest_activity(&self) -> Timestamp {
        self.activities.oldest_fact()
    }

    /// Moves the window. `true` when something that is folded left it.
    pub fn advance(&mut self, window: Window) -> bool {
        let mut changed = self.activities.advance(window);
        changed |= self.shift_plans.advance(window);
        changed |= self.visit_plans.advance(window);
        changed |= self.signals.advance(window);
        changed | self.clearances.advance(window)
    }

    /// Takes the next record of the technician; ticks and heartbeats say nothing.
    pub fn insert(&mut self, input: &Input, window: Window) -> (Inserted, About) {
        match input {
            Input::Activity(_, claim) => (self.activities.insert(claim, window), claim.into()),
            Input::ShiftPlan(_, claim) => (self.shift_plans.insert(claim, window), claim.into()),
            Input::VisitPlan(_, claim) => (self.visit_plans.insert(claim, window), claim.into()),
            Input::Signal(_, claim) => (self.signals.insert(claim, window), claim.into()),
            Input::Clearance(_, claim) => (self.clearances.insert(claim, window), claim.into()),
            Input::Heartbeat(_) | Input::Tick { .. } | Input::Nothing => (Inserted::Outranked, About::NOTHING),
        }
    }
}

/// Room for the facts of one fold, used again for the next.
#[derive(Debug, Default)]
pub struct Gathered {
    activities: Vec<ActivityFact>,
    shift_plans: Vec<ShiftPlanFact>,
    visit_plans: Vec<VisitPlanFact>,
    signals: Vec<SignalFact>,
    clearances: Vec<ClearanceFact>,
}

impl Gathered {
    /// The facts that stand within the window, as the fold takes them.
    pub fn facts(&mut self, technician_contact_id: TechnicianId, records: &Records, window: Window) -> Facts<'_> {
        self.activities.clear();
        self.shift_plans.clear();
        self.visit_plans.clear();
        self.signals.clear();
        self.clearances.clear();
        records.activities.collect(window, &mut self.activities);
        records.shift_plans.collect(window, &mut self.shift_plans);
        records.visit_plans.collect(window, &mut self.visit_plans);
        records.signals.collect(window, &mut self.signals);
        records.clearances.collect(window, &mut self.clearances);
        Facts {
            technician_contact_id,
            activities: &self.activities,
            shift_plans: &self.shift_plans,
            visit_plans: &self.visit_plans,
            signals: &self.signals,
            clearances: &self.clearances,
        }
    }
}

//! What stands of a technician when the whole log is read, or a long span of it: for history and `verify`.

use super::input::Input;
use super::standing::{Inserted, Standing};
use super::window::Window;
use crate::facts::{ActivityFact, ClearanceFact, Facts, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_schemas::ids::TechnicianId;

/// Records of one technician, inserted in log order; the same rules as in the live state, without a window.
#[derive(Debug, Default)]
pub struct WholeLog {
    standing: (Standing<ActivityFact>, Standing<ShiftPlanFact>, Standing<VisitPlanFact>, Standing<SignalFact>, Standing<ClearanceFact>),
    facts: (Vec<ActivityFact>, Vec<ShiftPlanFact>, Vec<VisitPlanFact>, Vec<SignalFact>, Vec<ClearanceFact>),
}

impl WholeLog {
    /// Takes the next record of the technician; ticks and heartbeats say nothing.
    pub fn insert(&mut self, input: &Input) -> Inserted {
        let window = Window::everything();
        match input {
            Input::Activity(_, claim) => self.standing.0.insert(claim, window),
            Input::ShiftPlan(_, claim) => self.standing.1.insert(claim, window),
            Input::VisitPlan(_, claim) => self.standing.2.insert(claim, window),
            Input::Signal(_, claim) => self.standing.3.insert(claim, window),
            Input::Clearance(_, claim) => self.standing.4.insert(claim, window),
            Input::Heartbeat(_) | Input::Tick { .. } | Input::Nothing => Inserted::Outranked,
        }
    }

    /// The facts that stand, as the fold takes them.
    pub fn facts(&mut self, technician_contact_id: TechnicianId) -> Facts<'_> {
        let window = Window::everything();
        let Self { standing, facts } = self;
        facts.0.clear();
        facts.1.clear();
        facts.2.clear();
        facts.3.clear();
        facts.4.clear();
        standing.0.collect(window, &mut facts.0);
        standing.1.collect(window, &mut facts.1);
        standing.2.collect(window, &mut facts.2);
        standing.3.collect(window, &mut facts.3);
        standing.4.collect(window, &mut facts.4);
        Facts {
            technician_contact_id,
            activities: &facts.0,
            shift_plans: &facts.1,
            visit_plans: &facts.2,
            signals: &facts.3,
            clearances: &facts.4,
        }
    }
}

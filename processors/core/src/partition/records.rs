//! The records of one technician, by kind.

use super::input::{About, Input};
use super::standing::{Inserted, Standing};
use super::window::{Changed, Window};
use crate::facts::{ActivityFact, ClearanceFact, Facts, ShiftPlanFact, SignalFact, VisitPlanFact};
use crate::fold::PLAN_AHEAD_US;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::TechnicianId;

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

    /// When the earliest activity happened that stands within the window and fits.
    pub fn first_activity(&self, window: Window, fits: &dyn Fn(&ActivityFact) -> bool) -> Option<Timestamp> {
        self.activities.standing(window).filter(|fact| fits(fact)).map(|fact| fact.created_at).min()
    }

    /// The visit plans that stand within the window.
    pub fn visit_plans(&self, window: Window) -> Vec<VisitPlanFact> {
        self.visit_plans.standing(window).collect()
    }

    /// The operational events within the window that name the technician.
    pub fn signals(&self, window: Window) -> Vec<SignalFact> {
        self.signals.standing(window).filter(|signal| signal.names_technician).collect()
    }

    /// Moves the window, and tells which activities can notice that something left it.
    pub fn advance(&mut self, window: Window) -> Option<Changed> {
        let changed = [
            self.activities.advance(window, itself),
            self.shift_plans.advance(window, shifts_of),
            self.visit_plans.advance(window, |plan, _| events_of(plan, &self.activities)),
            self.signals.advance(window, everything),
            self.clearances.advance(window, everything),
        ];
        changed.into_iter().fold(None, Changed::join)
    }

    /// Takes the next record of the technician, and tells which activities can notice it; ticks and heartbeats say nothing.
    pub fn insert(&mut self, input: &Input, window: Window) -> (Inserted, About) {
        match input {
            Input::Activity(_, claim) => {
                debug_assert_eq!(window.time_of(claim.own), claim.fact.created_at, "validation refuses what lies further ahead");
                (self.activities.insert(claim, window, itself), claim.into())
            }
            Input::ShiftPlan(_, claim) => (self.shift_plans.insert(claim, window, shifts_of), claim.into()),
            Input::VisitPlan(_, claim) => {
                (self.visit_plans.insert(claim, window, |plan, _| events_of(plan, &self.activities)), claim.into())
            }
            Input::Signal(_, claim) => (self.signals.insert(claim, window, everything), claim.into()),
            Input::Clearance(_, claim) => (self.clearances.insert(claim, window, everything), claim.into()),
            Input::Heartbeat(..) | Input::Tick { .. } | Input::Nothing => (Inserted::Outranked, About::NOTHING),
        }
    }
}

fn itself(_: &ActivityFact, at: Timestamp) -> Changed {
    Changed::at(at)
}

/// The shifts that a plan may be the plan of.
fn shifts_of(plan: &ShiftPlanFact, _: Timestamp) -> Changed {
    Changed { from: plan.planned_start - PLAN_AHEAD_US, to: plan.planned_end, visit_plans: false }
}

/// The events that name the visit: of no other one is a plan asked for.
fn events_of(plan: &VisitPlanFact, activities: &Standing<ActivityFact>) -> Changed {
    let of_visit = activities.all().filter(|fact| fact.visit_id == Some(plan.visit_id));
    let changed = of_visit.fold(None, |changed, fact| Changed::join(changed, Some(Changed::at(fact.created_at))));
    Changed { visit_plans: true, ..changed.unwrap_or(Changed::NO_ACTIVITY) }
}

/// A signal or clearance may concern activities of any time.
fn everything<F>(_: &F, _: Timestamp) -> Changed {
    Changed::EVERYTHING
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
    /// The facts that stand within the window, as the fold takes them: the activities of `span`, its ends included, all others.
    pub fn facts(
        &mut self,
        technician_contact_id: TechnicianId,
        records: &Records,
        window: Window,
        span: (Timestamp, Timestamp),
    ) -> Facts<'_> {
        self.gather(records, window, true);
        records.activities.collect(window, span, &mut self.activities);
        self.gathered(technician_contact_id)
    }

    /// No activities, and visit plans where they are asked for.
    pub fn beside(
        &mut self,
        technician_contact_id: TechnicianId,
        records: &Records,
        window: Window,
        asks_for_visit_plans: bool,
    ) -> Facts<'_> {
        self.gather(records, window, asks_for_visit_plans);
        self.gathered(technician_contact_id)
    }

    fn gather(&mut self, records: &Records, window: Window, asks_for_visit_plans: bool) {
        let always = (Timestamp::MIN, Timestamp::MAX);
        self.activities.clear();
        self.shift_plans.clear();
        self.visit_plans.clear();
        self.signals.clear();
        self.clearances.clear();
        records.shift_plans.collect(window, always, &mut self.shift_plans);
        if asks_for_visit_plans {
            records.visit_plans.collect(window, always, &mut self.visit_plans);
        }
        records.signals.collect(window, always, &mut self.signals);
        self.signals.retain(|signal| signal.names_technician);
        records.clearances.collect(window, always, &mut self.clearances);
    }

    fn gathered(&self, technician_contact_id: TechnicianId) -> Facts<'_> {
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

//! Everything that is kept about one technician.

use super::digest::Digester;
use super::input::{About, Input};
use super::rows::{Changes, Rows, leans_on_context};
use super::standing::{Fact, Inserted, Standing};
use super::window::{FACTS_US, Window};
use crate::definition::Definition;
use crate::facts::{ActivityFact, ClearanceFact, Facts, ShiftPlanFact, SignalFact, VisitPlanFact};
use crate::fold::Units;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::{Anomaly, Timestamp};

/// How units follow from facts: `fold::fold`, or another one in tests.
pub type Fold = fn(Facts<'_>, Timestamp, &Definition) -> Units;

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

/// A log position that touched a technician.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    pub offset: i64,
    pub clock: Timestamp,
    pub caused_by: Option<EventId>,
}

/// What is asked of history, gathered over one second of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub event_ids: Vec<EventId>,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Request {
    /// Widens `request` by a span.
    pub fn widen(request: &mut Option<Box<Self>>, from: Timestamp, to: Timestamp) -> &mut Self {
        let request = request.get_or_insert_with(|| Box::new(Self { event_ids: Vec::new(), from, to }));
        request.from = request.from.min(from);
        request.to = request.to.max(to);
        request
    }
}

/// Room for the facts of one fold, used again for the next.
#[derive(Debug, Default)]
pub struct Workbench {
    activities: Vec<ActivityFact>,
    shift_plans: Vec<ShiftPlanFact>,
    visit_plans: Vec<VisitPlanFact>,
    signals: Vec<SignalFact>,
    clearances: Vec<ClearanceFact>,
    digester: Digester,
}

/// One technician's records of the window, and the rows derived from them.
#[derive(Clone, Debug)]
pub struct Technician {
    pub id: TechnicianId,
    activities: Standing<ActivityFact>,
    shift_plans: Standing<ShiftPlanFact>,
    visit_plans: Standing<VisitPlanFact>,
    signals: Standing<SignalFact>,
    clearances: Standing<ClearanceFact>,
    /// Where the window stood when the technician was last looked at.
    window: Window,
    /// Something left the window since the rows were derived.
    is_stale: bool,
    rows: Rows,
    /// The next instant at which a row may change though no record comes.
    pub due: Option<Timestamp>,
    /// The last record of the unfinished second that matters, if there is one.
    pub touched: Option<Touch>,
    /// A fact changed in the unfinished second.
    pub is_changed: bool,
    pub request: Option<Box<Request>>,
    /// The offset of the last output, and the step that the next one at that offset takes.
    next_step: (i64, u8),
}

impl Technician {
    pub fn new(id: TechnicianId, clock: Timestamp) -> Self {
        Self {
            id,
            activities: Standing::default(),
            shift_plans: Standing::default(),
            visit_plans: Standing::default(),
            signals: Standing::default(),
            clearances: Standing::default(),
            window: Window::at(clock),
            is_stale: false,
            rows: Rows::default(),
            due: None,
            touched: None,
            is_changed: false,
            request: None,
            next_step: (-1, 0),
        }
    }

    /// Nothing is known and nothing is pending: as if the technician had never been seen.
    pub fn is_blank(&self) -> bool {
        let is_empty = self.activities.is_empty()
            && self.shift_plans.is_empty()
            && self.visit_plans.is_empty()
            && self.signals.is_empty()
            && self.clearances.is_empty();
        is_empty && self.due.is_none() && self.touched.is_none()
    }

    /// Moves the window to `clock`; what has left it is not folded any more.
    pub fn advance(&mut self, clock: Timestamp) {
        let window = Window::at(clock);
        self.window = window;
        self.is_stale |= self.activities.advance(window);
        self.is_stale |= self.shift_plans.advance(window);
        self.is_stale |= self.visit_plans.advance(window);
        self.is_stale |= self.signals.advance(window);
        self.is_stale |= self.clearances.advance(window);
    }

    /// Takes a record, after `advance`.
    pub fn insert(&mut self, input: &Input) -> (Inserted, About) {
        let window = self.window;
        match input {
            Input::Activity(_, claim) => (self.activities.insert(claim, window), claim.into()),
            Input::ShiftPlan(_, claim) => (self.shift_plans.insert(claim, window), claim.into()),
            Input::VisitPlan(_, claim) => (self.visit_plans.insert(claim, window), claim.into()),
            Input::Signal(_, claim) => (self.signals.insert(claim, window), claim.into()),
            Input::Clearance(_, claim) => (self.clearances.insert(claim, window), claim.into()),
            Input::Heartbeat(_) | Input::Tick { .. } | Input::Nothing => (Inserted::Outranked, About::NOTHING),
        }
    }

    /// Notes what history has to look at because of a record.
    pub fn ask_history(&mut self, about: About, lacks_predecessor: bool, others_from: Option<Timestamp>) {
        let is_late = about.own < self.window.in_time_from();
        let forgotten = others_from.filter(|from| *from < self.window.facts_from());
        if is_late || lacks_predecessor || forgotten.is_some() {
            let from = forgotten.map_or(about.own, |from| from.min(about.own));
            let to = forgotten.map_or(about.own, |from| from.max(about.own));
            Request::widen(&mut self.request, from, to).event_ids.push(about.id);
        }
    }

    /// Something left the window since the rows were derived.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Derives from what remains within the window, and takes that as known.
    pub fn absorb(&mut self, fold: Fold, clock: Timestamp, definition: &Definition, bench: &mut Workbench) {
        let units = self.fold(fold, clock, definition, bench);
        self.rows.absorb(&units, &mut bench.digester);
    }

    /// Derives the rows as of `clock` and says what changed.
    pub fn derive(&mut self, fold: Fold, clock: Timestamp, definition: &Definition, bench: &mut Workbench) -> Changes {
        let units = self.fold(fold, clock, definition, bench);
        self.rows.replace(self.id, units, Window::at(clock), &mut bench.digester)
    }

    fn fold(&mut self, fold: Fold, clock: Timestamp, definition: &Definition, bench: &mut Workbench) -> Units {
        bench.gather(self);
        let units = fold(bench.facts(self.id), clock, definition);
        self.is_stale = false;
        // Cuts that lean on what will leave the window must move when it leaves, not when the next record comes:
        // a state that was rebuilt without it would else fire other timers.
        let leaves = || Some(self.activities.oldest_fact()).filter(|at| *at < Timestamp::MAX).map(|at| at + FACTS_US + 1);
        let leaves = if leans_on_context(&units, Window::at(clock)) { leaves() } else { None };
        self.due = [units.next_due, leaves].into_iter().flatten().filter(|due| *due > clock).min();
        units
    }

    /// The step for an output at `offset`: each one at the same offset gets the next.
    pub fn take_step(&mut self, offset: i64) -> u8 {
        let step = if self.next_step.0 == offset { self.next_step.1 } else { 0 };
        // 255 is a recompute's. So many timers between two records cannot be: each row has two.
        self.next_step = (offset, (step + 1).min(254));
        step
    }
}

impl Workbench {
    fn gather(&mut self, technician: &Technician) {
        let window = technician.window;
        self.activities.clear();
        self.shift_plans.clear();
        self.visit_plans.clear();
        self.signals.clear();
        self.clearances.clear();
        technician.activities.collect(window, &mut self.activities);
        technician.shift_plans.collect(window, &mut self.shift_plans);
        technician.visit_plans.collect(window, &mut self.visit_plans);
        technician.signals.collect(window, &mut self.signals);
        technician.clearances.collect(window, &mut self.clearances);
    }

    fn facts(&self, technician_contact_id: TechnicianId) -> Facts<'_> {
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

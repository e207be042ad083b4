//! Everything that is kept about one technician.

use super::digest::Digester;
use super::input::{About, Input};
use super::records::{Gathered, Records};
use super::rows::{Changes, Rows};
use super::segments::{Path, Refolded, Segments, Source};
use super::standing::Inserted;
use super::window::{Changed, FACTS_US, Window};
use crate::definition::Definition;
use crate::facts::ActivityFact;
use crate::flags::{Condition, FlagSettings, Flags, Mode, Now};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::Flag;
use fieldline_schemas::ids::{EventId, TechnicianId};

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

/// What a derivation goes by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub path: Path,
    pub definition: &'a Definition,
    pub flags: &'a FlagSettings,
    /// The partition's last gap.
    pub last_gap: Option<Timestamp>,
}

/// Room that one fold needs, used again for the next.
#[derive(Debug, Default)]
pub struct Workbench {
    gathered: Gathered,
    digester: Digester,
    conditions: Vec<Condition>,
}

/// One technician's records of the window, and the rows derived from them.
#[derive(Clone, Debug)]
pub struct Technician {
    pub id: TechnicianId,
    records: Records,
    /// Where the window stood when the technician was last looked at.
    window: Window,
    /// What left the window since the rows were derived.
    left: Option<Changed>,
    /// What records of the unfinished second changed.
    changed: Option<Changed>,
    segments: Segments,
    rows: Rows,
    pub flags: Flags,
    /// The next instant at which a row or flag may change though no record comes.
    pub due: Option<Timestamp>,
    /// The last record of the unfinished second that matters, if there is one.
    pub touched: Option<Touch>,
    pub request: Option<Box<Request>>,
    /// The offset of the last output, and the step that the next one at that offset takes.
    next_step: (i64, u8),
    /// The same for flags. A state that was rebuilt may put out a flag again, which must not move the steps of rows.
    next_flag_step: (i64, u8),
}

impl Technician {
    pub fn new(id: TechnicianId, clock: Timestamp) -> Self {
        Self {
            id,
            records: Records::default(),
            window: Window::at(clock),
            left: None,
            changed: None,
            segments: Segments::default(),
            rows: Rows::default(),
            due: None,
            touched: None,
            request: None,
            flags: Flags::default(),
            next_step: (-1, 0),
            next_flag_step: (-1, 0),
        }
    }

    /// Nothing is known and nothing is pending: as if the technician had never been seen.
    pub fn is_blank(&self) -> bool {
        self.records.is_empty() && self.due.is_none() && self.touched.is_none() && self.flags.has_no_device()
    }

    /// Moves the window to `clock`; what has left it is not folded any more.
    pub fn advance(&mut self, clock: Timestamp) {
        self.window = Window::at(clock);
        self.left = Changed::join(self.left, self.records.advance(self.window));
    }

    /// Takes a record, after `advance`.
    pub fn insert(&mut self, input: &Input) -> (Inserted, About) {
        self.records.insert(input, self.window)
    }

    /// What a record, just inserted, says about emergencies.
    pub fn emergency(&mut self, input: &Input, inserted: &Inserted, clock: Timestamp, late_us: i64, flags: &mut Vec<Flag<'static>>) {
        match input {
            Input::Activity(_, claim) => self.flags.emergency(self.id, claim, inserted, Window::at(clock), late_us, flags),
            Input::Signal(_, claim) => self.flags.signal(self.id, claim, inserted, Window::at(clock), late_us, flags),
            _ => {}
        }
    }

    /// Notes what the next derivation has to look at.
    pub fn note_changed(&mut self, changed: Option<Changed>) {
        self.changed = Changed::join(self.changed, changed);
    }

    /// A fact changed in the unfinished second.
    pub fn is_changed(&self) -> bool {
        self.changed.is_some()
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
        self.left.is_some()
    }

    /// Derives from what remains within the window, and takes that as known.
    pub fn absorb(&mut self, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench) {
        let refolded = self.refold(clock, rules, bench);
        self.rows.absorb(&refolded, &mut bench.digester);
        self.update_flags(Mode::Absorb, clock, rules, bench, &mut Vec::new());
        self.find_due(clock);
    }

    /// Derives everything at the end of a replay, and takes it as known, as whoever was here before put it out.
    pub fn settle(&mut self, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench) {
        self.note_changed(Some(Changed::EVERYTHING));
        let refolded = self.refold(clock, rules, bench);
        self.rows.absorb(&refolded, &mut bench.digester);
        let now = Now { technician: self.id, clock, last_gap: rules.last_gap, settings: rules.flags };
        self.flags.settle(&now, &mut bench.conditions);
        self.update_flags(Mode::Absorb, clock, rules, bench, &mut Vec::new());
        self.find_due(clock);
    }

    /// Derives the rows and flags as of `clock` and says what changed.
    pub fn derive(&mut self, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench, flags: &mut Vec<Flag<'static>>) -> Changes {
        let refolded = self.refold(clock, rules, bench);
        let changes = self.rows.replace(self.id, refolded, Window::at(clock), &mut bench.digester);
        self.update_flags(Mode::Publish, clock, rules, bench, flags);
        self.find_due(clock);
        changes
    }

    /// Brings the flags up to `clock`, where no row can have changed.
    pub fn derive_flags(&mut self, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench, flags: &mut Vec<Flag<'static>>) {
        self.update_flags(Mode::Publish, clock, rules, bench, flags);
        self.find_due(clock);
    }

    fn update_flags(&mut self, mode: Mode, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench, flags: &mut Vec<Flag<'static>>) {
        let now = Now { technician: self.id, clock, last_gap: rules.last_gap, settings: rules.flags };
        let (records, window) = (&self.records, self.window);
        let first_activity = |fits: &dyn Fn(&ActivityFact) -> bool| records.first_activity(window, fits);
        self.flags.update(mode, &now, &mut bench.conditions, &first_activity, flags);
    }

    fn refold(&mut self, clock: Timestamp, rules: &Rules<'_>, bench: &mut Workbench) -> Refolded {
        let changed = Changed::join(self.left.take(), self.changed.take());
        let changed = if rules.path == Path::Refold { Some(Changed::EVERYTHING) } else { changed };
        let Self { id, records, window, .. } = self;
        let mut source = Source { technician_contact_id: *id, records, window: *window, gathered: &mut bench.gathered };
        let refolded = self.segments.refold(changed, clock, rules.definition, &mut source);
        // A change of plans or signals is one of everything.
        let is_whole = changed == Some(Changed::EVERYTHING);
        let plans = is_whole.then(|| self.records.visit_plans(self.window));
        let signals = is_whole.then(|| self.records.signals(self.window));
        let (records, window) = (&self.records, self.window);
        let first_activity = |fits: &dyn Fn(&ActivityFact) -> bool| records.first_activity(window, fits);
        self.flags.note(&refolded, plans.as_deref(), signals.as_deref(), rules.flags, &first_activity);
        refolded
    }

    fn find_due(&mut self, clock: Timestamp) {
        // Cuts that lean on what will leave the window must move when it leaves, not when the next record comes:
        // a state that was rebuilt without it would else fire other timers.
        let leaves = || Some(self.records.oldest_activity()).filter(|at| *at < Timestamp::MAX).map(|at| at + FACTS_US + 1);
        let leaves = if self.rows.lean_on_context(Window::at(clock)) { leaves() } else { None };
        self.due = [self.segments.next_due(), leaves, self.flags.due()].into_iter().flatten().filter(|due| *due > clock).min();
    }

    /// The step for an output at `offset`: each one at the same offset gets the next.
    pub fn take_step(&mut self, offset: i64) -> u8 {
        take_step(&mut self.next_step, offset)
    }

    /// The same for a flag.
    pub fn take_flag_step(&mut self, offset: i64) -> u8 {
        take_step(&mut self.next_flag_step, offset)
    }
}

fn take_step(next: &mut (i64, u8), offset: i64) -> u8 {
    let step = if next.0 == offset { next.1 } else { 0 };
    // 255 is a recompute's. So many timers between two records cannot be: each row has two.
    *next = (offset, (step + 1).min(254));
    step
}

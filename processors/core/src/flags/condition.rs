//! What is so, or will be so if nothing comes: the conditions of the flags about absence, from what the fold knows.

use super::FlagSettings;
use super::alarm::Alarm;
use super::device::{Device, Devices};
use super::reasoning::{self, Moment};
use crate::facts::VisitPlanFact;
use crate::fold::{Column, Tail, UnendedShift};
use crate::partition::Refolded;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::FlagCode;
use fieldline_schemas::events::Severity;
use fieldline_schemas::ids::{EventId, VisitId};

/// What a flag is about; with the code and the technician it makes the alert's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Event(EventId),
    /// Heartbeats have no id: the last one's created_at, and its device.
    Heartbeat(Timestamp, Device),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Event(id) => write!(f, "{id}"),
            Cause::Heartbeat(at, device) => write!(f, "{}-{device}", at.0),
        }
    }
}

/// A flag that is true from `due_at` on, unless an event comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Condition {
    pub code: FlagCode,
    pub cause: Cause,
    /// When that which it is about happened, or fell due.
    pub about_at: Timestamp,
    /// Where the unit lies that it is about: what is frozen raises nothing.
    pub lies_at: Timestamp,
    pub due_at: Timestamp,
    pub severity: Severity,
    /// From here on it is an error.
    pub worsens_at: Option<Timestamp>,
    pub visit_id: Option<VisitId>,
}

impl Condition {
    pub fn is_about(&self, code: FlagCode, cause: Cause) -> bool {
        (self.code, self.cause) == (code, cause)
    }

    /// A flag about absence waits until it is clear that nothing is on its way.
    pub fn is_about_absence(&self) -> bool {
        self.code != FlagCode::S10
    }

    pub fn severity_at(&self, clock: Timestamp) -> Severity {
        if self.worsens_at.is_some_and(|at| at <= clock) { self.severity.max(Severity::Error) } else { self.severity }
    }
}

/// A visit plan that counts: of several of one visit the one with the smallest id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub plan_id: EventId,
    pub visit_id: VisitId,
    pub end: Timestamp,
}

/// What is known of a technician, as far as flags depend on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub unended: Vec<UnendedShift>,
    pub tail: Tail,
    windows: Vec<Window>,
    /// Visits of `windows` with an arrival, real or imputed, and where the episode begins; sorted.
    attended: Vec<(VisitId, Timestamp)>,
    /// Those of `windows` without one.
    missed: Vec<Window>,
    pub devices: Devices,
    /// Grave operational events that name the technician.
    pub alarms: Vec<Alarm>,
    /// From start to end; only where there are alarms.
    pub shifts: Vec<(Timestamp, Timestamp)>,
}

impl Known {
    /// The open shift, unless it is imported.
    pub fn open_shift(&self) -> Option<&UnendedShift> {
        let open = self.tail.open_shift?;
        self.unended.iter().find(|shift| shift.shift_id == open)
    }

    pub fn shift(&self, shift_id: EventId) -> Option<&UnendedShift> {
        self.unended.iter().find(|shift| shift.shift_id == shift_id)
    }

    /// Takes what visit plans and arrivals say of each other. `plans`: those that stand, where they may have changed.
    pub fn note_visits(&mut self, refolded: &Refolded, plans: Option<&[VisitPlanFact]>) {
        if let Some(plans) = plans {
            let window = |plan: &VisitPlanFact| Window { plan_id: plan.id, visit_id: plan.visit_id, end: plan.window_end };
            self.windows.clear();
            self.windows.extend(plans.iter().map(window));
            self.windows.sort_by_key(|window| (window.visit_id, window.plan_id));
            self.windows.dedup_by_key(|window| window.visit_id);
        }
        let mut is_changed = plans.is_some() || !refolded.spans.is_empty();
        if !refolded.spans.is_empty() {
            self.attended.retain(|(_, begins_at)| !refolded.covers(*begins_at));
        }
        if !self.windows.is_empty() {
            for episode in refolded.units.episodes.iter().filter(|episode| episode.has_attendance) {
                let attended = (episode.visit_id, episode.first_event_at);
                let has_window = self.windows.binary_search_by_key(&episode.visit_id, |window| window.visit_id).is_ok();
                if has_window && let Err(at) = self.attended.binary_search(&attended) {
                    self.attended.insert(at, attended);
                    is_changed = true;
                }
            }
        }
        if is_changed {
            let mut attended = self.attended.iter().map(|(visit_id, _)| *visit_id).peekable();
            let is_missed = |window: &&Window| {
                while attended.next_if(|visit_id| *visit_id < window.visit_id).is_some() {}
                attended.peek() != Some(&window.visit_id)
            };
            self.missed.clear();
            self.missed.extend(self.windows.iter().filter(is_missed));
        }
    }

    /// Appends every condition, those that fall due later included.
    pub fn conditions(&self, settings: &FlagSettings, found: &mut Vec<Condition>) {
        found.extend(self.check_in(settings));
        for shift in &self.unended {
            found.extend(missing_end(shift, settings));
        }
        found.extend(self.silent_travel(settings));
        // S8. Off shift a device may be switched off.
        found.extend(self.open_shift().into_iter().flat_map(|shift| self.devices.conditions(shift, settings)));
        found.extend(self.alarms(settings));
        found.extend(self.missed.iter().map(|window| Condition {
            code: FlagCode::S11,
            cause: Cause::Event(window.plan_id),
            about_at: window.end,
            lies_at: window.end,
            due_at: window.end + settings.window_us,
            severity: Severity::Warning,
            worsens_at: None,
            visit_id: Some(window.visit_id),
        }));
    }

    /// S4. Nobody checks in on a break, or in an emergency, which has an alert of its own.
    fn check_in(&self, settings: &FlagSettings) -> Option<Condition> {
        let shift = self.open_shift().filter(|shift| shift.lone_worker)?;
        let last = self.tail.last.filter(|last| !last.imported)?;
        let is_expected = matches!(self.tail.column, Column::Travel | Column::Site | Column::Work);
        let due_at = last.at + settings.check_in_us + settings.check_in_grace_us;
        // What would fall due beyond the shift's close falls due in no shift.
        (is_expected && due_at < shift.closed_at).then_some(Condition {
            code: FlagCode::S4,
            cause: Cause::Event(last.id),
            about_at: last.at,
            lies_at: last.at,
            due_at,
            severity: Severity::Error,
            worsens_at: None,
            visit_id: None,
        })
    }

    /// S7.
    fn silent_travel(&self, settings: &FlagSettings) -> Option<Condition> {
        let travel = self.tail.travel.filter(|travel| self.tail.column == Column::Travel && !travel.imported)?;
        let due_at = travel.counted_from + settings.travel_us;
        let closed_at = self.open_shift().map_or(Timestamp::MAX, |shift| shift.closed_at);
        (due_at < closed_at).then_some(Condition {
            code: FlagCode::S7,
            cause: Cause::Event(travel.id),
            about_at: travel.at,
            lies_at: travel.at,
            due_at,
            severity: Severity::Warning,
            worsens_at: None,
            visit_id: None,
        })
    }

    /// Why a condition holds, for the person who is paged.
    pub fn reasoning(&self, condition: &Condition, settings: &FlagSettings) -> String {
        let about = condition.about_at;
        let shift = match condition.cause {
            Cause::Event(id) => self.shift(id),
            Cause::Heartbeat(..) => self.open_shift(),
        };
        let minutes = |us: i64| us / fieldline_schemas::time::MINUTE_US;
        match (condition.code, shift) {
            (FlagCode::S5, Some(shift)) => reasoning::open_shift(shift),
            (FlagCode::S6, Some(shift)) => format!("lone worker not confirmed home, {}", reasoning::open_shift(shift)),
            (FlagCode::S8, Some(shift)) => {
                let since = Moment::beside(shift.started_at, about);
                format!("no contact with {} since {}, on shift since {since}", self.devices.name(), Moment::full(about))
            }
            (FlagCode::S4, _) => {
                let activity = self.tail.last.map_or("event", |last| last.activity_type.symbol());
                let missed = minutes(settings.check_in_us + settings.check_in_grace_us);
                format!("lone worker not heard of for {missed} min since {activity} at {}", Moment::full(about))
            }
            (FlagCode::S10, _) => self.alarm_reasoning(condition, settings),
            (FlagCode::S7, _) => {
                format!("travelling since {}, for more than {} min", Moment::full(about), minutes(settings.travel_us))
            }
            (FlagCode::S11, _) => {
                format!("no arrival {} min after the visit's window ended at {}", minutes(settings.window_us), Moment::full(about))
            }
            _ => format!("{} since {}", condition.code.symbol(), Moment::full(about)),
        }
    }
}

/// S5, and S6 where nobody knows whether a lone worker came home. A shift that another one superseded still misses its end,
/// but whoever starts a shift has come home from the one before.
fn missing_end(shift: &UnendedShift, settings: &FlagSettings) -> impl Iterator<Item = Condition> {
    let missing = Condition {
        code: FlagCode::S5,
        cause: Cause::Event(shift.shift_id),
        about_at: shift.missing_from,
        lies_at: shift.started_at,
        due_at: shift.missing_from,
        severity: Severity::Warning,
        worsens_at: Some(shift.started_at + settings.missing_end_error_us),
        visit_id: None,
    };
    let not_home = Condition { code: FlagCode::S6, severity: Severity::Critical, worsens_at: None, ..missing };
    let is_out = shift.lone_worker && !shift.superseded;
    std::iter::once(missing).chain(is_out.then_some(not_home))
}

//! Which flags of a technician stand, and what a change of facts or the clock does to them.

use super::FlagSettings;
use super::clearing::Resolution;
use super::condition::{Cause, Condition, Known};
use super::device::Device;
use super::emergency::Emergency;
use super::reasoning;
use crate::facts::{ActivityFact, Position, SignalFact, VisitPlanFact};
use crate::partition::{Refolded, Window};
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{ActivityType as Type, Location, Severity};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{Timestamp, Version};
use std::borrow::Cow;
use std::fmt::Display;

/// A flag that was raised.
#[derive(Clone, Copy, Debug)]
struct Raised {
    condition: Condition,
    opened_at: Timestamp,
    severity: Severity,
    /// Whether it is certain that it was put out: not where a state was rebuilt within the quiet time.
    is_sure: bool,
    /// When the event happened that ended the shift it is about.
    ended_at: Option<Timestamp>,
}

/// What a change of what holds leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Flags are put out.
    Publish,
    /// What left the window raises and withdraws nothing.
    Absorb,
}

/// Finds when the earliest activity happened that stands and fits.
pub(super) type FirstActivity<'a> = dyn Fn(&dyn Fn(&ActivityFact) -> bool) -> Option<Timestamp> + 'a;

/// The moment at which flags are looked at.
pub(crate) struct Now<'a> {
    pub technician: TechnicianId,
    pub clock: Timestamp,
    /// The partition's last gap.
    pub last_gap: Option<Timestamp>,
    pub settings: &'a FlagSettings,
}

/// The flags of one technician, and what they depend on.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    known: Known,
    raised: Vec<Raised>,
    pub(super) emergencies: Vec<Emergency>,
    /// Of the operational events that name the technician.
    pub(super) resolutions: Vec<Resolution>,
    /// When the technician's last activity was appended.
    last_arrival: Timestamp,
    /// All of them, while a replay is not settled.
    arrivals: Vec<Timestamp>,
    /// The next instant at which time alone may raise a flag.
    due: Option<Timestamp>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            known: Known::default(),
            raised: Vec::new(),
            emergencies: Vec::new(),
            resolutions: Vec::new(),
            last_arrival: Timestamp::MIN,
            arrivals: Vec::new(),
            due: None,
        }
    }
}

impl Flags {
    /// The next instant at which time alone may raise a flag.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// An activity of the technician was appended, `created_at` being its own time. A heartbeat shows that the device lives, and
    /// nothing about its bearer; plans, signals and clearances are what others say. Where one comes every half minute, no flag
    /// would ever open.
    pub fn arrived(&mut self, clock: Timestamp, created_at: Timestamp, is_replayed: bool) {
        self.last_arrival = clock;
        if is_replayed {
            self.arrivals.push(clock);
        }
        self.known.devices.contacted(clock, created_at);
    }

    /// A device lives. Whether that makes a flag untrue; if not, the instant at which its silence falls due.
    pub fn heartbeat(
        &mut self,
        device: Device,
        clock: Timestamp,
        created_at: Timestamp,
        settings: &FlagSettings,
    ) -> (bool, Option<Timestamp>) {
        self.known.devices.heartbeat(device, clock, created_at);
        let is_offline = self.raised.iter().any(|raised| raised.condition.code == FlagCode::S8);
        (is_offline, self.known.tail.open_shift.map(|_| clock + settings.device_us))
    }

    /// Forgets devices that have sent nothing for days.
    pub fn forget_devices(&mut self, clock: Timestamp) {
        self.known.devices.forget(clock);
    }

    /// Whether no device of the technician is known.
    pub fn has_no_device(&self) -> bool {
        self.known.devices.is_empty()
    }

    /// Takes what was derived anew. `plans` and `signals`: those that stand, where they may have changed.
    pub fn note(
        &mut self,
        refolded: &Refolded,
        plans: Option<&[VisitPlanFact]>,
        signals: Option<&[SignalFact]>,
        settings: &FlagSettings,
        first_activity: &FirstActivity<'_>,
    ) {
        if refolded.is_empty() && plans.is_none() && signals.is_none() {
            return;
        }
        self.known.note_alarms(refolded, signals, settings, first_activity);
        self.known.note_visits(refolded, plans);
        self.known.unended.retain(|shift| !refolded.covers_shift(shift.started_at));
        self.known.unended.extend(&refolded.units.unended);
        if let Some(tail) = refolded.units.tail {
            self.known.tail = tail;
        }
        for raised in &mut self.raised {
            let ended = refolded.units.shifts.iter().find(|shift| raised.condition.cause == Cause::Event(shift.shift_id));
            raised.ended_at = ended.map_or(raised.ended_at, |shift| shift.ended_at);
        }
    }

    /// From when on no record has come for long enough, where the flag waits for that.
    fn quiet_from(&self, condition: &Condition, now: &Now<'_>) -> Timestamp {
        if !condition.is_about_absence() {
            return Timestamp::MIN;
        }
        let after_gap = now.last_gap.map_or(Timestamp::MIN, |gap| gap + now.settings.gap_hold_us);
        let after_arrival = if self.last_arrival == Timestamp::MIN { Timestamp::MIN } else { self.last_arrival + now.settings.quiet_us };
        after_gap.max(after_arrival)
    }

    /// Brings the flags up to `now`. `conditions` is room that is used again.
    pub fn update(
        &mut self,
        mode: Mode,
        now: &Now<'_>,
        conditions: &mut Vec<Condition>,
        first_activity: &FirstActivity<'_>,
        flags: &mut Vec<Flag<'static>>,
    ) {
        conditions.clear();
        self.known.conditions(now.settings, conditions);
        self.due = None;
        if conditions.is_empty() && self.raised.is_empty() {
            return;
        }
        let live_from = Window::at(now.clock).live_units_from();
        let mut due = None;
        let mut wait = |at: Timestamp| due = Some(due.map_or(at, |due: Timestamp| due.min(at)));
        let mut raised = std::mem::take(&mut self.raised);
        raised.retain_mut(|raised| {
            let Condition { code, cause, .. } = raised.condition;
            let holds = conditions.iter().find(|c| c.is_about(code, cause) && (mode == Mode::Absorb || c.due_at <= now.clock));
            let Some(condition) = holds else {
                if mode == Mode::Publish {
                    flags.push(self.untrue(raised, now, first_activity));
                }
                return false;
            };
            raised.condition = *condition;
            let quiet_from = self.quiet_from(condition, now);
            let severity = condition.severity_at(now.clock);
            if !raised.is_sure || severity > raised.severity {
                if quiet_from <= now.clock && mode == Mode::Publish {
                    (raised.is_sure, raised.severity) = (true, severity);
                    flags.push(self.raise(raised, now));
                } else {
                    wait(quiet_from.max(now.clock + 1));
                }
            }
            if let Some(worsens_at) = condition.worsens_at.filter(|at| *at > now.clock) {
                wait(worsens_at);
            }
            true
        });
        for condition in conditions.iter().filter(|condition| condition.lies_at >= live_from) {
            if raised.iter().any(|raised| condition.is_about(raised.condition.code, raised.condition.cause)) {
                continue;
            }
            let opens_at = condition.due_at.max(self.quiet_from(condition, now));
            if opens_at <= now.clock && mode == Mode::Publish {
                let severity = condition.severity_at(now.clock);
                // What waits for nothing opens when it is seen.
                let opened_at = if condition.is_about_absence() { opens_at } else { now.clock };
                let new = Raised { condition: *condition, opened_at, severity, is_sure: true, ended_at: None };
                flags.push(self.raise(&new, now));
                raised.push(new);
                if let Some(worsens_at) = condition.worsens_at.filter(|at| *at > now.clock) {
                    wait(worsens_at);
                }
            } else {
                wait(opens_at.max(now.clock + 1));
            }
        }
        self.raised = raised;
        self.due = due;
    }

    /// After a replay: what is true by now was put out by whoever was here before; where the quiet time is not over, maybe.
    pub fn settle(&mut self, now: &Now<'_>, conditions: &mut Vec<Condition>) {
        conditions.clear();
        self.known.conditions(now.settings, conditions);
        let arrivals = std::mem::take(&mut self.arrivals);
        self.raised.clear();
        for condition in conditions.iter().filter(|condition| condition.due_at <= now.clock) {
            self.raised.push(Raised {
                condition: *condition,
                opened_at: opened_at(condition.due_at, &arrivals, now),
                severity: condition.severity_at(now.clock),
                is_sure: condition.due_at.max(self.quiet_from(condition, now)) <= now.clock,
                ended_at: None,
            });
        }
    }

    /// Whoever was here before put out other flags, if any: what stands is to be put out again. Whether there is something.
    pub fn doubt(&mut self, clock: Timestamp) -> bool {
        let live_from = Window::at(clock).live_units_from();
        let mut has_some = false;
        for raised in self.raised.iter_mut().filter(|raised| raised.condition.lies_at >= live_from) {
            raised.is_sure = false;
            has_some = true;
        }
        has_some
    }

    fn raise(&self, raised: &Raised, now: &Now<'_>) -> Flag<'static> {
        let reasoning = self.known.reasoning(&raised.condition, now.settings);
        self.flag(raised, FlagStanding::Raised, reasoning, now)
    }

    fn untrue(&self, raised: &Raised, now: &Now<'_>, first_activity: &FirstActivity<'_>) -> Flag<'static> {
        let Condition { code, cause, about_at, visit_id, .. } = raised.condition;
        let stands = |cause: Cause| first_activity(&|e| Cause::Event(e.id) == cause).is_some();
        let superseded_at = || {
            let Cause::Event(id) = cause else { return None };
            self.known.shift(id).filter(|shift| shift.superseded).map(|shift| shift.closed_at)
        };
        let event_at = match code {
            FlagCode::S4 if stands(cause) => first_activity(&|e| e.created_at > about_at),
            FlagCode::S5 => raised.ended_at,
            FlagCode::S6 => raised.ended_at.or_else(superseded_at),
            FlagCode::S7 if stands(cause) => first_activity(&|e| e.created_at > about_at && ends_travel(e.activity_type)),
            FlagCode::S8 => match cause {
                Cause::Heartbeat(_, device) => self.known.devices.heard_since(device, about_at),
                Cause::Event(_) => None,
            },
            FlagCode::S11 => first_activity(&|e| e.visit_id == visit_id && arrives(e.activity_type)),
            FlagCode::S10 => self.known.stop_near(cause),
            _ => None,
        };
        let standing = match event_at {
            Some(_) if code == FlagCode::S10 => FlagStanding::LateArrival,
            Some(at) if at < raised.opened_at => FlagStanding::LateArrival,
            Some(_) => FlagStanding::Activity,
            None => FlagStanding::Amended,
        };
        self.flag(raised, standing, reasoning::untrue(standing, event_at), now)
    }

    fn flag(&self, raised: &Raised, standing: FlagStanding, reasoning: String, now: &Now<'_>) -> Flag<'static> {
        let Condition { code, cause, about_at, visit_id, .. } = raised.condition;
        let needs_place = matches!(code, FlagCode::S4 | FlagCode::S6 | FlagCode::S10);
        Flag {
            alert_id: alert_id(code, now.technician, cause),
            flag: code,
            origin: FlagOrigin::Fold,
            version: Version(0),
            as_of: now.clock,
            standing,
            severity: raised.severity,
            technician_contact_id: Some(now.technician),
            visit_id,
            caused_by: None,
            opened_at: raised.opened_at,
            about_at,
            is_late: false,
            location: location(self.known.tail.position.filter(|_| needs_place)),
            reasoning: Cow::Owned(reasoning),
            resolved_at: None,
            resolved_by_contact_id: None,
        }
    }
}

/// When a flag that fell due at `due_at` opened, as far as arrivals tell.
fn opened_at(due_at: Timestamp, arrivals: &[Timestamp], now: &Now<'_>) -> Timestamp {
    let FlagSettings { quiet_us, gap_hold_us, .. } = *now.settings;
    let mut at = due_at;
    for arrival in arrivals.iter().take_while(|arrival| **arrival <= now.clock) {
        if *arrival > at {
            break;
        }
        at = at.max(*arrival + quiet_us);
    }
    now.last_gap.filter(|gap| *gap <= at).map_or(at, |gap| at.max(gap + gap_hold_us))
}

fn ends_travel(activity_type: Type) -> bool {
    !matches!(activity_type, Type::TravelStart | Type::FuelStop | Type::VehicleInspection | Type::BreakEnd)
}

/// An arrival, or what implies one.
fn arrives(activity_type: Type) -> bool {
    matches!(activity_type, Type::ArrivedOnSite | Type::WorkStarted | Type::WorkResumed)
}

pub(super) fn alert_id(code: FlagCode, technician: TechnicianId, cause: impl Display) -> Cow<'static, str> {
    Cow::Owned(format!("{}:{technician}:{cause}", code.symbol()))
}

/// Facts keep no address.
pub(super) fn location(position: Option<Position>) -> Option<Location<'static>> {
    position.map(|Position { latitude, longitude, accuracy_meters }| Location {
        latitude: Some(latitude),
        longitude: Some(longitude),
        accuracy_meters: (accuracy_meters > 0).then_some(accuracy_meters),
        address: None,
    })
}

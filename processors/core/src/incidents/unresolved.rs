//! S13: a critical operational event that nobody resolves in time.

use super::Effects;
use super::Moment;
use super::REMEMBERED_US;
use super::incident::{Incident, flag, quoted};
use crate::flags::FlagSettings;
use crate::flags::reasoning::Moment as Written;
use fieldline_schemas::alerts::{Flag, FlagCode, FlagStanding};
use fieldline_schemas::events::{OperationalEvent, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::{Timestamp, Version};

/// What is known of an event that is critical and not resolved.
#[derive(Clone, Debug)]
pub(super) struct Unresolved {
    /// When it is to be told of; `None`: it was.
    pub due: Option<Timestamp>,
    /// The minutes count from here: it happened then, or was opened again.
    since: Timestamp,
    created_at: Timestamp,
    technician: Option<TechnicianId>,
    opened_at: Option<Timestamp>,
    /// After an outage it has waited once for what was held up.
    has_waited: bool,
    /// What it is, for the person who is paged.
    what: String,
}

impl Unresolved {
    fn flag(&self, id: EventId, standing: FlagStanding, as_of: Timestamp, version: Version, reasoning: String) -> Flag<'static> {
        Flag {
            standing,
            technician_contact_id: self.technician,
            opened_at: self.opened_at.unwrap_or(as_of),
            about_at: self.created_at,
            ..flag(format!("S13:{id}:{id}"), FlagCode::S13, as_of, version, reasoning)
        }
    }

    fn raised(&self, id: EventId, as_of: Timestamp, version: Version) -> Flag<'static> {
        let reasoning = format!("{} unresolved since {}", self.what, Written::full(self.since));
        self.flag(id, FlagStanding::Raised, as_of, version, reasoning)
    }
}

impl Incident {
    /// Takes what an update that stands says; `before`: what stood until then.
    pub fn unresolved(
        &mut self,
        before: Option<&Incident>,
        event: &OperationalEvent<'_>,
        is_sos: bool,
        moment: Moment,
        settings: &FlagSettings,
        effects: &mut Effects,
    ) {
        let common = &event.common;
        let is_critical = event.severity == Severity::Critical && !common.voided && !common.imported;
        // An SOS has rounds of its own, and is not told of twice.
        let holds = is_critical && event.resolved_at.is_none() && !is_sos && self.sos.is_none();
        let known = before.and_then(|before| before.unresolved.as_deref());
        if holds {
            let was_resolved = before.is_some_and(|before| before.is_resolved);
            let fresh = if was_resolved { moment.clock } else { common.created_at };
            let (since, opened_at, has_waited) = known.map_or((fresh, None, false), |k| (k.since, k.opened_at, k.has_waited));
            let due = (since + settings.unresolved_us).max(moment.clock + settings.quiet_us);
            let system = quoted(event.source_system.as_deref(), "an unnamed system");
            self.unresolved = Some(Box::new(Unresolved {
                due: opened_at.is_none().then_some(due),
                since,
                created_at: common.created_at,
                technician: self.technician,
                opened_at,
                has_waited,
                what: format!("critical {} of {system}", quoted(event.event_type.as_deref(), "event")),
            }));
            return;
        }
        let at = event.resolved_at.filter(|_| !common.voided);
        let was_told = known.filter(|known| known.opened_at.is_some());
        let standing = match at {
            Some(at) if was_told.and_then(|known| known.opened_at).is_some_and(|opened_at| at < opened_at) => FlagStanding::LateArrival,
            Some(_) => FlagStanding::Activity,
            None if common.voided => FlagStanding::Voided,
            None => FlagStanding::Amended,
        };
        if let Some(known) = was_told {
            let untrue = known.flag(common.id, standing, moment.clock, moment.version, ended(at));
            effects.flags.push(Flag { caused_by: Some(common.id), ..untrue });
        } else if before.is_none() && !common.imported && self.sos.is_none() && moment.clock.since(common.created_at) > REMEMBERED_US {
            // Whether it was told of is forgotten by now. An upload of history is not: it was recorded before anybody could be told.
            let recorded_at = common.recorded_at.unwrap_or(common.created_at);
            let is_update = common.revision > 0 || common.voided || recorded_at.since(common.created_at) >= settings.unresolved_us;
            let is_end = is_update || is_critical && at.is_some();
            if !is_end {
                return;
            }
            let forgotten = flag(format!("S13:{0}:{0}", common.id), FlagCode::S13, moment.clock, moment.version, ended(at));
            let technician_contact_id = self.technician;
            effects.flags.push(Flag {
                standing,
                technician_contact_id,
                caused_by: Some(common.id),
                about_at: common.created_at,
                ..forgotten
            });
        }
    }

    /// Its time has come. `late`: the clock, where it stepped over that moment: whoever was to tell of it was not there, and a
    /// resolution may be held up. When to look again.
    pub fn overdue(
        &mut self,
        id: EventId,
        due: Timestamp,
        version: Version,
        late: Option<Timestamp>,
        settings: &FlagSettings,
        effects: &mut Effects,
    ) -> Option<Timestamp> {
        let unresolved = self.unresolved.as_mut()?;
        if let Some(clock) = late.filter(|_| !unresolved.has_waited) {
            unresolved.has_waited = true;
            unresolved.due = Some(clock + settings.gap_hold_us);
            return unresolved.due;
        }
        unresolved.due = None;
        unresolved.opened_at = Some(due);
        effects.flags.push(unresolved.raised(id, due, version));
        None
    }

    /// What was told of it, once more.
    pub fn told(&self, id: EventId, moment: Moment) -> Option<Flag<'static>> {
        let told = self.unresolved.as_ref().filter(|unresolved| unresolved.opened_at.is_some())?;
        Some(told.raised(id, moment.clock, moment.version))
    }
}

fn ended(resolved_at: Option<Timestamp>) -> String {
    match resolved_at {
        Some(at) => format!("resolved at {}", Written::full(at)),
        None => "amended or withdrawn".to_owned(),
    }
}

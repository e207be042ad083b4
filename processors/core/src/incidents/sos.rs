//! S1 of an SOS: an operational event that is an emergency by its type, told of under the id that the emergency lane gives it.
//!
//! Its alert belongs here from its opening to its end: the event's own updates have one order, that of this partition. What other
//! events say about it comes from the technician's log, and closes only.

use super::Effects;
use super::Moment;
use super::incident::{Incident, flag, quoted};
use crate::flags::{FlagSettings, RESOLVED_AHEAD_US, reasoning};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{Flag, FlagCode, FlagStanding};
use fieldline_schemas::events::OperationalEvent;
use fieldline_schemas::ids::{EventId, TechnicianId};
use std::borrow::Cow;
use uuid::Uuid;

/// So many names of one SOS are told apart.
const SUBJECTS_MAX: usize = 8;

/// What was told of an SOS.
#[derive(Clone, Debug)]
pub(super) struct Sos {
    /// Of its alert: whom its first record named, else the event; that stays when a later one names somebody else. After it those under
    /// whose names a publisher's lane may have told of it too.
    subjects: Vec<Uuid>,
    /// Whose emergency it is: whom it named last.
    pub technician: Option<TechnicianId>,
    opened_at: Timestamp,
    about_at: Timestamp,
    is_late: bool,
    is_voided: bool,
    /// The latest resolution that was told to end it.
    cleared_through: Timestamp,
}

impl Sos {
    pub fn alert_id(&self, id: EventId) -> String {
        alert_id(self.subjects.first().copied().unwrap_or(id.0), id)
    }

    fn flag(&self, id: EventId, standing: FlagStanding, moment: Moment, reasoning: String) -> Flag<'static> {
        Flag {
            standing,
            technician_contact_id: self.technician,
            caused_by: Some(id),
            opened_at: self.opened_at,
            about_at: self.about_at,
            is_late: self.is_late,
            ..flag(self.alert_id(id), FlagCode::S1, moment.clock, moment.version, reasoning)
        }
    }

    /// The same under every name.
    fn tell(&self, id: EventId, flag: &Flag<'static>, effects: &mut Effects) {
        let named = |subject: &Uuid| Flag { alert_id: Cow::Owned(alert_id(*subject, id)), ..flag.clone() };
        effects.flags.extend(self.subjects.iter().map(named));
    }

    /// Notes under whose name the lane has a record, whether it stands or not: it goes there as a first report.
    pub fn note_lane(&mut self, event: &OperationalEvent<'_>, is_sos: bool) {
        let common = &event.common;
        let is_first_report = is_sos && common.revision == 0 && !common.voided && !common.imported && event.resolved_at.is_none();
        let subject = subject(event);
        if is_first_report && self.subjects.len() < SUBJECTS_MAX && !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
    }
}

/// As the lane names it.
fn subject(event: &OperationalEvent<'_>) -> Uuid {
    event.technician_contact_id.map_or(event.common.id.0, |technician| technician.0)
}

fn alert_id(subject: Uuid, id: EventId) -> String {
    format!("S1:{subject}:{id}")
}

impl Incident {
    /// Tells of it once for each id; of whom it names since; of its void; and of its resolution; of a later one too, since presses
    /// counted on it may lie in between.
    pub fn sos(&mut self, event: &OperationalEvent<'_>, is_sos: bool, moment: Moment, settings: &FlagSettings, effects: &mut Effects) {
        let common = &event.common;
        let what = || {
            let (what, system) =
                (quoted(event.event_type.as_deref(), "event"), quoted(event.source_system.as_deref(), "an unnamed system"));
            reasoning::emergency(&format!("SOS {what} of {system}"), common.created_at, moment.clock)
        };
        let is_alive = !common.voided && !common.imported;
        if self.sos.is_none() && is_sos && is_alive {
            let sos = Sos {
                subjects: vec![subject(event)],
                technician: event.technician_contact_id,
                opened_at: moment.clock,
                about_at: common.created_at,
                is_late: moment.clock.since(common.created_at) > settings.late_us,
                is_voided: false,
                cleared_through: Timestamp::MIN,
            };
            effects.flags.push(Flag { visit_id: event.visit_id, ..sos.flag(common.id, FlagStanding::Raised, moment, what()) });
            self.sos = Some(Box::new(sos));
        }
        let Some(sos) = &mut self.sos else { return };
        sos.note_lane(event, is_sos);
        // An update that names nobody leaves it with whom it named last.
        let technician = event.technician_contact_id.filter(|_| is_alive).or(sos.technician);
        if technician != sos.technician {
            sos.technician = technician;
            effects.flags.push(Flag { visit_id: event.visit_id, ..sos.flag(common.id, FlagStanding::Raised, moment, what()) });
        }
        if common.voided && !std::mem::replace(&mut sos.is_voided, true) {
            sos.tell(common.id, &sos.flag(common.id, FlagStanding::Voided, moment, "the sender withdrew the event".to_owned()), effects);
        }
        let is_believable = |at: &Timestamp| (common.created_at..=moment.clock + RESOLVED_AHEAD_US).contains(at);
        let resolved_at = event.resolved_at.filter(is_believable).filter(|_| is_alive);
        if let Some(resolved_at) = resolved_at
            && sos.cleared_through < resolved_at
        {
            sos.cleared_through = resolved_at;
            let cleared = Flag {
                resolved_at: Some(resolved_at),
                resolved_by_contact_id: event.resolved_by_contact_id,
                ..sos.flag(common.id, FlagStanding::Cleared, moment, reasoning::cleared(resolved_at))
            };
            sos.tell(common.id, &cleared, effects);
        }
    }
}

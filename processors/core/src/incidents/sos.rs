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

/// What was told of an SOS.
#[derive(Clone, Debug)]
pub(super) struct Sos {
    /// Whom its first record named; the alert keeps its id when a later one names somebody else.
    technician: Option<TechnicianId>,
    opened_at: Timestamp,
    about_at: Timestamp,
    is_late: bool,
    is_voided: bool,
    /// The latest resolution that was told to end it.
    cleared_through: Timestamp,
}

impl Sos {
    fn flag(&self, id: EventId, standing: FlagStanding, moment: Moment, reasoning: String) -> Flag<'static> {
        let subject = self.technician.map_or(id.0, |technician| technician.0);
        Flag {
            standing,
            technician_contact_id: self.technician,
            caused_by: Some(id),
            opened_at: self.opened_at,
            about_at: self.about_at,
            is_late: self.is_late,
            ..flag(format!("S1:{subject}:{id}"), FlagCode::S1, moment.clock, moment.version, reasoning)
        }
    }
}

impl Incident {
    /// Tells of it once for each id; of its void; and of its resolution; of a later one too, since presses counted on it may lie in between.
    pub fn sos(&mut self, event: &OperationalEvent<'_>, is_sos: bool, moment: Moment, settings: &FlagSettings, effects: &mut Effects) {
        let common = &event.common;
        if self.sos.is_none() && is_sos && !common.voided && !common.imported {
            let sos = Sos {
                technician: event.technician_contact_id,
                opened_at: moment.clock,
                about_at: common.created_at,
                is_late: moment.clock.since(common.created_at) > settings.late_us,
                is_voided: false,
                cleared_through: Timestamp::MIN,
            };
            let what = format!(
                "SOS {} of {}",
                quoted(event.event_type.as_deref(), "event"),
                quoted(event.source_system.as_deref(), "an unnamed system")
            );
            let raised = sos.flag(common.id, FlagStanding::Raised, moment, reasoning::emergency(&what, common.created_at, moment.clock));
            effects.flags.push(Flag { visit_id: event.visit_id, ..raised });
            self.sos = Some(Box::new(sos));
        }
        let Some(sos) = &mut self.sos else { return };
        if common.voided && !std::mem::replace(&mut sos.is_voided, true) {
            effects.flags.push(sos.flag(common.id, FlagStanding::Voided, moment, "the sender withdrew the event".to_owned()));
        }
        let is_believable = |at: &Timestamp| (common.created_at..=moment.clock + RESOLVED_AHEAD_US).contains(at);
        let resolved_at = event.resolved_at.filter(is_believable).filter(|_| !common.voided && !common.imported);
        if let Some(resolved_at) = resolved_at
            && sos.cleared_through < resolved_at
        {
            sos.cleared_through = resolved_at;
            effects.flags.push(Flag {
                resolved_at: Some(resolved_at),
                resolved_by_contact_id: event.resolved_by_contact_id,
                ..sos.flag(common.id, FlagStanding::Cleared, moment, reasoning::cleared(resolved_at))
            });
        }
    }
}

//! S1: an emergency_stop is told of as it arrives, once for each id.

use super::reasoning;
use super::standing::{Flags, alert_id, location};
use crate::facts::ActivityFact;
use crate::partition::{Claim, Inserted, Window};
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{ActivityType, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::{Timestamp, Version};
use std::borrow::Cow;

/// An emergency that was told of. Kept as long as the marker of its record, and for the same reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emergency {
    id: EventId,
    /// Of its last record.
    appended: Timestamp,
    opened_at: Timestamp,
    about_at: Timestamp,
    is_late: bool,
    is_voided: bool,
}

impl Flags {
    /// What a record, which was just inserted, says about an emergency. An amendment or a restored one says nothing new.
    pub fn emergency(
        &mut self,
        technician: TechnicianId,
        claim: &Claim<ActivityFact>,
        inserted: &Inserted,
        window: Window,
        late_us: i64,
    ) -> Option<Flag<'static>> {
        let clock = window.clock();
        let decides = matches!(inserted, Inserted::Decides { .. });
        let known = self.emergencies.iter_mut().find(|known| known.id == claim.id && known.appended >= window.markers_from());
        let (emergency, standing) = match known {
            Some(known) => {
                known.appended = clock;
                let is_new_void = decides && claim.voided && !known.is_voided;
                known.is_voided |= is_new_void;
                is_new_void.then_some((*known, FlagStanding::Voided))?
            }
            None => {
                let is_emergency = claim.fact.activity_type == ActivityType::EmergencyStop && !claim.fact.imported;
                if !decides || claim.voided || !is_emergency {
                    return None;
                }
                self.emergencies.retain(|known| known.appended >= window.markers_from());
                let emergency = Emergency {
                    id: claim.id,
                    appended: clock,
                    opened_at: clock,
                    about_at: claim.own,
                    is_late: clock.since(claim.own) > late_us,
                    is_voided: false,
                };
                self.emergencies.push(emergency);
                (emergency, FlagStanding::Raised)
            }
        };
        let reasoning = match standing {
            FlagStanding::Raised => reasoning::emergency(emergency.about_at, clock),
            _ => "the sender withdrew the emergency_stop".to_owned(),
        };
        Some(Flag {
            alert_id: alert_id(FlagCode::S1, technician, emergency.id),
            flag: FlagCode::S1,
            origin: FlagOrigin::Fold,
            version: Version(0),
            as_of: clock,
            standing,
            severity: Severity::Critical,
            technician_contact_id: Some(technician),
            visit_id: claim.fact.visit_id,
            caused_by: Some(claim.id),
            opened_at: emergency.opened_at,
            about_at: emergency.about_at,
            is_late: emergency.is_late,
            location: location(claim.fact.position),
            reasoning: Cow::Owned(reasoning),
        })
    }
}

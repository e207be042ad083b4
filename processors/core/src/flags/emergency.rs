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
use uuid::Uuid;

/// An emergency that was told of. Kept as long as the marker of its record, and for the same reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emergency {
    pub id: EventId,
    /// Of its last record.
    pub appended: Timestamp,
    pub opened_at: Timestamp,
    pub about_at: Timestamp,
    is_late: bool,
    is_voided: bool,
    /// The latest resolution of an operational event that was told to end it.
    pub cleared_through: Timestamp,
    /// Of an SOS: the subject of its alert, which belongs to where the event came from.
    pub sos: Option<Uuid>,
}

impl Emergency {
    /// `sos`: of an operational event, the subject of its alert.
    pub fn new(id: EventId, about_at: Timestamp, clock: Timestamp, late_us: i64, sos: Option<Uuid>) -> Self {
        let is_late = clock.since(about_at) > late_us;
        Self { id, appended: clock, opened_at: clock, about_at, is_late, is_voided: false, cleared_through: Timestamp::MIN, sos }
    }

    pub fn flag(&self, technician: TechnicianId, clock: Timestamp, standing: FlagStanding, reasoning: String) -> Flag<'static> {
        Flag {
            alert_id: alert_id(FlagCode::S1, technician, self.id),
            flag: FlagCode::S1,
            origin: FlagOrigin::Fold,
            version: Version(0),
            as_of: clock,
            standing,
            severity: Severity::Critical,
            technician_contact_id: Some(technician),
            visit_id: None,
            caused_by: None,
            opened_at: self.opened_at,
            about_at: self.about_at,
            is_late: self.is_late,
            location: None,
            reasoning: Cow::Owned(reasoning),
            resolved_at: None,
            resolved_by_contact_id: None,
        }
    }
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
        flags: &mut Vec<Flag<'static>>,
    ) {
        let clock = window.clock();
        let decides = matches!(inserted, Inserted::Decides { .. });
        let known = self.emergencies.iter_mut().find(|known| known.id == claim.id && known.appended >= window.markers_from());
        let (emergency, standing) = match known {
            Some(known) => {
                known.appended = clock;
                if !decides || !claim.voided || std::mem::replace(&mut known.is_voided, true) {
                    return;
                }
                (*known, FlagStanding::Voided)
            }
            None => {
                let is_emergency = claim.fact.activity_type == ActivityType::EmergencyStop && !claim.fact.imported;
                if !decides || claim.voided || !is_emergency {
                    return;
                }
                self.emergencies.retain(|known| known.appended >= window.markers_from());
                let emergency = Emergency::new(claim.id, claim.own, clock, late_us, None);
                self.emergencies.push(emergency);
                (emergency, FlagStanding::Raised)
            }
        };
        let reasoning = match standing {
            FlagStanding::Raised => reasoning::emergency("emergency_stop", emergency.about_at, clock),
            _ => "the sender withdrew the emergency_stop".to_owned(),
        };
        let flag = emergency.flag(technician, clock, standing, reasoning);
        flags.push(Flag { visit_id: claim.fact.visit_id, location: location(claim.fact.position), ..flag });
    }
}

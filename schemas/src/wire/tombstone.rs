//! A tombstone's identity as it stands on the wire: one field for each part of either form.

use crate::ids::{EventId, TechnicianId, VisitId};
use crate::rejection::Trouble;
use crate::results::Identity;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tombstone {
    pub technician_contact_id: TechnicianId,
    pub shift_id: Option<EventId>,
    pub visit_id: Option<VisitId>,
    pub first_event_id: Option<EventId>,
}

impl Tombstone {
    pub const fn of(identity: Identity) -> Self {
        match identity {
            Identity::Shift { technician_contact_id, shift_id } => {
                Self { technician_contact_id, shift_id: Some(shift_id), visit_id: None, first_event_id: None }
            }
            Identity::Episode { technician_contact_id, visit_id, first_event_id } => {
                Self { technician_contact_id, shift_id: None, visit_id: Some(visit_id), first_event_id: Some(first_event_id) }
            }
        }
    }

    /// The identity, if exactly the parts of one form are there.
    pub fn identity(self) -> Result<Identity, Trouble> {
        let technician_contact_id = self.technician_contact_id;
        match (self.shift_id, self.visit_id, self.first_event_id) {
            (Some(shift_id), None, None) => Ok(Identity::Shift { technician_contact_id, shift_id }),
            (None, Some(visit_id), Some(first_event_id)) => Ok(Identity::Episode { technician_contact_id, visit_id, first_event_id }),
            _ => Err(Trouble::Type),
        }
    }
}

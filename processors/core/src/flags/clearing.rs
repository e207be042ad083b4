//! How an emergency ends without a person's word on its alert: an operational event that names the technician is resolved.
//!
//! It closes what the log has told of before the resolution first came; nobody who resolved it could know of a later one, and an
//! update that says again what was known resolves nothing more. What is closed stays closed, whatever becomes of the event.

use super::emergency::Emergency;
use super::reasoning;
use super::standing::{Flags, alert_id};
use crate::facts::SignalFact;
use crate::partition::{Claim, Inserted, Window};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{Flag, FlagCode, FlagStanding};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::time::MINUTE_US;

/// A resolution further ahead of its arrival than clocks differ has not happened yet, and closes nothing.
pub(crate) const RESOLVED_AHEAD_US: i64 = 5 * MINUTE_US;

/// That an event was resolved at an instant. Kept as long as the markers of the records that say so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolution {
    event: EventId,
    at: Timestamp,
    /// Of the first record that said so.
    seen: Timestamp,
    /// Of the last one.
    appended: Timestamp,
}

impl Flags {
    /// When the log first told of a resolution.
    fn first_seen(&mut self, event: EventId, at: Timestamp, window: Window) -> Timestamp {
        let clock = window.clock();
        self.resolutions.retain(|known| known.appended >= window.markers_from());
        match self.resolutions.iter_mut().find(|known| known.event == event && known.at == at) {
            Some(known) => {
                known.appended = clock;
                known.seen
            }
            None => {
                self.resolutions.push(Resolution { event, at, seen: clock, appended: clock });
                clock
            }
        }
    }

    /// What a signal, which was just inserted, says about emergencies.
    pub fn signal(
        &mut self,
        technician: TechnicianId,
        claim: &Claim<SignalFact>,
        inserted: &Inserted,
        window: Window,
        late_us: i64,
        flags: &mut Vec<Flag<'static>>,
    ) {
        let SignalFact { resolved_at, resolved_by, imported, names_technician, .. } = claim.fact;
        if !matches!(inserted, Inserted::Decides { .. }) || claim.voided || imported {
            return;
        }
        let clock = window.clock();
        self.sos(technician, claim, window, late_us);
        if !names_technician {
            return;
        }
        let Some(resolved_at) = resolved_at.filter(|at| claim.fact.is_grave() && *at <= clock + RESOLVED_AHEAD_US) else { return };
        let seen = self.first_seen(claim.id, resolved_at, window);
        let ended = |emergency: &&mut Emergency| {
            let was_known = emergency.appended >= window.markers_from() && emergency.opened_at <= seen;
            let is_known = emergency.id != claim.id && was_known;
            is_known && emergency.about_at <= resolved_at && emergency.cleared_through < resolved_at
        };
        for emergency in self.emergencies.iter_mut().filter(ended) {
            emergency.cleared_through = resolved_at;
            let flag = Flag {
                resolved_at: Some(resolved_at),
                resolved_by_contact_id: resolved_by,
                ..emergency.flag(technician, clock, FlagStanding::Cleared, reasoning::cleared(resolved_at))
            };
            if let Some(subject) = emergency.sos.filter(|subject| *subject != technician.0) {
                flags.push(Flag { alert_id: alert_id(FlagCode::S1, TechnicianId(subject), emergency.id), ..flag.clone() });
            }
            // Beside an alert of another subject: a publisher's lane may have told of it under the technician's name as well.
            flags.push(flag);
        }
    }

    /// An SOS is the emergency of whom it names; where an update names nobody, of whom it named last. Its alert was opened where the
    /// event came from, and is closed there by the event's own resolution.
    fn sos(&mut self, technician: TechnicianId, claim: &Claim<SignalFact>, window: Window, late_us: i64) {
        let SignalFact { created_at, names_technician, is_emergency, alert_subject, .. } = claim.fact;
        let sos = Some(alert_subject.unwrap_or(technician.0));
        let is_kept = |known: &Emergency| known.appended >= window.markers_from();
        if !is_emergency {
            self.emergencies.retain(|known| known.id != claim.id || known.sos.is_none());
        } else if names_technician {
            match self.emergencies.iter_mut().find(|known| known.id == claim.id && is_kept(known)) {
                Some(known) => (known.appended, known.sos) = (window.clock(), sos),
                None => {
                    self.emergencies.retain(is_kept);
                    self.emergencies.push(Emergency::new(claim.id, created_at, window.clock(), late_us, sos));
                }
            }
        }
    }
}

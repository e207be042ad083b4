//! What the resolution of an operational event does to an emergency.

use super::entry::owned;
use super::steps::id_of_copy;
use super::{Effects, Lifecycle, Moment, Why};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{AlertState, AlertStep, Flag, FlagCode};
use fieldline_schemas::events::Clearance;
use std::borrow::Cow;

/// The cause of such a step.
const CAUSE: &str = "operational_event";

impl Lifecycle {
    /// Closes the emergency and those that are counted on it. What was resolved before one of them happened closes none: a
    /// further press says that it is not over. No order of versions matters here: what is closed stays closed.
    pub(super) fn cleared(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        let id = &*flag.alert_id;
        let opened = self.entries.get(id).filter(|entry| entry.alert().is_some() && flag.flag == FlagCode::S1);
        let (Some(entry), Some(resolved_at)) = (opened, flag.resolved_at) else {
            self.counters.unknown_alerts += 1;
            return;
        };
        // One that is counted on another lives with it, and is told of as well.
        if entry.leader.is_some() || entry.state() == Some(AlertState::Resolved) {
            return;
        }
        let ids: Vec<String> = std::iter::once(id.to_owned()).chain(entry.followers.iter().cloned()).collect();
        let happened_at = |id: &String| self.entries.get(id).and_then(|entry| entry.alert()).map(|alert| alert.about_at);
        let is_over = ids.iter().filter_map(happened_at).all(|about_at: Timestamp| about_at <= resolved_at);
        let why = Why {
            cause: Cow::Borrowed(CAUSE),
            caused_by: flag.caused_by,
            actor: flag.resolved_by_contact_id,
            note: Some(owned(&flag.reasoning)),
        };
        let Some(entry) = self.entries.get_mut(id) else { return };
        if !is_over {
            entry.step(AlertStep::Noted, why, moment, effects, |_| ());
            return;
        }
        entry.step(AlertStep::Resolved, why, moment, effects, |alert| {
            alert.state = AlertState::Resolved;
            alert.resolved_at = Some(moment.clock);
            alert.resolved_by_contact_id = flag.resolved_by_contact_id;
            alert.notification += 1;
        });
        self.set_timer(id, None);
        if let (Some(technician), Some(event)) = (flag.technician_contact_id, flag.caused_by) {
            effects.clearances.extend(ids.iter().map(|cleared| Clearance {
                id: id_of_copy(event, cleared),
                technician_contact_id: technician,
                alert_id: Cow::Owned(cleared.clone()),
                created_at: resolved_at.min(moment.clock),
                reason: None,
                actor_contact_id: flag.resolved_by_contact_id,
            }));
            self.no_longer_open(technician, id);
        }
        self.share(id, moment, effects);
        self.whole.push_back((moment.clock, id.to_owned()));
    }
}

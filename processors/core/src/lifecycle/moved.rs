//! An emergency that turns out to be another technician's: nobody's press stays silent for it.

use super::entry::open_again;
use super::{Effects, Lifecycle, Moment, Why};
use fieldline_schemas::alerts::{AlertState, AlertStep};
use fieldline_schemas::ids::{EventId, TechnicianId};

impl Lifecycle {
    /// It was an emergency of `before`, or of nobody known. Presses that were counted on it page by themselves, the first of them for
    /// all; it pages by itself where it was counted on another. Later presses of its new technician page too: their partition need not be
    /// this one, and an alert more is better than one that depends on that.
    pub(super) fn moved(
        &mut self,
        id: &str,
        before: Option<TechnicianId>,
        caused_by: Option<EventId>,
        moment: Moment,
        effects: &mut Effects,
    ) {
        let (Some(before), Some(entry)) = (before, self.entries.get_mut(id)) else { return };
        let (leader, mut followers) = (entry.leader.take(), std::mem::take(&mut entry.followers));
        self.no_longer_open(before, id);
        if let Some(leader) = leader {
            if let Some(first) = self.entries.get_mut(&leader) {
                first.followers.retain(|follower| follower != id);
            }
            self.stand_alone(id, caused_by, moment, effects);
        }
        if followers.is_empty() {
            return;
        }
        let first = followers.remove(0);
        for follower in &followers {
            if let Some(entry) = self.entries.get_mut(follower) {
                entry.leader = Some(first.clone());
            }
        }
        let Some(entry) = self.entries.get_mut(&first) else { return };
        (entry.leader, entry.followers) = (None, followers);
        if self.stand_alone(&first, caused_by, moment, effects) {
            self.emergencies.entry(before).or_default().push(first);
        }
    }

    /// Whether it is open, and pages now.
    fn stand_alone(&mut self, id: &str, caused_by: Option<EventId>, moment: Moment, effects: &mut Effects) -> bool {
        let entry = self.entries.get_mut(id).filter(|entry| entry.state().is_some_and(|state| state != AlertState::Resolved));
        let Some(entry) = entry else { return false };
        entry.step(AlertStep::Reopened, Why::of("moved", caused_by), moment, effects, |alert| {
            open_again(alert);
            alert.notification += 1;
        });
        self.share(id, moment, effects);
        self.escalate_from(id, moment.clock);
        true
    }
}

//! What was last known of each row of a technician, and what differs from it now.

use super::digest::Digester;
use super::window::Window;
use crate::fold::Units;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::results::{Identity, Kpi};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// The identity of a row within its technician.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Shift(EventId),
    Episode(VisitId, EventId),
}

impl Key {
    fn identity(self, technician_contact_id: TechnicianId) -> Identity {
        match self {
            Key::Shift(shift_id) => Identity::Shift { technician_contact_id, shift_id },
            Key::Episode(visit_id, first_event_id) => Identity::Episode { technician_contact_id, visit_id, first_event_id },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    key: Key,
    begins_at: Timestamp,
    digest: [u64; 2],
}

/// The rows of a technician as they were last derived, sorted by identity.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    next: Vec<Row>,
}

/// What a derivation changed.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// In the order of the fold, tombstones last.
    pub kpis: Vec<Kpi>,
    /// The earliest and latest begin of frozen units that changed: a matter for history.
    pub frozen: Option<(Timestamp, Timestamp)>,
}

impl Rows {
    /// Takes what is derived now as known, without a word: what changed by leaving the window is no change.
    pub fn absorb(&mut self, units: &Units, digester: &mut Digester) {
        self.rows.clear();
        self.rows.extend(rows(units, digester));
        self.rows.sort_unstable_by_key(|row| row.key);
    }

    /// Takes what is derived now as known, and says what is new.
    pub fn replace(&mut self, technician: TechnicianId, units: Units, window: Window, digester: &mut Digester) -> Changes {
        let mut changes = Changes::default();
        let live_from = window.live_units_from();
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        next.extend(rows(&units, digester));
        // A row is boxed when it goes out: most of them did not change.
        let (mut shifts, mut episodes) = (units.shifts.into_iter(), units.episodes.into_iter());
        for row in &next {
            let shift = shifts.next();
            let episode = if shift.is_none() { episodes.next() } else { None };
            let known = self.find(row.key);
            if known.is_some_and(|known| known.digest == row.digest) {
                continue;
            }
            if row.begins_at >= live_from {
                let shift = shift.map(|shift| Kpi::Shift(Box::new(shift)));
                changes.kpis.extend(shift.or_else(|| episode.map(|episode| Kpi::Episode(Box::new(episode)))));
            } else {
                changes.froze(row.begins_at);
            }
            if let Some(known) = known.filter(|known| known.begins_at < live_from) {
                changes.froze(known.begins_at);
            }
        }
        next.sort_unstable_by_key(|row| row.key);
        std::mem::swap(&mut self.rows, &mut next);
        for gone in next.iter().filter(|row| self.find(row.key).is_none()) {
            if gone.begins_at >= live_from {
                changes.kpis.push(Kpi::Tombstone(gone.key.identity(technician)));
            } else {
                changes.froze(gone.begins_at);
            }
        }
        self.next = next;
        changes
    }

    fn find(&self, key: Key) -> Option<&Row> {
        self.rows.binary_search_by_key(&key, |row| row.key).ok().map(|at| &self.rows[at])
    }
}

impl Changes {
    fn froze(&mut self, begins_at: Timestamp) {
        let (from, to) = self.frozen.unwrap_or((begins_at, begins_at));
        self.frozen = Some((from.min(begins_at), to.max(begins_at)));
    }
}

/// Whether a unit that is still live depends on context that will leave the window.
pub fn leans_on_context(units: &Units, window: Window) -> bool {
    let leans = |begins_at: Timestamp, anomalies: Anomalies| begins_at >= window.live_units_from() && anomalies.contains(Anomaly::A29);
    units.shifts.iter().any(|s| leans(s.started_at, s.anomalies)) || units.episodes.iter().any(|e| leans(e.first_event_at, e.anomalies))
}

fn rows(units: &Units, digester: &mut Digester) -> impl Iterator<Item = Row> {
    let mut shifts = units.shifts.iter();
    let mut episodes = units.episodes.iter();
    std::iter::from_fn(move || {
        let (key, begins_at, digest) = match shifts.next() {
            Some(shift) => (Key::Shift(shift.shift_id), shift.started_at, digester.shift(shift)),
            None => {
                let episode = episodes.next()?;
                (Key::Episode(episode.visit_id, episode.first_event_id), episode.first_event_at, digester.episode(episode))
            }
        };
        Some(Row { key, begins_at, digest: [(digest >> 64) as u64, digest as u64] })
    })
}

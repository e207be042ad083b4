//! What was last known of each row of a technician, and what differs from it now.

use super::digest::Digester;
use super::segments::Refolded;
use super::window::Window;
use crate::fold::Units;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::results::{Identity, Kpi};
use fieldline_schemas::{Anomaly, Timestamp};

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
    /// Carries A29.
    leans_on_context: bool,
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
    pub fn absorb(&mut self, refolded: &Refolded, digester: &mut Digester) {
        self.rows.retain(|row| !refolded.covers(row.begins_at));
        self.rows.extend(rows(&refolded.units, digester));
        self.rows.sort_unstable_by_key(|row| row.key);
    }

    /// Whether a unit that is still live depends on context that will leave the window.
    pub fn lean_on_context(&self, window: Window) -> bool {
        self.rows.iter().any(|row| row.leans_on_context && row.begins_at >= window.live_units_from())
    }

    /// Takes what is derived now as known, and says what is new.
    pub fn replace(&mut self, technician: TechnicianId, refolded: Refolded, window: Window, digester: &mut Digester) -> Changes {
        let mut changes = Changes::default();
        let live_from = window.live_units_from();
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        next.extend(rows(&refolded.units, digester));
        let anew = next.len();
        next.extend(self.rows.iter().filter(|row| !refolded.covers(row.begins_at)));
        // A row is boxed when it goes out: most of them did not change.
        let (mut shifts, mut episodes) = (refolded.units.shifts.into_iter(), refolded.units.episodes.into_iter());
        for row in &next[..anew] {
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

fn rows(units: &Units, digester: &mut Digester) -> impl Iterator<Item = Row> {
    let mut shifts = units.shifts.iter();
    let mut episodes = units.episodes.iter();
    std::iter::from_fn(move || {
        let (key, begins_at, digest, anomalies) = match shifts.next() {
            Some(shift) => (Key::Shift(shift.shift_id), shift.started_at, digester.shift(shift), shift.anomalies),
            None => {
                let episode = episodes.next()?;
                let key = Key::Episode(episode.visit_id, episode.first_event_id);
                (key, episode.first_event_at, digester.episode(episode), episode.anomalies)
            }
        };
        let leans_on_context = anomalies.contains(Anomaly::A29);
        Some(Row { key, begins_at, digest: [(digest >> 64) as u64, digest as u64], leans_on_context })
    })
}

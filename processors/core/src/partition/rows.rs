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
    /// Derived by the derivation that is going on, where some row may be gone.
    is_new: bool,
}

/// The rows of a technician as they were last derived, sorted by identity.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    /// How many of them lean on context: few, if any.
    leaning: usize,
}

/// What a derivation changed.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// In the order of the fold, tombstones last.
    pub kpis: Vec<Kpi>,
    /// No segment was folded again: the last one went on.
    pub went_on: bool,
    /// The earliest and latest begin of frozen units that changed: a matter for history.
    pub frozen: Option<(Timestamp, Timestamp)>,
}

impl Rows {
    /// Takes what is derived now as known, without a word: what changed by leaving the window is no change.
    pub fn absorb(&mut self, refolded: &Refolded, digester: &mut Digester) {
        for row in rows(refolded, digester) {
            self.note(row);
        }
        self.take_gone(refolded);
    }

    /// Whether a unit that is still live depends on context that will leave the window.
    pub fn lean_on_context(&self, window: Window) -> bool {
        self.leaning > 0 && self.rows.iter().any(|row| row.leans_on_context && row.begins_at >= window.live_units_from())
    }

    /// Takes what is derived now as known, and says what is new.
    pub fn replace(&mut self, technician: TechnicianId, refolded: Refolded, window: Window, digester: &mut Digester) -> Changes {
        let went_on = refolded.went_on_from.is_some() && refolded.spans.is_empty();
        let mut changes = Changes { went_on, ..Changes::default() };
        let live_from = window.live_units_from();
        let mut changed: Vec<bool> = Vec::with_capacity(refolded.units.shifts.len() + refolded.units.episodes.len());
        for row in rows(&refolded, digester) {
            let known = self.note(row);
            let is_same = known.is_some_and(|known| known.digest == row.digest);
            changed.push(!is_same && row.begins_at >= live_from);
            if !is_same {
                let begins = [Some(row.begins_at), known.map(|known| known.begins_at)];
                begins.into_iter().flatten().filter(|at| *at < live_from).for_each(|at| changes.froze(at));
            }
        }
        for gone in self.take_gone(&refolded) {
            if gone.begins_at >= live_from {
                changes.kpis.push(Kpi::Tombstone(gone.key.identity(technician)));
            } else {
                changes.froze(gone.begins_at);
            }
        }
        let tombstones = changes.kpis.len();
        // A row is boxed when it goes out: most of them did not change.
        let Units { shifts, episodes, .. } = refolded.units;
        let mut is_changed = changed.into_iter();
        let shifts = shifts.into_iter().filter(|_| is_changed.next() == Some(true)).map(|shift| Kpi::Shift(Box::new(shift)));
        changes.kpis.extend(shifts);
        let episodes = episodes.into_iter().filter(|_| is_changed.next() == Some(true)).map(|episode| Kpi::Episode(Box::new(episode)));
        changes.kpis.extend(episodes);
        changes.kpis.rotate_left(tombstones);
        changes
    }

    /// Notes a row that is derived now; what was known of it before.
    fn note(&mut self, row: Row) -> Option<Row> {
        self.leaning += usize::from(row.leans_on_context);
        match self.rows.binary_search_by_key(&row.key, |row| row.key) {
            Ok(at) => {
                let known = std::mem::replace(&mut self.rows[at], row);
                self.leaning -= usize::from(known.leans_on_context);
                Some(known)
            }
            Err(at) => {
                self.rows.insert(at, row);
                None
            }
        }
    }

    /// Takes out the rows that should have been derived anew and were not, in the order of their identity.
    fn take_gone(&mut self, refolded: &Refolded) -> Vec<Row> {
        if refolded.spans.is_empty() {
            return Vec::new();
        }
        let mut gone = Vec::new();
        self.rows.retain_mut(|row| {
            let is_gone = !std::mem::take(&mut row.is_new) && refolded.covers(row.begins_at);
            if is_gone {
                self.leaning -= usize::from(row.leans_on_context);
                gone.push(*row);
            }
            !is_gone
        });
        gone
    }
}

impl Changes {
    fn froze(&mut self, begins_at: Timestamp) {
        let (from, to) = self.frozen.unwrap_or((begins_at, begins_at));
        self.frozen = Some((from.min(begins_at), to.max(begins_at)));
    }
}

fn rows(refolded: &Refolded, digester: &mut Digester) -> impl Iterator<Item = Row> {
    let is_new = !refolded.spans.is_empty();
    let mut shifts = refolded.units.shifts.iter();
    let mut episodes = refolded.units.episodes.iter();
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
        Some(Row { key, begins_at, digest: [(digest >> 64) as u64, digest as u64], leans_on_context, is_new })
    })
}

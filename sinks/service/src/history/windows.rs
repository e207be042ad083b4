//! Gathers requests until nothing more comes for a second of log time, so that a burst is computed once.
//!
//! ```text
//! requests   r r  r r r                         r
//! log time ──┴─┴──┴─┴─┴─────1 s─────┬───────────┴──►
//!            └────── one window ────┘ closed by the next record or tick
//! ```
//! A function of the log from a window's start on: whoever takes over there gathers the same windows and puts out the
//! same rows. Pure.

use fieldline_schemas::Timestamp;
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::time::SECOND_US;
use std::collections::{BTreeMap, VecDeque};

/// A window closes when the clock is this far beyond its last request. The processors ask once a second, so that less would
/// cut one burst into several.
pub const QUIET_US: i64 = 2 * SECOND_US;
/// However many requests come, a window closes this long after its first.
pub const WINDOW_US_MAX: i64 = 10 * SECOND_US;
/// Named ids in one window; beyond, it closes at once.
pub const WINDOW_IDS_MAX: usize = 1_000_000;

/// A place in a partition of `recompute`, and its clock before the record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub offset: i64,
    pub clock: Option<Timestamp>,
}

/// Every request of a window about one technician.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Partition of `activity`.
    pub partition: i32,
    /// The highest offset, and the clock there.
    pub offset: i64,
    pub clock: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    /// In the order met, duplicates included.
    pub event_ids: Vec<EventId>,
    pub caused_by: Option<EventId>,
}

/// Requests that are computed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Position,
    first_at: Timestamp,
    last_at: Timestamp,
    ids: usize,
    pub merged: BTreeMap<(TechnicianId, i32), Merged>,
}

/// The windows of one partition of `recompute`.
#[derive(Debug)]
pub struct Windows {
    next: Position,
    open: Option<Window>,
    closed: VecDeque<Window>,
}

impl Windows {
    pub fn new(start: Position) -> Self {
        Self { next: start, open: None, closed: VecDeque::new() }
    }

    /// Takes the next record; `None` is a tick.
    pub fn record(&mut self, offset: i64, append_time: Timestamp, request: Option<RecomputeRequest>) {
        let clock = self.next.clock.map_or(append_time, |clock| clock.max(append_time));
        if let Some(open) = &self.open
            && (clock.since(open.last_at) >= QUIET_US || clock.since(open.first_at) >= WINDOW_US_MAX)
        {
            self.close();
        }
        if let Some(request) = request {
            let start = Position { offset, ..self.next };
            let open = self.open.get_or_insert_with(|| Window { start, first_at: clock, last_at: clock, ids: 0, merged: BTreeMap::new() });
            open.merge(clock, request);
            if open.ids > WINDOW_IDS_MAX {
                self.close();
            }
        }
        self.next = Position { offset: offset + 1, clock: Some(clock) };
    }

    /// Whether requests wait for the clock to go on.
    pub fn is_waiting(&self) -> bool {
        self.open.is_some()
    }

    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    pub fn clock(&self) -> Option<Timestamp> {
        self.next.clock
    }

    /// The windows to be computed, oldest first.
    pub fn closed(&self) -> impl Iterator<Item = &Window> {
        self.closed.iter()
    }

    /// The oldest closed window is computed and published.
    pub fn finish_first(&mut self) {
        self.closed.pop_front();
    }

    /// Everything before this is done with.
    pub fn frontier(&self) -> Position {
        self.closed.front().or(self.open.as_ref()).map_or(self.next, |window| window.start)
    }

    fn close(&mut self) {
        self.closed.extend(self.open.take());
    }
}

impl Window {
    fn merge(&mut self, clock: Timestamp, request: RecomputeRequest) {
        let RecomputeRequest { technician_contact_id, event_ids, from, to, partition, offset, clock: request_clock, caused_by } = request;
        self.last_at = clock;
        self.ids += event_ids.len();
        let merged = self.merged.entry((technician_contact_id, partition)).or_insert_with(|| Merged {
            partition,
            offset,
            clock: request_clock,
            from,
            to,
            event_ids: Vec::new(),
            caused_by,
        });
        merged.from = merged.from.min(from);
        merged.to = merged.to.max(to);
        merged.event_ids.extend(event_ids);
        merged.caused_by = caused_by;
        if offset > merged.offset {
            (merged.offset, merged.clock) = (offset, request_clock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(n: u128) -> EventId {
        EventId(Uuid::from_u128(n))
    }

    fn request(technician: u128, offset: i64, from: i64, to: i64, ids: &[u128]) -> RecomputeRequest {
        RecomputeRequest {
            technician_contact_id: TechnicianId(Uuid::from_u128(technician)),
            event_ids: ids.iter().map(|n| id(*n)).collect(),
            from: Timestamp(from),
            to: Timestamp(to),
            partition: 3,
            offset,
            clock: Timestamp(offset * 10),
            caused_by: ids.last().map(|n| id(*n)),
        }
    }

    fn tenths(n: i64) -> Timestamp {
        Timestamp(n * SECOND_US / 10)
    }

    /// Requests (r) and ticks (t) by tenths of a second; the first offsets of the windows that closed, and the frontier.
    fn check(records: &[(char, i64)], closed: &[i64], frontier: i64) {
        let mut windows = Windows::new(Position { offset: 0, clock: None });
        for (offset, (kind, at)) in (0..).zip(records) {
            windows.record(offset, tenths(*at), (*kind == 'r').then(|| request(1, offset, 5, 6, &[])));
        }
        assert_eq!(windows.closed().map(|w| w.start.offset).collect::<Vec<_>>(), closed, "{records:?}");
        assert_eq!(windows.frontier().offset, frontier, "{records:?}");
        windows.finish_first();
        assert_eq!(windows.frontier().offset > frontier, !closed.is_empty(), "{records:?}");
    }

    #[test]
    fn a_window_closes_after_two_seconds_without_requests() {
        check(&[], &[], 0);
        check(&[('t', 0), ('t', 30)], &[], 2);
        check(&[('t', 0), ('r', 1), ('t', 20)], &[], 1);
        check(&[('r', 0), ('t', 20)], &[0], 0);
        check(&[('r', 0), ('r', 19), ('r', 38), ('t', 57)], &[], 0);
        check(&[('r', 0), ('r', 19), ('r', 38), ('t', 58)], &[0], 0);
        check(&[('r', 0), ('r', 20), ('r', 40)], &[0, 1], 0);
        // A clock that goes back stands still.
        check(&[('r', 50), ('t', 10), ('t', 69)], &[], 0);
    }

    #[test]
    fn a_window_has_an_end_however_many_requests_come() {
        let records: Vec<_> = (0..25).map(|n| ('r', n * 5)).collect();
        check(&records, &[0], 0);
    }

    #[test]
    fn requests_of_a_technician_are_merged() {
        let mut windows = Windows::new(Position { offset: 7, clock: Some(Timestamp(0)) });
        windows.record(7, tenths(0), Some(request(1, 40, 100, 200, &[1, 2])));
        windows.record(8, tenths(1), Some(request(2, 41, 0, 0, &[])));
        windows.record(9, tenths(2), Some(request(1, 39, 50, 120, &[3])));
        windows.record(10, tenths(22), None);
        let window = windows.closed().next().unwrap();
        assert_eq!(window.start, Position { offset: 7, clock: Some(Timestamp(0)) });
        assert_eq!(window.merged.len(), 2);
        let merged = &window.merged[&(TechnicianId(Uuid::from_u128(1)), 3)];
        let expected = Merged {
            partition: 3,
            offset: 40,
            clock: Timestamp(400),
            from: Timestamp(50),
            to: Timestamp(200),
            event_ids: vec![id(1), id(2), id(3)],
            caused_by: Some(id(3)),
        };
        assert_eq!(*merged, expected);
    }

    #[test]
    fn a_successor_gathers_the_same_windows() {
        let records: Vec<_> = (0..200).map(|n: i64| (n, tenths((n * n * 7) % 23 + n * 3), n % 3 != 0)).collect();
        let feed = |windows: &mut Windows, from: i64| {
            for (offset, at, is_request) in records.iter().filter(|(offset, ..)| *offset >= from) {
                windows.record(
                    *offset,
                    *at,
                    is_request.then(|| request(*offset as u128 % 4, *offset, *offset, *offset, &[*offset as u128])),
                );
            }
        };
        let mut straight = Windows::new(Position { offset: 0, clock: None });
        feed(&mut straight, 0);
        let all: Vec<_> = straight.closed().cloned().collect();
        assert!(all.len() > 5);
        for (index, window) in all.iter().enumerate() {
            let mut successor = Windows::new(window.start);
            feed(&mut successor, window.start.offset);
            assert_eq!(successor.closed().cloned().collect::<Vec<_>>(), all[index..]);
        }
    }
}

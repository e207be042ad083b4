//! How far a partition may be committed: up to the last finished second before the first output that is not acknowledged.

use fieldline_log::AppendNumber;
use fieldline_processors_core::partition::Position;
use std::collections::VecDeque;

/// Finished seconds that are remembered while outputs wait for their acknowledgement; beyond it every other is let go.
const POINTS_MAX: usize = 4096;

/// Outputs in flight, by the record that caused them, and the places where a successor could begin.
#[derive(Debug, Default)]
pub struct Ledger {
    /// (offset of the record, its last output), in order of both.
    pending: VecDeque<(i64, AppendNumber)>,
    points: VecDeque<Position>,
}

impl Ledger {
    /// The record at `offset` caused the append `number`.
    pub fn appended(&mut self, offset: i64, number: AppendNumber) {
        match self.pending.back_mut() {
            Some(last) if last.0 == offset => last.1 = number,
            _ => self.pending.push_back((offset, number)),
        }
    }

    /// A successor could begin here, once everything before it is acknowledged.
    pub fn finished(&mut self, point: Position) {
        if self.points.back().is_some_and(|last| last.offset >= point.offset) {
            return;
        }
        if self.points.len() >= POINTS_MAX {
            let mut is_kept = false;
            self.points.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
        self.points.push_back(point);
    }

    /// Everything up to `number` is acknowledged.
    pub fn acknowledged(&mut self, number: AppendNumber) {
        while self.pending.front().is_some_and(|(_, last)| *last <= number) {
            self.pending.pop_front();
        }
    }

    /// The furthest position that may be committed now, once.
    pub fn take_frontier(&mut self) -> Option<Position> {
        let first_open = self.pending.front().map_or(i64::MAX, |(offset, _)| *offset);
        let mut frontier = None;
        while self.points.front().is_some_and(|point| point.offset <= first_open) {
            frontier = self.points.pop_front();
        }
        frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldline_schemas::Timestamp;

    fn point(offset: i64) -> Position {
        Position { offset, clock: Timestamp(offset) }
    }

    #[test]
    fn the_frontier_is_contiguous() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take_frontier(), None);
        ledger.finished(point(10));
        ledger.appended(12, 1);
        ledger.appended(12, 2);
        ledger.finished(point(20));
        ledger.appended(20, 3);
        ledger.finished(point(30));
        assert_eq!(ledger.take_frontier(), Some(point(10)));
        assert_eq!(ledger.take_frontier(), None, "told once");
        ledger.acknowledged(1);
        assert_eq!(ledger.take_frontier(), None, "the second output of record 12 is open");
        ledger.acknowledged(2);
        assert_eq!(ledger.take_frontier(), Some(point(20)), "record 20 is read again, so its outputs may be open");
        ledger.acknowledged(3);
        assert_eq!(ledger.take_frontier(), Some(point(30)));
        assert!(ledger.pending.is_empty());
    }

    #[test]
    fn points_are_bounded_and_the_newest_is_kept() {
        let mut ledger = Ledger::default();
        ledger.appended(0, 1);
        for offset in 1..100_000 {
            ledger.finished(point(offset));
        }
        assert!(ledger.points.len() <= POINTS_MAX);
        ledger.acknowledged(1);
        assert_eq!(ledger.take_frontier(), Some(point(99_999)));
    }
}

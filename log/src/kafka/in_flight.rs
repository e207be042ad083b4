//! What a producer has taken and Kafka has not acknowledged. Pure: numbers and sizes only.

use crate::AppendNumber;
use std::collections::VecDeque;

/// Acknowledgements come in order per partition, not over all of them; what counts is the contiguous frontier.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// All numbers up to this are acknowledged.
    frontier: AppendNumber,
    /// Sizes of the numbers that follow; `None`: acknowledged ahead of its turn.
    open: VecDeque<Option<usize>>,
    bytes: usize,
    records: usize,
}

impl InFlight {
    pub(super) fn frontier(&self) -> AppendNumber {
        self.frontier
    }

    /// The number that the next record gets.
    pub(super) fn next(&self) -> AppendNumber {
        self.frontier + self.open.len() as u64 + 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn taken(&mut self, bytes: usize) {
        self.open.push_back(Some(bytes));
        self.bytes += bytes;
        self.records += 1;
    }

    pub(super) fn acknowledged(&mut self, number: AppendNumber) {
        let index = number.checked_sub(self.frontier + 1).and_then(|index| usize::try_from(index).ok());
        // One that is acknowledged already changes nothing.
        if let Some(bytes) = index.and_then(|index| self.open.get_mut(index)).and_then(Option::take) {
            self.bytes -= bytes;
            self.records -= 1;
        }
        while let Some(None) = self.open.front() {
            self.open.pop_front();
            self.frontier += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_waits_for_the_first_gap() {
        let mut flight = InFlight::default();
        for bytes in [10, 20, 0, 40] {
            flight.taken(bytes);
        }
        assert_eq!((flight.next(), flight.bytes(), flight.records()), (5, 70, 4));
        flight.acknowledged(2);
        flight.acknowledged(4);
        assert_eq!((flight.frontier(), flight.bytes(), flight.records()), (0, 10, 2));
        flight.acknowledged(2);
        assert_eq!((flight.frontier(), flight.bytes(), flight.records()), (0, 10, 2), "a second acknowledgement changes nothing");
        flight.acknowledged(1);
        assert_eq!((flight.frontier(), flight.bytes()), (2, 0));
        flight.acknowledged(3);
        assert_eq!((flight.frontier(), flight.next()), (4, 5));
        assert!(flight.is_empty());
        flight.acknowledged(1);
        flight.acknowledged(9);
        assert_eq!(flight.frontier(), 4);
    }
}

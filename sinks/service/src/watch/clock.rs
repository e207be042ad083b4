//! Whether the log's clock goes as ours does. All flags about absence go by it: one that jumps ahead raises them all at once, one
//! that stands still raises none. Pure.
//!
//! A beat was appended after it was sent and before it was heard of. What its append time lies outside of that is certain to be
//! an error of a clock, however slow the way was; whose error it is cannot be told from here.

use super::breaches::Finding;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::Severity;
use fieldline_schemas::time::SECOND_US;
use std::collections::{BTreeMap, BTreeSet};

/// The component of an S12.
const COMPONENT: &str = "clock";

/// An instant by the wall, and by a clock that is never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    pub steady: Timestamp,
}

/// A beat that came back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub sent: Moment,
    pub heard: Moment,
    pub append_time: Timestamp,
}

/// What was seen of each partition's clock.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// So far off it is said, microseconds.
    limit_us: i64,
    last: BTreeMap<usize, Sighting>,
    /// Why a partition's clock is not believed.
    wrong: BTreeMap<usize, (Timestamp, String)>,
}

impl Clocks {
    pub fn new(limit_us: i64) -> Self {
        Self { limit_us, last: BTreeMap::new(), wrong: BTreeMap::new() }
    }

    pub fn see(&mut self, partition: usize, sighting: Sighting) {
        let Sighting { sent, heard, append_time } = sighting;
        let before = self.last.insert(partition, sighting);
        let off_us = outside(append_time.0, (sent.wall.0, heard.wall.0));
        let jump_us = before.map_or(0, |before| {
            let (least, most) = (sent.steady.since(before.heard.steady), heard.steady.since(before.sent.steady));
            outside(append_time.since(before.append_time), (least, most))
        });
        let seconds = |us: i64| us.abs() / SECOND_US;
        let reasoning = match () {
            () if off_us.abs() >= self.limit_us => {
                let side = if off_us > 0 { "ahead of" } else { "behind" };
                format!("the log's clock is {} s {side} this machine's (partition {partition} of emergency)", seconds(off_us))
            }
            () if jump_us.abs() >= self.limit_us => {
                let way = if jump_us > 0 { "ahead" } else { "back, or stood still," };
                format!("the log's clock went {} s {way} between two beats (partition {partition} of emergency)", seconds(jump_us))
            }
            () => {
                self.wrong.remove(&partition);
                return;
            }
        };
        let since = self.wrong.get(&partition).map_or(append_time, |(since, _)| *since);
        self.wrong.insert(partition, (since, format!("{reasoning}: flags about absence may come too early or too late")));
    }

    pub fn judge(&self, findings: &mut Vec<Finding>, well: &mut BTreeSet<String>) {
        match self.wrong.values().next() {
            Some((since, reasoning)) => findings.push(Finding {
                component: COMPONENT.to_owned(),
                since: *since,
                severity: Severity::Error,
                reasoning: reasoning.clone(),
            }),
            None if !self.last.is_empty() => drop(well.insert(COMPONENT.to_owned())),
            None => {}
        }
    }
}

/// By how much a value lies outside of a span; negative below it.
fn outside(value: i64, (least, most): (i64, i64)) -> i64 {
    if value > most { value - most } else { (value - least).min(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_US: i64 = 30;

    /// A beat sent at `sent` and heard of 5 later, by a wall clock that differs from the steady one by `wall`.
    fn sighting(sent: i64, wall: i64, append_time: i64) -> Sighting {
        let moment = |at: i64| Moment { wall: Timestamp(at + wall), steady: Timestamp(at) };
        Sighting { sent: moment(sent), heard: moment(sent + 5), append_time: Timestamp(append_time) }
    }

    fn said(clocks: &Clocks) -> Option<String> {
        let (mut findings, mut well) = (Vec::new(), BTreeSet::new());
        clocks.judge(&mut findings, &mut well);
        assert_eq!(findings.is_empty(), well.contains(COMPONENT));
        findings.pop().map(|finding| finding.reasoning.split(" (").next().unwrap().to_owned())
    }

    #[test]
    fn a_clock_that_is_far_off_is_found_at_its_limit() {
        for (append_time, is_found) in [(1_000, false), (1_005, false), (1_034, false), (1_035, true), (971, false), (970, true)] {
            let mut clocks = Clocks::new(LIMIT_US);
            clocks.see(0, sighting(1_000, 0, append_time));
            assert_eq!(said(&clocks).is_some(), is_found, "{append_time}");
        }
    }

    #[test]
    fn a_jump_of_log_and_machine_together_is_found_once() {
        let mut clocks = Clocks::new(LIMIT_US);
        clocks.see(0, sighting(1_000, 0, 1_002));
        clocks.see(1, sighting(1_000, 0, 1_002));
        assert_eq!(said(&clocks), None);
        // Both are set ahead by an hour, as on one machine they are.
        clocks.see(0, sighting(1_060, 3_600, 4_662));
        assert!(said(&clocks).unwrap().starts_with("the log's clock went 0 s ahead between two beats"));
        clocks.see(0, sighting(1_120, 3_600, 4_722));
        assert_eq!(said(&clocks), None, "from there on it goes as ours does");
        // And back again; a log whose time does not go back stands still.
        clocks.see(0, sighting(1_180, 0, 4_722));
        assert!(said(&clocks).is_some());
    }

    #[test]
    fn a_slow_way_is_no_error_of_a_clock() {
        let mut clocks = Clocks::new(LIMIT_US);
        clocks.see(0, sighting(1_000, 0, 1_005));
        // Taken by the log 500 after it was sent.
        let moment = |at: i64| Moment { wall: Timestamp(at), steady: Timestamp(at) };
        clocks.see(0, Sighting { sent: moment(1_060), heard: moment(1_600), append_time: Timestamp(1_560) });
        assert_eq!(said(&clocks), None);
        clocks.see(0, sighting(1_620, 0, 1_621));
        assert_eq!(said(&clocks), None);
    }
}

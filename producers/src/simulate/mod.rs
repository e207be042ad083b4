//! A simulator of a field service: technicians who drive, work, eat and forget, call queues, incidents; from a seed.
//!
//! ```text
//! day (what happened) ─► reports (what is sent, when, and what goes wrong) ─► heap merge of all sources ─► Emission
//! ```
//!
//! The same configuration gives the same emissions, on every machine. A technician's day is made when it is due and
//! kept in a compact form, so that memory grows with the number of technicians and not with the number of days.

mod alarms;
mod calendar;
mod config;
mod corrupt;
mod day;
mod draft;
mod emission;
mod faults;
mod geography;
mod ndjson;
mod office;
mod random;
mod reports;
mod technician;

pub use calendar::Calendar;
pub use config::{ConfigError, DAYS_MAX, SimulatorConfig, TECHNICIANS_MAX, time_zone};
pub use emission::{Body, Emission};
pub use faults::{FaultCounts, FaultKind, Faults};
pub use ndjson::{NdjsonCounts, NdjsonError, to_ndjson};

use draft::Draft;
use fieldline_schemas::Timestamp;
use office::Office;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use technician::Technician;

/// The office's place in the heap, behind all technicians.
const OFFICE: u32 = u32::MAX;

/// All emissions in the order in which the broker takes them.
#[derive(Debug)]
pub struct Simulator {
    config: SimulatorConfig,
    calendar: Calendar,
    technicians: Vec<Technician>,
    office: Office,
    /// When each source's next record is due, and which source: equal instants go by number.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    counts: FaultCounts,
    scratch: Vec<Draft>,
}

impl Simulator {
    pub fn new(config: SimulatorConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let calendar = Calendar::new(config.time_zone, config.first_day, config.days);
        let technicians = (0..config.technicians).map(|number| Technician::new(&config, number)).collect();
        let mut simulator = Self {
            calendar,
            technicians,
            office: Office::default(),
            due: BinaryHeap::with_capacity(config.technicians as usize + 1),
            counts: FaultCounts::default(),
            scratch: Vec::new(),
            config,
        };
        for source in (0..simulator.config.technicians).chain([OFFICE]) {
            if let Some(at) = simulator.next_at(source) {
                simulator.due.push(Reverse((at, source)));
            }
        }
        Ok(simulator)
    }

    /// Local midnight at which the first day begins; nothing is emitted before it.
    pub fn begins_at(&self) -> Timestamp {
        self.calendar.instant(0, 0)
    }

    /// Local midnight after the last day; what was late, and nights, are emitted after it.
    pub fn days_end_at(&self) -> Timestamp {
        self.calendar.instant(self.config.days, 0)
    }

    /// How often each fault has occurred in what was made so far; complete when the iterator is at its end.
    pub fn fault_counts(&self) -> &FaultCounts {
        &self.counts
    }

    fn next_at(&mut self, source: u32) -> Option<i64> {
        match self.technicians.get_mut(source as usize) {
            Some(technician) => technician.next_at(&self.config, &self.calendar, &mut self.counts, &mut self.scratch),
            None => self.office.next_at(&self.config, &self.calendar, &mut self.counts),
        }
    }
}

impl Iterator for Simulator {
    type Item = Emission;

    fn next(&mut self) -> Option<Emission> {
        let Reverse((_, source)) = *self.due.peek()?;
        let emission = match self.technicians.get_mut(source as usize) {
            Some(technician) => technician.take(&self.config, &self.calendar),
            None => self.office.take(),
        };
        let next_at = self.next_at(source);
        if let Some(mut top) = self.due.peek_mut() {
            match next_at {
                Some(at) => top.0.0 = at,
                None => {
                    PeekMut::pop(top);
                }
            }
        }
        emission
    }
}

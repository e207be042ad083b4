//! What to simulate.

use super::faults::Faults;
use chrono::NaiveDate;
use chrono_tz::Tz;

/// The most technicians of one simulation; memory grows by some 8 KiB for each.
pub const TECHNICIANS_MAX: u32 = 1_000_000;
/// The most days of one simulation.
pub const DAYS_MAX: u32 = 3_660;

/// A simulation: everything that is emitted follows from these values.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorConfig {
    pub seed: u64,
    pub technicians: u32,
    /// Local date of the first day.
    pub first_day: NaiveDate,
    pub days: u32,
    pub time_zone: Tz,
    pub faults: Faults,
    /// Visits of a full shift, both ends included.
    pub visits_min: u32,
    pub visits_max: u32,
    /// Whether shift and visit plans are released each night for the day.
    pub plans: bool,
    /// Whether names and teams are sent at the beginning.
    pub contacts: bool,
    /// Calls of all queues together, for each technician and day.
    pub calls_per_technician_day: f64,
    /// Operational events, for each technician and day.
    pub operational_events_per_technician_day: f64,
    /// Operational events that name a technician at work, some of them an SOS, for each technician and day.
    pub alarms_per_technician_day: f64,
}

impl Default for SimulatorConfig {
    /// One day of 200 technicians around Amsterdam, with the faults of an ordinary day.
    fn default() -> Self {
        Self {
            seed: 1,
            technicians: 200,
            first_day: NaiveDate::from_ymd_opt(2025, 3, 3).unwrap_or_default(),
            days: 1,
            time_zone: Tz::Europe__Amsterdam,
            faults: Faults::light(),
            visits_min: 3,
            visits_max: 8,
            plans: true,
            contacts: true,
            calls_per_technician_day: 2.0,
            operational_events_per_technician_day: 0.2,
            alarms_per_technician_day: 0.01,
        }
    }
}

/// Why a simulation cannot begin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("{0:?} is no time zone of the IANA database, such as Europe/Amsterdam")]
    UnknownTimeZone(String),
    #[error("{field} must be {expected}")]
    OutOfRange { field: &'static str, expected: &'static str },
}

/// A zone by its name in the IANA database.
pub fn time_zone(name: &str) -> Result<Tz, ConfigError> {
    name.parse().map_err(|_| ConfigError::UnknownTimeZone(name.to_owned()))
}

impl SimulatorConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, expected| Err(ConfigError::OutOfRange { field, expected });
        if !(1..=TECHNICIANS_MAX).contains(&self.technicians) {
            return refuse("technicians", "1 to 1,000,000");
        }
        if !(1..=DAYS_MAX).contains(&self.days) {
            return refuse("days", "1 to 3,660");
        }
        if self.visits_min < 1 || self.visits_max < self.visits_min || self.visits_max > 30 {
            return refuse("visits_min and visits_max", "1 to 30, the smaller first");
        }
        if !(0.0..=1_000.0).contains(&self.calls_per_technician_day) {
            return refuse("calls_per_technician_day", "0 to 1,000");
        }
        if !(0.0..=1_000.0).contains(&self.operational_events_per_technician_day) {
            return refuse("operational_events_per_technician_day", "0 to 1,000");
        }
        if !(0.0..=1_000.0).contains(&self.alarms_per_technician_day) {
            return refuse("alarms_per_technician_day", "0 to 1,000");
        }
        Ok(())
    }
}

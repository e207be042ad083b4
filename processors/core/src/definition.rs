//! Every setting that can change a result. A definition number stands for the formulas and these.

use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US};

/// The number of the formulas and default settings in this source. Raised with every change of either.
pub const DEFINITION: u16 = 1;

/// Settings of the fold, in microseconds unless the name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// At least that of the formulas; higher where settings were changed on existing data. At most 4095, as versions pack it.
    pub number: u16,
    /// A result is final this long after its close.
    pub finality_us: i64,
    /// A17: received later than this after it happened.
    pub late_us: i64,
    /// A18: device clock ahead by more than this.
    pub skew_us: i64,
    /// A19: impossible above this.
    pub speed_max_meters_per_second: f64,
    /// A20: where the plan gives no radius.
    pub geofence_radius_meters: f64,
    /// A21: a location less accurate than this is no location.
    pub accuracy_max_meters: i32,
    /// S5 and A02: after the planned end.
    pub missing_end_after_plan_us: i64,
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            number: DEFINITION,
            finality_us: 72 * HOUR_US,
            late_us: 72 * HOUR_US,
            skew_us: 5 * MINUTE_US,
            speed_max_meters_per_second: 200_000.0 / 3600.0,
            geofence_radius_meters: 250.0,
            accuracy_max_meters: 500,
            missing_end_after_plan_us: HOUR_US,
        }
    }
}

impl Definition {
    /// The hash of every setting that can change a result. The formulas have the number, or where another one is set, are named
    /// beside it: a later release may come to that number with other formulas.
    pub fn hash(&self) -> String {
        // Debug names every field, also one that is added later.
        let mut text = format!("{self:?}");
        if self.number != DEFINITION {
            text.push_str(&format!(" by the formulas {DEFINITION}"));
        }
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
    }
}

/// Near-duplicates: at most this long after the event that stands, inclusive.
pub const DOUBLE_TAP_US: i64 = MINUTE_US;
/// A shift_start from here on begins a new shift; without a plan S5 is due here too.
pub const NEW_SHIFT_US: i64 = 11 * HOUR_US;
/// A shift without end closes here at the latest; nothing outlives this long without an own event.
pub const UNIT_US: i64 = DAY_US;
/// How far back A29 looks.
pub const CONTEXT_US: i64 = 72 * HOUR_US;
/// An event at least this long after the one before it is a fresh start whatever came earlier (A29).
pub const SILENCE_US: i64 = 12 * HOUR_US;

//! Small readings of a record that several crates must agree on.

use crate::events::Location;
use crate::json::text::Object;
use crate::limits::STOP_SECONDS_MAX;

/// Microseconds in a second, as the factor of a stop's seconds.
const SECOND_US: f64 = 1e6;

/// Whether a position counts (else A21): both coordinates, in range, not 0/0, accuracy neither negative nor above the limit.
pub fn location_is_valid(location: &Location<'_>, accuracy_max_meters: i32) -> bool {
    let (Some(latitude), Some(longitude)) = (location.latitude, location.longitude) else { return false };
    (-90.0..=90.0).contains(&latitude)
        && (-180.0..=180.0).contains(&longitude)
        && (latitude != 0.0 || longitude != 0.0)
        && location.accuracy_meters.is_none_or(|accuracy| (0..=accuracy_max_meters).contains(&accuracy))
}

/// How long a stop lasted, in microseconds to the nearest: `duration_seconds` of the metadata if it is a number above 0 and
/// at most a day, else 0.
pub fn stop_duration_us(metadata: Option<&str>) -> i64 {
    const KEY: &str = "duration_seconds";
    let Some(metadata) = metadata else { return 0 };
    // A key can hide behind an escape only where there is a backslash.
    if !metadata.contains(KEY) && !metadata.contains('\\') {
        return 0;
    }
    let Ok(object) = Object::parse(metadata) else { return 0 };
    // Read from the number's own text: another value of the metadata may be beyond what a double can hold.
    match object.get(KEY).and_then(|raw| raw.get().parse::<f64>().ok()) {
        Some(seconds) if seconds > 0.0 && seconds <= STOP_SECONDS_MAX => (seconds * SECOND_US).round() as i64,
        _ => 0,
    }
}

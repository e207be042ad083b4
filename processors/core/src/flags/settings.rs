//! When a flag falls due, and how long everything waits before it opens.

use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};

/// Thresholds of the flags, in microseconds unless the name says otherwise. No KPI depends on them. When a shift_end is missing (S5, S6)
/// is a matter of the definition, as A02 has it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagSettings {
    /// A flag about absence opens this long after the technician's last record at the earliest: a phone that uploads a day
    /// raises nothing on the way.
    pub quiet_us: i64,
    /// After a step of the clock that nobody vouches for, every flag about absence waits this long for what was held up.
    pub gap_hold_us: i64,
    /// S1 is marked late where it reaches the log this long after it happened.
    pub late_us: i64,
    /// S4: a lone worker in TRAVEL, SITE or WORK is to be heard of this often.
    pub check_in_us: i64,
    /// S4: and is given this much longer.
    pub check_in_grace_us: i64,
    /// S5 becomes an error this long after the shift's start.
    pub missing_end_error_us: i64,
    /// S7: so long a travel is silence.
    pub travel_us: i64,
    /// S8: a device that sends heartbeats is offline after this long without contact.
    pub device_us: i64,
    /// S10: an emergency_stop this long before or after a grave operational event is the one that should exist.
    pub alarm_us: i64,
    /// S11: a visit's window is missed this long after its end.
    pub window_us: i64,
    /// S13: a critical operational_event is to be resolved within this.
    pub unresolved_us: i64,
    /// S14: the calls that entered a queue within this are judged.
    pub queue_window_us: i64,
    /// S14: where at least so many of them were offered.
    pub queue_calls_min: u32,
    /// S14: a call answered within this is answered in time.
    pub queue_wait_us: i64,
    /// S14: the part of calls that is to be answered in time, in per cent.
    pub queue_target_percent: u32,
}

impl Default for FlagSettings {
    fn default() -> Self {
        Self {
            quiet_us: 60 * SECOND_US,
            gap_hold_us: 60 * SECOND_US,
            late_us: 72 * HOUR_US,
            check_in_us: 60 * MINUTE_US,
            check_in_grace_us: 5 * MINUTE_US,
            missing_end_error_us: 16 * HOUR_US,
            travel_us: 6 * HOUR_US,
            device_us: 600 * SECOND_US,
            alarm_us: 2 * MINUTE_US,
            window_us: 15 * MINUTE_US,
            unresolved_us: 30 * MINUTE_US,
            queue_window_us: 30 * MINUTE_US,
            queue_calls_min: 10,
            queue_wait_us: 20 * SECOND_US,
            queue_target_percent: 80,
        }
    }
}

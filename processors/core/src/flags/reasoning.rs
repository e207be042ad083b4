//! One line for the person who is paged: times, events and thresholds; no name and nobody's words.

use crate::fold::UnendedShift;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::FlagStanding;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use std::fmt;

/// A time of day, with the date where it is needed.
pub(crate) struct Moment {
    at: Timestamp,
    has_date: bool,
}

impl Moment {
    pub fn full(at: Timestamp) -> Self {
        Self { at, has_date: true }
    }

    /// As it is written beside `other`.
    pub fn beside(at: Timestamp, other: Timestamp) -> Self {
        let day = |at: Timestamp| at.0.div_euclid(24 * HOUR_US);
        Self { at, has_date: day(at) != day(other) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2026-11-24T08:00:00.000000Z
        let text = self.at.to_string();
        let (date, time) = (text.get(..10).unwrap_or(&text), text.get(11..16).unwrap_or_default());
        match self.has_date {
            true => write!(f, "{date} {time} UTC"),
            false => write!(f, "{time}"),
        }
    }
}

/// What is known of a shift that nobody ended.
pub(super) fn open_shift(shift: &UnendedShift) -> String {
    let started_at = shift.started_at;
    let beside = |at| Moment::beside(at, started_at);
    let last = format!("last event {} {}", shift.last_event_type.symbol(), beside(shift.last_event_at));
    let plan = match shift.planned_end {
        Some(at) => format!("planned end {}", beside(at)),
        None => "no plan".to_owned(),
    };
    let next = match shift.superseded {
        true => format!(", the next shift_start {}", beside(shift.closed_at)),
        false => String::new(),
    };
    format!("shift open since {}, {last}, {plan}{next}", Moment::full(started_at))
}

/// How long an emergency took to get here.
pub(crate) fn emergency(what: &str, created_at: Timestamp, arrived_at: Timestamp) -> String {
    let delay_us = arrived_at.since(created_at);
    let delay = match delay_us {
        ..0 => format!("{} s before its time", -delay_us / SECOND_US),
        0..MINUTE_US => format!("{} s later", delay_us / SECOND_US),
        MINUTE_US..HOUR_US => format!("{} min later", delay_us / MINUTE_US),
        HOUR_US.. => format!("{} h later", delay_us / HOUR_US),
    };
    format!("{what} at {}, received {delay}", Moment::full(created_at))
}

/// An operational event that names the subject was resolved.
pub(crate) fn cleared(resolved_at: Timestamp) -> String {
    format!("an operational event that concerns it was resolved at {}", Moment::full(resolved_at))
}

/// Why a flag is no longer true.
pub(crate) fn untrue(standing: FlagStanding, event_at: Option<Timestamp>) -> String {
    match (standing, event_at) {
        (FlagStanding::LateArrival, Some(at)) => format!("an event of {} arrived late", Moment::full(at)),
        (_, Some(at)) => format!("over by an event of {}", Moment::full(at)),
        (_, None) => "what it was about was amended or withdrawn".to_owned(),
    }
}

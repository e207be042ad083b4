//! What is remembered of one operational event: the update that stands, and what was told about it.

use super::sos::Sos;
use super::unresolved::Unresolved;
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{OperationalEvent, Severity};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{Timestamp, Version};
use std::borrow::Cow;

/// Orders the updates of an event: the last of them stands. Revision, a void above what it withdraws, recorded_at (else created_at),
/// place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    revision: u32,
    voided: bool,
    time: Timestamp,
    offset: i64,
}

impl Rank {
    pub fn of(event: &OperationalEvent<'_>, offset: i64) -> Self {
        let common = &event.common;
        let time = common.recorded_at.unwrap_or(common.created_at);
        Self { revision: common.revision, voided: common.voided, time, offset }
    }

    /// But for the place.
    pub fn is_alike(&self, other: &Self) -> bool {
        Self { offset: other.offset, ..*self } == *other
    }
}

/// What is remembered of an event. Kept small: there is one for each event of the last days.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub rank: Rank,
    pub content: u128,
    /// Contents of the updates before it that only the place in the log orders: one that comes again counts at its first place.
    pub earlier: Vec<u128>,
    /// Whom it names, unless it is void.
    pub technician: Option<TechnicianId>,
    /// When the first record of it came that is remembered.
    pub born: Timestamp,
    /// When what stands was appended, or a copy of it; of an SOS any record of it.
    pub appended: Timestamp,
    /// A record of it was an SOS, whether it stood or not: every record of it is remembered from then on, and a successor reads them all.
    pub leans: bool,
    pub is_resolved: bool,
    /// Of an event that was told as an emergency.
    pub sos: Option<Box<Sos>>,
    /// Of a critical one that nobody has resolved.
    pub unresolved: Option<Box<Unresolved>>,
}

impl Incident {
    /// Whether the record has come before.
    pub fn has(&self, rank: &Rank, content: u128) -> bool {
        self.rank.is_alike(rank) && (self.content == content || self.earlier.contains(&content))
    }
}

/// So many updates of one revision and time are told apart from each other's copies.
pub(super) const EARLIER_MAX: usize = 32;

/// A name of somebody's system may be long; a page should not be.
const NAME_CHARS_MAX: usize = 80;

/// A name in one line: `'alarm_triggered'`.
pub(super) fn quoted(name: Option<&str>, otherwise: &str) -> String {
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => {
            let plain = name.chars().take(NAME_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c });
            format!("'{}'", plain.collect::<String>())
        }
        None => otherwise.to_owned(),
    }
}

/// A flag of this partition, raised now; whoever makes it says what differs.
pub(super) fn flag(alert_id: String, code: FlagCode, as_of: Timestamp, version: Version, reasoning: String) -> Flag<'static> {
    Flag {
        alert_id: Cow::Owned(alert_id),
        flag: code,
        origin: FlagOrigin::Fold,
        version,
        as_of,
        standing: FlagStanding::Raised,
        severity: Severity::Critical,
        technician_contact_id: None,
        visit_id: None,
        caused_by: None,
        opened_at: as_of,
        about_at: as_of,
        is_late: false,
        location: None,
        reasoning: Cow::Owned(reasoning),
        resolved_at: None,
        resolved_by_contact_id: None,
    }
}

//! Flags, alerts and deliveries, as they travel on `alert_events`, `alerts` and `deliveries`.
//!
//! ```text
//! flag (fold, lane, watch) · alert_action · delivery ──► alert_events ──► lifecycle ──► alert ──► receivers ──► delivery
//! ```

use crate::events::{Location, ResolveReason, Severity, symbols};
use crate::ids::{ContactId, EventId, TechnicianId, VisitId};
use crate::results::Stamp;
use crate::time::Timestamp;
use crate::version::Version;
use std::borrow::Cow;

symbols! {
    /// What a flag is about. S2 and S3 are no flags of their own but steps of an S1 alert.
    FlagCode {
        /// emergency_stop.
        S1 = "S1",
        /// Missed check-in of a lone worker.
        S4 = "S4",
        /// shift_end missing.
        S5 = "S5",
        /// A lone worker is not confirmed home.
        S6 = "S6",
        /// Silent while travelling.
        S7 = "S7",
        /// The device is offline.
        S8 = "S8",
        /// An alarm without an emergency_stop.
        S10 = "S10",
        /// A visit's window was missed.
        S11 = "S11",
        /// The pipeline's own heartbeat is lost.
        S12 = "S12",
        /// A critical operational_event is unresolved.
        S13 = "S13",
        /// A queue's service level is below its target.
        S14 = "S14",
    }
}

symbols! {
    /// Who saw it.
    FlagOrigin {
        /// The emergency lane: it opens an alert that nobody has seen yet, and changes none.
        Lane = "lane",
        /// The fold of a subject's log; its highest version is what holds.
        Fold = "fold",
        /// The pipeline's watch over itself.
        Watch = "watch",
    }
}

symbols! {
    /// Whether a flag stands, and if not, what made it untrue.
    FlagStanding {
        Raised = "raised",
        /// An event of after the opening.
        Activity = "activity",
        /// An event of before the opening that arrived after it.
        LateArrival = "late_arrival",
        /// What it was about is no longer derived: amended, moved or cancelled.
        Amended = "amended",
        /// The sender withdrew the event itself. Noted on an emergency, which it never closes.
        Voided = "voided",
        /// An operational event that names the subject was resolved: it closes an emergency.
        Cleared = "cleared",
    }
}

symbols! {
    AlertState {
        Opened = "opened",
        /// Opened, and a receiver has acknowledged its delivery.
        Notified = "notified",
        /// A person has seen it.
        Acknowledged = "acknowledged",
        Resolved = "resolved",
    }
}

symbols! {
    /// What a revision of an alert adds to the one before.
    AlertStep {
        Opened = "opened",
        /// A further emergency_stop of a technician whose emergency is open; nobody is paged for it.
        Repeated = "repeated",
        /// What is known about it changed; nobody is paged for it.
        Noted = "noted",
        /// It became more severe (S5 at 16 h).
        Raised = "raised",
        /// S2: nobody acknowledged, the next round of pages.
        Escalated = "escalated",
        /// A receiver acknowledged a delivery.
        Notified = "notified",
        /// A receiver gave up.
        Undelivered = "undelivered",
        Acknowledged = "acknowledged",
        /// S3: acknowledged, and not resolved in time; or it became true again.
        Reopened = "reopened",
        Resolved = "resolved",
    }
}

symbols! {
    /// How an attempt to deliver ended.
    DeliveryOutcome {
        /// The receiver took it.
        Acknowledged = "acknowledged",
        /// It did not, and will be asked again.
        Failed = "failed",
        /// It did not, and will not be asked again for this notification.
        GaveUp = "gave_up",
        /// Not sent: silenced, or beyond the rate; never an S1 or S6.
        Suppressed = "suppressed",
    }
}

/// `flag`: something is seen to be so, or no longer. Of one alert id the record with the highest version holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag<'a> {
    /// `flag:subject:cause`
    pub alert_id: Cow<'a, str>,
    pub flag: FlagCode,
    pub origin: FlagOrigin,
    /// The position in the subject's log through which it is true; 0 of lane and watch.
    pub version: Version,
    /// The clock of that log at `version`.
    pub as_of: Timestamp,
    pub standing: FlagStanding,
    pub severity: Severity,
    pub technician_contact_id: Option<TechnicianId>,
    pub visit_id: Option<VisitId>,
    /// The event whose processing raised it or made it untrue; `None` for a timer.
    pub caused_by: Option<EventId>,
    /// When it opened, in log time; an untrue flag keeps it.
    pub opened_at: Timestamp,
    /// When that which it is about happened, or fell due.
    pub about_at: Timestamp,
    /// The emergency lay more than 72 h back when it arrived.
    pub is_late: bool,
    /// Where, as far as it is known and an emergency needs it (S1, S4, S6).
    pub location: Option<Location<'a>>,
    /// Why, for the person who is paged: "open since 08:00, last event left_site 16:40, planned end 17:00".
    pub reasoning: Cow<'a, str>,
    /// Of one that is cleared: when the operational event was resolved that cleared it, and by whom.
    pub resolved_at: Option<Timestamp>,
    pub resolved_by_contact_id: Option<ContactId>,
}

/// That a receiver has acknowledged notifications of an alert up to this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered<'a> {
    pub receiver: Cow<'a, str>,
    pub notification: u32,
}

/// `alert`: an alert as it stands. Identity: `alert_id`; the version counts positions of `alert_events`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert<'a> {
    pub stamp: Stamp,
    pub alert_id: Cow<'a, str>,
    pub flag: FlagCode,
    pub severity: Severity,
    pub technician_contact_id: Option<TechnicianId>,
    pub visit_id: Option<VisitId>,
    pub state: AlertState,
    /// What this revision adds.
    pub step: AlertStep,
    /// Why, in words of a closed list or a receiver's name: timer, activity, late_arrival, amended, false_alarm, …
    pub cause: Cow<'a, str>,
    /// Who made the step, if a person did.
    pub actor_contact_id: Option<ContactId>,
    pub opened_at: Timestamp,
    pub about_at: Timestamp,
    /// The first acknowledged delivery.
    pub notified_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by_contact_id: Option<ContactId>,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by_contact_id: Option<ContactId>,
    pub resolve_reason: Option<ResolveReason>,
    /// Rounds of escalation so far (S2), 0 to 5.
    pub round: u32,
    /// How often it was opened again.
    pub reopened: u32,
    /// Further emergency_stops that are counted on it.
    pub repeats: u32,
    /// Counts what receivers have to be told: each owes its receiver the newest.
    pub notification: u32,
    pub is_late: bool,
    /// The sender withdrew the event.
    pub is_voided: bool,
    pub location: Option<Location<'a>>,
    pub reasoning: Cow<'a, str>,
    /// What the person who made the step wrote.
    pub note: Option<Cow<'a, str>>,
    pub delivered: Vec<Delivered<'a>>,
}

/// `delivery`: one attempt to tell a receiver. All are on `deliveries`; the first acknowledged one of a notification, and the
/// last of those given up, on `alert_events` too.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery<'a> {
    pub alert_id: Cow<'a, str>,
    /// Which of the alert's notifications.
    pub notification: u32,
    /// The receiver's name in the configuration.
    pub receiver: Cow<'a, str>,
    /// webhook, slack, teams, alertmanager, pagerduty, mail, terminal.
    pub channel: Cow<'a, str>,
    /// From 1.
    pub attempt: u32,
    pub outcome: DeliveryOutcome,
    /// When it began, by the sender's clock.
    pub attempted_at: Timestamp,
    /// From the append of the notification on `alerts` to the beginning of this attempt, in microseconds.
    pub waited_us: i64,
    /// How long the attempt took, in microseconds.
    pub took_us: i64,
    /// Of an HTTP or SMTP answer.
    pub status: Option<i32>,
    /// What happened, never with a person's data.
    pub detail: Cow<'a, str>,
}

/// `silence`: alerts that fit are not sent until it is over; S1 and S6 pass through it. All of its fields that are there must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence<'a> {
    pub id: EventId,
    pub revision: u32,
    /// Ends it.
    pub voided: bool,
    pub created_at: Timestamp,
    pub until: Timestamp,
    pub flag: Option<FlagCode>,
    pub technician_contact_id: Option<TechnicianId>,
    pub team: Option<Cow<'a, str>>,
    pub actor_contact_id: Option<ContactId>,
    pub note: Option<Cow<'a, str>>,
}

/// The subject of an alert: what stands between the first and the last colon of its id. Its records are partitioned by it.
pub fn subject_of(alert_id: &str) -> Option<&str> {
    let (first, last) = (alert_id.find(':')?, alert_id.rfind(':')?);
    alert_id.get(first + 1..last)
}

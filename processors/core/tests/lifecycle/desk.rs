//! Records by name, and steps as short text.

use fieldline_processors_core::lifecycle::{Effects, Event, Lifecycle, Record, Settings};
use fieldline_schemas::alerts::*;
use fieldline_schemas::events::{ActionKind, AlertAction, ResolveReason, Severity};
use fieldline_schemas::ids::{ContactId, EventId, TechnicianId};
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{AnyRecord, Timestamp, Version};
use std::borrow::Cow;

pub const START: Timestamp = Timestamp(1_767_571_200 * SECOND_US);

/// `S1 a`: the emergency a of technician 1; `S1 x2` that of technician 2; `S1 unknown` that of nobody known; other flags are of technician 1.
pub fn id(name: &str) -> String {
    let (flag, cause) = name.split_once(' ').unwrap();
    format!("{flag}:{}:{cause}", technician(name))
}

fn technician(name: &str) -> TechnicianId {
    TechnicianId(uuid::Uuid::from_u64_pair(7, if name.ends_with('2') { 2 } else { 1 }))
}

fn flag_of(name: &str, origin: FlagOrigin, version: u64, standing: FlagStanding) -> Flag<'static> {
    let flag = FlagCode::from_symbol(name.split_once(' ').unwrap().0).unwrap();
    let severity = if flag == FlagCode::S1 { Severity::Critical } else { Severity::Warning };
    let is_unknown = name.contains("unknown");
    Flag {
        alert_id: Cow::Owned(id(name)),
        flag,
        origin,
        version: Version(version),
        as_of: START,
        standing,
        severity,
        technician_contact_id: (!is_unknown).then(|| technician(name)),
        visit_id: None,
        caused_by: None,
        opened_at: START,
        about_at: START,
        is_late: false,
        location: None,
        reasoning: Cow::Borrowed("because"),
        resolved_at: None,
        resolved_by_contact_id: None,
    }
}

pub fn lane(name: &str) -> AnyRecord<'static> {
    flag_of(name, FlagOrigin::Lane, 0, FlagStanding::Raised).into()
}
pub fn watch(name: &str, standing: FlagStanding) -> AnyRecord<'static> {
    flag_of(name, FlagOrigin::Watch, 0, standing).into()
}
pub fn fold(name: &str, version: u64, standing: FlagStanding) -> AnyRecord<'static> {
    flag_of(name, FlagOrigin::Fold, version, standing).into()
}
pub fn raised(name: &str, version: u64) -> AnyRecord<'static> {
    fold(name, version, FlagStanding::Raised)
}
pub fn raised_as(name: &str, version: u64, severity: Severity, reasoning: &'static str) -> AnyRecord<'static> {
    let flag = flag_of(name, FlagOrigin::Fold, version, FlagStanding::Raised);
    Flag { severity, reasoning: Cow::Borrowed(reasoning), ..flag }.into()
}

/// It is of the technician of `other`, an update says.
pub fn raised_of(name: &str, version: u64, other: &str) -> AnyRecord<'static> {
    Flag { technician_contact_id: Some(technician(other)), ..flag_of(name, FlagOrigin::Fold, version, FlagStanding::Raised) }.into()
}

/// Of something that happened so long after the start.
pub fn raised_about(name: &str, version: u64, about_us: i64) -> AnyRecord<'static> {
    Flag { about_at: START + about_us, ..flag_of(name, FlagOrigin::Fold, version, FlagStanding::Raised) }.into()
}
/// Person 9 resolved the operational event 77 so long after the start.
pub fn cleared(name: &str, version: u64, resolved_us: i64) -> AnyRecord<'static> {
    Flag {
        caused_by: Some(EventId(uuid::Uuid::from_u128(77))),
        resolved_at: Some(START + resolved_us),
        resolved_by_contact_id: Some(ContactId(uuid::Uuid::from_u64_pair(9, 9))),
        ..flag_of(name, FlagOrigin::Fold, version, FlagStanding::Cleared)
    }
    .into()
}

/// The action numbered `n` of person 9.
pub fn action(name: &str, n: u64, action: ActionKind, reason: Option<ResolveReason>) -> AnyRecord<'static> {
    AnyRecord::AlertAction(AlertAction {
        id: EventId(uuid::Uuid::from_u64_pair(8, n)),
        created_at: START,
        alert_id: Cow::Owned(id(name)),
        action,
        reason,
        actor_contact_id: Some(ContactId(uuid::Uuid::from_u64_pair(9, 9))),
        note: None,
    })
}
pub fn acknowledge(name: &str, n: u64) -> AnyRecord<'static> {
    action(name, n, ActionKind::Acknowledge, None)
}
pub fn resolve(name: &str, n: u64) -> AnyRecord<'static> {
    action(name, n, ActionKind::Resolve, Some(ResolveReason::Assisted))
}
pub fn delivery(name: &str, receiver: &'static str, notification: u32, outcome: DeliveryOutcome) -> AnyRecord<'static> {
    AnyRecord::Delivery(Delivery {
        alert_id: Cow::Owned(id(name)),
        notification,
        receiver: Cow::Borrowed(receiver),
        channel: Cow::Borrowed("webhook"),
        attempt: 1,
        outcome,
        attempted_at: START,
        waited_us: 1,
        took_us: 1,
        status: Some(200),
        detail: Cow::Borrowed(""),
    })
}
pub fn tick() -> AnyRecord<'static> {
    AnyRecord::Tick(fieldline_schemas::events::Tick { since: None })
}

/// An instant by seconds after the start.
pub fn s(seconds: i64) -> i64 {
    seconds * SECOND_US
}

pub fn apply(lifecycle: &mut Lifecycle, offset: i64, at_us: i64, record: &AnyRecord<'_>, effects: &mut Effects) {
    lifecycle.apply(&Record { offset, append_time: START + at_us, event: Event::read(record) }, effects).unwrap();
}

pub fn run(settings: Settings, input: &[(i64, AnyRecord<'_>)]) -> (Lifecycle, Effects) {
    let (mut lifecycle, mut effects) = (Lifecycle::new(settings), Effects::default());
    for (offset, (at, record)) in input.iter().enumerate() {
        apply(&mut lifecycle, offset as i64, *at, record, &mut effects);
    }
    (lifecycle, effects)
}

/// `alert step (cause) state n<notification>`, and what else is not as at the beginning.
pub fn told(alert: &Alert<'_>) -> String {
    let mut parts = alert.alert_id.splitn(3, ':');
    let (flag, cause) = (parts.next().unwrap(), parts.nth(1).unwrap());
    let why = if alert.cause.contains(':') { alert.cause.rsplit(':').next().unwrap() } else { &alert.cause };
    let mut text = format!("{flag} {cause} {} ({why}) {} n{}", alert.step.symbol(), alert.state.symbol(), alert.notification);
    for (name, value) in [("round", alert.round), ("reopened", alert.reopened), ("repeats", alert.repeats)] {
        if value > 0 {
            text.push_str(&format!(" {name} {value}"));
        }
    }
    if alert.is_voided {
        text.push_str(" voided");
    }
    for delivered in &alert.delivered {
        text.push_str(&format!(" {}:{}", delivered.receiver, delivered.notification));
    }
    text
}

/// Records in, steps out.
#[track_caller]
pub fn check(input: &[(i64, AnyRecord<'_>)], expect: &[&str]) -> Effects {
    let (_, effects) = run(Settings::default(), input);
    let steps: Vec<String> = effects.alerts.iter().map(told).collect();
    assert_eq!(steps, expect);
    let mut versions: Vec<_> = effects.alerts.iter().map(|alert| (alert.alert_id.clone(), alert.stamp.version)).collect();
    let count = versions.len();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), count, "a version of an alert is told once");
    effects
}

//! One alert id: what holds of it, and what was told last.

use super::{Effects, Moment, WHOLE_US, Why};
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, Delivered, Flag};
use fieldline_schemas::events::{Location, Severity};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::results::Stamp;
use fieldline_schemas::{Timestamp, Version};
use std::borrow::Cow;

/// What is known of an alert id.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// The highest version that the fold has told.
    pub fold: Option<Version>,
    /// Whether that which it is about is still so.
    pub is_true: bool,
    /// The sender withdrew the event, perhaps before anybody opened the alert.
    pub is_voided: bool,
    /// The emergency that this one is counted on.
    pub leader: Option<String>,
    /// Those that are counted on this one.
    pub followers: Vec<String>,
    /// Actions that were taken in.
    pub actions: Vec<EventId>,
    /// Who gave up, and on which notification last.
    pub gave_up: Vec<Delivered<'static>>,
    pub timer: Option<Timestamp>,
    pub body: Body,
    /// Position and number of its last output.
    last: Option<Version>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Body {
    /// Nobody has opened it.
    #[default]
    Unopened,
    Alert(Box<Alert<'static>>),
    /// Resolved long ago.
    Past(Past),
}

/// What a return of the alert needs of its past.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub notification: u32,
    pub reopened: u32,
    pub repeats: u32,
}

impl Entry {
    /// `None`: never opened, or resolved long ago.
    pub fn state(&self) -> Option<AlertState> {
        self.alert().map(|alert| alert.state)
    }

    pub fn alert(&self) -> Option<&Alert<'static>> {
        match &self.body {
            Body::Alert(alert) => Some(alert),
            _ => None,
        }
    }

    /// Changes the alert and tells it; what `change` answers.
    pub fn step<T>(
        &mut self,
        step: AlertStep,
        why: Why,
        moment: Moment,
        effects: &mut Effects,
        change: impl FnOnce(&mut Alert<'static>) -> T,
    ) -> Option<T> {
        let Body::Alert(alert) = &mut self.body else { return None };
        let answer = change(alert);
        let version = match self.last.filter(|last| last.offset() == moment.version.offset()) {
            // A position brings an alert few outputs; the last number is a recompute's.
            Some(last) if last.step() < Version::STEP_RECOMPUTE - 1 => Version(last.0 + 1),
            Some(last) => last,
            None => moment.version,
        };
        self.last = Some(version);
        alert.stamp = Stamp { version, as_of: moment.clock, caused_by: why.caused_by };
        alert.step = step;
        alert.cause = why.cause;
        alert.actor_contact_id = why.actor;
        alert.note = why.note;
        effects.alerts.push(Alert::clone(alert));
        Some(answer)
    }

    /// Makes the alert that a flag opens; it is told by a step of its own.
    pub fn open(&mut self, flag: &Flag<'_>, moment: Moment, past: Option<Past>) {
        let past = past.unwrap_or(Past { notification: 0, reopened: 0, repeats: 0 });
        self.is_true = true;
        self.body = Body::Alert(Box::new(Alert {
            stamp: Stamp { version: moment.version, as_of: moment.clock, caused_by: flag.caused_by },
            alert_id: owned(&flag.alert_id),
            flag: flag.flag,
            severity: flag.severity,
            technician_contact_id: flag.technician_contact_id,
            visit_id: flag.visit_id,
            state: AlertState::Opened,
            step: AlertStep::Opened,
            cause: Cow::Borrowed(""),
            actor_contact_id: None,
            opened_at: flag.opened_at,
            about_at: flag.about_at,
            notified_at: None,
            acknowledged_at: None,
            acknowledged_by_contact_id: None,
            resolved_at: None,
            resolved_by_contact_id: None,
            resolve_reason: None,
            round: 0,
            reopened: past.reopened,
            repeats: past.repeats,
            notification: past.notification,
            is_late: flag.is_late,
            is_voided: self.is_voided,
            location: flag.location.as_ref().map(owned_location),
            reasoning: owned(&flag.reasoning),
            note: None,
            delivered: Vec::new(),
        }));
    }

    /// Keeps of an alert that was resolved long ago only what its return would need.
    pub fn compact(&mut self, clock: Timestamp) {
        if let Body::Alert(alert) = &self.body
            && alert.resolved_at.is_some_and(|resolved_at| clock.since(resolved_at) > WHOLE_US)
        {
            let Alert { notification, reopened, repeats, .. } = **alert;
            self.body = Body::Past(Past { notification, reopened, repeats });
            self.gave_up = Vec::new();
            self.followers = Vec::new();
        }
    }
}

/// Acknowledgement and resolution are taken back.
pub(super) fn open_again(alert: &mut Alert<'static>) {
    alert.state = AlertState::Opened;
    alert.reopened += 1;
    alert.round = 0;
    alert.acknowledged_at = None;
    alert.acknowledged_by_contact_id = None;
    alert.resolved_at = None;
    alert.resolved_by_contact_id = None;
    alert.resolve_reason = None;
}

/// Takes what a flag says anew: whether anything changed, and what the severity was.
pub(super) fn update(alert: &mut Alert<'static>, flag: &Flag<'_>) -> (bool, Severity) {
    let before = alert.severity;
    let is_same = alert.severity == flag.severity
        && alert.technician_contact_id == flag.technician_contact_id
        && alert.visit_id == flag.visit_id
        && alert.about_at == flag.about_at
        && alert.is_late == flag.is_late
        && alert.location == flag.location
        && alert.reasoning == flag.reasoning;
    if !is_same {
        alert.severity = flag.severity;
        alert.technician_contact_id = flag.technician_contact_id;
        alert.visit_id = flag.visit_id;
        alert.about_at = flag.about_at;
        alert.is_late = flag.is_late;
        alert.location = flag.location.as_ref().map(owned_location);
        alert.reasoning = owned(&flag.reasoning);
    }
    (!is_same, before)
}

pub(super) fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

fn owned_location(location: &Location<'_>) -> Location<'static> {
    Location {
        latitude: location.latitude,
        longitude: location.longitude,
        accuracy_meters: location.accuracy_meters,
        address: location.address.as_deref().map(owned),
    }
}

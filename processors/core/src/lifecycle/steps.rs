//! What flags, actions and deliveries do to an alert.

use super::entry::{Body, open_again, owned, update};
use super::{Effects, Lifecycle, Moment, Why};
use fieldline_schemas::alerts::{AlertState, AlertStep, Delivered, Delivery, DeliveryOutcome, Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{ActionKind, AlertAction, Clearance};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::limits::RECEIVERS_MAX;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

impl Lifecycle {
    pub(super) fn flag(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        if flag.standing == FlagStanding::Cleared {
            return self.cleared(flag, moment, effects);
        }
        let id = &*flag.alert_id;
        let entry = self.entries.entry(id.to_owned()).or_default();
        if flag.origin == FlagOrigin::Fold {
            if entry.fold.is_some_and(|known| flag.version <= known) {
                self.counters.outdated_flags += 1;
                return;
            }
            entry.fold = Some(flag.version);
        }
        let is_raised = flag.standing == FlagStanding::Raised;
        let is_known = !matches!(entry.body, Body::Unopened);
        match flag.origin {
            // What the lane and the watch have seen is told once; a second record of it is a copy.
            FlagOrigin::Lane | FlagOrigin::Watch if is_raised && is_known => self.counters.outdated_flags += 1,
            FlagOrigin::Lane if !is_raised => self.counters.outdated_flags += 1,
            FlagOrigin::Watch if !is_raised && !is_known => self.counters.unknown_alerts += 1,
            _ if !is_raised => self.untrue(flag, moment, effects),
            _ => match &entry.body {
                Body::Unopened => self.open_new(flag, moment, effects),
                Body::Past(past) if !entry.is_true => {
                    let past = *past;
                    entry.open(flag, moment, Some(past));
                    self.reopen(flag, moment, effects);
                }
                Body::Past(_) => {}
                Body::Alert(_) if !entry.is_true => self.reopen(flag, moment, effects),
                Body::Alert(_) => self.still_true(flag, moment, effects),
            },
        }
    }

    fn open_new(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        let id = &*flag.alert_id;
        let emergency_of = flag.technician_contact_id.filter(|_| flag.flag == FlagCode::S1);
        let leader = emergency_of.and_then(|technician| self.unacknowledged(technician));
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.open(flag, moment, None);
        if let Some(leader) = leader {
            entry.leader = Some(leader.clone());
            let cause = Why { cause: Cow::Owned(leader.clone()), caused_by: flag.caused_by, ..Why::default() };
            entry.step(AlertStep::Repeated, cause, moment, effects, |_| ());
            if let Some(first) = self.entries.get_mut(&leader) {
                first.followers.push(id.to_owned());
                let cause = Why { cause: Cow::Owned(id.to_owned()), caused_by: flag.caused_by, ..Why::default() };
                first.step(AlertStep::Repeated, cause, moment, effects, |alert| alert.repeats += 1);
            }
            return;
        }
        entry.step(AlertStep::Opened, Why::of(flag.origin.symbol(), flag.caused_by), moment, effects, |alert| alert.notification = 1);
        if flag.flag == FlagCode::S1 {
            self.escalate_from(id, moment.clock);
        }
        if let Some(technician) = emergency_of {
            self.emergencies.entry(technician).or_default().push(id.to_owned());
        }
    }

    /// The emergency of a technician that nobody has acknowledged: the first of them.
    fn unacknowledged(&self, technician: TechnicianId) -> Option<String> {
        let waits = |id: &&String| {
            let state = self.entries.get(*id).and_then(|entry| entry.state());
            matches!(state, Some(AlertState::Opened | AlertState::Notified))
        };
        self.emergencies.get(&technician)?.iter().find(waits).cloned()
    }

    /// It has become true again.
    fn reopen(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(&*flag.alert_id) else { return };
        entry.is_true = true;
        entry.step(AlertStep::Reopened, Why::of(flag.origin.symbol(), flag.caused_by), moment, effects, |alert| {
            update(alert, flag);
            open_again(alert);
            alert.opened_at = flag.opened_at;
            alert.notification += 1;
        });
    }

    /// It is as it was, or became worse, or more is known.
    fn still_true(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(&*flag.alert_id) else { return };
        let was_voided = std::mem::replace(&mut entry.is_voided, false);
        let Body::Alert(alert) = &mut entry.body else { return };
        let technician = alert.technician_contact_id;
        let (is_changed, before) = update(alert, flag);
        alert.is_voided = false;
        let is_worse = alert.severity > before && alert.state != AlertState::Resolved;
        // One that is counted on another is told by it.
        let pages = is_worse && entry.leader.is_none();
        let step = if is_worse { AlertStep::Raised } else { AlertStep::Noted };
        if is_changed || was_voided {
            let cause = if was_voided { "restored" } else { flag.origin.symbol() };
            entry.step(step, Why::of(cause, flag.caused_by), moment, effects, |alert| alert.notification += u32::from(pages));
        }
        if flag.flag == FlagCode::S1 && technician != flag.technician_contact_id {
            self.moved(&flag.alert_id, technician, flag.caused_by, moment, effects);
        }
    }

    fn untrue(&mut self, flag: &Flag<'_>, moment: Moment, effects: &mut Effects) {
        let id = &*flag.alert_id;
        let Some(entry) = self.entries.get_mut(id) else { return };
        let why = Why::of(flag.standing.symbol(), flag.caused_by);
        if flag.flag == FlagCode::S1 {
            if flag.standing == FlagStanding::Voided && !std::mem::replace(&mut entry.is_voided, true) {
                entry.step(AlertStep::Noted, why, moment, effects, |alert| alert.is_voided = true);
            }
            return;
        }
        // It is about what was missing at that moment; whatever comes later is for the person who looks into it.
        if flag.flag == FlagCode::S10 {
            let is_voided = flag.standing == FlagStanding::Voided;
            entry.step(AlertStep::Noted, why, moment, effects, |alert| alert.is_voided |= is_voided);
            return;
        }
        entry.is_true = false;
        if entry.state().is_some_and(|state| state != AlertState::Resolved) {
            entry.step(AlertStep::Resolved, why, moment, effects, |alert| {
                alert.state = AlertState::Resolved;
                alert.resolved_at = Some(moment.clock);
                alert.notification += 1;
            });
            self.whole.push_back((moment.clock, id.to_owned()));
        }
    }

    pub(super) fn action(&mut self, action: &AlertAction<'_>, moment: Moment, effects: &mut Effects) {
        let named = self.entries.get(&*action.alert_id);
        // What is done with one that is counted on another is done with that other.
        let id = named.and_then(|entry| entry.leader.clone()).unwrap_or_else(|| action.alert_id.clone().into_owned());
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.alert().is_some()) else {
            self.counters.unknown_alerts += 1;
            return;
        };
        if entry.actions.contains(&action.id) {
            self.counters.repeated_records += 1;
            return;
        }
        entry.actions.push(action.id);
        let Some((state, flag)) = entry.alert().map(|alert| (alert.state, alert.flag)) else { return };
        let why = |cause: &'static str| Why {
            cause: Cow::Borrowed(cause),
            caused_by: Some(action.id),
            actor: action.actor_contact_id,
            note: action.note.as_deref().map(owned),
        };
        let is_emergency = flag == FlagCode::S1;
        match (action.action, state) {
            (ActionKind::Acknowledge, AlertState::Opened | AlertState::Notified) => {
                entry.step(AlertStep::Acknowledged, why("person"), moment, effects, |alert| {
                    alert.state = AlertState::Acknowledged;
                    alert.acknowledged_at = Some(moment.clock);
                    alert.acknowledged_by_contact_id = action.actor_contact_id;
                    alert.notification += 1;
                });
                self.share(&id, moment, effects);
                let reopens = is_emergency.then_some(moment.clock + self.settings.reopen_after_us);
                self.set_timer(&id, reopens);
            }
            (ActionKind::Resolve, AlertState::Opened | AlertState::Notified | AlertState::Acknowledged)
                if !is_emergency || action.reason.is_some() =>
            {
                let cause = action.reason.map_or("person", |reason| reason.symbol());
                entry.step(AlertStep::Resolved, why(cause), moment, effects, |alert| {
                    alert.state = AlertState::Resolved;
                    alert.resolved_at = Some(moment.clock);
                    alert.resolved_by_contact_id = action.actor_contact_id;
                    alert.resolve_reason = action.reason;
                    alert.notification += 1;
                });
                self.set_timer(&id, None);
                self.clear(&id, action, moment, effects);
                self.share(&id, moment, effects);
                self.whole.push_back((moment.clock, id));
            }
            (ActionKind::Resolve, _) if is_emergency && action.reason.is_none() => {
                entry.step(AlertStep::Noted, why("reason_missing"), moment, effects, |_| ());
            }
            (kind, _) => {
                entry.step(AlertStep::Noted, why(kind.symbol()), moment, effects, |_| ());
            }
        }
    }

    /// Tells the technician's log that the emergency is over, and those that were counted on it.
    fn clear(&mut self, id: &str, action: &AlertAction<'_>, moment: Moment, effects: &mut Effects) {
        let Some(entry) = self.entries.get(id) else { return };
        let emergency = entry.alert().filter(|alert| alert.flag == FlagCode::S1);
        let Some(technician) = emergency.and_then(|alert| alert.technician_contact_id) else { return };
        for cleared in std::iter::once(id).chain(entry.followers.iter().map(String::as_str)) {
            effects.clearances.push(Clearance {
                id: if cleared == id { action.id } else { id_of_copy(action.id, cleared) },
                technician_contact_id: technician,
                alert_id: Cow::Owned(cleared.to_owned()),
                // A person's clock that is ahead clears nothing that happens later.
                created_at: action.created_at.min(moment.clock),
                reason: action.reason,
                actor_contact_id: action.actor_contact_id,
            });
        }
        self.no_longer_open(technician, id);
    }

    pub(super) fn no_longer_open(&mut self, technician: TechnicianId, id: &str) {
        if let Some(open) = self.emergencies.get_mut(&technician) {
            open.retain(|emergency| emergency != id);
            if open.is_empty() {
                self.emergencies.remove(&technician);
            }
        }
    }

    /// What became of an emergency became of those that are counted on it; nobody is paged for them.
    pub(super) fn share(&mut self, id: &str, moment: Moment, effects: &mut Effects) {
        let Some(entry) = self.entries.get(id) else { return };
        let (Some(first), followers) = (entry.alert().cloned(), entry.followers.clone()) else { return };
        for follower in followers {
            let Some(entry) = self.entries.get_mut(&follower) else { continue };
            let why = Why {
                cause: first.cause.clone(),
                caused_by: first.stamp.caused_by,
                actor: first.actor_contact_id,
                note: first.note.clone(),
            };
            entry.step(first.step, why, moment, effects, |alert| {
                alert.state = first.state;
                alert.acknowledged_at = first.acknowledged_at;
                alert.acknowledged_by_contact_id = first.acknowledged_by_contact_id;
                alert.resolved_at = first.resolved_at;
                alert.resolved_by_contact_id = first.resolved_by_contact_id;
                alert.resolve_reason = first.resolve_reason;
            });
            if first.state == AlertState::Resolved {
                self.whole.push_back((moment.clock, follower));
            }
        }
    }

    pub(super) fn delivery(&mut self, delivery: &Delivery<'_>, moment: Moment, effects: &mut Effects) {
        let entry = self.entries.get_mut(&*delivery.alert_id).filter(|entry| entry.alert().is_some());
        let known = entry.and_then(|entry| entry.alert().map(|alert| alert.notification).map(|notification| (entry, notification)));
        // What was never to be told can not have been delivered.
        let Some((entry, _)) = known.filter(|(_, notification)| delivery.notification <= *notification) else {
            self.counters.unknown_alerts += 1;
            return;
        };
        let cause = || Why { cause: owned(&delivery.receiver), ..Why::default() };
        let told = |known: &[Delivered<'_>]| {
            let of = known.iter().find(|known| known.receiver == delivery.receiver);
            of.is_some_and(|known| known.notification >= delivery.notification)
        };
        match delivery.outcome {
            DeliveryOutcome::Acknowledged => {
                let is_repeated = entry.alert().is_some_and(|alert| told(&alert.delivered));
                let has_room =
                    entry.alert().is_some_and(|alert| alert.delivered.len() < RECEIVERS_MAX || is_listed(&alert.delivered, delivery));
                if is_repeated || !has_room {
                    self.counters.repeated_records += 1;
                    return;
                }
                entry.step(AlertStep::Notified, cause(), moment, effects, |alert| {
                    note(&mut alert.delivered, delivery);
                    alert.notified_at.get_or_insert(moment.clock);
                    if alert.state == AlertState::Opened {
                        alert.state = AlertState::Notified;
                    }
                });
            }
            DeliveryOutcome::GaveUp => {
                let has_room = entry.gave_up.len() < RECEIVERS_MAX || is_listed(&entry.gave_up, delivery);
                if told(&entry.gave_up) || !has_room {
                    self.counters.repeated_records += 1;
                    return;
                }
                note(&mut entry.gave_up, delivery);
                entry.step(AlertStep::Undelivered, cause(), moment, effects, |_| ());
            }
            DeliveryOutcome::Failed | DeliveryOutcome::Suppressed => {}
        }
    }
}

fn is_listed(known: &[Delivered<'_>], delivery: &Delivery<'_>) -> bool {
    known.iter().any(|known| known.receiver == delivery.receiver)
}

fn note(known: &mut Vec<Delivered<'static>>, delivery: &Delivery<'_>) {
    match known.iter_mut().find(|known| known.receiver == delivery.receiver) {
        Some(known) => known.notification = delivery.notification,
        None => known.push(Delivered { receiver: owned(&delivery.receiver), notification: delivery.notification }),
    }
}

/// A clearance's id is its action's; of one that is counted on another, and where an operational event clears, it follows from both,
/// as one action or event clears several.
pub(super) fn id_of_copy(action: EventId, alert_id: &str) -> EventId {
    let mut bytes = action.as_bytes().to_vec();
    bytes.extend_from_slice(alert_id.as_bytes());
    EventId(uuid::Uuid::from_u128(xxh3_128(&bytes)))
}

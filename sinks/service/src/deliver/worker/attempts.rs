//! What a receiver is sent: which of what is owed, how it ended, and what follows.

use super::{Done, RESULT_WAIT_MAX, Worker};
use crate::deliver::book::{Due, Ending, Urgency, is_emergency};
use crate::deliver::http::Sent;
use crate::deliver::message::Message;
use crate::deliver::policy::{Decision, Outcome, decide};
use crate::deliver::route::{grouping, leads_to};
use crate::deliver::{DeliverError, doing};
use fieldline_log::{Committed, Error as LogError};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{Delivery, DeliveryOutcome};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A silence is looked at again this often, since the wall clock may be set.
const SILENCE_LOOK_US: i64 = 60_000_000;
const MINUTE_US: i64 = 60_000_000;

impl Worker {
    /// The least urgent that may begin now; `None`: nothing may.
    fn least(&mut self, now_us: i64) -> Option<Urgency> {
        let receiver = &self.config.receivers[self.number];
        let (max, per_minute_max) = (receiver.in_flight_max.max(1), receiver.per_minute_max);
        while self.recent_us.front().is_some_and(|at| now_us - at >= MINUTE_US) {
            self.recent_us.pop_front();
        }
        let is_beyond = per_minute_max.is_some_and(|limit| self.recent_us.len() >= limit as usize);
        // Some room is kept free of what can wait, or eight that hang would hold up an emergency.
        let kept_free = if max > 1 { (max / 4).max(1) } else { 0 };
        match () {
            () if self.in_flight >= max => None,
            () if is_beyond || now_us < self.held_until_us => Some(Urgency::Emergency),
            () if self.in_flight >= max - kept_free => Some(Urgency::Critical),
            () => Some(Urgency::Info),
        }
    }

    pub(super) fn launch(&mut self) -> Result<(), DeliverError> {
        let now_us = self.now_us();
        self.book.wake(now_us);
        while let Some(least) = self.least(now_us) {
            let Some(due) = self.book.next(least) else { break };
            let person = self.people.person(&due.alert);
            let team = person.team.as_deref();
            let (id, notification) = (due.alert.alert_id.clone(), due.alert.notification);
            if !leads_to(&self.config.routes, &self.receiver().name, &due.alert, team) {
                self.book.end(&id, notification, Ending::NoRoute);
                continue;
            }
            let now = wall_now();
            if let Some(until) = self.people.silenced_until(&due.alert, team, now) {
                if !due.is_suppressed {
                    let detail = format!("silenced until {until}");
                    self.record(&due, now, Duration::ZERO, DeliveryOutcome::Suppressed, None, &detail)?;
                }
                let look_at = now_us + until.since(now).clamp(0, SILENCE_LOOK_US);
                self.book.end(&id, notification, Ending::Suppressed(look_at));
                continue;
            }
            let route = grouping(&self.config.routes, &self.receiver().name, &due.alert, team).filter(|_| !due.is_apart);
            let wait = route.map(|route| if due.attempt > 1 { Duration::ZERO } else { route.group_wait });
            let by = route.map(|route| route.group_by.clone());
            let message = Message { alert: Arc::clone(&due.alert), person };
            if let (Some(wait), Some(by)) = (wait, by) {
                // What failed has waited already.
                let goes_at_us = now_us + i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 2);
                let key = by.iter().map(|by| by.value(&message)).collect::<Vec<_>>().join("\n");
                self.groups.add(key, id.into_owned(), Urgency::of(&due.alert), goes_at_us);
                continue;
            }
            if !is_emergency(due.alert.flag) {
                self.recent_us.push_back(now_us);
            }
            self.spawn(vec![due], vec![message], false);
        }
        self.launch_groups(now_us);
        self.repeat(now_us);
        Ok(())
    }

    /// Sends the groups whose time has come, each alert as it stands by now.
    fn launch_groups(&mut self, now_us: i64) {
        while let Some(group) = self.least(now_us).and_then(|least| self.groups.next(now_us, least)) {
            let dues: Vec<Due> = group.alert_ids.iter().filter_map(|id| self.book.renew(id)).collect();
            if dues.is_empty() {
                continue;
            }
            self.recent_us.push_back(now_us);
            let message = |due: &Due| Message { alert: Arc::clone(&due.alert), person: self.people.person(&due.alert) };
            let messages = dues.iter().map(message).collect();
            self.spawn(dues, messages, false);
        }
    }

    /// What waits in groups waits anew: whose it is may change now.
    pub(super) fn dissolve(&mut self) {
        for id in self.groups.dissolve() {
            self.book.end(&id, 0, Ending::Repeated);
        }
    }

    /// Tells again what is open and told, where the receiver forgets.
    fn repeat(&mut self, now_us: i64) {
        let Some(every) = self.receiver().channel.resend_every() else { return };
        if now_us >= self.repeat_at_us {
            self.repeat_at_us = now_us + i64::try_from(every.as_micros()).unwrap_or(i64::MAX / 2);
            self.to_repeat = self.book.told_and_open().map(str::to_owned).collect();
        }
        while !self.to_repeat.is_empty() && !self.book.has_ready() && self.least(now_us) == Some(Urgency::Info) {
            let Some(due) = self.to_repeat.pop_front().and_then(|id| self.book.repeat(&id)) else { continue };
            let message = Message { alert: Arc::clone(&due.alert), person: self.people.person(&due.alert) };
            self.spawn(vec![due], vec![message], true);
        }
    }

    fn spawn(&mut self, dues: Vec<Due>, messages: Vec<Message>, is_repeat: bool) {
        let Some(runtime) = &self.runtime else { return };
        let (sender, tell) = (Arc::clone(&self.sender), self.tell.clone());
        self.in_flight += 1;
        runtime.spawn(async move {
            let (attempted_at, began) = (wall_now(), Instant::now());
            // In a task of its own: a panic must come back as an answer, or the alert would stay under way for ever.
            let sent = tokio::spawn(async move { sender.send(&messages).await }).await;
            let sent = sent.unwrap_or_else(|_| Sent::passing("sending panicked; the message is in the log of this process"));
            // Nobody listens any more only where the worker has ended.
            _ = tell.send(Done { dues, is_repeat, attempted_at, took: began.elapsed(), sent });
        });
    }

    /// Takes the attempts that have ended, waiting at most `wait` for the first.
    pub(super) fn collect(&mut self, wait: Duration) -> Result<(), DeliverError> {
        let mut next = if wait.is_zero() { self.results.try_recv().ok() } else { self.results.recv_timeout(wait).ok() };
        while let Some(done) = next {
            self.in_flight = self.in_flight.saturating_sub(1);
            if done.is_refused_group() {
                let (receiver, alerts) = (&self.receiver().name, done.dues.len());
                tracing::warn!(
                    receiver,
                    alerts,
                    detail = done.sent.detail,
                    "a message of several alerts is refused, telling of each alone"
                );
            }
            for due in &done.dues {
                self.ended(due, &done)?;
            }
            next = self.results.try_recv().ok();
        }
        Ok(())
    }

    /// Waits until nothing is under way; each attempt has its deadline.
    pub(super) fn settle(&mut self) -> Result<(), DeliverError> {
        while self.in_flight > 0 {
            self.collect(RESULT_WAIT_MAX)?;
        }
        Ok(())
    }

    fn ended(&mut self, due: &Due, done: &Done) -> Result<(), DeliverError> {
        let Done { sent, .. } = done;
        let alert = &due.alert;
        let jitter = (uuid::Uuid::new_v4().as_u128() >> 64) as u64 as f64 / u64::MAX as f64;
        let age = Duration::from_micros(u64::try_from(wall_now().since(due.appended_at)).unwrap_or(0));
        let decision = decide(sent.outcome, due.attempt, age, jitter, is_emergency(alert.flag), &self.config.policy);
        let now_us = self.now_us();
        if let (Outcome::Status { status: 429, .. }, Decision::RetryAfter(after)) = (sent.outcome, decision) {
            self.held_until_us = self.held_until_us.max(now_us + after.as_micros() as i64);
        }
        if done.is_repeat {
            let shown = self.shown();
            let counter = if decision == Decision::Acknowledged { &shown.repeated } else { &shown.repeats_failed };
            counter.fetch_add(1, Ordering::Relaxed);
            if decision != Decision::Acknowledged {
                tracing::warn!(receiver = self.receiver().name, detail = sent.detail, "an open alert could not be told again");
            }
            self.book.end(&alert.alert_id, alert.notification, Ending::Repeated);
            return Ok(());
        }
        let (outcome, ending) = match decision {
            Decision::Acknowledged => (DeliveryOutcome::Acknowledged, Ending::Acknowledged),
            // It may be too many, or one among them: that says nothing of each.
            Decision::GiveUp if done.is_refused_group() => (DeliveryOutcome::Failed, Ending::Apart),
            Decision::GiveUp => (DeliveryOutcome::GaveUp, Ending::GaveUp),
            Decision::RetryAfter(after) => (DeliveryOutcome::Failed, Ending::RetryAt(now_us + after.as_micros() as i64)),
        };
        match decision {
            Decision::Acknowledged => {}
            Decision::GiveUp if ending == Ending::Apart => {}
            Decision::GiveUp => {
                tracing::error!(receiver = self.receiver().name, alert = %alert.alert_id, attempt = due.attempt, detail = sent.detail, "gave up telling of an alert");
            }
            // Each failure is on `deliveries`; here the first of a notification is enough.
            Decision::RetryAfter(after) if due.attempt == 1 => {
                tracing::warn!(receiver = self.receiver().name, alert = %alert.alert_id, detail = sent.detail, "telling of an alert failed, trying again in {after:?}");
            }
            Decision::RetryAfter(_) => {}
        }
        self.record(due, done.attempted_at, done.took, outcome, sent.status, &sent.detail)?;
        self.book.end(&alert.alert_id, alert.notification, ending);
        Ok(())
    }

    fn record(
        &mut self,
        due: &Due,
        attempted_at: Timestamp,
        took: Duration,
        outcome: DeliveryOutcome,
        status: Option<i32>,
        detail: &str,
    ) -> Result<(), DeliverError> {
        let receiver = &self.config.receivers[self.number];
        self.journal.record(Delivery {
            alert_id: due.alert.alert_id.as_ref().into(),
            notification: due.alert.notification,
            receiver: receiver.name.as_str().into(),
            channel: receiver.channel.name().into(),
            attempt: due.attempt,
            outcome,
            attempted_at,
            waited_us: attempted_at.since(due.appended_at).max(0),
            took_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            status,
            detail: detail.into(),
        })?;
        self.shown().count(outcome);
        Ok(())
    }

    /// What is done once a second.
    pub(super) fn tend(&mut self) {
        self.tended_at = Instant::now();
        self.shown().set_backlog(self.book.backlog());
    }

    /// Commits what is read: it shows how far this receiver is, and means nothing at a start.
    pub(super) fn commit(&mut self) -> Result<(), DeliverError> {
        self.committed_at = Instant::now();
        if !std::mem::take(&mut self.to_commit) || self.positions.is_empty() {
            return Ok(());
        }
        let committed = |(at, offset): (&_, &i64)| (Clone::clone(at), Committed { offset: *offset, metadata: String::new() });
        let positions: Vec<_> = self.positions.iter().map(committed).collect();
        match self.consumer.commit(&positions) {
            // The next poll tells what is lost.
            Err(LogError::OwnershipLost { .. }) => Ok(()),
            result => result.map_err(doing(|| format!("committing as {}", self.group))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A name's resolution, which nothing can interrupt, is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

//! Tells receivers past the log: of what the log cannot carry, because it is what is wrong.
//!
//! The notification has the key that the ordinary one would have, so that a receiver knows the two for one. Nothing is recorded:
//! there is nowhere to record it.

use super::config::Receiver;
use super::message::Message;
use super::people::Person;
use super::policy::{Decision, Settings, decide};
use super::route::{Route, leads_to};
use super::send::Sender;
use super::{DeliverError, book::is_emergency};
use fieldline_schemas::alerts::Alert;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// The total deadline of a receiver.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Receivers with channels of their own, beside those of delivery.
pub(crate) struct Direct {
    receivers: Vec<(String, Arc<Sender>)>,
    routes: Vec<Route>,
    under_way: BTreeMap<String, Vec<AbortHandle>>,
    runtime: Handle,
}

impl Direct {
    pub fn open(receivers: &[Receiver], routes: &[Route], runtime: Handle) -> Result<Self, DeliverError> {
        let _entered = runtime.enter();
        let open = |receiver: &Receiver| {
            let refused = |reason| DeliverError::Receiver { receiver: receiver.name.clone(), reason };
            Sender::new(receiver).map(|sender| (receiver.name.clone(), Arc::new(sender))).map_err(refused)
        };
        let receivers = receivers.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { receivers, routes: routes.to_vec(), under_way: BTreeMap::new(), runtime })
    }

    /// Begins to tell everyone to whom a route leads; each is tried again until it takes it or the deadline is over.
    pub fn tell(&mut self, alert: &Alert<'static>) {
        let fitting = self.receivers.iter().filter(|(name, _)| leads_to(&self.routes, name, alert, None));
        let tasks: Vec<AbortHandle> = fitting
            .map(|(name, sender)| {
                let message = Message { alert: Arc::new(alert.clone()), person: Person::default() };
                self.runtime.spawn(persist(name.clone(), Arc::clone(sender), message)).abort_handle()
            })
            .collect();
        self.under_way.insert(alert.alert_id.to_string(), tasks);
    }

    /// It is over: whoever has not heard of it need not any more.
    pub fn hush(&mut self, alert_id: &str) {
        self.under_way.remove(alert_id).into_iter().flatten().for_each(|task| task.abort());
    }
}

async fn persist(receiver: String, sender: Arc<Sender>, message: Message) {
    let settings = Settings { give_up_after: GIVE_UP_AFTER, ..Settings::default() };
    let began = Instant::now();
    for attempt in 1.. {
        let sent = sender.send(std::slice::from_ref(&message)).await;
        let jitter = (uuid::Uuid::new_v4().as_u128() >> 64) as u64 as f64 / u64::MAX as f64;
        match decide(sent.outcome, attempt, began.elapsed(), jitter, is_emergency(message.alert.flag), &settings) {
            Decision::Acknowledged => return,
            Decision::RetryAfter(after) => tokio::time::sleep(after).await,
            Decision::GiveUp => {
                tracing::error!(receiver, alert = %message.alert.alert_id, detail = sent.detail, "gave up telling directly");
                return;
            }
        }
    }
}

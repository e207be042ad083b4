//! The switch outside: pinged while beats come back. It raises its own alarm when the pings end, so it also tells of what
//! nobody in here can tell of, such as the end of this process, its machine or its network.

use super::WatchControl;
use crate::deliver::http::HttpClient;
use crate::deliver::policy::{Decision, Settings, decide};
use crate::deliver::{Deadlines, Endpoint, Hidden};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where to ping.
#[derive(Clone, Debug)]
pub struct PingTarget {
    pub endpoint: Endpoint,
    /// Value of the header Authorization.
    pub authorization: Option<Hidden<String>>,
    /// With `total` the three deadlines of a ping.
    pub deadlines: Deadlines,
    /// Attempts of one ping end after so long; the next beat has a ping of its own.
    pub total: Duration,
}

pub(super) struct Switch {
    target: Arc<PingTarget>,
    client: HttpClient,
    runtime: Handle,
    is_under_way: Arc<AtomicBool>,
}

impl Switch {
    /// The text says what is wrong with the settings.
    pub fn open(target: PingTarget, runtime: Handle) -> Result<Self, String> {
        let client = HttpClient::new(&target.endpoint, target.deadlines)?;
        Ok(Self { target: Arc::new(target), client, runtime, is_under_way: Arc::default() })
    }

    /// Pings, and returns at once. One that is still under way is not overtaken.
    pub fn ping(&self, control: &Arc<WatchControl>) {
        if self.is_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let (target, client) = (Arc::clone(&self.target), self.client.clone());
        let (control, is_under_way) = (Arc::clone(control), Arc::clone(&self.is_under_way));
        self.runtime.spawn(async move {
            let counter = if ping(&client, &target).await { &control.pinged } else { &control.pings_failed };
            counter.fetch_add(1, Ordering::Relaxed);
            is_under_way.store(false, Ordering::Release);
        });
    }
}

/// Whether it was taken.
async fn ping(client: &HttpClient, target: &PingTarget) -> bool {
    let headers: Vec<_> = target.authorization.iter().map(|value| ("authorization", value.0.clone())).collect();
    let settings = Settings { give_up_after: target.total, ..Settings::default() };
    let began = Instant::now();
    for attempt in 1.. {
        let sent = client.get(&target.endpoint.url.0, &headers).await;
        match decide(sent.outcome, attempt, began.elapsed(), 1.0, false, &settings) {
            Decision::Acknowledged => return true,
            Decision::RetryAfter(after) => tokio::time::sleep(after).await,
            Decision::GiveUp => {
                tracing::warn!(detail = sent.detail, "the switch outside (watch.ping_url) could not be pinged");
                break;
            }
        }
    }
    false
}

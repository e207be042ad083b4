//! The watch over a pipeline's own stages.

use super::Pipeline;
use anyhow::Result;
use fieldline_sinks::watch::{self, WatchConfig};
use std::sync::Arc;
use std::time::Duration;

/// An S12 that is not an alert after so long is told past the log.
const DIRECT_AFTER: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Watches over this process's stages from now on, and where it tells receivers also over the way of an emergency.
    pub fn start_watch(&mut self) -> Result<()> {
        let settings = self.config.watch.clone();
        let has_receivers = !self.delivery.receivers.is_empty();
        let config = WatchConfig {
            prefix: self.config.topics_prefix.clone(),
            schemas: self.schemas.clone(),
            rhythm: settings.rhythm.filter(|_| has_receivers),
            limits: settings.limits,
            clock_off_us: settings.clock_off_us,
            ping: settings.ping.filter(|_| has_receivers),
            direct_after: DIRECT_AFTER,
            receivers: self.config.receivers.receivers.clone(),
            routes: self.config.receivers.routes.clone(),
        };
        let (control, watched) = (Arc::clone(&self.watch), self.watched());
        self.stage("watch", move |log| Ok(watch::run(config, log, Box::new(move || watched.places()), control)?))
    }
}

//! Whom to ask for schemas, where a registry is configured.

use crate::config::Config;
use anyhow::{Context, Result};
use fieldline_registry::Registry;
use std::time::Duration;

/// How long stages wait for the ids of our schemas at their start. A registry is no reason for an emergency to wait: then
/// they begin with single objects, which every reader takes as well, and go over to the ids when they have them.
const STAGES_WAIT_MAX: Duration = Duration::from_secs(10);

/// Commands that only publish wait as long as it takes: what they write stays for years, and nobody waits for it.
pub fn open(config: &Config, has_stages: bool) -> Result<Registry> {
    let Some(target) = &config.registry else { return Ok(Registry::default()) };
    let registry = Registry::start(target.clone())?;
    let wait_max = has_stages.then_some(STAGES_WAIT_MAX);
    registry.wait_registered(wait_max).context("registry.url is set, and our schemas cannot be registered there")?;
    Ok(registry)
}

//! How the pipeline watches itself.

use anyhow::{Result, ensure};
use fieldline_schemas::time::SECOND_US;
use fieldline_sinks::deliver::{Deadlines, Endpoint, Hidden};
use fieldline_sinks::watch::{Limits, PingTarget, Rhythm};
use std::time::Duration;

/// Validated settings of the watch.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// `None`: no beats are sent.
    pub rhythm: Option<Rhythm>,
    pub ping: Option<PingTarget>,
    pub limits: Limits,
    pub clock_off_us: i64,
}

impl WatchSettings {
    pub(super) fn validate(set: &dyn Fn(&str) -> Result<Option<String>>, number: &dyn Fn(&str, u64, u64) -> Result<u64>) -> Result<Self> {
        let seconds = |name, max| Ok::<_, anyhow::Error>(number(name, 1, max)? as i64 * SECOND_US);
        let beat_seconds = number("watch.beat_seconds", 0, 3_600)?;
        let missed_max = number("watch.missed_max", 1, 60)? as u32;
        let rhythm = (beat_seconds > 0).then_some(Rhythm { interval_us: beat_seconds as i64 * SECOND_US, missed_max });
        let authorization = set("watch.ping_authorization")?.map(Hidden);
        let ping = match set("watch.ping_url")? {
            None => {
                ensure!(authorization.is_none(), "watch.ping_authorization is set, and watch.ping_url is not");
                None
            }
            Some(url) => {
                // The address itself is not shown: whoever knows it can ping in our place.
                ensure!(url.starts_with("http://") || url.starts_with("https://"), "watch.ping_url: http:// or https:// is wanted");
                ensure!(rhythm.is_some(), "watch.ping_url is set, and watch.beat_seconds is 0: it is pinged when beats come back");
                let total = Duration::from_secs(beat_seconds);
                Some(PingTarget { endpoint: Endpoint::new(&url), authorization, deadlines: Deadlines::default(), total })
            }
        };
        let limits = Limits { stalled_us: seconds("watch.stalled_seconds", 86_400)?, lag_us: seconds("watch.lag_seconds", 604_800)? };
        Ok(Self { rhythm, ping, limits, clock_off_us: seconds("watch.clock_seconds", 86_400)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<WatchSettings> {
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let set = |name: &str| Ok(value(name));
        let number = |name: &str, min: u64, max: u64| {
            let number = value(name).map_or(60, |text| text.parse().unwrap());
            ensure!((min..=max).contains(&number), "{name}");
            Ok(number)
        };
        WatchSettings::validate(&set, &number)
    }

    #[test]
    fn a_ping_needs_beats_and_an_address_and_shows_neither() {
        let url = ("watch.ping_url", "https://outside.example/hunter2");
        let settings = read(&[url, ("watch.ping_authorization", "hunter2")]).unwrap();
        assert!(settings.ping.is_some() && !format!("{settings:?}").contains("hunter2"), "{settings:?}");
        assert!(read(&[("watch.beat_seconds", "0")]).unwrap().rhythm.is_none());
        for (values, named) in [
            (&[url, ("watch.beat_seconds", "0")][..], "watch.ping_url"),
            (&[("watch.ping_url", "hunter2")], "watch.ping_url"),
            (&[("watch.ping_authorization", "hunter2")], "watch.ping_authorization"),
            (&[("watch.missed_max", "0")], "watch.missed_max"),
        ] {
            let refused = format!("{:#}", read(values).unwrap_err());
            assert!(refused.contains(named) && !refused.contains("hunter2"), "{refused}");
        }
    }
}

//! What the program logs to standard error.

use anyhow::{Result, ensure};
use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A filter as it is typed; a bare word must be a level, since the name of a module would silence everything else.
fn filter(text: &str) -> Result<EnvFilter> {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let is_known = text.split(',').all(|part| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level)));
    let filter = EnvFilter::try_new(text).ok().filter(|_| is_known);
    ensure!(filter.is_some(), "log = {text:?}: {} is wanted, or levels per module as in info,fieldline_sinks=debug", LEVELS.join(", "));
    Ok(filter.unwrap_or_default())
}

/// Logs from now on.
pub fn log(text: &str) -> Result<()> {
    tracing_subscriber::fmt().with_env_filter(filter(text)?).with_writer(std::io::stderr).compact().init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_filter_is_levels_and_levels_of_modules() {
        for good in ["warn", "TRACE", "off", "info,fieldline_sinks=debug", "warn,fieldline_log::broker=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["nope", "fieldline_sinks", "info,nope", "fieldline_sinks=loud", "", "info,"] {
            assert!(filter(bad).unwrap_err().to_string().contains("error, warn, info"), "{bad}");
        }
    }
}

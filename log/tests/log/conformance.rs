//! Both logs keep the traits' promises.

use fieldline_log::Log;
use fieldline_log::conformance::{Options, run_all};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions, Sync};
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use std::sync::Arc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn memory() {
    for (event_time, waits) in [(true, false), (false, true)] {
        let log = MemoryLog::new(MemoryOptions { event_time, waits, ..Default::default() });
        run_all(|| Arc::clone(&log) as Arc<dyn Log>, Options { event_time, waits, deadline: DEADLINE });
    }
}

fn embedded(options: EmbeddedOptions) {
    let folder = tempfile::tempdir().unwrap();
    let open = || EmbeddedLog::open(folder.path(), options).unwrap() as Arc<dyn Log>;
    run_all(open, Options { event_time: options.event_time, waits: true, deadline: DEADLINE });
}

#[test]
fn embedded_without_sync() {
    embedded(EmbeddedOptions::default());
}

#[test]
fn embedded_with_sync_and_event_time() {
    embedded(EmbeddedOptions { sync: Sync::Group(Duration::from_millis(1)), event_time: true, ..Default::default() });
}

/// Segments so small that every case goes over many of them.
#[test]
fn embedded_in_tiny_segments() {
    embedded(EmbeddedOptions { segment_bytes: 500, event_time: true, ..Default::default() });
}

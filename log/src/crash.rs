//! Named points at which a test has a process killed. Compiled in by the feature `crash-points` only, which the tests of the binary
//! switch on; in any other build a point is nothing.

/// Ends the process as kill -9 would, if `FIELDLINE_CRASH_AT=name:count` names this point and it is passed for the `count`-th time.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static AT: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let at = AT.get_or_init(|| {
        let named = std::env::var("FIELDLINE_CRASH_AT").ok()?;
        let (name, count) = named.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(count.parse().ok()?)))
    });
    if let Some((named, left)) = at
        && named == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        eprintln!("crash point {name}");
        // No destructor runs, nothing is flushed: what the kernel does not have is gone.
        std::process::abort();
    }
}

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &str) {}

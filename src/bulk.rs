//! Bulk work yields to alerts: on a busy machine the stages that work by the million stand behind those of an emergency.
//!
//! Measured on two cores that a backlog kept busy, an emergency's page took most of its time waiting for a core, at every step
//! between broker, lane, lifecycle and receiver. Where cores are free nothing changes.

/// Makes this thread yield, and every thread and process that it starts from now on: the clients of Kafka and ClickHouse among
/// them. `nice` is 0 for no change up to 19 for the most; the system lets anybody do that, and nobody undo it.
#[cfg(target_os = "linux")]
pub fn yield_to_alerts(nice: u8) {
    if nice > 0
        && let Err(error) = rustix::process::setpriority_process(None, i32::from(nice))
    {
        tracing::warn!(%error, "bulk work does not yield to alerts (bulk_nice)");
    }
}

/// Elsewhere a priority is the whole process's, alerts included.
#[cfg(not(target_os = "linux"))]
pub fn yield_to_alerts(_: u8) {}

//! The processors as threads: each worker owns partitions, and appends a tick where the log's time stands still.

use crate::config::{ProcessorConfig, Share};
use crate::error::ProcessorError;
use crate::stop::StopToken;
use crate::worker::Worker;
use fieldline_log::Log;
use fieldline_schemas::events::Tick;
use std::sync::Arc;
use std::time::Instant;

/// Runs until `stop` is set or a worker can not go on, which stops the others too. Everything acknowledged is committed
/// at the end.
pub fn run(config: ProcessorConfig, log: Arc<dyn Log>, stop: StopToken) -> Result<(), ProcessorError> {
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        let each = (0..config.workers.max(1)).flat_map(|number| Share::ALL.map(|share| (number, share)));
        for (number, share) in each {
            let (config, log, stop) = (config.clone(), Arc::clone(&log), stop.clone());
            let work = move || {
                let result = work(config, share, log, &stop);
                // Whoever fails takes the others along: half a group would look alive and leave partitions behind.
                if result.is_err() {
                    stop.stop();
                }
                result
            };
            let spawned = std::thread::Builder::new().name(format!("{}-{number}", share.group())).spawn_scoped(scope, work);
            workers.push(spawned.map_err(|source| ProcessorError::Thread { source }));
        }
        let mut result = Ok(());
        for worker in workers {
            let ended = worker.and_then(|handle| handle.join().unwrap_or(Err(ProcessorError::Panicked)));
            if ended.is_err() {
                stop.stop();
            }
            result = result.and(ended);
        }
        result
    })
}

fn work(config: ProcessorConfig, share: Share, log: Arc<dyn Log>, stop: &StopToken) -> Result<(), ProcessorError> {
    let (poll_wait, tick_every) = (config.poll_wait, config.tick_every);
    let mut worker = Worker::new(config, share, log)?;
    while !stop.is_stopped() {
        worker.turn(poll_wait.min(tick_every.unwrap_or(poll_wait)))?;
        let Some(tick_every) = tick_every else { continue };
        let now = Instant::now();
        for station in 0..worker.stations.len() {
            let silent = &mut worker.stations[station];
            if silent.wants_tick(now, tick_every) {
                let at = silent.at.clone();
                worker.tick(&at, Tick { since: None }, None)?;
            }
        }
    }
    worker.flush()?;
    worker.commit()
}

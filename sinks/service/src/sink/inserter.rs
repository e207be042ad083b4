//! The thread that inserts, one batch after the other, while the next one is encoded.

use super::{BATCHES_IN_FLIGHT_MAX, SinkControl, SinkError};
use crate::clickhouse::{Answer, ClickHouseTarget, runtime};
use crate::writer::{Block, GivenUp, Origin, WriteError, Writer, WriterConfig};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a sink that stops still waits for an insert that is on its way.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);

/// Blocks of one batch, and where they came from.
pub(super) struct Job {
    pub origin: Origin,
    pub blocks: Vec<Block>,
}

/// The thread that inserts.
pub(super) struct Inserter {
    pub jobs: Option<mpsc::SyncSender<Job>>,
    pub done: mpsc::Receiver<Result<(), WriteError>>,
    thread: Option<JoinHandle<()>>,
}

impl Inserter {
    pub fn start(target: &ClickHouseTarget, config: WriterConfig, control: Arc<SinkControl>) -> Result<Self, SinkError> {
        let (jobs, next_job) = mpsc::sync_channel::<Job>(BATCHES_IN_FLIGHT_MAX);
        let (answers, done) = mpsc::channel();
        let runtime = runtime().map_err(|answer| SinkError::Start(answer.to_string()))?;
        let target = target.clone();
        let work = move || {
            // The connections live on this thread's runtime.
            let writer = runtime.block_on(async { Writer::new(&target, config) });
            for job in next_job {
                let answer = runtime.block_on(insert(&writer, job, &control));
                let failed = answer.is_err();
                if answers.send(answer).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("inserter".to_owned()).spawn(work);
        let thread = thread.map_err(|error| SinkError::Start(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }
}

impl Drop for Inserter {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends with its job, which has deadlines; a panic there has been seen as a closed channel.
            let _ = thread.join();
        }
    }
}

async fn insert(writer: &Writer, job: Job, control: &SinkControl) -> Result<(), WriteError> {
    for block in &job.blocks {
        let retried = || {
            control.retries.fetch_add(1, Ordering::Relaxed);
        };
        let began = Instant::now();
        let insert = writer.insert(block, &job.origin, retried, || control.is_stopping());
        tokio::select! {
            result = insert => {
                // Failure is measured like success.
                control.insert_seconds.observe(began.elapsed().as_secs_f64());
                result?;
            }
            () = stopped_for(control, STOP_WAIT_MAX) => {
                let (table, rows, origin) = (block.table, block.rows, job.origin);
                return Err(WriteError { table, rows, origin, attempts: 1, reason: GivenUp::Stopped, answer: Answer::TimedOut(STOP_WAIT_MAX) });
            }
        }
        control.rows.fetch_add(block.rows as u64, Ordering::Relaxed);
        control.blocks.fetch_add(1, Ordering::Relaxed);
        control.insert_rows.observe(block.rows as f64);
    }
    Ok(())
}

/// Returns when the sink has been stopping for `wait`.
async fn stopped_for(control: &SinkControl, wait: Duration) {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    while !control.is_stopping() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(wait).await;
}

//! What operators see of a pipeline: how far each stage is, and what is wrong.

use fieldline_log::{Reading, Readings, TopicPartition};
use fieldline_registry::Registry;
use fieldline_sinks::SinkControl;
use fieldline_sinks::deliver::DeliverControl;
use fieldline_sinks::watch::{Place, WatchControl};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What can be watched of a running pipeline, from any thread.
pub struct Watched {
    pub processors: fieldline_processors::Progress,
    pub has_processors: bool,
    pub alerts: [(&'static str, Arc<Readings>); 2],
    pub sinks: Vec<(&'static str, Arc<SinkControl>)>,
    pub delivery: Arc<DeliverControl>,
    pub watch: Arc<WatchControl>,
    pub engine_restarts: Option<Box<dyn Fn() -> u64 + Send + Sync>>,
    pub schemas: Registry,
    pub(super) ended: Arc<AtomicBool>,
}

impl Watched {
    pub fn is_down(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Why it is not alive.
    pub fn down(&self) -> Vec<String> {
        self.is_down().then(|| "a stage has ended; the log says why".to_owned()).into_iter().collect()
    }

    /// Why it is not ready.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.down();
        problems.extend(self.schemas.problem());
        problems.extend(self.watch.standing().into_iter().map(|(component, reasoning)| format!("S12 {component}: {reasoning}")));
        for (at, progress) in self.processors.snapshot() {
            if progress.rebuilt() < 1.0 {
                let percent = progress.rebuilt() * 100.0;
                problems.push(format!("{} partition {} is being rebuilt, {percent:.0} % done", at.topic, at.partition));
            }
        }
        problems
    }

    /// The same for the watch over them, but of history: that may work at one request for long.
    pub fn places(&self) -> Vec<(Place, Reading)> {
        let readings = self.readings().into_iter().filter(|(stage, ..)| *stage != "history");
        let place = |stage: &str, at: TopicPartition| Place { stage: stage.to_owned(), topic: at.topic, partition: at.partition };
        readings.map(|(stage, at, reading)| (place(stage, at), reading)).collect()
    }

    /// Every partition that a stage of this process reads.
    pub fn readings(&self) -> Vec<(&str, TopicPartition, Reading)> {
        let processors = self.processors.snapshot().into_iter();
        let mut readings: Vec<(&str, TopicPartition, Reading)> =
            processors.map(|(at, p)| ("processors", at, Reading { next: p.position, end: p.end, append_time: p.clock })).collect();
        for (stage, alerts) in &self.alerts {
            readings.extend(alerts.snapshot().into_iter().map(|(at, reading)| (*stage, at, reading)));
        }
        for (stage, control) in &self.sinks {
            readings.extend(control.readings.snapshot().into_iter().map(|(at, reading)| (*stage, at, reading)));
        }
        for receiver in &self.delivery.receivers {
            readings.extend(receiver.readings.snapshot().into_iter().map(|(at, reading)| (receiver.stage.as_str(), at, reading)));
        }
        readings
    }
}

//! What operators see of a pipeline: how far each stage is, and what is wrong.

use fieldline_log::{Reading, Readings, TopicPartition};
use fieldline_registry::Registry;
use fieldline_schemas::Timestamp;
use fieldline_schemas::time::SECOND_US;
use fieldline_sinks::SinkControl;
use fieldline_sinks::deliver::DeliverControl;
use fieldline_sinks::watch::{Place, WatchControl};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whoever owns a partition of activity appends a tick each second where nothing else comes.
const SILENCE_US_MAX: i64 = 30 * SECOND_US;
/// A member that was killed keeps its partitions until its session is over; then a process is given what is its own, if anything.
const FIRST_SHARE_WAIT_MAX: Duration = Duration::from_secs(60);

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
    /// Name of the topic whose partitions always tick.
    pub activity: String,
    pub since: Instant,
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
        let owned = self.processors.snapshot();
        problems.extend(first_share(self.has_processors, owned.len(), self.since.elapsed()));
        for (at, progress) in &owned {
            if progress.rebuilt() < 1.0 {
                let percent = progress.rebuilt() * 100.0;
                problems.push(format!("{} partition {} is being rebuilt, {percent:.0} % done", at.topic, at.partition));
            }
        }
        let ticking = owned.iter().filter(|(at, progress)| at.topic == self.activity && progress.lag() == 0);
        problems.extend(silence(ticking.map(|(at, progress)| (at, progress.clock)), Timestamp(crate::observe::now_us())));
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

/// A process that has just begun counts as one to spare only after a while.
fn first_share(has_processors: bool, owned: usize, age: Duration) -> Option<String> {
    let waits = has_processors && owned == 0 && age < FIRST_SHARE_WAIT_MAX;
    waits.then(|| "no partition has been given to the processors yet".to_owned())
}

/// Of partitions that are read to their end, those of which nothing was heard for long: not even the ticks of their owner came back.
fn silence<'a>(clocks: impl Iterator<Item = (&'a TopicPartition, Option<Timestamp>)>, now: Timestamp) -> Option<String> {
    let silent: Vec<_> = clocks.filter_map(|(at, clock)| Some((at, now.since(clock?)))).filter(|(_, us)| *us > SILENCE_US_MAX).collect();
    let (at, silent_us) = silent.first()?;
    let more = if silent.len() > 1 { format!(" (and {} more)", silent.len() - 1) } else { String::new() };
    let TopicPartition { topic, partition } = at;
    Some(format!(
        "nothing has come from {topic} partition {partition}{more} for {} s, not even a tick of our own: the log can not be reached, or its \
         clock is not this machine's",
        silent_us / SECOND_US
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_that_have_begun_wait_for_their_first_share() {
        let check = |has_processors, owned, seconds, expect| {
            let found = first_share(has_processors, owned, Duration::from_secs(seconds));
            assert_eq!(found.is_some(), expect, "{has_processors} {owned} {seconds}");
        };
        check(true, 0, 0, true);
        check(true, 0, 59, true);
        // More processes than partitions: a rollout that waits for this one would wait for ever.
        check(true, 0, 60, false);
        check(true, 1, 0, false);
        check(false, 0, 0, false);
    }

    #[test]
    fn a_partition_is_silent_when_not_even_a_tick_came_for_more_than_30_s() {
        let place = |partition| TopicPartition { topic: "fieldline.activity".into(), partition };
        let check = |ages_us: &[Option<i64>], expect: Option<&str>| {
            let now = Timestamp(1_000 * SECOND_US);
            let places: Vec<_> = (0..).map(place).zip(ages_us.iter().map(|age| age.map(|us| Timestamp(now.0 - us)))).collect();
            let found = silence(places.iter().map(|(at, clock)| (at, *clock)), now);
            assert_eq!(found.as_deref().and_then(|text| text.split(", not").next()), expect, "{ages_us:?}");
        };
        let limit = 30 * SECOND_US;
        check(&[], None);
        // Just assigned: nothing was read yet.
        check(&[None], None);
        check(&[Some(limit), Some(0), Some(-limit)], None);
        check(&[Some(0), Some(limit + 1)], Some("nothing has come from fieldline.activity partition 1 for 30 s"));
        check(
            &[Some(45 * SECOND_US), None, Some(40 * SECOND_US)],
            Some("nothing has come from fieldline.activity partition 0 (and 1 more) for 45 s"),
        );
    }
}

//! The watch over lane, lifecycle and log, each of which is taken away: who hears of it, how, and that it ends.

use crate::bench::{PREFIX, Running, config, log, wait_until, webhook};
use crate::receiver::{Answer, Receiver};
use crate::restart::{HANGS, Mortal};
use fieldline_log::memory::MemoryLog;
use fieldline_log::{Log, Reading, TopicPartition};
use fieldline_processors::{ProcessorError, StageConfig, StopToken, run_lane, run_lifecycle};
use fieldline_processors_core::lifecycle::Settings;
use fieldline_schemas::Topic;
use fieldline_sinks::deliver::{Deadlines, DeliverError, Endpoint, Hidden};
use fieldline_sinks::watch::{self, Limits, PingTarget, Place, Rhythm, WatchConfig, WatchControl};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);
/// The tests' log has a clock that is set by hand: it stands at its beginning.
const CLOCK_OFF_US: i64 = 1 << 50;
/// More appends than any test makes.
const LIVES: i64 = 1 << 40;

/// One stage on a thread, which can be taken away and put back.
struct Stage {
    name: &'static str,
    log: Arc<MemoryLog>,
    running: Option<(StopToken, JoinHandle<Result<(), ProcessorError>>)>,
}

impl Stage {
    fn start(name: &'static str, log: &Arc<MemoryLog>) -> Self {
        let mut stage = Self { name, log: log.clone(), running: None };
        stage.put_back();
        stage
    }

    fn put_back(&mut self) {
        let (stop, log, name) = (StopToken::default(), self.log.clone(), self.name);
        let stopping = stop.clone();
        let work = move || {
            let config = StageConfig { commit_every: Duration::from_millis(20), ..StageConfig::new(PREFIX) };
            if name == "lane" { run_lane(&config, log, &stopping) } else { run_lifecycle(Settings::default(), &config, log, &stopping) }
        };
        self.running = Some((stop, std::thread::spawn(work)));
    }

    fn take_away(&mut self) {
        let (stop, thread) = self.running.take().unwrap();
        stop.stop();
        thread.join().unwrap().unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.take_away();
        }
    }
}

/// A running watch.
struct Watching {
    control: Arc<WatchControl>,
    thread: Option<JoinHandle<Result<(), DeliverError>>>,
}

impl Watching {
    fn start(log: Arc<dyn Log>, desk: &Receiver, outside: &Receiver) -> Self {
        Self::with(log, desk, outside, Vec::new)
    }

    fn with(log: Arc<dyn Log>, desk: &Receiver, outside: &Receiver, look: impl Fn() -> Vec<(Place, Reading)> + Send + 'static) -> Self {
        let control = WatchControl::new();
        let config = WatchConfig {
            prefix: PREFIX.to_owned(),
            schemas: Default::default(),
            rhythm: Some(Rhythm { interval_us: INTERVAL.as_micros() as i64, missed_max: 2 }),
            limits: Limits { stalled_us: 2_000_000, lag_us: 60_000_000 },
            clock_off_us: CLOCK_OFF_US,
            ping: Some(PingTarget {
                endpoint: Endpoint::new(&outside.url()),
                authorization: Some(Hidden("GenieKey of the test".to_owned())),
                deadlines: Deadlines { connect: Duration::from_millis(200), attempt: Duration::from_millis(200) },
                total: INTERVAL,
            }),
            direct_after: Duration::from_millis(500),
            receivers: vec![webhook("desk", &desk.url())],
            routes: Vec::new(),
        };
        let of = Arc::clone(&control);
        let thread = std::thread::spawn(move || watch::run(config, log, Box::new(look), of));
        Self { control, thread: Some(thread) }
    }

    fn beats(&self) -> u64 {
        self.control.beat_seconds.observed().count
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.control.stop();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

struct World {
    log: Arc<MemoryLog>,
    lane: Stage,
    lifecycle: Stage,
    desk: Receiver,
    outside: Receiver,
    _delivery: Running,
}

impl World {
    fn new() -> Self {
        let log = log();
        let desk = Receiver::start(|_, _| Answer::Status(200));
        let _delivery = Running::start(config(vec![webhook("desk", &desk.url())]), log.clone());
        let (lane, lifecycle) = (Stage::start("lane", &log), Stage::start("lifecycle", &log));
        Self { lane, lifecycle, desk, outside: Receiver::start(|_, _| Answer::Status(200)), _delivery, log }
    }

    fn watched(&self) -> Watching {
        Watching::start(self.log.clone(), &self.desk, &self.outside)
    }

    /// Records on a topic.
    fn records(&self, topic: Topic) -> i64 {
        let partitions = self.log.describe_topic(&topic.full_name(PREFIX)).unwrap().unwrap().partitions;
        let end = |partition| self.log.watermarks(&TopicPartition { topic: topic.full_name(PREFIX), partition }).unwrap().end;
        (0..partitions).map(end).sum()
    }

    /// What the desk was told, `component state` each, and the keys.
    fn told(&self) -> Vec<(String, String)> {
        let told = |body: Value, key: String| {
            let component = body["alert_id"].as_str().unwrap().split(':').nth(1).unwrap().to_owned();
            assert_eq!((&body["flag"], &body["technician_contact_id"]), (&"S12".into(), &Value::Null));
            (format!("{component} {}", body["state"].as_str().unwrap()), key)
        };
        self.desk.received().iter().map(|received| told(received.json(), received.key())).collect()
    }

    fn has_told(&self, what: &str) -> bool {
        self.told().iter().any(|(told, _)| told == what)
    }

    fn pings(&self) -> usize {
        self.outside.received().len()
    }
}

#[test]
fn beats_come_back_and_leave_nothing_where_people_look() {
    let world = World::new();
    let watching = world.watched();
    wait_until("three beats came back through all three partitions", || watching.beats() >= 9);
    wait_until("the switch outside was pinged for each", || world.pings() >= 3);
    assert!(watching.control.standing().is_empty());
    assert!(watching.control.pinged.load(Ordering::Relaxed) >= 2);
    drop(watching);
    for topic in [Topic::Activity, Topic::AlertEvents, Topic::Alerts, Topic::Deliveries, Topic::DeadLetters, Topic::Kpis] {
        assert_eq!(world.records(topic), 0, "{topic:?}");
    }
    assert!(world.told().is_empty(), "{:?}", world.told());
    assert!(world.outside.received().iter().all(|ping| ping.body.is_empty() && ping.headers["authorization"] == "GenieKey of the test"));
}

#[test]
fn a_lane_that_is_gone_is_told_of_in_the_ordinary_way_and_when_it_is_back() {
    let mut world = World::new();
    // Two processes watch: one alert.
    let watching = [world.watched(), world.watched()];
    wait_until("beats come back", || watching.iter().all(|watching| watching.beats() >= 3));
    world.lane.take_away();
    wait_until("the desk is told", || world.has_told("lane opened"));
    // Whichever finds it first tells the desk.
    let finds = |watching: &Watching| watching.control.standing().iter().any(|(component, _)| component == "lane");
    wait_until("both find it", || watching.iter().all(finds));
    let pings = world.pings();
    std::thread::sleep(3 * INTERVAL);
    assert_eq!(world.pings(), pings, "a switch that is pinged all the same would tell nobody");
    world.lane.put_back();
    wait_until("the desk is told of its end", || world.has_told("lane resolved"));
    wait_until("the switch is pinged again", || world.pings() > pings);
    wait_until("nothing stands", || watching.iter().all(|watching| watching.control.standing().is_empty()));
    let told: Vec<_> = world.told().into_iter().map(|(told, _)| told).collect();
    assert_eq!(told, ["lane opened", "lane resolved"]);
}

#[test]
fn a_lifecycle_that_is_gone_is_told_of_directly() {
    let mut world = World::new();
    let watching = world.watched();
    wait_until("beats come back", || watching.beats() >= 3);
    world.lifecycle.take_away();
    wait_until("the desk is told", || world.has_told("lifecycle opened"));
    assert_eq!(world.records(Topic::Alerts), 0, "no alert could be made of it");
    assert!(world.desk.received()[0].json()["reasoning"].as_str().unwrap().ends_with("told directly, as the log does not carry it"));
    world.lifecycle.put_back();
    wait_until("the desk is told of its end", || world.has_told("lifecycle resolved"));
    // The ordinary page may overtake the end of it; it has the key of the direct one.
    let opened: Vec<_> = world.told().into_iter().filter(|(told, _)| told == "lifecycle opened").map(|(_, key)| key).collect();
    assert!(opened.iter().all(|key| *key == opened[0] && key.ends_with(":1")), "{opened:?}");
}

/// The log refuses everything, or does not even answer.
#[test]
fn a_log_that_is_away_is_told_of_directly_whether_it_refuses_or_hangs() {
    for trouble in [0, HANGS] {
        let world = World::new();
        let left = Arc::new(AtomicI64::new(LIVES));
        let away = Arc::new(Mortal { log: world.log.clone(), left: Arc::clone(&left) });
        let watching = Watching::start(away, &world.desk, &world.outside);
        wait_until("beats come back", || watching.beats() >= 3);
        left.store(trouble, Ordering::Relaxed);
        wait_until("the desk is told", || world.has_told("log opened"));
        let pings = world.pings();
        assert_eq!(world.records(Topic::AlertEvents), 0);
        left.store(LIVES, Ordering::Relaxed);
        wait_until("the desk is told of its end", || world.has_told("log resolved"));
        wait_until("the switch is pinged again", || world.pings() > pings);
        wait_until("nothing stands", || watching.control.standing().is_empty());
    }
}

/// Whoever raised it is gone; whoever comes next ends it.
#[test]
fn an_s12_of_a_watch_that_is_gone_ends_with_the_health_that_another_one_sees() {
    let mut world = World::new();
    let first = world.watched();
    wait_until("beats come back", || first.beats() >= 3);
    world.lane.take_away();
    wait_until("the desk is told", || world.has_told("lane opened"));
    drop(first);
    world.lane.put_back();
    let second = world.watched();
    wait_until("the desk is told of its end", || world.has_told("lane resolved"));
    wait_until("nothing stands", || second.control.standing().is_empty() && second.beats() >= 3);
    assert_eq!(world.told().len(), 2, "{:?}", world.told());
}

/// What the switch outside does holds up nobody.
#[test]
fn a_switch_that_hangs_or_refuses_delays_no_beat() {
    for answer in [Answer::Hang, Answer::Status(500), Answer::Status(404)] {
        let world = World { outside: Receiver::start(move |_, _| answer.clone()), ..World::new() };
        let watching = world.watched();
        wait_until("three beats came back", || watching.beats() >= 9);
        wait_until("pings are given up", || watching.control.pings_failed.load(Ordering::Relaxed) >= 1);
        assert!(watching.control.standing().is_empty() && world.told().is_empty());
    }
}

/// A stage of this process that stands still, as its own readings have it.
#[test]
fn a_stage_that_stands_still_is_told_of_and_its_end_too() {
    let world = World::new();
    let next = Arc::new(AtomicI64::new(7));
    let of = Arc::clone(&next);
    let place = Place { stage: "raw-sink".into(), topic: "fieldline.calls".into(), partition: 2 };
    let look = move || vec![(place.clone(), Reading { next: of.load(Ordering::Relaxed), end: 100, append_time: None })];
    let _watching = Watching::with(world.log.clone(), &world.desk, &world.outside, look);
    wait_until("the desk is told", || world.has_told("raw-sink.fieldline.calls.2 opened"));
    assert_eq!(world.desk.received()[0].json()["severity"], "error");
    next.store(100, Ordering::Relaxed);
    wait_until("the desk is told of its end", || world.has_told("raw-sink.fieldline.calls.2 resolved"));
}

//! The pipeline watches itself: a synthetic emergency goes the way of a real one every minute, and its absence is S12.
//!
//! ```text
//!            ┌──────────────── beat ────────────────► emergency ─► lane ─► beats ─► lifecycle ─► beats ─┐
//! judge ─► messenger ◄────────────────────────────────────────────────────────────────────────────────────┘
//!   │        └─ S12 ─► alert_events ─► … ─► alerts ─► receivers
//!   ├─ the log did not carry it: receivers, directly
//!   └─ every beat is back: the switch outside is pinged
//! ```
//! * `pulse`: which beats are missed; `stalls`: who stands still or is behind; `clock`: whether the log's goes as ours does;
//!   `breaches`: what follows. All pure.
//! * `messenger`: a thread that works in the log, and may be stuck with it. `ping`: the switch outside. `control`: what is seen.
//!
//! Who judges touches no log and waits for nobody. Each process has a watch of its own, those with receivers send beats, each
//! knows its own by their ids; an S12's id follows from the component and when it began, so two watches raise one alert.

mod breaches;
mod clock;
mod control;
mod messenger;
mod ping;
mod pulse;
mod stalls;

pub use control::WatchControl;
pub use ping::PingTarget;
pub use pulse::Rhythm;
pub use stalls::{Limits, Place};

use crate::deliver::{DeliverError, Direct, Receiver, Route};
use breaches::{Breaches, Finding, Step};
use clock::{Clocks, Moment};
use fieldline_log::{Error as LogError, Log, Reading};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Flag, FlagStanding};
use fieldline_schemas::events::Severity;
use fieldline_schemas::{Timestamp, Topic};
use messenger::{Heard, Messenger, Order, orders};
use ping::Switch;
use pulse::{Missed, Pulse, Station};
use stalls::Stalls;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, SyncSender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is judged so often at least.
const JUDGE_EVERY: Duration = Duration::from_millis(100);
/// And how far the stages are is asked this often.
const LOOK_EVERY_US: i64 = 1_000_000;

/// What the watch needs to know.
#[derive(Clone, Debug)]
pub struct WatchConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub schemas: Registry,
    /// `None`: this process sends no beats.
    pub rhythm: Option<Rhythm>,
    pub limits: Limits,
    /// The log's clock may be off by less than this, microseconds.
    pub clock_off_us: i64,
    pub ping: Option<PingTarget>,
    /// What the log has not made an alert of after so long is told past it.
    pub direct_after: Duration,
    /// Who is told directly of what the log does not carry.
    pub receivers: Vec<Receiver>,
    pub routes: Vec<Route>,
}

/// How far each stage of this process is.
pub type Look = dyn Fn() -> Vec<(Place, Reading)> + Send;

/// Watches until `control` asks it to stop.
pub fn run(config: WatchConfig, log: Arc<dyn Log>, look: Box<Look>, control: Arc<WatchControl>) -> Result<(), DeliverError> {
    let start = |what: &str| {
        let what = what.to_owned();
        move |reason: String| DeliverError::Start { what, reason }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("watch-sends").enable_all().build();
    let runtime = runtime.map_err(|error| start("the watch")(error.to_string()))?;
    let direct = Direct::open(&config.receivers, &config.routes, runtime.handle().clone())?;
    let switch = config.ping.map(|target| Switch::open(target, runtime.handle().clone())).transpose();
    let switch = switch.map_err(start("the ping of the switch outside (watch.ping_url)"))?;

    let partitions = |topic: Topic| {
        let name = topic.full_name(&config.prefix);
        let doing = || format!("looking up topic {name}");
        let found = log.describe_topic(&name).map_err(|source| DeliverError::Log { doing: doing(), source })?;
        let missing = || DeliverError::Log { doing: doing(), source: LogError::UnknownTopic(name.clone()) };
        found.map(|found| found.partitions).ok_or_else(missing)
    };
    let lanes = u16::try_from(partitions(Topic::Emergency)?).unwrap_or(u16::MAX);
    let (began, instant) = (wall_now(), Instant::now());
    let now = move || {
        let passed_us = i64::try_from(instant.elapsed().as_micros()).unwrap_or(i64::MAX);
        Moment { wall: wall_now(), steady: began + passed_us }
    };
    let now: Arc<dyn Fn() -> Moment + Send + Sync> = Arc::new(now);
    let (tell, heard) = channel();
    let (order, ordered) = orders();
    let messenger = Messenger {
        partitions: (lanes, partitions(Topic::AlertEvents)?),
        prefix: config.prefix,
        codec: config.schemas.codec(),
        schemas: config.schemas,
        log,
        watch: uuid::Uuid::new_v4().as_u64_pair().1,
        control: Arc::clone(&control),
        tell,
        now: Arc::clone(&now),
        producer: None,
        is_stuck: false,
        flags: VecDeque::new(),
        beat: None,
        sent: None,
        alerts: messenger::Alerts::default(),
    };
    let hands = std::thread::Builder::new().name("watch-log".to_owned()).spawn(move || messenger.run(&ordered));
    let hands = hands.map_err(|error| start("the watch")(error.to_string()))?;

    if config.rhythm.is_some() {
        control.set_whole(began);
    }
    let judge = Judge {
        pulse: config.rhythm.map(|rhythm| Pulse::new(rhythm, lanes.into())),
        clocks: Clocks::new(config.clock_off_us),
        stalls: Stalls::new(config.limits),
        look,
        look_at: began,
        of_stages: Findings::default(),
        breaches: Breaches::new(i64::try_from(config.direct_after.as_micros()).unwrap_or(i64::MAX)),
        now,
        whole: None,
        orders: order,
        waiting: VecDeque::new(),
        direct,
        switch,
        control,
    };
    judge.run(&heard);
    hands.join().map_err(|_| start("the watch")("it panicked; the message is above".to_owned()))?;
    // A name's resolution, which nothing can interrupt, is not waited for.
    runtime.shutdown_background();
    Ok(())
}

/// What is wrong, and which components are well.
#[derive(Clone, Debug, Default)]
struct Findings {
    wrong: Vec<Finding>,
    well: BTreeSet<String>,
}

struct Judge {
    pulse: Option<Pulse>,
    clocks: Clocks,
    stalls: Stalls,
    look: Box<Look>,
    /// When the stages are looked at next, and what was found of them last.
    look_at: Timestamp,
    of_stages: Findings,
    breaches: Breaches,
    now: Arc<dyn Fn() -> Moment + Send + Sync>,
    /// The newest beat that came back through every partition.
    whole: Option<u64>,
    orders: SyncSender<Order>,
    /// Flags for which there was no room among the orders.
    waiting: VecDeque<Flag<'static>>,
    direct: Direct,
    switch: Option<Switch>,
    control: Arc<WatchControl>,
}

impl Judge {
    fn run(mut self, heard: &Inbox<Heard>) {
        while !self.control.is_stopping() {
            match heard.recv_timeout(JUDGE_EVERY) {
                Ok(first) => std::iter::once(first).chain(heard.try_iter()).for_each(|heard| self.hear(heard)),
                Err(RecvTimeoutError::Timeout) => {}
                // The messenger has panicked; whoever joins it says so.
                Err(RecvTimeoutError::Disconnected) => return self.control.stop(),
            }
            self.judge();
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::CameBy { station, partition, number } => {
                let now = (self.now)().steady;
                self.pulse.iter_mut().for_each(|pulse| pulse.came_by(station, partition, number, now));
            }
            Heard::Seen { partition, sighting } => self.clocks.see(partition, sighting),
            Heard::Alert { alert_id, is_open } => self.breaches.heard(&alert_id, is_open),
        }
    }

    fn judge(&mut self) {
        let Moment { wall, steady: now } = (self.now)();
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY_US;
            self.of_stages = Findings::default();
            let Findings { wrong, well } = &mut self.of_stages;
            self.stalls.judge((now, wall), &(self.look)(), wrong, well);
        }
        let Findings { mut wrong, mut well } = self.of_stages.clone();
        self.clocks.judge(&mut wrong, &mut well);
        let whole = self.judge_beats(now, &mut wrong, &mut well);
        let mut steps = Vec::new();
        self.breaches.judge(now, wrong, &well, &mut steps);
        steps.into_iter().for_each(|step| self.follow(step));
        while let Some(flag) = self.waiting.pop_front() {
            if self.orders.try_send(Order::Append(Box::new(flag.clone()))).is_err() {
                self.waiting.push_front(flag);
                break;
            }
        }
        self.control.set_standing(self.breaches.standing());
        if let Some(number) = whole.filter(|_| whole != self.whole) {
            self.whole = Some(number);
            self.control.set_whole(wall_now());
            if let Some(switch) = self.switch.as_ref().filter(|_| self.breaches.standing().next().is_none()) {
                switch.ping(&self.control);
            }
        }
    }

    /// The newest beat, if it came back through every partition.
    fn judge_beats(&mut self, now: Timestamp, wrong: &mut Vec<Finding>, well: &mut BTreeSet<String>) -> Option<u64> {
        let pulse = self.pulse.as_mut()?;
        let missed = pulse.judge(now);
        // The messenger has its hands full: a beat that it does not take is missed.
        if let Some(number) = pulse.beat(now) {
            _ = self.orders.try_send(Order::Beat(number));
        }
        let whole = pulse.whole();
        // What lies before the first that misses one has passed beats on.
        let first = missed.as_ref().map(|missed| missed.station);
        let are_well = |station: &Station| first.map_or(whole.is_some(), |first| *station < first);
        well.extend(Station::ALL.into_iter().filter(are_well).map(|station| station.name().to_owned()));
        wrong.extend(missed.iter().map(finding));
        whole
    }

    fn follow(&mut self, step: Step) {
        match step {
            Step::Append(flag) => {
                if flag.standing == FlagStanding::Raised {
                    tracing::error!(alert = %flag.alert_id, reasoning = %flag.reasoning, "the pipeline is not well (S12)");
                } else {
                    tracing::warn!(alert = %flag.alert_id, "the pipeline is well again");
                    self.direct.hush(&flag.alert_id);
                }
                self.waiting.push_back(*flag);
            }
            Step::Tell(alert) => {
                tracing::error!(alert = %alert.alert_id, "the log does not carry an S12: receivers are told directly");
                self.direct.tell(&alert);
            }
        }
    }
}

fn finding(missed: &Missed) -> Finding {
    let Missed { station, since, partitions } = missed;
    let list = partitions.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let reasoning = match station {
        Station::Log => {
            format!("the log has taken no synthetic emergency since {since}: nothing can be recorded, and nobody paged, through it")
        }
        Station::Lane => {
            format!(
                "the emergency lane has passed on no synthetic emergency since {since} (partitions {list}): a real one may reach nobody"
            )
        }
        Station::Lifecycle => {
            format!("no synthetic emergency has become an alert since {since} (partitions {list}): alerts may reach nobody")
        }
    };
    Finding { component: station.name().to_owned(), since: *since, severity: Severity::Critical, reasoning }
}

fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

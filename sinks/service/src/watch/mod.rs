//! The pipeline watches itself: a synthetic emergency goes the way of a real one every minute, and its absence is S12.
//!
//! ```text
//!            ┌──────────────── beat ────────────────► emergency ─► lane ─► beats ─► lifecycle ─► beats ─┐
//! judge ─► messenger ◄────────────────────────────────────────────────────────────────────────────────────┘
//!   │        └─ S12 ─► alert_events ─► … ─► alerts ─► receivers
//!   ├─ the log did not carry it: receivers, directly
//!   └─ every beat is back: the switch outside is pinged
//! ```
//! * `pulse`: which beats are missed; `breaches`: what follows. Both pure.
//! * `messenger`: a thread that works in the log, and may be stuck with it. `ping`: the switch outside. `control`: what is seen.
//!
//! Who judges touches no log and waits for nobody. Each process with receivers has a watch of its own that knows its own beats
//! by their ids; an S12's id follows from the component and the beat that was missed first, so two watches raise one alert.

mod breaches;
mod control;
mod messenger;
mod ping;
mod pulse;

pub use control::WatchControl;
pub use ping::PingTarget;
pub use pulse::Rhythm;

use crate::deliver::{DeliverError, Direct, Receiver, Route};
use breaches::{Breaches, Finding, Step};
use fieldline_log::{Error as LogError, Log};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Flag, FlagStanding};
use fieldline_schemas::events::Severity;
use fieldline_schemas::{Timestamp, Topic};
use messenger::{Heard, Messenger, Order, orders};
use ping::Switch;
use pulse::{Missed, Pulse, Station};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, SyncSender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is judged so often at least.
const JUDGE_EVERY: Duration = Duration::from_millis(100);

/// What the watch needs to know.
#[derive(Clone, Debug)]
pub struct WatchConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub schemas: Registry,
    pub rhythm: Rhythm,
    pub ping: Option<PingTarget>,
    /// What the log has not made an alert of after so long is told past it.
    pub direct_after: Duration,
    /// Who is told directly of what the log does not carry.
    pub receivers: Vec<Receiver>,
    pub routes: Vec<Route>,
}

/// Watches until `control` asks it to stop.
pub fn run(config: WatchConfig, log: Arc<dyn Log>, control: Arc<WatchControl>) -> Result<(), DeliverError> {
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
        now: wall_now,
        producer: None,
        is_stuck: false,
        flags: VecDeque::new(),
        beat: None,
        sent: None,
        alerts: messenger::Alerts::default(),
    };
    let hands = std::thread::Builder::new().name("watch-log".to_owned()).spawn(move || messenger.run(&ordered));
    let hands = hands.map_err(|error| start("the watch")(error.to_string()))?;

    control.set_whole(wall_now());
    let judge = Judge {
        pulse: Pulse::new(config.rhythm, lanes.into()),
        breaches: Breaches::new(i64::try_from(config.direct_after.as_micros()).unwrap_or(i64::MAX)),
        began: (wall_now(), Instant::now()),
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

struct Judge {
    pulse: Pulse,
    breaches: Breaches,
    /// By this machine's clock and by one that never goes back.
    began: (Timestamp, Instant),
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
            self.judge(self.now());
        }
    }

    /// This machine's clock as it was at the beginning, and what has passed since.
    fn now(&self) -> Timestamp {
        let (began, instant) = self.began;
        began + i64::try_from(instant.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::CameBy { station, partition, number } => self.pulse.came_by(station, partition, number, self.now()),
            Heard::Alert { alert_id, is_open } => self.breaches.heard(&alert_id, is_open),
        }
    }

    fn judge(&mut self, now: Timestamp) {
        let missed = self.pulse.judge(now);
        // The messenger has its hands full: a beat that it does not take is missed.
        if let Some(number) = self.pulse.beat(now) {
            _ = self.orders.try_send(Order::Beat(number));
        }
        let mut well = BTreeSet::new();
        let whole = self.pulse.whole();
        if whole.is_some() {
            well.extend(Station::ALL.map(|station| station.name().to_owned()));
        } else if let Some(missed) = &missed {
            // What lies before it on the way has passed beats on.
            well.extend(Station::ALL.into_iter().filter(|station| *station < missed.station).map(|station| station.name().to_owned()));
        }
        let mut steps = Vec::new();
        self.breaches.judge(now, missed.iter().map(finding).collect(), &well, &mut steps);
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
        Station::Log => format!("the log has taken no synthetic emergency since {since}: nothing can be recorded, and nobody paged, through it"),
        Station::Lane => {
            format!("the emergency lane has passed on no synthetic emergency since {since} (partitions {list}): a real one may reach nobody")
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

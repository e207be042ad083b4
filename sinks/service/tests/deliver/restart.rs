//! Kills at random moments: what is owed is sent, what is recorded is not sent again.

use crate::bench::{Running, WAIT_MAX, alert, append, append_alerts, config, deliveries, key, log, make_topics, now, wait_until, webhook};
use crate::receiver::{Answer, Receiver};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::{
    Append, AppendNumber, Committed, Consumer, Error, Log, Polled, Producer, Result, TopicDescription, TopicPartition, TopicSpec,
    Watermarks,
};
use fieldline_schemas::alerts::{Delivered, Delivery, DeliveryOutcome, FlagCode};
use fieldline_schemas::{AnyRecord, Timestamp, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A log whose user dies after so many appends: from then on nothing it does succeeds.
pub struct Mortal {
    pub log: Arc<dyn Log>,
    pub left: Arc<AtomicI64>,
}

/// Of `left`: whatever is asked is answered once this is no longer so.
pub const HANGS: i64 = i64::MIN;

fn alive(left: &AtomicI64) -> Result<()> {
    while left.load(Ordering::Relaxed) == HANGS {
        std::thread::sleep(Duration::from_millis(5));
    }
    if left.load(Ordering::Relaxed) > 0 { Ok(()) } else { Err(Error::Other("killed".to_owned())) }
}

struct MortalProducer(Box<dyn Producer>, Arc<AtomicI64>);
impl Producer for MortalProducer {
    fn append(&mut self, topic: &str, record: Append<'_>) -> Result<AppendNumber> {
        alive(&self.1)?;
        self.1.fetch_sub(1, Ordering::Relaxed);
        alive(&self.1)?;
        self.0.append(topic, record)
    }
    fn acknowledged(&mut self) -> Result<AppendNumber> {
        // Of what was appended before the kill all has got away.
        let acknowledged = self.0.acknowledged();
        alive(&self.1)?;
        acknowledged
    }
    fn flush(&mut self, deadline: Duration) -> Result<()> {
        alive(&self.1)?;
        self.0.flush(deadline)
    }
}

struct MortalConsumer(Box<dyn Consumer>, Arc<AtomicI64>);
impl Consumer for MortalConsumer {
    fn poll(&mut self, wait: Duration, records_max: usize) -> Result<Polled> {
        alive(&self.1)?;
        self.0.poll(wait, records_max)
    }
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        self.0.seek(partition, offset)
    }
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.0.committed(partition)
    }
    fn commit(&mut self, positions: &[(TopicPartition, Committed)]) -> Result<()> {
        alive(&self.1)?;
        self.0.commit(positions)
    }
    fn offset_for_time(&mut self, partition: &TopicPartition, time: Timestamp) -> Result<i64> {
        self.0.offset_for_time(partition, time)
    }
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks> {
        self.0.watermarks(partition)
    }
    fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.0.pause(partition)
    }
    fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.0.resume(partition)
    }
}

impl Log for Mortal {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicDescription> {
        self.log.ensure_topic(spec)
    }
    fn describe_topic(&self, topic: &str) -> Result<Option<TopicDescription>> {
        self.log.describe_topic(topic)
    }
    fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks> {
        self.log.watermarks(partition)
    }
    fn committed(&self, group: &str, partition: &TopicPartition) -> Result<Option<Committed>> {
        self.log.committed(group, partition)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(Box::new(MortalProducer(self.log.producer()?, Arc::clone(&self.left))))
    }
    fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(MortalConsumer(self.log.consumer(group, topics)?, Arc::clone(&self.left))))
    }
}

/// Runs delivery until it dies after `appends`; false where it lives on with nothing owed, and is stopped.
fn run_mortal(log: &Arc<dyn Log>, receiver: &Receiver, appends: i64, is_done: &dyn Fn() -> bool) -> bool {
    let mortal = Mortal { log: Arc::clone(log), left: Arc::new(AtomicI64::new(appends)) };
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), Arc::new(mortal));
    let began = Instant::now();
    while !running.is_finished() && !is_done() {
        assert!(began.elapsed() < WAIT_MAX, "delivery neither dies nor finishes");
        std::thread::sleep(Duration::from_millis(2));
    }
    running.end().is_err()
}

fn kill_and_restart(log: Arc<dyn Log>, notifications: usize) {
    let receiver = Receiver::start(|_, number| match number % 13 {
        0 => Answer::Status(503),
        1 => Answer::BreakOff,
        _ => Answer::Status(200),
    });
    let alerts: Vec<_> = (0..notifications as u32).map(|number| alert(number, FlagCode::S1, 1)).collect();
    append_alerts(log.as_ref(), alerts.clone());
    let acknowledged = |topic| -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for delivery in deliveries(log.as_ref(), topic).iter().filter(|d| d.outcome == DeliveryOutcome::Acknowledged) {
            *count.entry(format!("{}:{}", delivery.alert_id, delivery.notification)).or_default() += 1;
        }
        count
    };
    let mut kills = 0;
    // An even and an odd number of appends: the kill comes between the two records of one acknowledgement, too.
    for appends in [1, 2, 3, 6, 9, 14, 21, 32, 45, 60] {
        kills += usize::from(run_mortal(&log, &receiver, appends, &|| false));
    }
    assert_eq!(kills, 10, "every kill must happen");
    let is_done = || acknowledged(Topic::AlertEvents).len() == notifications;
    assert!(!run_mortal(&log, &receiver, i64::MAX, &is_done), "nothing kills it any more");

    let taken = receiver.taken();
    assert!(alerts.iter().all(|alert| taken.contains_key(&key(alert))), "a notification was lost");
    // An acknowledgement that is on `deliveries` stands there once: it was never sent again.
    let recorded = acknowledged(Topic::Deliveries);
    assert_eq!(recorded.len(), notifications);
    assert!(recorded.values().all(|times| *times == 1), "{recorded:?}");
    // What was taken more than once was under way at a kill: eight at most each time.
    let repeated: usize = taken.values().map(|times| times - 1).sum();
    assert!(repeated <= 8 * kills, "{repeated} repeated after {kills} kills");
    assert!(repeated > 0, "no kill ever came between an acknowledgement and its record");
    assert_eq!(acknowledged(Topic::AlertEvents).len(), notifications, "the lifecycle hears of each");

    // And another start sends nothing.
    let before = receiver.received().len();
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), Arc::clone(&log));
    std::thread::sleep(Duration::from_millis(500));
    running.end().unwrap();
    assert_eq!(receiver.received().len(), before);
}

#[test]
fn kills_on_a_log_in_memory() {
    kill_and_restart(log(), 120);
}

#[test]
fn kills_on_the_embedded_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
    make_topics(log.as_ref());
    kill_and_restart(log, 60);
}

/// The lifecycle is away: what was given up and what was acknowledged is known from `deliveries` alone, and is told to the
/// lifecycle again, which may never have heard of it.
#[test]
fn what_only_deliveries_knows_is_not_sent_again() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let alerts = [alert(1, FlagCode::S5, 1), alert(2, FlagCode::S5, 2), alert(3, FlagCode::S5, 2), alert(4, FlagCode::S5, 1)];
    append_alerts(log.as_ref(), alerts.clone());
    let delivery = |number: usize, notification, receiver: &'static str, outcome| {
        AnyRecord::Delivery(Delivery {
            alert_id: alerts[number].alert_id.clone(),
            notification,
            receiver: receiver.into(),
            channel: "webhook".into(),
            attempt: 3,
            outcome,
            attempted_at: now(),
            waited_us: 0,
            took_us: 0,
            status: None,
            detail: "".into(),
        })
    };
    let records = [
        delivery(0, 1, "desk", DeliveryOutcome::Acknowledged),
        delivery(1, 2, "desk", DeliveryOutcome::GaveUp),
        // An older notification, and another receiver.
        delivery(2, 1, "desk", DeliveryOutcome::Acknowledged),
        delivery(3, 1, "other", DeliveryOutcome::Acknowledged),
    ];
    append(log.as_ref(), Topic::Deliveries, records);
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), log.clone());
    wait_until("two are sent", || receiver.taken().len() == 2);
    std::thread::sleep(Duration::from_millis(300));
    running.end().unwrap();
    let mut sent: Vec<_> = receiver.taken().into_keys().collect();
    sent.sort();
    assert_eq!(sent, [key(&alerts[2]), key(&alerts[3])]);
    let mut told: Vec<_> =
        deliveries(log.as_ref(), Topic::AlertEvents).iter().map(|d| format!("{}:{}", d.alert_id, d.notification)).collect();
    told.sort();
    assert_eq!(told, alerts.each_ref().map(|alert| key(alert)));
}

/// What the lifecycle has repeated needs no look at `deliveries`.
#[test]
fn what_the_lifecycle_repeats_is_not_sent_again() {
    let log = log();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let told = |number, notification, of: u32| {
        let mut alert = alert(number, FlagCode::S1, of);
        alert.delivered.push(Delivered { receiver: "desk".into(), notification });
        alert
    };
    append_alerts(log.as_ref(), [told(1, 3, 3), told(2, 2, 3)]);
    let running = Running::start(config(vec![webhook("desk", &receiver.url())]), log.clone());
    wait_until("one is sent", || receiver.taken().len() == 1);
    std::thread::sleep(Duration::from_millis(200));
    running.end().unwrap();
    assert_eq!(receiver.taken().into_keys().collect::<Vec<_>>(), [key(&told(2, 2, 3))]);
}

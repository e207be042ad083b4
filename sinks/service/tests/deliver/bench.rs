//! A log in memory with alerts on it, and delivery running on it.

use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Destination, Log, TopicSpec, partition_for_key, read_topic};
use fieldline_schemas::alerts::{Alert, AlertState, AlertStep, Delivery, FlagCode};
use fieldline_schemas::events::Severity;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::results::Stamp;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, Version, key_of, subject_of};
use fieldline_sinks::deliver::policy::Settings;
use fieldline_sinks::deliver::{self, Channel, Deadlines, DeliverConfig, DeliverControl, DeliverError, Endpoint, Receiver, Style};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const PREFIX: &str = "fieldline.";
pub const PARTITIONS: i32 = 3;
pub const WAIT_MAX: Duration = Duration::from_secs(60);

pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

pub fn log() -> Arc<MemoryLog> {
    let log = MemoryLog::new(MemoryOptions { event_time: false, waits: true, clock: now() });
    make_topics(log.as_ref());
    log
}

pub fn make_topics(log: &dyn Log) {
    for topic in Topic::ALL {
        log.ensure_topic(&TopicSpec { name: topic.full_name(PREFIX), partitions: PARTITIONS, retention: None, compacted: false }).unwrap();
    }
}

/// An alert of a technician of its own; versions rise with the notification.
pub fn alert(number: u32, flag: FlagCode, notification: u32) -> Alert<'static> {
    let mut id = [0x70; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let technician = TechnicianId::from_bytes(id);
    Alert {
        stamp: Stamp { version: Version::pack(0, 0, u64::from(notification), 0).unwrap(), as_of: now(), caused_by: None },
        alert_id: format!("{}:{technician}:{number}", flag.symbol()).into(),
        flag,
        severity: if matches!(flag, FlagCode::S1 | FlagCode::S6) { Severity::Critical } else { Severity::Warning },
        technician_contact_id: Some(technician),
        visit_id: None,
        state: AlertState::Opened,
        step: AlertStep::Opened,
        cause: "timer".into(),
        actor_contact_id: None,
        opened_at: now(),
        about_at: now(),
        notified_at: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        resolved_at: None,
        resolved_by_contact_id: None,
        resolve_reason: None,
        round: 0,
        reopened: 0,
        repeats: 0,
        notification,
        is_late: false,
        is_voided: false,
        location: None,
        reasoning: "open since 08:00, last event \"left_site\" 16:40".into(),
        note: None,
        delivered: Vec::new(),
    }
}

pub fn resolved(mut alert: Alert<'static>) -> Alert<'static> {
    alert.state = AlertState::Resolved;
    alert.resolved_at = Some(now());
    alert
}

pub fn key(alert: &Alert<'_>) -> String {
    format!("{}:{}", alert.alert_id, alert.notification)
}

pub fn append(log: &dyn Log, topic: Topic, records: impl IntoIterator<Item = AnyRecord<'static>>) {
    let (codec, mut producer) = (Codec::new(), log.producer().unwrap());
    for record in records {
        let mut value = Vec::new();
        codec.encode(&record, &mut value);
        let key = key_of(&record);
        let subject = subject_of(std::str::from_utf8(&key).unwrap()).filter(|_| topic != Topic::Contacts);
        let by_subject = |subject: &str| Destination::Partition(partition_for_key(subject.as_bytes(), PARTITIONS));
        let destination = subject.map_or(Destination::ByKey, by_subject);
        producer.append(&topic.full_name(PREFIX), Append { destination, key: &key, value: &value, append_time: None }).unwrap();
    }
    producer.flush(WAIT_MAX).unwrap();
}

pub fn append_alerts(log: &dyn Log, alerts: impl IntoIterator<Item = Alert<'static>>) {
    append(log, Topic::Alerts, alerts.into_iter().map(AnyRecord::Alert));
}

/// Every delivery on the topic, partition by partition, in order.
pub fn deliveries(log: &dyn Log, topic: Topic) -> Vec<Delivery<'static>> {
    let (codec, mut found) = (Codec::new(), Vec::new());
    let group = format!("{PREFIX}test-{}", uuid::Uuid::new_v4());
    read_topic(log, &group, &topic.full_name(PREFIX), &mut |batch| {
        for record in batch.iter() {
            let Ok(AnyRecord::Delivery(delivery)) = codec.decode(record.value) else { panic!("something else is on {}", topic.name()) };
            found.push(delivery.into_owned());
        }
    })
    .unwrap();
    found
}

/// A webhook with short deadlines.
pub fn webhook(name: &str, url: &str) -> Receiver {
    let channel = Channel::Webhook { endpoint: Endpoint::new(url), style: Style::Json, secret: None };
    Receiver {
        deadlines: Deadlines { connect: Duration::from_millis(500), attempt: Duration::from_millis(500) },
        ..Receiver::new(name, channel)
    }
}

/// A policy of milliseconds.
pub fn config(receivers: Vec<Receiver>) -> DeliverConfig {
    let policy = Settings {
        pause_min: Duration::from_millis(10),
        pause_max: Duration::from_millis(80),
        emergency_pause_max: Duration::from_millis(40),
        retry_after_max: Duration::from_secs(2),
        give_up_after: Duration::from_secs(600),
    };
    DeliverConfig { prefix: PREFIX.to_owned(), receivers, policy, ..DeliverConfig::default() }
}

/// Delivery at work.
pub struct Running {
    pub control: Arc<DeliverControl>,
    thread: Option<JoinHandle<Result<(), DeliverError>>>,
}

impl Running {
    pub fn start(config: DeliverConfig, log: Arc<dyn Log>) -> Self {
        let control = DeliverControl::new(&config);
        let of = Arc::clone(&control);
        let thread = std::thread::spawn(move || deliver::run(config, log, of));
        Self { control, thread: Some(thread) }
    }

    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().unwrap().is_finished()
    }

    /// Waits until it ends by itself, or asks it to.
    pub fn end(mut self) -> Result<(), DeliverError> {
        self.control.stop();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.control.stop();
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < WAIT_MAX, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

//! Records of attempts: all on `deliveries`; what the lifecycle waits for on `alert_events` too. And what was recorded before.

use super::book::{Book, Recalled};
use super::config::DeliverConfig;
use super::{DeliverError, doing};
use fieldline_log::{Append, Destination, Log, Polled, Producer, TopicPartition};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Delivery, DeliveryOutcome};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use fieldline_schemas::{Codec, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long records may take to be acknowledged by the log when a receiver stops.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(30);
const POLL_WAIT_MAX: Duration = Duration::from_millis(20);
const POLL_RECORDS_MAX: usize = 10_000;
/// So long without a record is the end of what can be read.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A topic's full name and its number of partitions.
struct Destined {
    name: String,
    partitions: i32,
}

impl Destined {
    fn find(log: &dyn Log, topic: Topic, prefix: &str) -> Result<Self, DeliverError> {
        let name = topic.full_name(prefix);
        let found = log.describe_topic(&name).map_err(doing(|| format!("looking up topic {name}")))?;
        let missing =
            || DeliverError::Log { doing: "looking up a topic".to_owned(), source: fieldline_log::Error::UnknownTopic(name.clone()) };
        let partitions = found.ok_or_else(missing)?.partitions;
        Ok(Self { name, partitions })
    }
}

pub(super) struct Journal {
    producer: Box<dyn Producer>,
    deliveries: Destined,
    alert_events: Destined,
    codec: Codec,
    bytes: Vec<u8>,
}

impl Journal {
    pub fn open(log: &dyn Log, prefix: &str, schemas: &Registry) -> Result<Self, DeliverError> {
        let deliveries = Destined::find(log, Topic::Deliveries, prefix)?;
        let alert_events = Destined::find(log, Topic::AlertEvents, prefix)?;
        let producer = log.prompt_producer(&[&deliveries.name, &alert_events.name]);
        let producer = producer.map_err(doing(|| "opening a producer of deliveries".to_owned()))?;
        Ok(Self { producer, deliveries, alert_events, codec: schemas.codec(), bytes: Vec::new() })
    }

    /// Appends a delivery to `deliveries`, and to `alert_events` where the lifecycle waits for it.
    pub fn record(&mut self, delivery: Delivery<'_>) -> Result<(), DeliverError> {
        let is_news = matches!(delivery.outcome, DeliveryOutcome::Acknowledged | DeliveryOutcome::GaveUp);
        // The lifecycle first: a kill between the two repeats the notification; the other way round it would hear of none.
        let topics: &[Topic] = if is_news { &[Topic::AlertEvents, Topic::Deliveries] } else { &[Topic::Deliveries] };
        self.append(delivery, topics)
    }

    fn append(&mut self, delivery: Delivery<'_>, topics: &[Topic]) -> Result<(), DeliverError> {
        let alert_id = delivery.alert_id.to_string();
        self.bytes.clear();
        self.codec.encode(&AnyRecord::Delivery(delivery), &mut self.bytes);
        for topic in topics {
            let topic = if *topic == Topic::AlertEvents { &self.alert_events } else { &self.deliveries };
            let destination = Destination::of_alert(&alert_id, topic.partitions);
            let append = Append { destination, key: alert_id.as_bytes(), value: &self.bytes, append_time: None };
            self.producer.append(&topic.name, append).map_err(doing(|| format!("recording an attempt on {}", topic.name)))?;
        }
        // Handed over at once: what is acknowledged and not recorded would be sent again after a crash.
        self.producer.acknowledged().map_err(doing(|| "recording attempts".to_owned()))?;
        Ok(())
    }

    pub fn flush(&mut self) -> Result<(), DeliverError> {
        self.producer.flush(FLUSH_WAIT_MAX).map_err(doing(|| "waiting until the attempts are recorded".to_owned()))
    }

    /// Tells the book what `deliveries` has recorded of this receiver since the given append time: the lifecycle may not have
    /// said so yet, and of what was given up it says nothing. What it may not have heard of is told to it again.
    pub fn recall(
        &mut self,
        log: &dyn Log,
        config: &DeliverConfig,
        receiver: &str,
        since: Timestamp,
        book: &mut Book,
        stopping: &dyn Fn() -> bool,
    ) -> Result<(), DeliverError> {
        let topic = Topic::Deliveries.full_name(&config.prefix);
        let during = || format!("reading what {topic} has recorded");
        let mut unread: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for partition in 0..self.deliveries.partitions {
            let at = TopicPartition { topic: topic.clone(), partition };
            let watermarks = log.watermarks(&at).map_err(doing(during))?;
            if watermarks.end > watermarks.begin {
                unread.insert(at, watermarks.end);
            }
        }
        let group = format!("{}receiver-{receiver}-recall-{}", config.prefix, uuid::Uuid::new_v4());
        let mut consumer = log.consumer(&group, &[&topic]).map_err(doing(during))?;
        let mut unheard = Vec::new();
        let mut moved_at: Option<Instant> = None;
        while !unread.is_empty() && !stopping() && moved_at.is_none_or(|at| at.elapsed() < SILENCE_MAX) {
            match consumer.poll(POLL_WAIT_MAX, POLL_RECORDS_MAX).map_err(doing(during))? {
                Polled::Assigned(assigned) => {
                    for at in assigned {
                        let start = consumer.offset_for_time(&at, since).map_err(doing(during))?;
                        let start = start.max(consumer.watermarks(&at).map_err(doing(during))?.begin);
                        consumer.seek(&at, start).map_err(doing(during))?;
                        if unread.get(&at).is_some_and(|end| start >= *end) {
                            unread.remove(&at);
                        }
                    }
                    moved_at = Some(Instant::now());
                }
                Polled::Records(batch) => {
                    moved_at = Some(Instant::now());
                    if !config.schemas.admits(&batch, consumer.as_mut()).map_err(doing(during))? {
                        continue;
                    }
                    for record in batch.iter() {
                        // What is not understood is the results sink's dead letter.
                        let Ok(AnyRecord::Delivery(delivery)) = self.codec.decode(record.value) else { continue };
                        if delivery.receiver == receiver {
                            let recalled = match delivery.outcome {
                                DeliveryOutcome::Acknowledged => Recalled::Acknowledged,
                                DeliveryOutcome::Failed => Recalled::Failed,
                                DeliveryOutcome::GaveUp => Recalled::GaveUp,
                                DeliveryOutcome::Suppressed => Recalled::Suppressed,
                            };
                            if book.recall(&delivery.alert_id, delivery.notification, delivery.attempt, recalled) {
                                unheard.push(delivery.into_owned());
                            }
                        }
                    }
                    unread.retain(|at, end| *at != batch.partition || batch.next_offset().is_none_or(|next| next < *end));
                }
                Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => {}
            }
        }
        unheard.into_iter().try_for_each(|delivery| self.append(delivery, &[Topic::AlertEvents]))
    }
}

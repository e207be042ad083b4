//! The typed publisher: records in, log out, refused before the log what a reader would refuse behind it.
//!
//! Usable alone: it needs a [`Log`] and nothing else of the pipeline. One publisher belongs to one thread.
//!
//! ```text
//! record ─► checked, encoded ─┬─► bulk producer    waits some milliseconds for more to travel along
//!                             └─► prompt producer  an emergency: its own log, then the lane
//! ```
//! An emergency leaves at once, past whatever this publisher still has under way, and has connections and room in flight of
//! its own. So it may stand in the log before a record that was published just before it; records of one event keep their
//! order. Where event time stands for append time nothing is urgent, and everything keeps its order.

use crate::route::{destination, event_of, is_later_plan, lane_of, plan_start, planned_for, topic_of};
use crate::ways::{Way, Ways};
use fieldline_log::{Append, AppendNumber, Log, Producer, TopicSpec};
use fieldline_registry::Registry;
use fieldline_schemas::events::{Common, CommunicationCall, DeadLetterReason, OperationalEvent, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::limits::PAYLOAD_BYTES_MAX;
use fieldline_schemas::topics::PREFIX_DEFAULT;
use fieldline_schemas::{AnyRecord, Codec, Missing, Rejection, SosTypes, Timestamp, Topic, from_json, key_in, validate};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// The topics of an emergency.
const URGENT_TOPICS: [Topic; 3] = [Topic::Activity, Topic::Operations, Topic::Emergency];
/// Who never asks for acknowledgements has them taken in this often, in records, or what is known of each would be kept.
const LOOK_EVERY: usize = 1 << 14;

/// The topics that producers write to.
pub const TOPICS: [Topic; 8] = [
    Topic::Activity,
    Topic::Calls,
    Topic::Operations,
    Topic::Plans,
    Topic::Contacts,
    Topic::Emergency,
    Topic::AlertEvents,
    Topic::DeadLetters,
];

/// How a publisher publishes.
#[derive(Clone, Debug)]
pub struct PublisherConfig {
    /// Stands before every topic's name.
    pub prefix: String,
    /// Partitions of topics that do not exist yet; `None`: as their cards say.
    pub partitions: Option<i32>,
    /// Whether topics that are absent are made, or are an error.
    pub makes_topics: bool,
    /// What time it is; `None`: this machine's clock.
    pub now: Option<fn() -> Timestamp>,
    /// The ids that records are written with.
    pub schemas: Registry,
    /// Operational events that take the emergency lane too.
    pub sos: SosTypes,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        let (prefix, schemas, sos) = (PREFIX_DEFAULT.to_owned(), Registry::default(), SosTypes::default());
        Self { prefix, partitions: None, makes_topics: true, now: None, schemas, sos }
    }
}

/// Why a record was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Nobody could understand it; nothing was written.
    #[error("the record is refused before the log: {0}")]
    Refused(#[from] Rejection),
    /// The log does not take it.
    #[error("appending to topic {topic}")]
    Append { topic: String, source: fieldline_log::Error },
    #[error("waiting until what was appended is durable")]
    Acknowledge { source: fieldline_log::Error },
    #[error("preparing topic {topic}")]
    Topic { topic: String, source: fieldline_log::Error },
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its own; copies in the lane and in `plans` aside.
    pub topic: Topic,
    /// Of its last copy. All are durable when [`Publisher::acknowledged`] has reached it.
    pub number: AppendNumber,
}

/// Appends records of the contract to a log.
pub struct Publisher {
    bulk: Box<dyn Producer>,
    prompt: Box<dyn Producer>,
    ways: Ways,
    codec: Codec,
    /// Full name and partition count of each topic, by its number.
    topics: Vec<(String, i32)>,
    now: fn() -> Timestamp,
    sos: SosTypes,
    payload: Vec<u8>,
}

impl Publisher {
    /// Connects to the log and sees to it that the topics of producers exist.
    pub fn new(log: Arc<dyn Log>, config: PublisherConfig) -> Result<Self, PublishError> {
        let mut topics: Vec<(String, i32)> = Topic::ALL.iter().map(|t| (t.full_name(&config.prefix), t.card().partitions as i32)).collect();
        for topic in TOPICS {
            let card = topic.card();
            let (name, partitions) = &mut topics[topic as usize];
            let found = log.describe_topic(name).map_err(|source| PublishError::Topic { topic: name.clone(), source })?;
            *partitions = match found {
                Some(description) => description.partitions,
                None if config.makes_topics => {
                    let retention = card.retention_us.map(|us| Duration::from_micros(us.unsigned_abs()));
                    let spec = TopicSpec {
                        name: name.clone(),
                        partitions: config.partitions.unwrap_or(*partitions),
                        retention,
                        compacted: topic.card().compacted,
                    };
                    log.ensure_topic(&spec).map_err(|source| PublishError::Topic { topic: name.clone(), source })?.partitions
                }
                None => {
                    let source = fieldline_log::Error::UnknownTopic(name.clone());
                    return Err(PublishError::Topic { topic: name.clone(), source });
                }
            };
        }
        let refused = |source| PublishError::Topic { topic: config.prefix.clone(), source };
        let urgent: Vec<&str> = URGENT_TOPICS.iter().map(|topic| topics[*topic as usize].0.as_str()).collect();
        // Both from the beginning: an emergency must not wait until a connection is made.
        let (bulk, prompt) = (log.producer().map_err(refused)?, log.prompt_producer(&urgent).map_err(refused)?);
        Ok(Self {
            bulk,
            prompt,
            ways: Ways::default(),
            codec: config.schemas.codec(),
            topics,
            now: config.now.unwrap_or(machine_time),
            sos: config.sos,
            payload: Vec::with_capacity(1024),
        })
    }

    pub(crate) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// What time it is for this publisher.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The head of a new event of the typed kind: a UUIDv7, now, both named in `assigned`.
    pub fn new_common(&self) -> Common<'static> {
        Common {
            id: EventId(Uuid::now_v7()),
            revision: 0,
            voided: false,
            created_at: self.now(),
            utc_offset_minutes: None,
            recorded_at: None,
            device_id: None,
            device_sequence: None,
            source: None,
            imported: false,
            assigned: vec![Cow::Borrowed("id"), Cow::Borrowed("created_at")],
            metadata: None,
        }
    }

    /// Publishes a record of a sender. Blocks, within the log's bounds, while too much is in flight.
    pub fn publish(&mut self, record: &AnyRecord<'_>) -> Result<Receipt, PublishError> {
        let now = self.now();
        self.publish_record(record, now, None)
    }

    /// The same on a log where event time stands for append time: `at` is the append time, and now.
    pub fn publish_at(&mut self, record: &AnyRecord<'_>, at: Timestamp) -> Result<Receipt, PublishError> {
        self.publish_record(record, at, Some(at))
    }

    pub fn publish_activity(&mut self, activity: TechnicianActivity<'_>) -> Result<Receipt, PublishError> {
        self.publish(&activity.into())
    }

    pub fn publish_call(&mut self, call: CommunicationCall<'_>) -> Result<Receipt, PublishError> {
        self.publish(&call.into())
    }

    pub fn publish_operational_event(&mut self, event: OperationalEvent<'_>) -> Result<Receipt, PublishError> {
        self.publish(&event.into())
    }

    /// Publishes one JSON object. An absent `id` becomes a UUIDv7, an absent `created_at` now; both are then named in
    /// `assigned`. A retry of such an object is a new event.
    pub fn publish_json(&mut self, text: &str) -> Result<(Receipt, AnyRecord<'static>), PublishError> {
        let now = self.now();
        let record = from_json(text, Missing::Fill { now, id: &mut Uuid::now_v7 })?;
        let receipt = self.publish_record(&record, now, None)?;
        Ok((receipt, record))
    }

    /// The highest number such that it and all before it are durable; does not wait.
    pub fn acknowledged(&mut self) -> Result<AppendNumber, PublishError> {
        self.hear_prompt()?;
        let bulk = self.bulk.acknowledged().map_err(|source| PublishError::Acknowledge { source })?;
        self.ways.acknowledged(Way::Bulk, bulk);
        Ok(self.ways.frontier())
    }

    /// Waits until everything published is durable, at most `deadline`.
    pub fn flush(&mut self, deadline: Duration) -> Result<(), PublishError> {
        let began = Instant::now();
        let flushed = self.prompt.flush(deadline).and_then(|()| self.bulk.flush(deadline.saturating_sub(began.elapsed())));
        flushed.map_err(|source| PublishError::Acknowledge { source })
    }

    /// Hands over emergencies, and notes which are durable.
    fn hear_prompt(&mut self) -> Result<(), PublishError> {
        let prompt = self.prompt.acknowledged().map_err(|source| PublishError::Acknowledge { source })?;
        self.ways.acknowledged(Way::Prompt, prompt);
        Ok(())
    }

    fn publish_record(&mut self, record: &AnyRecord<'_>, now: Timestamp, append_time: Option<Timestamp>) -> Result<Receipt, PublishError> {
        let topic = topic_of(record)?;
        let waits = is_later_plan(record, now);
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let outcome = checked(&self.codec, topic, record, now, &mut payload).map_err(PublishError::from).and_then(|()| {
            if waits {
                let number = self.append(Topic::Plans, &key_in(Topic::Plans, record), planned_for(record), &payload, append_time)?;
                return Ok(Receipt { topic: Topic::Plans, number });
            }
            let lane = lane_of(record, &self.sos);
            let event = event_of(record);
            let way = match (event, append_time) {
                (Some(event), None) => self.ways.of(event, lane.is_some()),
                _ => Way::Bulk,
            };
            let mut number = self.put((way, event), topic, &key_in(topic, record), None, &payload, append_time)?;
            // The technician's log first: a page without the fact would be worse than a fact that pages a moment later.
            if let Some(lane) = lane {
                number = self.put((way, event), lane, &key_in(lane, record), None, &payload, append_time)?;
            }
            if way == Way::Prompt {
                self.hear_prompt()?;
            }
            // What amends a plan must find it among those that wait.
            if plan_start(record).is_some() {
                number = self.append(Topic::Plans, &key_in(Topic::Plans, record), planned_for(record), &payload, append_time)?;
            }
            Ok(Receipt { topic, number })
        });
        self.payload = payload;
        outcome
    }

    /// Appends what was encoded and checked before, and is not urgent.
    pub(crate) fn append(
        &mut self,
        topic: Topic,
        key: &[u8],
        planned_for: Option<TechnicianId>,
        payload: &[u8],
        append_time: Option<Timestamp>,
    ) -> Result<AppendNumber, PublishError> {
        self.put((Way::Bulk, None), topic, key, planned_for, payload, append_time)
    }

    fn put(
        &mut self,
        (way, event): (Way, Option<EventId>),
        topic: Topic,
        key: &[u8],
        planned_for: Option<TechnicianId>,
        payload: &[u8],
        append_time: Option<Timestamp>,
    ) -> Result<AppendNumber, PublishError> {
        let (name, partitions) = &self.topics[topic as usize];
        let append = Append { destination: destination(topic, key, planned_for, *partitions), key, value: payload, append_time };
        let producer = match way {
            Way::Bulk => &mut self.bulk,
            Way::Prompt => &mut self.prompt,
        };
        producer.append(name, append).map_err(|source| PublishError::Append { topic: name.clone(), source })?;
        let number = self.ways.taken(way, event);
        // Never between an emergency's two copies: what fails of the bulk is no matter of theirs.
        if way == Way::Bulk && self.ways.bulk_open().is_multiple_of(LOOK_EVERY) {
            self.acknowledged()?;
        }
        Ok(number)
    }
}

/// Encodes a record and makes sure that every reader will take it: what was encoded is decoded again, because the limits
/// of text and numbers are the decoder's, and costs less than a dead letter does.
pub(crate) fn checked(
    codec: &Codec,
    topic: Topic,
    record: &AnyRecord<'_>,
    received_at: Timestamp,
    payload: &mut Vec<u8>,
) -> Result<(), Rejection> {
    validate(topic, record, received_at)?;
    let start = payload.len();
    codec.encode(record, payload);
    let bytes = payload.len() - start;
    if bytes > PAYLOAD_BYTES_MAX && topic != Topic::DeadLetters {
        let detail = format!("{}: {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are taken", record.kind().name());
        return Err(Rejection::new(DeadLetterReason::TooLarge, detail));
    }
    codec.decode(&payload[start..]).map(|_| ())
}

pub(crate) fn machine_time() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        Err(before) => Timestamp(-i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX)),
    }
}

//! Appends records: acknowledged by all replicas in sync, in order, without doubles over retries.

use super::answers::{Verdict, verdict};
use super::cluster::Cluster;
use super::context::Context;
use super::in_flight::InFlight;
use super::native::refused;
use super::native::seats::Seat;
use super::properties;
use crate::broker::wake::lock;
use crate::limits::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_RECORDS_MAX, KEY_BYTES_MAX, RECORD_BYTES_MAX};
use crate::{Append, AppendNumber, Destination, Error, Producer, Result, partition_for_key};
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long one look for acknowledgements lasts while there is nothing else to do. The client gives no sign in between.
const LOOK: Duration = Duration::from_millis(1);
/// How long the preparation for a topic's first record may take.
const READY_WAIT_MAX: Duration = Duration::from_secs(1);
/// Records without an acknowledgement for so long are spoken of.
const SILENCE_TOLD_AFTER: Duration = Duration::from_secs(10);

/// What deliveries leave behind, on the thread that polls.
#[derive(Default)]
struct Deliveries {
    context: Context,
    acknowledged: Mutex<Vec<usize>>,
    failed: Mutex<Option<Failed>>,
}

#[derive(Clone)]
struct Failed {
    topic: String,
    partition: i32,
    code: Code,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.said(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.context.failed(error.rdkafka_error_code().unwrap_or(Code::Unknown), reason);
    }
}

impl ProducerContext for Deliveries {
    /// The append's number, in the place of a pointer.
    type DeliveryOpaque = usize;

    fn delivery(&self, delivered: &DeliveryResult<'_>, number: usize) {
        match delivered {
            Ok(_) => lock(&self.acknowledged).push(number),
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
                let failed = Failed { topic: message.topic().to_owned(), partition: message.partition(), code };
                // The first is the cause; those behind it follow from it.
                lock(&self.failed).get_or_insert(failed);
            }
        }
    }
}

/// What is known of a topic that was appended to.
struct Target {
    name: String,
    partitions: i32,
}

pub(super) struct KafkaProducer {
    cluster: Arc<Cluster>,
    _seat: Option<Seat>,
    producer: BaseProducer<Deliveries>,
    targets: Vec<Target>,
    last_target: usize,
    flight: InFlight,
    /// When there was last nothing in flight, or something was acknowledged.
    heard_at: Instant,
    silence_told: bool,
}

impl KafkaProducer {
    pub(super) fn open(cluster: Arc<Cluster>) -> Result<Self> {
        let config = properties::producer(&cluster.config);
        Self::with(cluster, &config)
    }

    /// One for urgent records of these topics, whose first finds everything prepared.
    pub(super) fn prompt(cluster: Arc<Cluster>, topics: &[&str]) -> Result<Self> {
        let config = properties::prompt_producer(&cluster.config);
        let mut producer = Self::with(cluster, &config)?;
        for topic in topics {
            // Only of what exists: of anything else a broker might make a topic. And where this fails the first record waits.
            if producer.target(topic).is_ok()
                && let Err(error) = producer.producer.client().fetch_metadata(Some(topic), READY_WAIT_MAX)
            {
                tracing::debug!(%error, topic, "asking who leads a topic");
            }
        }
        Ok(producer)
    }

    fn with(cluster: Arc<Cluster>, config: &ClientConfig) -> Result<Self> {
        let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default()).map_err(|error| refused(&error))?;
        let seat = cluster.tokens.as_ref().map(|tokens| tokens.seat(producer.client().native_ptr())).transpose()?;
        let (targets, flight) = (Vec::new(), InFlight::default());
        Ok(Self { cluster, _seat: seat, producer, targets, last_target: 0, flight, heard_at: Instant::now(), silence_told: false })
    }

    fn target(&mut self, topic: &str) -> Result<&Target> {
        if self.targets.get(self.last_target).is_none_or(|target| target.name != topic) {
            self.last_target = match self.targets.iter().position(|target| target.name == topic) {
                Some(known) => known,
                None => {
                    let partitions = self.cluster.partitions(topic)?;
                    self.targets.push(Target { name: topic.to_owned(), partitions });
                    self.targets.len() - 1
                }
            };
        }
        Ok(&self.targets[self.last_target])
    }

    /// Takes in what was acknowledged or failed, waiting at most `wait` for it.
    fn look(&mut self, wait: Duration) -> Result<()> {
        let before = self.flight.records();
        loop {
            self.producer.poll(wait);
            let deliveries = self.producer.context();
            let acknowledged = std::mem::take(&mut *lock(&deliveries.acknowledged));
            acknowledged.iter().for_each(|number| self.flight.acknowledged(*number as AppendNumber));
            // Without a wait a poll takes one event only.
            if acknowledged.is_empty() || !wait.is_zero() {
                break;
            }
        }
        self.tell_silence(before);
        let failed = lock(&self.producer.context().failed).clone();
        if let Some(Failed { topic, partition, code }) = failed {
            let (answer, advice) = self.explained(code);
            return Err(Error::AppendFailed { topic, partition, answer: answer.into(), advice });
        }
        if let Some((code, text)) = self.producer.client().fatal_error() {
            let Verdict::Final(advice) = verdict(code) else { return Ok(()) };
            return Err(Error::Kafka { doing: "appending".into(), answer: text.into(), advice });
        }
        self.cluster.refused("appending", &self.producer.context().context)
    }

    fn explained(&self, code: Code) -> (String, &'static str) {
        let fatal = self.producer.client().fatal_error();
        let (code, answer) = fatal.unwrap_or_else(|| (code, code.to_string()));
        match verdict(code) {
            Verdict::Final(advice) => (answer, advice),
            _ => (answer, ""),
        }
    }

    fn tell_silence(&mut self, before: usize) {
        if self.flight.is_empty() || self.flight.records() < before {
            if self.silence_told {
                tracing::info!("Kafka acknowledges records again");
            }
            self.heard_at = Instant::now();
            self.silence_told = false;
        } else if !self.silence_told && self.heard_at.elapsed() >= SILENCE_TOLD_AFTER {
            self.silence_told = true;
            let reason = self.producer.context().context.reason();
            tracing::warn!(records = self.flight.records(), reason, "Kafka acknowledges nothing; records are sent again until it does");
        }
    }

    /// Waits until what is in flight leaves room.
    fn wait_for_room(&mut self, bytes_max: usize, records_max: usize, wait: Duration) -> Result<()> {
        let deadline = Instant::now() + wait;
        loop {
            self.look(Duration::ZERO)?;
            if self.flight.bytes() <= bytes_max && self.flight.records() <= records_max {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.cluster.gives_up() {
                return Err(Error::Deadline(wait));
            }
            self.look(left.min(LOOK))?;
        }
    }
}

impl Producer for KafkaProducer {
    fn append(&mut self, topic: &str, record: Append<'_>) -> Result<AppendNumber> {
        let bytes = record.key.len() + record.value.len();
        for (bytes, max) in [(record.key.len(), KEY_BYTES_MAX), (bytes, RECORD_BYTES_MAX)] {
            if bytes > max {
                return Err(Error::TooLarge { topic: topic.to_owned(), bytes, max });
            }
        }
        if record.append_time.is_some() && !self.cluster.config.event_time {
            return Err(Error::EventTime(topic.to_owned()));
        }
        let partitions = self.target(topic)?.partitions;
        let partition = match record.destination {
            Destination::ByKey => partition_for_key(record.key, partitions),
            Destination::Partition(partition) => partition,
        };
        if !(0..partitions).contains(&partition) {
            return Err(Error::UnknownPartition { topic: topic.to_owned(), partition, partitions });
        }
        if self.flight.bytes() + bytes > IN_FLIGHT_BYTES_MAX || self.flight.records() >= IN_FLIGHT_RECORDS_MAX {
            self.wait_for_room(IN_FLIGHT_BYTES_MAX - bytes, IN_FLIGHT_RECORDS_MAX - 1, self.cluster.config.timeouts.append)?;
        }
        let number = self.flight.next();
        let deadline = Instant::now() + self.cluster.config.timeouts.append;
        loop {
            let opaque = usize::try_from(number).unwrap_or(usize::MAX);
            let mut sent = BaseRecord::with_opaque_to(topic, opaque).partition(partition).key(record.key).payload(record.value);
            // Kafka keeps whole milliseconds: what is finer is cut off.
            sent.timestamp = record.append_time.map(|time| time.0.div_euclid(1000));
            match self.producer.send(sent) {
                Ok(()) => break,
                // Its queue has a bound of its own, where a property sets it below ours.
                Err((KafkaError::MessageProduction(Code::QueueFull), _)) if Instant::now() < deadline => self.look(LOOK)?,
                Err((KafkaError::MessageProduction(Code::QueueFull), _)) => {
                    return Err(Error::Deadline(self.cluster.config.timeouts.append));
                }
                Err((error, _)) => {
                    let (answer, advice) = self.explained(error.rdkafka_error_code().unwrap_or(Code::Unknown));
                    return Err(Error::AppendFailed { topic: topic.to_owned(), partition, answer: answer.into(), advice });
                }
            }
        }
        if self.flight.is_empty() {
            self.heard_at = Instant::now();
        }
        self.flight.taken(bytes);
        Ok(number)
    }

    fn acknowledged(&mut self) -> Result<AppendNumber> {
        self.look(Duration::ZERO)?;
        Ok(self.flight.frontier())
    }

    fn flush(&mut self, deadline: Duration) -> Result<()> {
        self.wait_for_room(0, 0, deadline)
    }
}

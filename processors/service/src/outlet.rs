//! What a stage of alerts puts out: encoded, addressed, and handed over at once.

use crate::error::ProcessorError;
use fieldline_log::{Append, AppendNumber, Destination, Log, Producer, TopicPartition};
use fieldline_schemas::events::{DeadLetter, Tick};
use fieldline_schemas::{AnyRecord, Codec, Rejection, Timestamp, Topic, key_of};
use std::borrow::Cow;
use std::time::Duration;

/// Room that a dead letter's own key and fields take beside the bytes it carries.
const DEAD_LETTER_ROOM_BYTES: usize = 4 << 10;

/// Appends what a stage puts out.
pub(crate) struct Outlet {
    producer: Box<dyn Producer>,
    codec: Codec,
    bytes: Vec<u8>,
    prefix: String,
    /// Of the topics that are partitioned by an alert's subject.
    partitions: [(Topic, i32); 2],
    beats: i32,
    event_time: bool,
}

impl Outlet {
    pub fn open(log: &dyn Log, prefix: &str, codec: Codec, event_time: bool) -> Result<Self, ProcessorError> {
        let count = |topic: Topic| {
            let name = topic.full_name(prefix);
            let found =
                log.describe_topic(&name).map_err(|source| ProcessorError::Group { doing: "describing the topics of alerts", source })?;
            found.map(|found| (topic, found.partitions)).ok_or(ProcessorError::UnknownTopic { topic: name })
        };
        let partitions = [count(Topic::AlertEvents)?, count(Topic::Alerts)?];
        let (_, beats) = count(Topic::Beats)?;
        let names =
            [Topic::AlertEvents, Topic::Alerts, Topic::Activity, Topic::Operations, Topic::Beats].map(|topic| topic.full_name(prefix));
        let producer = log.prompt_producer(&names.each_ref().map(String::as_str));
        let producer = producer.map_err(|source| ProcessorError::Group { doing: "opening a producer", source })?;
        Ok(Self { producer, codec, bytes: Vec::new(), prefix: prefix.to_owned(), partitions, beats, event_time })
    }

    /// Appends a record where its key says; an alert's where its subject says.
    pub fn append(&mut self, topic: Topic, record: &AnyRecord<'_>, clock: Timestamp) -> Result<AppendNumber, ProcessorError> {
        self.bytes.clear();
        self.codec.encode(record, &mut self.bytes);
        let key = key_of(record);
        let destination = std::str::from_utf8(&key).map_or(Destination::ByKey, |alert_id| self.destination(topic, alert_id));
        let append = Append { destination, key: &key, value: &self.bytes, append_time: self.event_time.then_some(clock) };
        let appended = self.producer.append(&topic.full_name(&self.prefix), append);
        appended.map_err(|source| ProcessorError::Append { topic: topic.name(), source })
    }

    /// Where a record of an alert lies.
    pub fn destination(&self, topic: Topic, alert_id: &str) -> Destination {
        let count = self.partitions.iter().find(|(known, _)| *known == topic).map(|(_, count)| *count);
        count.map_or(Destination::ByKey, |count| Destination::of_alert(alert_id, count))
    }

    /// Passes a beat of the watch on, in the partition of that number: each has an owner whose health it tells of.
    pub fn append_beat(&mut self, partition: i32, record: &AnyRecord<'_>, clock: Timestamp) -> Result<AppendNumber, ProcessorError> {
        self.bytes.clear();
        self.codec.encode(record, &mut self.bytes);
        let (topic, key) = (Topic::Beats, key_of(record));
        let destination = Destination::Partition(partition % self.beats.max(1));
        let append = Append { destination, key: &key, value: &self.bytes, append_time: self.event_time.then_some(clock) };
        let appended = self.producer.append(&topic.full_name(&self.prefix), append);
        appended.map_err(|source| ProcessorError::Append { topic: topic.name(), source })
    }

    /// Appends bytes as they are.
    pub fn append_bytes(&mut self, topic: Topic, key: &[u8], value: &[u8], clock: Timestamp) -> Result<AppendNumber, ProcessorError> {
        let append = Append { destination: Destination::ByKey, key, value, append_time: self.event_time.then_some(clock) };
        let appended = self.producer.append(&topic.full_name(&self.prefix), append);
        appended.map_err(|source| ProcessorError::Append { topic: topic.name(), source })
    }

    /// Appends a tick to a partition.
    pub fn tick(&mut self, at: &TopicPartition, tick: Tick, append_time: Option<Timestamp>) -> Result<AppendNumber, ProcessorError> {
        self.bytes.clear();
        self.codec.encode(&AnyRecord::Tick(tick), &mut self.bytes);
        let append = Append { destination: Destination::Partition(at.partition), key: b"", value: &self.bytes, append_time };
        self.producer.append(&at.topic, append).map_err(ProcessorError::log("appending a tick to", at))
    }

    /// Sets a record aside that nobody could understand.
    pub fn dead_letter(
        &mut self,
        (topic, partition): (Topic, i32),
        record: &fieldline_log::Record<'_>,
        stage: &str,
        rejection: &Rejection,
    ) -> Result<AppendNumber, ProcessorError> {
        let letter = AnyRecord::DeadLetter(dead_letter(topic, partition, record, stage, rejection));
        self.append(Topic::DeadLetters, &letter, record.append_time)
    }

    /// Hands over what is taken; the number up to which everything is acknowledged.
    pub fn acknowledged(&mut self) -> Result<AppendNumber, ProcessorError> {
        self.producer.acknowledged().map_err(|source| ProcessorError::Group { doing: "appending what follows for alerts", source })
    }

    /// Waits until everything is acknowledged.
    pub fn flush(&mut self, wait: Duration) -> Result<(), ProcessorError> {
        let flushed = self.producer.flush(wait);
        flushed.map_err(|source| ProcessorError::Group { doing: "waiting for the acknowledgement of what follows for alerts", source })
    }
}

/// A record with the reason why nobody could understand it; what is too large for its envelope is cut, and says so.
pub(crate) fn dead_letter<'a>(
    topic: Topic,
    partition: i32,
    record: &fieldline_log::Record<'a>,
    stage: &'a str,
    rejection: &'a Rejection,
) -> DeadLetter<'a> {
    let room = fieldline_log::limits::RECORD_BYTES_MAX - DEAD_LETTER_ROOM_BYTES - record.key.len();
    let kept = record.value.len().min(room);
    let mut detail = Cow::Borrowed(rejection.detail.as_str());
    if kept < record.value.len() {
        detail = Cow::Owned(format!("{detail}; the payload of {} bytes is cut to {kept}", record.value.len()));
    }
    DeadLetter {
        topic: Cow::Borrowed(topic.name()),
        partition,
        offset: record.offset,
        received_at: record.append_time,
        reason: rejection.reason,
        detail,
        stage: Cow::Borrowed(stage),
        key: Cow::Borrowed(record.key),
        payload: Cow::Borrowed(&record.value[..kept]),
    }
}

//! Questions and orders to the cluster as a whole, each a request with an answer.
#![expect(unsafe_code, reason = "the admin calls that the safe crate lacks: topic ids")]

use super::seats::Seat;
use super::text::{c, check, check_error, owned};
use super::{Failure, ms, open};
use crate::kafka::context::Context;
use crate::kafka::tokens::Tokens;
use crate::{Result, TopicPartition};
use rdkafka::bindings::{self as sys, rd_kafka_admin_op_t as Op};
use rdkafka::client::Client;
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaType};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

/// What the metadata say of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka) struct TopicMetadata {
    pub(in crate::kafka) partitions: i32,
    /// Partitions that nobody leads just now.
    pub(in crate::kafka) leaderless: usize,
}

/// A topic that is to be made.
pub(in crate::kafka) struct NewTopic<'a> {
    pub(in crate::kafka) name: &'a str,
    pub(in crate::kafka) partitions: i32,
    /// -1: the cluster's default.
    pub(in crate::kafka) replication_factor: i32,
    pub(in crate::kafka) settings: &'a [(&'a str, String)],
}

type Answer<T> = std::result::Result<T, Failure>;

pub(in crate::kafka) struct Admin {
    _seat: Option<Seat>,
    client: Client<Context>,
}

impl Admin {
    pub(in crate::kafka) fn open(config: &ClientConfig, tokens: Option<&Tokens>) -> Result<Self> {
        // As a consumer without a group: the metadata requests of a producer make topics.
        let client = open(config, RDKafkaType::RD_KAFKA_CONSUMER, false)?;
        let seat = tokens.map(|tokens| tokens.seat(client.native_ptr())).transpose()?;
        Ok(Self { _seat: seat, client })
    }

    pub(in crate::kafka) fn context(&self) -> &Arc<Context> {
        self.client.context()
    }

    /// Hands log lines and errors to the context; nobody else polls this client.
    pub(in crate::kafka) fn serve(&self) {
        // Safety: a live client; its callbacks run here.
        unsafe { sys::rd_kafka_poll(self.client.native_ptr(), 0) };
    }

    /// Any answer of any broker.
    pub(in crate::kafka) fn reach(&self, wait: Duration) -> Answer<()> {
        match self.client.fetch_cluster_id(wait) {
            Some(_) => Ok(()),
            None => Err(Failure::new(Code::OperationTimedOut)),
        }
    }

    pub(in crate::kafka) fn watermarks(&self, at: &TopicPartition, wait: Duration) -> Answer<(i64, i64)> {
        Ok(self.client.fetch_watermarks(&at.topic, at.partition, wait)?)
    }

    /// The first offset whose time is at or after `time_ms`; `None`: there is none.
    pub(in crate::kafka) fn offset_for_time(&self, at: &TopicPartition, time_ms: i64, wait: Duration) -> Answer<Option<i64>> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&at.topic, at.partition, Offset::Offset(time_ms))?;
        // Safety: a live client and list; the answer is written into the list.
        check(unsafe { sys::rd_kafka_offsets_for_times(self.client.native_ptr(), list.ptr(), ms(wait)) })?;
        let elements = list.elements();
        let element = elements.first().ok_or_else(|| Failure::new(Code::UnknownPartition))?;
        element.error()?;
        Ok(match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    }

    pub(in crate::kafka) fn create_topic(&self, new: &NewTopic<'_>, wait: Duration) -> Answer<()> {
        let name = c(new.name)?;
        let settings = new.settings.iter().map(|(name, value)| Ok((c(name)?, c(value)?))).collect::<Answer<Vec<_>>>()?;
        let mut error = [0 as c_char; 512];
        // Safety: names live for the calls, which copy them; what is made is destroyed below.
        let mut topic =
            unsafe { sys::rd_kafka_NewTopic_new(name.as_ptr(), new.partitions, new.replication_factor, error.as_mut_ptr(), error.len()) };
        if topic.is_null() {
            // Safety: filled and ended by the call above.
            return Err(Failure { code: Code::InvalidArgument, text: unsafe { owned(error.as_ptr()) } });
        }
        for (name, value) in &settings {
            // Safety: as above.
            unsafe { sys::rd_kafka_NewTopic_set_config(topic, name.as_ptr(), value.as_ptr()) };
        }
        let made = self.request(
            Op::RD_KAFKA_ADMIN_OP_CREATETOPICS,
            wait,
            // Safety: everything lives for the call, which copies it.
            |client, options, queue| unsafe { sys::rd_kafka_CreateTopics(client, &raw mut topic, 1, options, queue) },
            // Safety: the answer's parts live as long as the event.
            |event| unsafe {
                let mut count = 0;
                let results = sys::rd_kafka_CreateTopics_result_topics(sys::rd_kafka_event_CreateTopics_result(event), &raw mut count);
                let result = first(results, count)?;
                check(sys::rd_kafka_topic_result_error(result))
                    .map_err(|failure| Failure { text: owned(sys::rd_kafka_topic_result_error_string(result)), ..failure })
            },
        );
        // Safety: made above, and used no more.
        unsafe { sys::rd_kafka_NewTopic_destroy(topic) };
        made
    }

    /// Any broker knows this, and none makes the topic because of the question.
    pub(in crate::kafka) fn topic_metadata(&self, topic: &str, wait: Duration) -> Answer<TopicMetadata> {
        let metadata = self.client.fetch_metadata(Some(topic), wait)?;
        let found = metadata.topics().first().ok_or_else(|| Failure::new(Code::UnknownTopicOrPartition))?;
        if let Some(code) = found.error() {
            return Err(Failure::new(code.into()));
        }
        let partitions = found.partitions();
        let leaderless = partitions.iter().filter(|partition| partition.leader() < 0).count();
        Ok(TopicMetadata { partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX), leaderless })
    }

    pub(in crate::kafka) fn topic_id(&self, topic: &str, wait: Duration) -> Answer<[u8; 16]> {
        let name = c(topic)?;
        let mut names = [name.as_ptr()];
        // Safety: copies the name; destroyed below.
        let topics = unsafe { sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1) };
        let described = self.request(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            wait,
            // Safety: everything lives for the call, which copies it.
            |client, options, queue| unsafe { sys::rd_kafka_DescribeTopics(client, topics, options, queue) },
            // Safety: the answer's parts live as long as the event.
            |event| unsafe {
                let mut count = 0;
                let results = sys::rd_kafka_DescribeTopics_result_topics(sys::rd_kafka_event_DescribeTopics_result(event), &raw mut count);
                let description = first(results, count)?;
                check_error(sys::rd_kafka_TopicDescription_error(description))?;
                let id = sys::rd_kafka_TopicDescription_topic_id(description);
                let (high, low) = (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id));
                Ok((u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned())).to_be_bytes())
            },
        );
        // Safety: made above, and used no more.
        unsafe { sys::rd_kafka_TopicCollection_destroy(topics) };
        described
    }

    /// A topic's settings, the cluster's defaults among them.
    pub(in crate::kafka) fn topic_settings(&self, topic: &str, wait: Duration) -> Answer<BTreeMap<String, String>> {
        let name = c(topic)?;
        // Safety: copies the name; destroyed below.
        let mut resource =
            unsafe { sys::rd_kafka_ConfigResource_new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, name.as_ptr()) };
        let described = self.request(
            Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
            wait,
            // Safety: everything lives for the call, which copies it.
            |client, options, queue| unsafe { sys::rd_kafka_DescribeConfigs(client, &raw mut resource, 1, options, queue) },
            // Safety: the answer's parts live as long as the event.
            |event| unsafe {
                let mut count = 0;
                let result = sys::rd_kafka_event_DescribeConfigs_result(event);
                let resource = first(sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count), count)?;
                check(sys::rd_kafka_ConfigResource_error(resource))
                    .map_err(|failure| Failure { text: owned(sys::rd_kafka_ConfigResource_error_string(resource)), ..failure })?;
                let mut count = 0;
                let entries = sys::rd_kafka_ConfigResource_configs(resource, &raw mut count);
                let entries = if count == 0 { &[] } else { std::slice::from_raw_parts(entries, count) };
                let entry = |entry: &*const sys::rd_kafka_ConfigEntry_t| {
                    (owned(sys::rd_kafka_ConfigEntry_name(*entry)), owned(sys::rd_kafka_ConfigEntry_value(*entry)))
                };
                Ok(entries.iter().map(entry).collect())
            },
        );
        // Safety: made above, and used no more.
        unsafe { sys::rd_kafka_ConfigResource_destroy(resource) };
        described
    }

    /// Sends, waits and reads. The event lives while `read` looks at it.
    fn request<T>(
        &self,
        op: Op,
        wait: Duration,
        send: impl FnOnce(*mut sys::rd_kafka_t, *mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
        read: impl FnOnce(*mut sys::rd_kafka_event_t) -> Answer<T>,
    ) -> Answer<T> {
        /// How much longer than the request itself its answer is waited for.
        const ANSWER_WAIT_MS: i32 = 1000;
        let client = self.client.native_ptr();
        let wait_ms = ms(wait);
        let mut error = [0 as c_char; 256];
        // Safety: everything made here is destroyed here; the event is checked before it is read.
        unsafe {
            let queue = sys::rd_kafka_queue_new(client);
            let options = sys::rd_kafka_AdminOptions_new(client, op);
            // Refused only below zero or above an hour.
            sys::rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, error.as_mut_ptr(), error.len());
            send(client, options, queue);
            let event = sys::rd_kafka_queue_poll(queue, wait_ms.saturating_add(ANSWER_WAIT_MS));
            let answer = if event.is_null() {
                Err(Failure::new(Code::OperationTimedOut))
            } else {
                check(sys::rd_kafka_event_error(event))
                    .map_err(|failure| Failure { text: owned(sys::rd_kafka_event_error_string(event)), ..failure })
                    .and_then(|()| read(event))
            };
            if !event.is_null() {
                sys::rd_kafka_event_destroy(event);
            }
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_queue_destroy(queue);
            answer
        }
    }
}

/// # Safety
/// `items` are `count` pointers in a row.
unsafe fn first<T>(items: *const *const T, count: usize) -> Answer<*const T> {
    if items.is_null() || count == 0 {
        return Err(Failure { code: Code::Fail, text: "the answer is empty".to_owned() });
    }
    // Safety: the caller's promise.
    Ok(unsafe { *items })
}

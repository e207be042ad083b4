//! A producer's client: records handed over by the topic's handle, and what becomes of each.
//!
//! The safe crate looks the topic up by its name for every record, and makes a list, a shared count and a message of each
//! acknowledgement; here an acknowledgement is a number.
#![expect(unsafe_code, reason = "appending by a topic's handle, and reports without a message of their own")]

use super::seats::Seat;
use super::text::{c, check};
use super::{Failure, ms, open};
use crate::kafka::context::Context;
use crate::kafka::tokens::Tokens;
use crate::{AppendNumber, Result};
use rdkafka::ClientConfig;
use rdkafka::bindings::{self as sys, rd_kafka_vtype_t as Argument};
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaType};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// How long the reports of what was given up are waited for when a producer ends.
const END_WAIT_MS: i32 = 500;

/// A record as librdkafka takes it.
pub(in crate::kafka) struct Sent<'a> {
    pub(in crate::kafka) partition: i32,
    pub(in crate::kafka) key: &'a [u8],
    pub(in crate::kafka) value: &'a [u8],
    /// `None`: now.
    pub(in crate::kafka) time_ms: Option<i64>,
    /// What its report names it by.
    pub(in crate::kafka) number: AppendNumber,
}

/// A topic by its place among those of its client.
#[derive(Clone, Copy)]
pub(in crate::kafka) struct TopicHandle(usize);

pub(in crate::kafka) struct Sender {
    _seat: Option<Seat>,
    topics: Vec<NonNull<sys::rd_kafka_topic_t>>,
    client: Client<Context>,
}

// Safety: librdkafka may be called from any thread; what a callback touches is in `Context`, which is `Sync`.
unsafe impl Send for Sender {}

impl Sender {
    pub(in crate::kafka) fn open(config: &ClientConfig, tokens: Option<&Tokens>) -> Result<Self> {
        let client = open(config, RDKafkaType::RD_KAFKA_PRODUCER, false)?;
        let seat = tokens.map(|tokens| tokens.seat(client.native_ptr())).transpose()?;
        Ok(Self { _seat: seat, topics: Vec::new(), client })
    }

    fn raw(&self) -> *mut sys::rd_kafka_t {
        self.client.native_ptr()
    }

    pub(in crate::kafka) fn context(&self) -> &Arc<Context> {
        self.client.context()
    }

    /// The error after which this client is of no more use.
    pub(in crate::kafka) fn fatal(&self) -> Option<(Code, String)> {
        self.client.fatal_error()
    }

    pub(in crate::kafka) fn topic(&mut self, name: &str) -> std::result::Result<TopicHandle, Failure> {
        let name = c(name)?;
        // Safety: a live client and a name that lives for the call; without a configuration the client's own goes.
        let topic = unsafe { sys::rd_kafka_topic_new(self.raw(), name.as_ptr(), std::ptr::null_mut()) };
        let Some(topic) = NonNull::new(topic) else {
            // Safety: asks for the calling thread's last error.
            return Err(Failure::new(unsafe { sys::rd_kafka_last_error() }.into()));
        };
        self.topics.push(topic);
        Ok(TopicHandle(self.topics.len() - 1))
    }

    /// Asks the brokers which of them lead the topic's partitions, so that the first record need not.
    pub(in crate::kafka) fn ask_leaders(&self, topic: &str, wait: Duration) -> KafkaResult<()> {
        self.client.fetch_metadata(Some(topic), wait).map(|_| ())
    }

    /// Hands a record over, which is copied.
    pub(in crate::kafka) fn send(&self, topic: TopicHandle, sent: &Sent<'_>) -> std::result::Result<(), Failure> {
        let topic = self.topics.get(topic.0).ok_or_else(|| Failure::new(Code::UnknownTopic))?;
        // A number, in the place of a pointer.
        let number = usize::try_from(sent.number).unwrap_or(usize::MAX);
        // Safety: a live client and topic; each argument is of the type that its name asks for, and the last name ends them.
        check(unsafe {
            sys::rd_kafka_producev(
                self.raw(),
                Argument::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                Argument::RD_KAFKA_VTYPE_PARTITION,
                sent.partition,
                Argument::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                Argument::RD_KAFKA_VTYPE_VALUE,
                sent.value.as_ptr(),
                sent.value.len(),
                Argument::RD_KAFKA_VTYPE_KEY,
                sent.key.as_ptr(),
                sent.key.len(),
                Argument::RD_KAFKA_VTYPE_OPAQUE,
                number,
                Argument::RD_KAFKA_VTYPE_TIMESTAMP,
                sent.time_ms.unwrap_or(0),
                Argument::RD_KAFKA_VTYPE_END,
            )
        })
    }

    /// Takes in all reports that are there, waiting at most `wait` for a first one; the context has them afterwards.
    pub(in crate::kafka) fn poll(&self, wait: Duration) {
        // Safety: a live client; its callbacks run here.
        unsafe { sys::rd_kafka_poll(self.raw(), ms(wait)) };
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Safety: a live client, which goes after its topics. What is still in flight is nobody's any more, and librdkafka
        // is told so, or it would complain of records that it loses.
        unsafe {
            sys::rd_kafka_purge(self.raw(), sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT);
            sys::rd_kafka_flush(self.raw(), END_WAIT_MS);
            self.topics.drain(..).for_each(|topic| sys::rd_kafka_topic_destroy(topic.as_ptr()));
        }
    }
}

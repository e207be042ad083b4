//! A member of a group: joining, reading in batches, taking over and giving up partitions.
#![expect(unsafe_code, reason = "librdkafka's calls for batches, for taking over one partition, and for closing")]

use super::seats::Seat;
use super::text::{c, check, check_error};
use super::{Failure, ms, open};
use crate::Result;
use crate::kafka::context::Context;
use crate::kafka::tokens::Tokens;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaType};
use rdkafka::{ClientConfig, TopicPartitionList};
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// A record, or what is told in a record's place. Destroyed when dropped.
pub(in crate::kafka) struct Message<'a> {
    message: NonNull<sys::rd_kafka_message_t>,
    member: PhantomData<&'a Member>,
}

impl Message<'_> {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // Safety: ours until it is dropped.
        unsafe { self.message.as_ref() }
    }

    fn bytes(&self, start: *const std::ffi::c_void, len: usize) -> &[u8] {
        if start.is_null() || len == 0 {
            return &[];
        }
        // Safety: librdkafka's description of its own memory, which lives as long as the message.
        unsafe { std::slice::from_raw_parts(start.cast(), len) }
    }

    pub(in crate::kafka) fn code(&self) -> Option<Code> {
        let code = self.raw().err;
        (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// The same for all records of a topic, while the member lives; zero of an error that concerns no topic.
    pub(in crate::kafka) fn topic_key(&self) -> usize {
        self.raw().rkt.addr()
    }

    pub(in crate::kafka) fn topic(&self) -> &str {
        let topic = self.raw().rkt;
        if topic.is_null() {
            return "";
        }
        // Safety: a topic lives as long as a message of it, and its name as long as the topic.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }.to_str().unwrap_or_default()
    }

    pub(in crate::kafka) fn partition(&self) -> i32 {
        self.raw().partition
    }
    pub(in crate::kafka) fn offset(&self) -> i64 {
        self.raw().offset
    }
    pub(in crate::kafka) fn key(&self) -> &[u8] {
        self.bytes(self.raw().key, self.raw().key_len)
    }
    /// Of an error, its text.
    pub(in crate::kafka) fn value(&self) -> &[u8] {
        self.bytes(self.raw().payload, self.raw().len)
    }

    /// Milliseconds since 1970; `None` where the topic keeps no times.
    pub(in crate::kafka) fn time_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // Safety: a live message and a place for the answer.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // Safety: ours, and nobody borrows from it any more.
        unsafe { sys::rd_kafka_message_destroy(self.message.as_ptr()) };
    }
}

/// One member of a group.
pub(in crate::kafka) struct Member {
    _seat: Option<Seat>,
    client: Client<Context>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Where a pull's messages are put by librdkafka.
    pulled: Vec<*mut sys::rd_kafka_message_t>,
}

// Safety: librdkafka may be called from any thread; what a callback touches is in `Context`, which is `Sync`.
unsafe impl Send for Member {}

impl Member {
    pub(in crate::kafka) fn open(config: &ClientConfig, tokens: Option<&Tokens>) -> Result<Self> {
        let client = open(config, RDKafkaType::RD_KAFKA_CONSUMER, true)?;
        let seat = tokens.map(|tokens| tokens.seat(client.native_ptr())).transpose()?;
        // Safety: a live consumer. Its log and errors are to come through the one queue that is polled.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.native_ptr());
            sys::rd_kafka_queue_get_consumer(client.native_ptr())
        };
        let Some(queue) = NonNull::new(queue) else {
            return Err(crate::Error::KafkaSetting { name: "group.id".to_owned(), reason: "the client has no group".to_owned() });
        };
        Ok(Self { _seat: seat, client, queue, pulled: Vec::new() })
    }

    fn raw(&self) -> *mut sys::rd_kafka_t {
        self.client.native_ptr()
    }

    pub(in crate::kafka) fn context(&self) -> &Arc<Context> {
        self.client.context()
    }

    /// The error after which this client is of no more use.
    pub(in crate::kafka) fn fatal(&self) -> Option<Failure> {
        self.client.fatal_error().map(|(code, text)| Failure { code, text })
    }

    pub(in crate::kafka) fn subscribe(&self, topics: &[&str]) -> std::result::Result<(), Failure> {
        let mut list = TopicPartitionList::with_capacity(topics.len());
        for topic in topics {
            list.add_topic_unassigned(topic);
        }
        // Safety: a live client and list, which is copied.
        check(unsafe { sys::rd_kafka_subscribe(self.raw(), list.ptr()) })
    }

    /// Waits at most `wait` for a first message and takes what is there, `max` at most. Returns early, perhaps with
    /// nothing, when the group decided something.
    pub(in crate::kafka) fn pull(&mut self, wait: Duration, max: usize, mut take: impl FnMut(Message<'_>)) -> usize {
        let mut count = self.take_batch(ms(wait), 1, &mut take);
        if count > 0 && max > 1 {
            // With room for more than there is, librdkafka would wait until it is filled.
            count += self.take_batch(0, max - 1, &mut take);
        }
        count
    }

    fn take_batch(&mut self, wait_ms: i32, max: usize, take: &mut impl FnMut(Message<'_>)) -> usize {
        self.pulled.clear();
        self.pulled.resize(max, std::ptr::null_mut());
        // Safety: a live queue and room for `max` pointers. Callbacks run here, on this thread.
        let count = unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait_ms, self.pulled.as_mut_ptr(), max) };
        // Below zero: a call after closing, which the borrow of `self` rules out.
        let count = usize::try_from(count).unwrap_or(0);
        for message in self.pulled.drain(..).take(count).filter_map(NonNull::new) {
            take(Message { message, member: PhantomData });
        }
        count
    }

    /// Answers an assignment: reading begins at the offsets of the list.
    pub(in crate::kafka) fn assign(&self, list: &TopicPartitionList) -> std::result::Result<(), Failure> {
        // Safety: a live client and list, which is copied.
        unsafe { consume_error(sys::rd_kafka_incremental_assign(self.raw(), list.ptr())) }
    }

    /// Answers a revocation. What was fetched ahead for these partitions does not come any more.
    pub(in crate::kafka) fn unassign(&self, list: &TopicPartitionList) -> std::result::Result<(), Failure> {
        // Safety: as above.
        unsafe { consume_error(sys::rd_kafka_incremental_unassign(self.raw(), list.ptr())) }
    }

    pub(in crate::kafka) fn pause(&self, list: &TopicPartitionList) -> std::result::Result<(), Failure> {
        // Safety: as above.
        check(unsafe { sys::rd_kafka_pause_partitions(self.raw(), list.ptr()) })
    }

    pub(in crate::kafka) fn resume(&self, list: &TopicPartitionList) -> std::result::Result<(), Failure> {
        // Safety: as above.
        check(unsafe { sys::rd_kafka_resume_partitions(self.raw(), list.ptr()) })
    }

    /// Reads on from the offsets of the list; of each partition on its own there may be an error.
    pub(in crate::kafka) fn seek(&self, list: &TopicPartitionList, wait: Duration) -> std::result::Result<(), Failure> {
        // Safety: as above; results are written into the list.
        unsafe { consume_error(sys::rd_kafka_seek_partitions(self.raw(), list.ptr(), ms(wait))) }?;
        list.elements().iter().try_for_each(|element| element.error()).map_err(Failure::from)
    }

    /// Stores positions and waits for the answer.
    pub(in crate::kafka) fn commit(&self, list: &TopicPartitionList) -> std::result::Result<(), Failure> {
        // Safety: as above.
        check(unsafe { sys::rd_kafka_commit(self.raw(), list.ptr(), 0) })
    }

    /// Whether the group took everything away and the member has not answered that yet.
    pub(in crate::kafka) fn is_lost(&self) -> bool {
        // Safety: a live client.
        unsafe { sys::rd_kafka_assignment_lost(self.raw()) != 0 }
    }

    /// The end of a partition as the fetches last told it; `None` before the first.
    pub(in crate::kafka) fn fetched_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = c(topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // Safety: a live client, a name that lives for the call, and places for the answer.
        let code = unsafe { sys::rd_kafka_get_watermark_offsets(self.raw(), topic.as_ptr(), partition, &raw mut low, &raw mut high) };
        check(code).ok().filter(|()| high >= 0).map(|()| high)
    }
}

/// # Safety
/// `error` is null or an error that is ours to destroy.
unsafe fn consume_error(error: *mut sys::rd_kafka_error_t) -> std::result::Result<(), Failure> {
    // Safety: the caller's promise; destroying null does nothing.
    unsafe {
        let result = check_error(error);
        sys::rd_kafka_error_destroy(error);
        result
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.client.context().close();
        // Safety: no message is borrowed any more. Closing serves the callbacks until the group knows, then the queue goes
        // before the client does.
        unsafe {
            let code = sys::rd_kafka_consumer_close(self.raw());
            if let Err(failure) = check(code) {
                tracing::warn!(answer = failure.text, "leaving a group of Kafka; it will miss this member after the session timeout");
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

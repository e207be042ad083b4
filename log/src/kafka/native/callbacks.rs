//! What librdkafka calls: its log, its errors, what the group decided, and what became of a record. They run on the thread that polls.
#![expect(unsafe_code, reason = "called from C with pointers that are librdkafka's and ours")]

use super::text::owned;
use crate::TopicPartition;
use crate::kafka::context::{Context, GroupStep, Undelivered};
use rdkafka::bindings::{
    rd_kafka_assignment_lost, rd_kafka_error_destroy, rd_kafka_incremental_assign, rd_kafka_incremental_unassign, rd_kafka_opaque,
    rd_kafka_queue_destroy, rd_kafka_queue_get_consumer, rd_kafka_queue_yield, rd_kafka_resp_err_t, rd_kafka_t,
    rd_kafka_topic_partition_list_t,
};
use rdkafka::bindings::{
    rd_kafka_conf_set_dr_msg_cb, rd_kafka_conf_set_error_cb, rd_kafka_conf_set_log_cb, rd_kafka_conf_set_rebalance_cb, rd_kafka_message_t,
    rd_kafka_topic_name,
};
use rdkafka::config::{NativeClientConfig, RDKafkaLogLevel as Level};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::ffi::{c_char, c_int, c_void};

pub(super) fn install(config: &NativeClientConfig, rebalances: bool, appends: bool) {
    // Safety: the configuration lives, and the client that it makes has a `Context` as its opaque.
    unsafe {
        rd_kafka_conf_set_log_cb(config.ptr(), Some(log));
        rd_kafka_conf_set_error_cb(config.ptr(), Some(error));
        if rebalances {
            rd_kafka_conf_set_rebalance_cb(config.ptr(), Some(rebalance));
        }
        if appends {
            rd_kafka_conf_set_dr_msg_cb(config.ptr(), Some(delivered));
        }
    }
}

/// # Safety
/// `opaque` is null or the client's `Context`, which the client outlives.
unsafe fn context<'a>(opaque: *const c_void) -> Option<&'a Context> {
    // Safety: the caller's promise.
    unsafe { opaque.cast::<Context>().as_ref() }
}

unsafe extern "C" fn log(client: *const rd_kafka_t, level: c_int, facility: *const c_char, text: *const c_char) {
    let level = match level {
        ..=3 => Level::Error,
        4 => Level::Warning,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    };
    // Safety: librdkafka's own arguments, alive for the call.
    unsafe {
        if let Some(context) = context(rd_kafka_opaque(client)) {
            context.said(level, &owned(facility), &owned(text));
        }
    }
}

unsafe extern "C" fn error(_: *mut rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    let code = rd_kafka_resp_err_t::try_from(code).map_or(Code::Unknown, Code::from);
    // Safety: librdkafka's own arguments, alive for the call.
    unsafe {
        if let Some(context) = context(opaque) {
            context.failed(code, &owned(reason));
        }
    }
}

/// Notes what became of a record, whose number stands in the place of a pointer.
unsafe extern "C" fn delivered(_: *mut rd_kafka_t, message: *const rd_kafka_message_t, opaque: *mut c_void) {
    // Safety: librdkafka's own arguments, alive for the call; a topic lives as long as a message of it.
    unsafe {
        let (Some(context), Some(message)) = (context(opaque), message.as_ref()) else { return };
        if message.err == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            context.delivered(message._private.addr() as u64);
        } else {
            let topic = if message.rkt.is_null() { String::new() } else { owned(rd_kafka_topic_name(message.rkt)) };
            context.undelivered(Undelivered { topic, partition: message.partition, code: message.err.into() });
        }
    }
}

/// Notes the step for the next poll, which answers it. A step about nothing is answered here, and while the member
/// closes everything is, since nobody polls any more.
unsafe extern "C" fn rebalance(
    client: *mut rd_kafka_t,
    code: rd_kafka_resp_err_t,
    list: *mut rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // Safety: librdkafka's own arguments, alive for the call; answering within the callback is what it is for.
    unsafe {
        let Some(context) = context(opaque) else { return };
        let partitions = partitions(list);
        let now = partitions.is_empty() || context.is_closing();
        let answer = match code {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS if now => rd_kafka_incremental_assign(client, list),
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                context.push(GroupStep::Assigned(partitions));
                std::ptr::null_mut()
            }
            _ if now => rd_kafka_incremental_unassign(client, list),
            _ if rd_kafka_assignment_lost(client) != 0 => {
                context.push(GroupStep::Lost(partitions));
                std::ptr::null_mut()
            }
            _ => {
                context.push(GroupStep::Revoked(partitions));
                std::ptr::null_mut()
            }
        };
        if !answer.is_null() {
            // librdkafka has logged it; it says no more than that the member is closing.
            rd_kafka_error_destroy(answer);
        }
        if context.is_closing() {
            // Closing waits for more than this, and would take the sign below for its end.
            return;
        }
        // Ends the wait of the poll that this runs in. Not rd_kafka_yield: that drops the record taken next.
        let queue = rd_kafka_queue_get_consumer(client);
        if !queue.is_null() {
            rd_kafka_queue_yield(queue);
            rd_kafka_queue_destroy(queue);
        }
    }
}

/// # Safety
/// `list` is null or a live list.
unsafe fn partitions(list: *const rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    // Safety: the caller's promise; a list's elements are `cnt` in a row.
    unsafe {
        let Some(list) = list.as_ref().filter(|list| list.cnt > 0) else { return Vec::new() };
        let elements = std::slice::from_raw_parts(list.elems, usize::try_from(list.cnt).unwrap_or(0));
        elements.iter().map(|element| TopicPartition { topic: owned(element.topic), partition: element.partition }).collect()
    }
}

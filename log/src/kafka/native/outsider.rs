//! What a group has committed, asked by a client that names the group and never joins it.
//!
//! The admin call for it (ListConsumerGroupOffsets) ends the process by an assertion when the group's coordinator goes away
//! while it is under way (librdkafka issues 3663 and 4605, open; seen here when a broker was killed).
#![expect(unsafe_code, reason = "the call waits without polling, which the safe crate's consumer does not offer")]

use super::seats::Seat;
use super::text::check;
use super::{Failure, ms, open};
use crate::kafka::context::Context;
use crate::kafka::tokens::Tokens;
use crate::{Committed, Result, TopicPartition};
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaType};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

/// A client of a group that is no member of it.
pub(in crate::kafka) struct Outsider {
    _seat: Option<Seat>,
    client: Client<Context>,
}

impl Outsider {
    /// `config` names the group.
    pub(in crate::kafka) fn open(config: &ClientConfig, tokens: Option<&Tokens>) -> Result<Self> {
        let client = open(config, RDKafkaType::RD_KAFKA_CONSUMER, false)?;
        let seat = tokens.map(|tokens| tokens.seat(client.native_ptr())).transpose()?;
        Ok(Self { _seat: seat, client })
    }

    pub(in crate::kafka) fn context(&self) -> &Arc<Context> {
        self.client.context()
    }

    /// Asks the group's coordinator; `None` where the group has committed nothing there.
    pub(in crate::kafka) fn committed(&self, at: &TopicPartition, wait: Duration) -> std::result::Result<Option<Committed>, Failure> {
        // Safety: a live client; its callbacks for logs and errors run here, nobody else polls it.
        unsafe { sys::rd_kafka_poll(self.client.native_ptr(), 0) };
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&at.topic, at.partition);
        // Safety: a live client and list; the answer is written into the list.
        check(unsafe { sys::rd_kafka_committed(self.client.native_ptr(), list.ptr(), ms(wait)) })?;
        let elements = list.elements();
        let element = elements.first().ok_or_else(|| Failure::new(Code::UnknownPartition))?;
        element.error()?;
        Ok(match element.offset() {
            Offset::Offset(offset) => Some(Committed { offset, metadata: element.metadata().to_owned() }),
            _ => None,
        })
    }
}

//! What the simulator gives out.

use super::faults::FaultKind;
use fieldline_schemas::Timestamp;
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;

/// One record on its way to the log.
#[derive(Clone, Debug)]
pub struct Emission {
    /// When the broker takes it: its append time where event time stands for append time.
    pub at: Timestamp,
    pub topic: Topic,
    pub body: Body,
    /// What is wrong with it, or why it was sent at all.
    pub fault: Option<FaultKind>,
}

/// A typed record, so that any form of it can be written, or bytes that were one.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every emission is a record; a box for each would cost more than the rare small ones waste"
)]
pub enum Body {
    Record(AnyRecord<'static>),
    Corrupt {
        /// The key under which the record would have gone.
        key: Vec<u8>,
        /// The damaged payload.
        payload: Vec<u8>,
        /// The record before it was damaged, for a damaged line of a file.
        original: Box<AnyRecord<'static>>,
    },
}

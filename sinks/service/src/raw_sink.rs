//! The raw sink: activity, calls and operations, every record as it is, into the log tables.

use crate::clickhouse::ClickHouseTarget;
use crate::sink::{Encoder, Sink, SinkConfig, SinkControl, SinkError, Taken};
use crate::writer::Block;
use fieldline_log::Log;
use fieldline_schemas::content::content_hash;
use fieldline_schemas::topics::Topic;
use fieldline_schemas::validate::validate;
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks_rows::native::{Columns, Rows};
use fieldline_sinks_rows::{ActivityRows, CallRows, Fact, FactRows, OperationRows, Position};
use std::sync::Arc;

/// Group name without prefix.
pub const GROUP: &str = "raw-sink";

/// Runs the sink on the calling thread until `control` asks it to stop.
pub fn run(config: &SinkConfig, log: Arc<dyn Log>, clickhouse: &ClickHouseTarget, control: Arc<SinkControl>) -> Result<(), SinkError> {
    let topics = [Topic::Activity, Topic::Calls, Topic::Operations];
    Sink::start(GROUP, &topics, config, log, clickhouse, control, RawEncoder { codec: config.schemas.codec(), ..Default::default() })?.run()
}

#[derive(Default)]
struct RawEncoder {
    codec: Codec,
    activities: ActivityRows,
    facts: FactRows,
    calls: CallRows,
    operations: OperationRows,
    bytes: Vec<u8>,
}

impl Encoder for RawEncoder {
    fn take(&mut self, topic: Topic, position: Position, value: &[u8]) -> Taken {
        let record = match self.codec.decode(value) {
            Ok(record) => record,
            Err(rejection) => return Taken::Poison { rejection, stage: "decode" },
        };
        if let Err(rejection) = validate(topic, &record, position.received_at) {
            return Taken::Poison { rejection, stage: "validate" };
        }
        if matches!(record, AnyRecord::Tick(_)) {
            return Taken::Stored;
        }
        let hash = content_hash(&record);
        let fact = match &record {
            AnyRecord::TechnicianActivity(activity) => {
                self.activities.push(position, hash, activity);
                return Taken::Stored;
            }
            AnyRecord::CommunicationCall(call) => {
                self.calls.push(position, hash, call);
                return Taken::Stored;
            }
            AnyRecord::OperationalEvent(event) => {
                self.operations.push(position, hash, event);
                return Taken::Stored;
            }
            AnyRecord::ShiftPlan(plan) => Fact::ShiftPlan(plan),
            AnyRecord::VisitPlan(plan) => Fact::VisitPlan(plan),
            AnyRecord::Signal(signal) => Fact::Signal(signal),
            AnyRecord::Clearance(clearance) => Fact::Clearance(clearance),
            AnyRecord::DeviceHeartbeat(heartbeat) => Fact::DeviceHeartbeat(heartbeat),
            // Validation lets no other kind into these topics.
            _ => return Taken::Stored,
        };
        // A table outlives registries: what is stored whole can be read without one.
        self.bytes.clear();
        self.codec.encode_single_object(&record, &mut self.bytes);
        self.facts.push(position, hash, fact, &self.bytes);
        Taken::Stored
    }

    fn rows(&self) -> usize {
        self.activities.len() + self.facts.len() + self.calls.len() + self.operations.len()
    }

    fn size_bytes(&self) -> usize {
        self.activities.size_bytes() + self.facts.size_bytes() + self.calls.size_bytes() + self.operations.size_bytes()
    }

    fn blocks(&mut self) -> Vec<Block> {
        let mut blocks = Vec::new();
        block("technician_activity_log", &mut self.activities, &mut blocks);
        block("technician_facts_log", &mut self.facts, &mut blocks);
        block("communication_call_details_log", &mut self.calls, &mut blocks);
        block("operational_event_log", &mut self.operations, &mut blocks);
        blocks
    }
}

/// Turns the rows into a block, if there are any.
pub(crate) fn block<C: Columns>(table: &'static str, rows: &mut Rows<C>, blocks: &mut Vec<Block>) {
    if rows.is_empty() {
        return;
    }
    let mut bytes = Vec::new();
    rows.put_block(&mut bytes);
    blocks.push(Block { table, rows: rows.len(), bytes: bytes.into() });
    rows.clear();
}

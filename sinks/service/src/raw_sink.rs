//! The raw sink: what people and systems said, every record as it is, into the log tables: activity, calls, operations and
//! contacts whole, and of `alert_events` the actions of people; what else is there has its rows among the results.

use crate::clickhouse::ClickHouseTarget;
use crate::sink::{Buffer, Encoder, Sink, SinkConfig, SinkControl, SinkError, Taken};
use fieldline_log::Log;
use fieldline_schemas::content::content_hash;
use fieldline_schemas::topics::Topic;
use fieldline_schemas::validate::validate;
use fieldline_schemas::wire::{AnyRecord, Codec};
use fieldline_sinks_rows::{ActivityRows, AlertActionRows, CallRows, ContactRows, Fact, FactRows, OperationRows, Position, SilenceRows};
use std::sync::Arc;

/// Group name without prefix.
pub const GROUP: &str = "raw-sink";
/// What it reads.
pub const TOPICS: [Topic; 5] = [Topic::Activity, Topic::Calls, Topic::Operations, Topic::Contacts, Topic::AlertEvents];

/// Runs the sink on the calling thread until `control` asks it to stop.
pub fn run(config: &SinkConfig, log: Arc<dyn Log>, clickhouse: &ClickHouseTarget, control: Arc<SinkControl>) -> Result<(), SinkError> {
    Sink::start(GROUP, &TOPICS, config, log, clickhouse, control, RawEncoder { codec: config.schemas.codec(), ..Default::default() })?.run()
}

#[derive(Default)]
struct RawEncoder {
    codec: Codec,
    activities: ActivityRows,
    facts: FactRows,
    calls: CallRows,
    operations: OperationRows,
    contacts: ContactRows,
    silences: SilenceRows,
    alert_actions: AlertActionRows,
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
        // Time, and what the pipeline itself says of alerts.
        if matches!(record, AnyRecord::Tick(_) | AnyRecord::Flag(_) | AnyRecord::Delivery(_)) {
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
            AnyRecord::Contact(contact) => {
                self.contacts.push(position, hash, contact);
                return Taken::Stored;
            }
            AnyRecord::Silence(silence) => {
                self.silences.push(position, hash, silence);
                return Taken::Stored;
            }
            AnyRecord::AlertAction(action) => {
                self.alert_actions.push(position, hash, action);
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

    fn buffers(&mut self) -> Vec<Buffer<'_>> {
        vec![
            Buffer::of("technician_activity_log", &mut self.activities),
            Buffer::of("technician_facts_log", &mut self.facts),
            Buffer::of("communication_call_details_log", &mut self.calls),
            Buffer::of("operational_event_log", &mut self.operations),
            Buffer::of("contacts_log", &mut self.contacts),
            Buffer::of("silences_log", &mut self.silences),
            Buffer::of("alert_actions_log", &mut self.alert_actions),
        ]
    }
}

//! The topics, one card each, from `schemas/topics`; and what a record's key is.

use crate::events::CommunicationCall;
use crate::ids::{EventId, TechnicianId};
use crate::results::{Identity, Kpi};
use crate::time::DAY_US;
use crate::wire::{AnyRecord, Kind};
use serde::Deserialize;
use std::sync::OnceLock;
use uuid::Uuid;

/// What stands before every topic's name, where the configuration says nothing else.
pub const PREFIX_DEFAULT: &str = "fieldline.";

macro_rules! topics {
    ($($(#[$doc:meta])* $topic:ident = $name:literal)*) => {
        /// The topics of the pipeline.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Topic { $($(#[$doc])* $topic,)* }
        impl Topic {
            pub const ALL: &'static [Topic] = &[$(Topic::$topic,)*];
            /// The name without prefix.
            pub const fn name(self) -> &'static str { match self { $(Topic::$topic => $name,)* } }
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(Topic::$topic),)* _ => None } }
            const fn card_toml(self) -> &'static str {
                match self { $(Topic::$topic => include_str!(concat!("../topics/", $name, ".toml")),)* }
            }
        }
    };
}

topics! {
    Activity = "activity"
    Calls = "calls"
    Operations = "operations"
    Plans = "plans"
    Contacts = "contacts"
    Emergency = "emergency"
    Recompute = "recompute"
    Kpis = "kpis"
    AlertEvents = "alert_events"
    Alerts = "alerts"
    Deliveries = "deliveries"
    DeadLetters = "dead_letters"
    Beats = "beats"
}

/// What a topic is and how it is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Without prefix.
    pub name: String,
    /// Counts the changes of the card that need the topic to be altered.
    pub version: u32,
    pub description: String,
    /// What the key says, in words.
    pub key: String,
    /// What the partition is chosen by, in words; hashed by Kafka's murmur2.
    pub partition_by: String,
    pub partitions: u32,
    /// How long records are kept after their append; `None`: for ever.
    pub retention_us: Option<i64>,
    /// Of one key only the newest record need be kept.
    pub compacted: bool,
    /// Where records go that are not understood here.
    pub dead_letters: Option<Topic>,
    /// The kinds that may be in it.
    pub records: Vec<Kind>,
}

/// A card as it stands in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    name: String,
    version: u32,
    description: String,
    key: String,
    partition_by: String,
    partitions: u32,
    retention: String,
    compacted: bool,
    dead_letters: Option<String>,
    records: Vec<String>,
}

impl CardFile {
    fn card(self) -> Option<Card> {
        let retention_us = match self.retention.strip_suffix(" days") {
            Some(days) => Some(days.parse::<i64>().ok()?.checked_mul(DAY_US)?),
            None if self.retention == "forever" => None,
            None => return None,
        };
        let dead_letters = match self.dead_letters {
            Some(name) => Some(Topic::from_name(&name)?),
            None => None,
        };
        Some(Card {
            name: self.name,
            version: self.version,
            description: self.description,
            key: self.key,
            partition_by: self.partition_by,
            partitions: self.partitions,
            retention_us,
            compacted: self.compacted,
            dead_letters,
            records: self.records.iter().map(|name| Kind::from_name(name)).collect::<Option<_>>()?,
        })
    }
}

impl Topic {
    #[expect(clippy::expect_used, reason = "the cards are part of the program, and a test parses each")]
    pub fn card(self) -> &'static Card {
        static CARDS: OnceLock<Vec<Card>> = OnceLock::new();
        let parse = |topic: &Topic| toml::from_str::<CardFile>(topic.card_toml()).ok().and_then(CardFile::card);
        let cards = CARDS.get_or_init(|| Topic::ALL.iter().map(|topic| parse(topic).expect("a topic's card is well-formed")).collect());
        &cards[self as usize]
    }

    /// The name in the log: `fieldline.activity`.
    pub fn full_name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.name())
    }

    /// Whether records of this kind belong in the topic.
    pub fn takes(self, kind: Kind) -> bool {
        self.card().records.contains(&kind)
    }
}

/// The text by which a record is partitioned, and its key in every topic but the compacted ones (see `key_in`): the
/// technician's lowercase 36-character uuid, the queue, the alert id. Empty for a tick, which goes to a partition by number.
pub fn key_of(record: &AnyRecord<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    put_key(record, &mut key);
    key
}

/// Appends the record's key, as `key_of` has it: whoever puts out many rows keeps one buffer.
pub fn put_key(record: &AnyRecord<'_>, to: &mut Vec<u8>) {
    match record {
        AnyRecord::TechnicianActivity(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::CommunicationCall(r) => put_call_subject(r, to),
        AnyRecord::OperationalEvent(r) => put_ids([r.common.id.0], to),
        AnyRecord::ShiftPlan(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::VisitPlan(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::Contact(r) => to.extend_from_slice(format!("{}:{}", r.id, r.revision).as_bytes()),
        AnyRecord::DeviceHeartbeat(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::AlertAction(r) => to.extend_from_slice(r.alert_id.as_bytes()),
        AnyRecord::Flag(r) => to.extend_from_slice(r.alert_id.as_bytes()),
        AnyRecord::Alert(r) => to.extend_from_slice(r.alert_id.as_bytes()),
        AnyRecord::Delivery(r) => to.extend_from_slice(r.alert_id.as_bytes()),
        AnyRecord::Silence(r) => to.extend_from_slice(format!("{}:{}", r.id, r.revision).as_bytes()),
        AnyRecord::Signal(r) => put_technician_or_id(r.technician(), r.event.common.id, to),
        AnyRecord::Clearance(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::Tick(_) => {}
        AnyRecord::RecomputeRequest(r) => put_ids([r.technician_contact_id.0], to),
        AnyRecord::Kpi(r) => match &r.kpi {
            Kpi::Shift(shift) => put_ids([shift.technician_contact_id.0, shift.shift_id.0], to),
            Kpi::Episode(e) => put_ids([e.technician_contact_id.0, e.visit_id.0, e.first_event_id.0], to),
            Kpi::Tombstone(Identity::Shift { technician_contact_id, shift_id }) => put_ids([technician_contact_id.0, shift_id.0], to),
            Kpi::Tombstone(Identity::Episode { technician_contact_id, visit_id, first_event_id }) => {
                put_ids([technician_contact_id.0, visit_id.0, first_event_id.0], to);
            }
        },
        AnyRecord::DeadLetter(r) => to.extend_from_slice(format!("{}:{}:{}", r.topic, r.partition, r.offset).as_bytes()),
    }
}

/// The record's key in a topic. It differs from `key_of` in `plans` (`id:revision`, so that compaction keeps every
/// revision) and in the lane (an operational event is there by the technician it names).
pub fn key_in(topic: Topic, record: &AnyRecord<'_>) -> Vec<u8> {
    let revision_of = |id: EventId, revision: u32| format!("{id}:{revision}").into_bytes();
    let mut key = Vec::new();
    match (topic, record) {
        (Topic::Plans, AnyRecord::ShiftPlan(r)) => return revision_of(r.id, r.revision),
        (Topic::Plans, AnyRecord::VisitPlan(r)) => return revision_of(r.id, r.revision),
        (Topic::Emergency, AnyRecord::OperationalEvent(r)) => put_technician_or_id(r.technician_contact_id, r.common.id, &mut key),
        _ => put_key(record, &mut key),
    }
    key
}

/// The subject of a call: its queue, else its conversation, else itself.
fn put_call_subject(call: &CommunicationCall<'_>, to: &mut Vec<u8>) {
    match (&call.queue_name, call.thread_id) {
        (Some(queue), _) if !queue.is_empty() => to.extend_from_slice(queue.as_bytes()),
        (_, Some(thread)) => put_ids([thread.0], to),
        _ => put_ids([call.common.id.0], to),
    }
}

fn put_technician_or_id(technician: Option<TechnicianId>, id: EventId, to: &mut Vec<u8>) {
    put_ids([technician.map_or(id.0, |technician| technician.0)], to);
}

/// Ids as text with colons between them. Not by `Display`, which takes ten times as long, and every row has two or three.
fn put_ids<const N: usize>(ids: [Uuid; N], to: &mut Vec<u8>) {
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            to.push(b':');
        }
        to.extend_from_slice(id.hyphenated().encode_lower(&mut [0; 36]).as_bytes());
    }
}

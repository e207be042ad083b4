//! The topics, one card each, from `schemas/topics`; and what a record's key is.

use crate::events::CommunicationCall;
use crate::ids::{EventId, TechnicianId};
use crate::results::{Identity, Kpi};
use crate::time::DAY_US;
use crate::wire::{AnyRecord, Kind};
use serde::Deserialize;
use std::fmt::Display;
use std::sync::OnceLock;

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
    let text = |id: &dyn Display| id.to_string().into_bytes();
    match record {
        AnyRecord::TechnicianActivity(r) => text(&r.technician_contact_id),
        AnyRecord::CommunicationCall(r) => call_subject(r),
        AnyRecord::OperationalEvent(r) => text(&r.common.id),
        AnyRecord::ShiftPlan(r) => text(&r.technician_contact_id),
        AnyRecord::VisitPlan(r) => text(&r.technician_contact_id),
        AnyRecord::Contact(r) => format!("{}:{}", r.id, r.revision).into_bytes(),
        AnyRecord::DeviceHeartbeat(r) => text(&r.technician_contact_id),
        AnyRecord::AlertAction(r) => r.alert_id.as_bytes().to_vec(),
        AnyRecord::Flag(r) => r.alert_id.as_bytes().to_vec(),
        AnyRecord::Alert(r) => r.alert_id.as_bytes().to_vec(),
        AnyRecord::Delivery(r) => r.alert_id.as_bytes().to_vec(),
        AnyRecord::Silence(r) => format!("{}:{}", r.id, r.revision).into_bytes(),
        AnyRecord::Signal(r) => technician_or_id(r.technician(), r.event.common.id),
        AnyRecord::Clearance(r) => text(&r.technician_contact_id),
        AnyRecord::Tick(_) => Vec::new(),
        AnyRecord::RecomputeRequest(r) => text(&r.technician_contact_id),
        AnyRecord::Kpi(r) => text(&match &r.kpi {
            Kpi::Shift(shift) => shift_key(&shift.technician_contact_id, &shift.shift_id),
            Kpi::Episode(e) => episode_key(&e.technician_contact_id, &e.visit_id, &e.first_event_id),
            Kpi::Tombstone(Identity::Shift { technician_contact_id, shift_id }) => shift_key(technician_contact_id, shift_id),
            Kpi::Tombstone(Identity::Episode { technician_contact_id, visit_id, first_event_id }) => {
                episode_key(technician_contact_id, visit_id, first_event_id)
            }
        }),
        AnyRecord::DeadLetter(r) => format!("{}:{}:{}", r.topic, r.partition, r.offset).into_bytes(),
    }
}

/// The record's key in a topic. It differs from `key_of` in `plans` (`id:revision`, so that compaction keeps every
/// revision) and in the lane (an operational event is there by the technician it names).
pub fn key_in(topic: Topic, record: &AnyRecord<'_>) -> Vec<u8> {
    let revision_of = |id: EventId, revision: u32| format!("{id}:{revision}").into_bytes();
    match (topic, record) {
        (Topic::Plans, AnyRecord::ShiftPlan(r)) => revision_of(r.id, r.revision),
        (Topic::Plans, AnyRecord::VisitPlan(r)) => revision_of(r.id, r.revision),
        (Topic::Emergency, AnyRecord::OperationalEvent(r)) => technician_or_id(r.technician_contact_id, r.common.id),
        _ => key_of(record),
    }
}

/// The subject of a call: its queue, else its conversation, else itself.
fn call_subject(call: &CommunicationCall<'_>) -> Vec<u8> {
    match (&call.queue_name, call.thread_id) {
        (Some(queue), _) if !queue.is_empty() => queue.as_bytes().to_vec(),
        (_, Some(thread)) => thread.to_string().into_bytes(),
        _ => call.common.id.to_string().into_bytes(),
    }
}

fn technician_or_id(technician: Option<TechnicianId>, id: EventId) -> Vec<u8> {
    technician.map_or_else(|| id.to_string(), |technician| technician.to_string()).into_bytes()
}

fn shift_key(technician: &dyn Display, shift: &dyn Display) -> String {
    format!("{technician}:{shift}")
}

fn episode_key(technician: &dyn Display, visit: &dyn Display, first_event: &dyn Display) -> String {
    format!("{technician}:{visit}:{first_event}")
}

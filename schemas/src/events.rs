//! The records of the log, as their senders mean them.
//!
//! Text is borrowed from the record where it can be (`Cow`), so that decoding allocates nothing; `metadata` and
//! `ivr_path` are JSON text in canonical form (compact, keys sorted).

use crate::ids::{ContactId, EventId, JobId, MessageId, TechnicianId, ThreadId, VehicleId, VisitId};
use crate::time::Timestamp;
use std::borrow::Cow;

macro_rules! symbols {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $symbol:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
            /// The symbol as sent and stored.
            pub const fn symbol(self) -> &'static str { match self { $($name::$variant => $symbol,)* } }
            pub fn from_symbol(symbol: &str) -> Option<Self> { match symbol { $($symbol => Some($name::$variant),)* _ => None } }
        }
    };
}
pub(crate) use symbols;

symbols! {
    ActivityType {
        ShiftStart = "shift_start", ShiftEnd = "shift_end", BreakStart = "break_start", BreakEnd = "break_end",
        TravelStart = "travel_start", TravelEnd = "travel_end", ArrivedOnSite = "arrived_on_site",
        WorkStarted = "work_started", WorkPaused = "work_paused", WorkResumed = "work_resumed",
        WorkCompleted = "work_completed", LeftSite = "left_site", VehicleInspection = "vehicle_inspection",
        FuelStop = "fuel_stop", EmergencyStop = "emergency_stop",
    }
}
symbols! { CallType { Inbound = "inbound", Outbound = "outbound", Missed = "missed", Voicemail = "voicemail", } }
symbols! {
    CallOutcome {
        Answered = "answered", VoicemailLeft = "voicemail_left", NoAnswer = "no_answer", Busy = "busy",
        Failed = "failed", Transferred = "transferred",
    }
}
symbols! {
    EventCategory { Communication = "communication", Security = "security", Operational = "operational", System = "system", }
}
symbols! { Severity { Info = "info", Warning = "warning", Error = "error", Critical = "critical", } }
symbols! { ActionKind { Acknowledge = "acknowledge", Resolve = "resolve", Note = "note", } }
symbols! {
    ResolveReason { FalseAlarm = "false_alarm", Assisted = "assisted", Dispatched = "dispatched", Test = "test", }
}
symbols! { ContactKind { Technician = "technician", Agent = "agent", Customer = "customer", } }

/// A position as sent. Nothing here is checked: what is out of range or half missing is anomaly A21, not a dead letter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location<'a> {
    /// Degrees north, WGS 84.
    pub latitude: Option<f64>,
    /// Degrees east, WGS 84.
    pub longitude: Option<f64>,
    pub accuracy_meters: Option<i32>,
    pub address: Option<Cow<'a, str>>,
}

/// Fields that every event of the three families has.
#[derive(Clone, Debug, PartialEq)]
pub struct Common<'a> {
    pub id: EventId,
    /// An amendment is a new revision of the same id. Never above `i32::MAX`.
    pub revision: u32,
    /// Withdraws the id.
    pub voided: bool,
    /// When it happened.
    pub created_at: Timestamp,
    /// Minutes east of UTC of the sender's clock; absent counts as 0.
    pub utc_offset_minutes: Option<i16>,
    /// When the device stored it.
    pub recorded_at: Option<Timestamp>,
    pub device_id: Option<Cow<'a, str>>,
    pub device_sequence: Option<i64>,
    /// mobile, desktop, import, device, manual, simulator, or any other text.
    pub source: Option<Cow<'a, str>>,
    /// Set by importers of history: pages nobody, A17 and A18 are not judged.
    pub imported: bool,
    /// Names of the fields that the gateway or the publisher filled in; not part of the content.
    pub assigned: Vec<Cow<'a, str>>,
    /// JSON object, canonical text.
    pub metadata: Option<Cow<'a, str>>,
}

/// `technician_activity`: something a technician did, or pressed.
#[derive(Clone, Debug, PartialEq)]
pub struct TechnicianActivity<'a> {
    pub common: Common<'a>,
    pub technician_contact_id: TechnicianId,
    pub activity_type: ActivityType,
    pub visit_id: Option<VisitId>,
    pub vehicle_id: Option<VehicleId>,
    pub location: Option<Location<'a>>,
    pub notes: Option<Cow<'a, str>>,
}

/// `communication_call_details` with the fields of its message that a call needs.
#[derive(Clone, Debug, PartialEq)]
pub struct CommunicationCall<'a> {
    pub common: Common<'a>,
    pub communication_message_id: Option<MessageId>,
    pub call_type: CallType,
    pub call_outcome: CallOutcome,
    pub duration_seconds: Option<i32>,
    pub wait_time_seconds: Option<i32>,
    pub recording_url: Option<Cow<'a, str>>,
    pub transcription: Option<Cow<'a, str>>,
    pub sentiment_score: Option<f64>,
    pub sentiment_basis: Option<Cow<'a, str>>,
    pub transferred_to_contact_id: Option<ContactId>,
    pub queue_name: Option<Cow<'a, str>>,
    /// JSON, canonical text.
    pub ivr_path: Option<Cow<'a, str>>,
    pub channel_type: Option<Cow<'a, str>>,
    pub direction: Option<Cow<'a, str>>,
    /// When the caller entered the queue.
    pub started_at: Option<Timestamp>,
    pub agent_contact_id: Option<ContactId>,
    pub thread_id: Option<ThreadId>,
    /// The first record of the call that a transfer's second record belongs to.
    pub root_call_id: Option<EventId>,
    pub abandoned: Option<bool>,
}

/// `operational_event`; an update of the same id carries the whole event.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationalEvent<'a> {
    pub common: Common<'a>,
    pub event_type: Option<Cow<'a, str>>,
    pub event_category: EventCategory,
    pub severity: Severity,
    pub source_system: Option<Cow<'a, str>>,
    pub title: Option<Cow<'a, str>>,
    pub description: Option<Cow<'a, str>>,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by_contact_id: Option<ContactId>,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by_contact_id: Option<ContactId>,
    pub dedup_key: Option<Cow<'a, str>>,
    pub technician_contact_id: Option<TechnicianId>,
    pub vehicle_id: Option<VehicleId>,
    pub visit_id: Option<VisitId>,
}

/// `shift_plan`: when a technician is meant to work.
#[derive(Clone, Debug, PartialEq)]
pub struct ShiftPlan<'a> {
    pub id: EventId,
    pub revision: u32,
    pub voided: bool,
    pub technician_contact_id: TechnicianId,
    pub planned_start: Timestamp,
    pub planned_end: Timestamp,
    pub lone_worker: bool,
    pub time_zone: Option<Cow<'a, str>>,
}

/// `visit_plan`: when and where a visit is promised.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitPlan<'a> {
    pub id: EventId,
    pub revision: u32,
    pub voided: bool,
    pub technician_contact_id: TechnicianId,
    pub visit_id: VisitId,
    pub window_start: Timestamp,
    pub window_end: Timestamp,
    pub promised_at: Option<Timestamp>,
    pub requested_at: Option<Timestamp>,
    pub job_id: Option<JobId>,
    pub priority: Option<Cow<'a, str>>,
    pub location: Option<Location<'a>>,
    pub geofence_radius_meters: Option<f64>,
}

/// `contact`: names and teams for views; never an input of a KPI.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact<'a> {
    pub id: ContactId,
    pub revision: u32,
    pub display_name: Option<Cow<'a, str>>,
    pub team: Option<Cow<'a, str>>,
    pub kind: ContactKind,
}

/// `device_heartbeat`: the device lives, whatever the technician does.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceHeartbeat<'a> {
    pub device_id: Cow<'a, str>,
    pub technician_contact_id: TechnicianId,
    pub created_at: Timestamp,
    pub battery_percent: Option<f64>,
    pub location: Option<Location<'a>>,
}

/// `alert_action`: what a person did with an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertAction<'a> {
    pub id: EventId,
    pub created_at: Timestamp,
    /// `flag:subject:cause`
    pub alert_id: Cow<'a, str>,
    pub action: ActionKind,
    pub reason: Option<ResolveReason>,
    pub actor_contact_id: Option<ContactId>,
    pub note: Option<Cow<'a, str>>,
}

/// An operational event carried into the log of the technician it names, or has named. Its identity and order are its source
/// position.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal<'a> {
    /// Topic family of the source without prefix: `operations`.
    pub source_topic: Cow<'a, str>,
    pub source_partition: i32,
    pub source_offset: i64,
    pub event: OperationalEvent<'a>,
    /// Whose log it is carried into, where the event names another technician since, or none; `None`: the one it names.
    pub technician_contact_id: Option<TechnicianId>,
    /// By its event_type the event is an emergency of its own: an SOS, a panic button.
    pub is_emergency: bool,
    /// Of an emergency that is the technician's: the alert that was opened for it, which may have another subject; `None`: that of the
    /// technician.
    pub alert_id: Option<Cow<'a, str>>,
}

impl Signal<'_> {
    /// Whose log it belongs to.
    pub fn technician(&self) -> Option<TechnicianId> {
        self.technician_contact_id.or(self.event.technician_contact_id)
    }
}

/// The resolution of an emergency's alert, carried into the technician's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Clearance<'a> {
    /// The id of the `alert_action` that resolved it.
    pub id: EventId,
    pub technician_contact_id: TechnicianId,
    /// `S1:<technician>:<id of the emergency_stop>`
    pub alert_id: Cow<'a, str>,
    /// When it was resolved.
    pub created_at: Timestamp,
    pub reason: Option<ResolveReason>,
    pub actor_contact_id: Option<ContactId>,
}

/// Time passing on a silent partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The append time of the record before it, where the writer vouches that nothing was missing in between
    /// (time-lapse): the time from `since` to the tick is then no gap.
    pub since: Option<Timestamp>,
}

/// A request to compute a technician's past again from the log tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecomputeRequest {
    pub technician_contact_id: TechnicianId,
    /// Ids whose other revisions widen the span.
    pub event_ids: Vec<EventId>,
    /// The span of event time that is touched, both ends included.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Partition and offset of `activity` through which the request is true.
    pub partition: i32,
    pub offset: i64,
    /// The partition's clock at that offset.
    pub clock: Timestamp,
    /// The event that caused it, if one did.
    pub caused_by: Option<EventId>,
}

symbols! {
    /// Why a record could not be understood. A closed list.
    DeadLetterReason {
        /// The bytes are no frame that we know.
        UnknownFraming = "unknown_framing",
        /// The frame names a schema that is not known here.
        UnknownSchema = "unknown_schema",
        /// The payload is not what its schema says, or bytes are left over.
        Undecodable = "undecodable",
        /// A known schema that has no business in this topic.
        WrongKind = "wrong_kind",
        MissingField = "missing_field",
        MalformedUuid = "malformed_uuid",
        MalformedTime = "malformed_time",
        UnknownSymbol = "unknown_symbol",
        /// A number outside the range its field allows.
        OutOfRange = "out_of_range",
        /// Longer or deeper than the limits of this crate.
        TooLarge = "too_large",
        /// created_at more than 24 h ahead of received_at.
        CreatedAhead = "created_ahead",
    }
}

/// A record that could not be understood, with everything needed to look into it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter<'a> {
    pub topic: Cow<'a, str>,
    pub partition: i32,
    pub offset: i64,
    pub received_at: Timestamp,
    pub reason: DeadLetterReason,
    /// What exactly, never with the person's data: field names and positions.
    pub detail: Cow<'a, str>,
    /// decode, validate.
    pub stage: Cow<'a, str>,
    pub key: Cow<'a, [u8]>,
    pub payload: Cow<'a, [u8]>,
}

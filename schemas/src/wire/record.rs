//! Any record of the log, and the kinds there are.

use crate::alerts::*;
use crate::events::*;
use crate::results::{Kpi, KpiRecord};

/// One record of any topic.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyRecord<'a> {
    TechnicianActivity(TechnicianActivity<'a>),
    CommunicationCall(CommunicationCall<'a>),
    OperationalEvent(OperationalEvent<'a>),
    ShiftPlan(ShiftPlan<'a>),
    VisitPlan(VisitPlan<'a>),
    Contact(Contact<'a>),
    DeviceHeartbeat(DeviceHeartbeat<'a>),
    AlertAction(AlertAction<'a>),
    Flag(Flag<'a>),
    Alert(Alert<'a>),
    Delivery(Delivery<'a>),
    Silence(Silence<'a>),
    Signal(Signal<'a>),
    Clearance(Clearance<'a>),
    Tick(Tick),
    RecomputeRequest(RecomputeRequest),
    Kpi(KpiRecord),
    DeadLetter(DeadLetter<'a>),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal)*) => {
        /// What a record is: one Avro schema each. `kpis` carries three.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $kind,)* }
        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];
            /// The name of the Avro schema, and the value of `"event"` in the JSON form.
            pub const fn name(self) -> &'static str { match self { $(Kind::$kind => $name,)* } }
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(Kind::$kind),)* _ => None } }
        }
    };
}

// The most frequent first: a frame is matched against the fingerprints in this order.
kinds! {
    TechnicianActivity = "technician_activity"
    Tick = "tick"
    CommunicationCall = "communication_call_details"
    OperationalEvent = "operational_event"
    EpisodeResult = "episode_result"
    ShiftResult = "shift_result"
    Tombstone = "tombstone"
    DeviceHeartbeat = "device_heartbeat"
    ShiftPlan = "shift_plan"
    VisitPlan = "visit_plan"
    Contact = "contact"
    AlertAction = "alert_action"
    Flag = "flag"
    Alert = "alert"
    Delivery = "delivery"
    Silence = "silence"
    Signal = "signal"
    Clearance = "clearance"
    RecomputeRequest = "recompute_request"
    DeadLetter = "dead_letter"
}

impl AnyRecord<'_> {
    pub const fn kind(&self) -> Kind {
        match self {
            AnyRecord::TechnicianActivity(_) => Kind::TechnicianActivity,
            AnyRecord::CommunicationCall(_) => Kind::CommunicationCall,
            AnyRecord::OperationalEvent(_) => Kind::OperationalEvent,
            AnyRecord::ShiftPlan(_) => Kind::ShiftPlan,
            AnyRecord::VisitPlan(_) => Kind::VisitPlan,
            AnyRecord::Contact(_) => Kind::Contact,
            AnyRecord::DeviceHeartbeat(_) => Kind::DeviceHeartbeat,
            AnyRecord::AlertAction(_) => Kind::AlertAction,
            AnyRecord::Flag(_) => Kind::Flag,
            AnyRecord::Alert(_) => Kind::Alert,
            AnyRecord::Delivery(_) => Kind::Delivery,
            AnyRecord::Silence(_) => Kind::Silence,
            AnyRecord::Signal(_) => Kind::Signal,
            AnyRecord::Clearance(_) => Kind::Clearance,
            AnyRecord::Tick(_) => Kind::Tick,
            AnyRecord::RecomputeRequest(_) => Kind::RecomputeRequest,
            AnyRecord::Kpi(record) => match record.kpi {
                Kpi::Shift(_) => Kind::ShiftResult,
                Kpi::Episode(_) => Kind::EpisodeResult,
                Kpi::Tombstone(_) => Kind::Tombstone,
            },
            AnyRecord::DeadLetter(_) => Kind::DeadLetter,
        }
    }
}

macro_rules! from_each {
    ($($name:ident $(<$life:lifetime>)?)*) => {$(
        impl<'a> From<$name $(<$life>)?> for AnyRecord<'a> {
            fn from(record: $name $(<$life>)?) -> Self { AnyRecord::$name(record) }
        }
    )*};
}
from_each! {
    TechnicianActivity<'a> CommunicationCall<'a> OperationalEvent<'a> ShiftPlan<'a> VisitPlan<'a> Contact<'a>
    DeviceHeartbeat<'a> AlertAction<'a> Flag<'a> Alert<'a> Delivery<'a> Silence<'a> Signal<'a> Clearance<'a> Tick RecomputeRequest DeadLetter<'a>
}
impl From<KpiRecord> for AnyRecord<'_> {
    fn from(record: KpiRecord) -> Self {
        AnyRecord::Kpi(record)
    }
}

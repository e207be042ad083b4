//! Copies of records that borrow nothing.

use super::record::AnyRecord;
use super::records::each_record;
use super::tombstone::Tombstone;
use crate::alerts::*;
use crate::anomaly::Anomalies;
use crate::events::*;
use crate::ids::*;
use crate::results::*;
use crate::time::Timestamp;
use crate::version::Version;
use std::borrow::Cow;

trait IntoOwned {
    type Static;
    fn into_owned(self) -> Self::Static;
}

impl<B: ?Sized + ToOwned + 'static> IntoOwned for Cow<'_, B> {
    type Static = Cow<'static, B>;
    fn into_owned(self) -> Self::Static {
        Cow::Owned(Cow::into_owned(self))
    }
}
impl<T: IntoOwned> IntoOwned for Option<T> {
    type Static = Option<T::Static>;
    fn into_owned(self) -> Self::Static {
        self.map(T::into_owned)
    }
}
impl<T: IntoOwned> IntoOwned for Vec<T> {
    type Static = Vec<T::Static>;
    fn into_owned(self) -> Self::Static {
        self.into_iter().map(T::into_owned).collect()
    }
}

macro_rules! already_owned {
    ($($type:ty)*) => {$(impl IntoOwned for $type { type Static = Self; fn into_owned(self) -> Self { self } })*};
}
already_owned! {
    bool i16 i32 i64 u32 f64 Timestamp Version Anomalies
    EventId ContactId TechnicianId VisitId VehicleId MessageId ThreadId JobId
    ActivityType CallType CallOutcome EventCategory Severity ActionKind ResolveReason ContactKind DeadLetterReason Quality Finality
    FlagCode FlagOrigin FlagStanding AlertState AlertStep DeliveryOutcome
}

macro_rules! owned_records {
    ($($name:ident $(<$life:lifetime>)? [$($group:ident)?] { $($field:ident,)* })*) => {
        $(owned_records!(@one $name $(<$life>)? [$($group)?] { $($field,)* });)*
    };
    (@one $name:ident<$life:lifetime> [$($group:ident)?] { $($field:ident,)* }) => {
        impl<$life> IntoOwned for $name<$life> {
            type Static = $name<'static>;
            fn into_owned(self) -> $name<'static> {
                $name { $($group: IntoOwned::into_owned(self.$group),)? $($field: IntoOwned::into_owned(self.$field),)* }
            }
        }
        impl $name<'_> {
            /// The same record, borrowing nothing.
            pub fn into_owned(self) -> $name<'static> { IntoOwned::into_owned(self) }
        }
    };
    (@one $name:ident [$($group:ident)?] { $($field:ident,)* }) => { already_owned! { $name } };
}
each_record!(owned_records);

impl AnyRecord<'_> {
    /// The same record, borrowing nothing.
    pub fn into_owned(self) -> AnyRecord<'static> {
        match self {
            AnyRecord::TechnicianActivity(r) => AnyRecord::TechnicianActivity(r.into_owned()),
            AnyRecord::CommunicationCall(r) => AnyRecord::CommunicationCall(r.into_owned()),
            AnyRecord::OperationalEvent(r) => AnyRecord::OperationalEvent(r.into_owned()),
            AnyRecord::ShiftPlan(r) => AnyRecord::ShiftPlan(r.into_owned()),
            AnyRecord::VisitPlan(r) => AnyRecord::VisitPlan(r.into_owned()),
            AnyRecord::Contact(r) => AnyRecord::Contact(r.into_owned()),
            AnyRecord::DeviceHeartbeat(r) => AnyRecord::DeviceHeartbeat(r.into_owned()),
            AnyRecord::AlertAction(r) => AnyRecord::AlertAction(r.into_owned()),
            AnyRecord::Flag(r) => AnyRecord::Flag(r.into_owned()),
            AnyRecord::Alert(r) => AnyRecord::Alert(r.into_owned()),
            AnyRecord::Delivery(r) => AnyRecord::Delivery(r.into_owned()),
            AnyRecord::Silence(r) => AnyRecord::Silence(r.into_owned()),
            AnyRecord::Signal(r) => AnyRecord::Signal(r.into_owned()),
            AnyRecord::Clearance(r) => AnyRecord::Clearance(r.into_owned()),
            AnyRecord::Tick(r) => AnyRecord::Tick(r),
            AnyRecord::RecomputeRequest(r) => AnyRecord::RecomputeRequest(r),
            AnyRecord::Kpi(r) => AnyRecord::Kpi(r),
            AnyRecord::DeadLetter(r) => AnyRecord::DeadLetter(r.into_owned()),
        }
    }
}

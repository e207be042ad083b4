//! Ids are types: a visit can not be passed where a technician is meant.

use std::fmt;
use uuid::Uuid;

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(Uuid::from_bytes(bytes)) }
            pub const fn as_bytes(&self) -> &[u8; 16] { self.0.as_bytes() }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.hyphenated().fmt(f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!(stringify!($name), "({})"), self.0) }
        }
    )*};
}

id_types! {
    /// Id of one record of any kind: an activity, call, operational event, plan or action.
    EventId
    /// Any person: technician, agent or customer.
    ContactId
    /// A technician, the subject of the `activity` topic.
    TechnicianId
    /// A visit; several technicians may work on one.
    VisitId
    VehicleId
    /// A row of communication_messages that a call extends.
    MessageId
    ThreadId
    /// A job that several visits may serve.
    JobId
}

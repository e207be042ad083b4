//! Whether two records say the same.
//!
//! Content is compared as understood: an absent field, a null and the field's default are the same; a time is an instant;
//! metadata is its canonical text. Each field is written with its name, and one that says nothing is left out, so that a
//! field that a later release adds changes no hash of today. The hash is stored in the log tables: what it is made of
//! never changes (a test pins hashes).

use crate::alerts::*;
use crate::anomaly::Anomalies;
use crate::events::*;
use crate::ids::*;
use crate::json::text::canonical;
use crate::limits::METADATA_DEPTH_MAX;
use crate::results::*;
use crate::time::Timestamp;
use crate::version::Version;
use crate::wire::AnyRecord;
use crate::wire::records::{each_record, plain};
use crate::wire::tombstone::Tombstone;
use std::borrow::Cow;

/// A hash of everything a record says but `assigned`, stable across releases.
pub fn content_hash(record: &AnyRecord<'_>) -> u128 {
    let mut content = Vec::with_capacity(512);
    content.extend_from_slice(record.kind().name().as_bytes());
    match record {
        AnyRecord::TechnicianActivity(r) => r.put("", &mut content),
        AnyRecord::CommunicationCall(r) => r.put("", &mut content),
        AnyRecord::OperationalEvent(r) => r.put("", &mut content),
        AnyRecord::ShiftPlan(r) => r.put("", &mut content),
        AnyRecord::VisitPlan(r) => r.put("", &mut content),
        AnyRecord::Contact(r) => r.put("", &mut content),
        AnyRecord::DeviceHeartbeat(r) => r.put("", &mut content),
        AnyRecord::AlertAction(r) => r.put("", &mut content),
        AnyRecord::Flag(r) => r.put("", &mut content),
        AnyRecord::Alert(r) => r.put("", &mut content),
        AnyRecord::Delivery(r) => r.put("", &mut content),
        AnyRecord::Silence(r) => r.put("", &mut content),
        AnyRecord::Signal(r) => r.put("", &mut content),
        AnyRecord::Clearance(r) => r.put("", &mut content),
        AnyRecord::Tick(r) => r.put("", &mut content),
        AnyRecord::RecomputeRequest(r) => r.put("", &mut content),
        AnyRecord::DeadLetter(r) => r.put("", &mut content),
        AnyRecord::Kpi(r) => {
            r.stamp.put("", &mut content);
            match &r.kpi {
                Kpi::Shift(shift) => shift.put("", &mut content),
                Kpi::Episode(episode) => episode.put("", &mut content),
                Kpi::Tombstone(identity) => Tombstone::of(*identity).put("", &mut content),
            }
        }
    }
    xxhash_rust::xxh3::xxh3_128(&content)
}

trait Content {
    /// Whether the default says nothing inside an `Option` either: an offset of 0 is the same as none, but a call that was
    /// not abandoned is not one of which nothing is known.
    const DEFAULT_IS_NONE: bool = false;

    /// Appends the value so that no two different values give the same bytes.
    fn put(&self, name: &'static str, to: &mut Vec<u8>);
    /// Whether it says the same as an absent field.
    fn says_nothing(&self) -> bool {
        false
    }
}

fn put_field<T: Content>(value: &T, name: &'static str, to: &mut Vec<u8>) {
    if name == "assigned" || value.says_nothing() {
        return;
    }
    // No name is longer than 255 bytes; its length keeps it apart from what stands before it.
    to.push(name.len() as u8);
    to.extend_from_slice(name.as_bytes());
    value.put(name, to);
}

fn put_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}

macro_rules! contents {
    ($($type:ty: |$value:ident, $to:ident| $put:expr $(, nothing $nothing:expr)?;)*) => {$(
        impl Content for $type {
            fn put(&self, _: &'static str, $to: &mut Vec<u8>) { let $value = self; $put }
            $(fn says_nothing(&self) -> bool { let $value = self; $nothing })?
        }
    )*};
}
contents! {
    bool: |b, to| to.push(u8::from(*b)), nothing !*b;
    i32: |n, to| to.extend_from_slice(&n.to_le_bytes());
    i64: |n, to| to.extend_from_slice(&n.to_le_bytes());
    u32: |n, to| to.extend_from_slice(&n.to_le_bytes()), nothing *n == 0;
    // Adding zero turns the negative zero into the positive one.
    f64: |x, to| to.extend_from_slice(&(*x + 0.0).to_bits().to_le_bytes());
    Timestamp: |t, to| to.extend_from_slice(&t.0.to_le_bytes());
    Version: |v, to| to.extend_from_slice(&v.0.to_le_bytes());
    Cow<'_, [u8]>: |bytes, to| put_bytes(bytes, to);
    Anomalies: |codes, to| put_bytes(codes.iter().map(|code| code.code()).collect::<Vec<_>>().join(" ").as_bytes(), to);
}

/// Offsets from UTC are the only numbers of this type.
impl Content for i16 {
    const DEFAULT_IS_NONE: bool = true;
    fn put(&self, _: &'static str, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn says_nothing(&self) -> bool {
        *self == 0
    }
}

impl Content for Cow<'_, str> {
    fn put(&self, name: &'static str, to: &mut Vec<u8>) {
        // What is no JSON is compared as it stands.
        let json = if matches!(name, "metadata" | "ivr_path") { canonical(self, METADATA_DEPTH_MAX).ok() } else { None };
        put_bytes(json.as_deref().unwrap_or(self).as_bytes(), to);
    }
}

macro_rules! id_contents {
    ($($name:ident)*) => { contents! { $($name: |id, to| to.extend_from_slice(id.as_bytes());)* } };
}
id_contents! { EventId ContactId TechnicianId VisitId VehicleId MessageId ThreadId JobId }

macro_rules! symbol_contents {
    ($($name:ident)*) => { contents! { $($name: |symbol, to| put_bytes(symbol.symbol().as_bytes(), to);)* } };
}
symbol_contents! {
    ActivityType CallType CallOutcome EventCategory Severity ActionKind ResolveReason ContactKind DeadLetterReason Quality Finality
    FlagCode FlagOrigin FlagStanding AlertState AlertStep DeliveryOutcome
}

impl<T: Content> Content for Option<T> {
    fn put(&self, name: &'static str, to: &mut Vec<u8>) {
        if let Some(value) = self {
            value.put(name, to);
        }
    }
    fn says_nothing(&self) -> bool {
        self.as_ref().is_none_or(|value| T::DEFAULT_IS_NONE && value.says_nothing())
    }
}

impl<T: Content> Content for Vec<T> {
    fn put(&self, name: &'static str, to: &mut Vec<u8>) {
        to.extend_from_slice(&(self.len() as u64).to_le_bytes());
        self.iter().for_each(|item| item.put(name, to));
    }
    fn says_nothing(&self) -> bool {
        self.is_empty()
    }
}

macro_rules! record_contents {
    ($($name:ident $(<$life:lifetime>)? [$($group:ident)?] { $($field:ident,)* })*) => {$(
        impl $(<$life>)? Content for $name $(<$life>)? {
            fn put(&self, _: &'static str, to: &mut Vec<u8>) {
                $(self.$group.put("", to);)?
                $(put_field(&self.$field, plain(stringify!($field)), to);)*
                // The end of a record, where no name can have no length.
                to.push(0);
            }
        }
    )*};
}
each_record!(record_contents);

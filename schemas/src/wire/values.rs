//! The bridge between our records and `apache-avro`'s values, for payloads that another schema than ours wrote.

use super::field::Symbols;
use super::record::{AnyRecord, Kind};
use super::records::{each_record, plain};
use super::tombstone::Tombstone;
use crate::alerts::*;
use crate::anomaly::{Anomalies, Anomaly};
use crate::events::*;
use crate::ids::*;
use crate::rejection::{Fault, Rejection, Trouble};
use crate::results::*;
use crate::time::Timestamp;
use crate::version::Version;
use apache_avro::types::Value;
use std::borrow::Cow;

/// The fields of a record that are still to be taken, in the order of our schema.
type Fields = std::vec::IntoIter<(String, Value)>;

pub(crate) trait ValueField: Sized {
    fn from_value(value: Value) -> Result<Self, Fault>;
    fn to_value(&self) -> Value;
}

/// A record as a run of fields, so that a group stands in another record as if it were its own.
pub(crate) trait ValueRecord: Sized {
    fn take(fields: &mut Fields) -> Result<Self, Fault>;
    fn put(&self, fields: &mut Vec<(String, Value)>);
}

fn take_field<T: ValueField>(fields: &mut Fields, name: &'static str) -> Result<T, Fault> {
    match fields.next() {
        Some((found, value)) if found == name => T::from_value(value).map_err(|fault| fault.within(name)),
        _ => Err(Fault::from(Trouble::Missing).within(name)),
    }
}

macro_rules! value_fields {
    ($($type:ty: $($pattern:pat => $from:expr),+; |$value:ident| $to:expr;)*) => {$(
        impl ValueField for $type {
            fn from_value(value: Value) -> Result<Self, Fault> {
                match value { $($pattern => Ok($from),)+ _ => Err(Trouble::Type.into()) }
            }
            fn to_value(&self) -> Value { let $value = self; $to }
        }
    )*};
}
value_fields! {
    bool: Value::Boolean(b) => b; |b| Value::Boolean(*b);
    i16: Value::Int(n) => i16::try_from(n).map_err(|_| Trouble::Range)?; |n| Value::Int(i32::from(*n));
    i32: Value::Int(n) => n, Value::Date(n) => n; |n| Value::Int(*n);
    i64: Value::Long(n) => n; |n| Value::Long(*n);
    u32: Value::Long(n) => u32::try_from(n).map_err(|_| Trouble::Range)?; |n| Value::Long(i64::from(*n));
    f64: Value::Double(x) => if x.is_finite() { x } else { return Err(Trouble::NotFinite.into()) }; |x| Value::Double(*x);
    Timestamp: Value::TimestampMicros(us) => Timestamp(us); |t| Value::TimestampMicros(t.0);
    Version: Value::Long(n) => Version(n as u64); |v| Value::Long(v.0 as i64);
    Cow<'_, str>: Value::String(text) => Cow::Owned(text); |text| Value::String(text.to_string());
    Cow<'_, [u8]>: Value::Bytes(bytes) => Cow::Owned(bytes); |bytes| Value::Bytes(bytes.to_vec());
}

macro_rules! id_values {
    ($($name:ident)*) => { value_fields! { $($name: Value::Uuid(id) => $name(id); |id| Value::Uuid(id.0);)* } };
}
id_values! { EventId ContactId TechnicianId VisitId VehicleId MessageId ThreadId JobId }

fn symbol_from<S: Symbols>(value: Value) -> Result<S, Fault> {
    match value {
        Value::Enum(_, name) => S::ALL.iter().copied().find(|s| s.symbol() == name).ok_or(Trouble::Symbol.into()),
        _ => Err(Trouble::Type.into()),
    }
}

fn symbol_to<S: Symbols>(symbol: S) -> Value {
    Value::Enum(symbol.index() as u32, symbol.symbol().to_owned())
}

macro_rules! symbol_values {
    ($($name:ident)*) => {$(
        impl ValueField for $name {
            fn from_value(value: Value) -> Result<Self, Fault> { symbol_from(value) }
            fn to_value(&self) -> Value { symbol_to(*self) }
        }
    )*};
}
symbol_values! {
    ActivityType CallType CallOutcome EventCategory Severity ActionKind ResolveReason ContactKind DeadLetterReason Quality Finality
    FlagCode FlagOrigin FlagStanding AlertState AlertStep DeliveryOutcome Anomaly
}

impl ValueField for Anomalies {
    fn from_value(value: Value) -> Result<Self, Fault> {
        Ok(Vec::<Anomaly>::from_value(value)?.into_iter().collect())
    }
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(symbol_to).collect())
    }
}

impl<T: ValueField> ValueField for Option<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Union(0, null) if *null == Value::Null => Ok(None),
            Value::Union(1, value) => T::from_value(*value).map(Some),
            _ => Err(Trouble::Type.into()),
        }
    }
    fn to_value(&self) -> Value {
        match self {
            None => Value::Union(0, Box::new(Value::Null)),
            Some(value) => Value::Union(1, Box::new(value.to_value())),
        }
    }
}

impl<T: ValueField> ValueField for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(items) => items.into_iter().map(T::from_value).collect(),
            _ => Err(Trouble::Type.into()),
        }
    }
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(T::to_value).collect())
    }
}

macro_rules! record_values {
    ($($name:ident $(<$life:lifetime>)? [$($group:ident)?] { $($field:ident,)* })*) => {$(
        impl $(<$life>)? ValueRecord for $name $(<$life>)? {
            fn take(fields: &mut Fields) -> Result<Self, Fault> {
                Ok(Self {
                    $($group: ValueRecord::take(fields)?,)?
                    $($field: take_field(fields, plain(stringify!($field)))?,)*
                })
            }
            fn put(&self, fields: &mut Vec<(String, Value)>) {
                $(self.$group.put(fields);)?
                $(fields.push((plain(stringify!($field)).to_owned(), self.$field.to_value()));)*
            }
        }
        impl $(<$life>)? ValueField for $name $(<$life>)? {
            fn from_value(value: Value) -> Result<Self, Fault> {
                match value {
                    Value::Record(fields) => Self::take(&mut fields.into_iter()),
                    _ => Err(Trouble::Type.into()),
                }
            }
            fn to_value(&self) -> Value {
                let mut fields = Vec::new();
                self.put(&mut fields);
                Value::Record(fields)
            }
        }
    )*};
}
each_record!(record_values);

/// A record of `kind` from a value that has been resolved to our schema of it.
pub fn from_avro_value(kind: Kind, value: Value) -> Result<AnyRecord<'static>, Rejection> {
    record_from_value(kind, value).map_err(|fault| fault.reject(kind.name()))
}

fn record_from_value(kind: Kind, value: Value) -> Result<AnyRecord<'static>, Fault> {
    let Value::Record(fields) = value else { return Err(Trouble::Type.into()) };
    let fields = &mut fields.into_iter();
    Ok(match kind {
        Kind::TechnicianActivity => AnyRecord::TechnicianActivity(ValueRecord::take(fields)?),
        Kind::Tick => AnyRecord::Tick(ValueRecord::take(fields)?),
        Kind::CommunicationCall => AnyRecord::CommunicationCall(ValueRecord::take(fields)?),
        Kind::OperationalEvent => AnyRecord::OperationalEvent(ValueRecord::take(fields)?),
        Kind::DeviceHeartbeat => AnyRecord::DeviceHeartbeat(ValueRecord::take(fields)?),
        Kind::ShiftPlan => AnyRecord::ShiftPlan(ValueRecord::take(fields)?),
        Kind::VisitPlan => AnyRecord::VisitPlan(ValueRecord::take(fields)?),
        Kind::Contact => AnyRecord::Contact(ValueRecord::take(fields)?),
        Kind::AlertAction => AnyRecord::AlertAction(ValueRecord::take(fields)?),
        Kind::Flag => AnyRecord::Flag(ValueRecord::take(fields)?),
        Kind::Alert => AnyRecord::Alert(ValueRecord::take(fields)?),
        Kind::Delivery => AnyRecord::Delivery(ValueRecord::take(fields)?),
        Kind::Silence => AnyRecord::Silence(ValueRecord::take(fields)?),
        Kind::Signal => AnyRecord::Signal(ValueRecord::take(fields)?),
        Kind::Clearance => AnyRecord::Clearance(ValueRecord::take(fields)?),
        Kind::RecomputeRequest => AnyRecord::RecomputeRequest(ValueRecord::take(fields)?),
        Kind::DeadLetter => AnyRecord::DeadLetter(ValueRecord::take(fields)?),
        Kind::ShiftResult => {
            let stamp = Stamp::take(fields)?;
            AnyRecord::Kpi(KpiRecord { stamp, kpi: Kpi::Shift(Box::new(ShiftResult::take(fields)?)) })
        }
        Kind::EpisodeResult => {
            let stamp = Stamp::take(fields)?;
            AnyRecord::Kpi(KpiRecord { stamp, kpi: Kpi::Episode(Box::new(EpisodeResult::take(fields)?)) })
        }
        Kind::Tombstone => {
            let stamp = Stamp::take(fields)?;
            let identity = Tombstone::take(fields)?.identity()?;
            AnyRecord::Kpi(KpiRecord { stamp, kpi: Kpi::Tombstone(identity) })
        }
    })
}

/// The record as a value of our schema of its kind.
pub fn to_avro_value(record: &AnyRecord<'_>) -> Value {
    let mut fields = Vec::new();
    match record {
        AnyRecord::TechnicianActivity(r) => r.put(&mut fields),
        AnyRecord::CommunicationCall(r) => r.put(&mut fields),
        AnyRecord::OperationalEvent(r) => r.put(&mut fields),
        AnyRecord::ShiftPlan(r) => r.put(&mut fields),
        AnyRecord::VisitPlan(r) => r.put(&mut fields),
        AnyRecord::Contact(r) => r.put(&mut fields),
        AnyRecord::DeviceHeartbeat(r) => r.put(&mut fields),
        AnyRecord::AlertAction(r) => r.put(&mut fields),
        AnyRecord::Flag(r) => r.put(&mut fields),
        AnyRecord::Alert(r) => r.put(&mut fields),
        AnyRecord::Delivery(r) => r.put(&mut fields),
        AnyRecord::Silence(r) => r.put(&mut fields),
        AnyRecord::Signal(r) => r.put(&mut fields),
        AnyRecord::Clearance(r) => r.put(&mut fields),
        AnyRecord::Tick(r) => r.put(&mut fields),
        AnyRecord::RecomputeRequest(r) => r.put(&mut fields),
        AnyRecord::DeadLetter(r) => r.put(&mut fields),
        AnyRecord::Kpi(r) => {
            r.stamp.put(&mut fields);
            match &r.kpi {
                Kpi::Shift(shift) => shift.put(&mut fields),
                Kpi::Episode(episode) => episode.put(&mut fields),
                Kpi::Tombstone(identity) => Tombstone::of(*identity).put(&mut fields),
            }
        }
    }
    Value::Record(fields)
}

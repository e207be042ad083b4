//! The JSON form of each type of field.

use super::number::{rounded_up, whole};
use super::text::{Object, canonical, quoted};
use crate::alerts::*;
use crate::anomaly::Anomalies;
use crate::events::*;
use crate::ids::*;
use crate::limits::METADATA_DEPTH_MAX;
use crate::rejection::{Fault, Trouble};
use crate::results::*;
use crate::time::Timestamp;
use crate::version::Version;
use crate::wire::field::Symbols;
use crate::wire::records::{each_record, plain};
use crate::wire::tombstone::Tombstone;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;
use uuid::Uuid;

/// Fields that hold JSON as text: nested in the JSON form, canonical in the record.
const NESTED: [&str; 2] = ["metadata", "ivr_path"];
/// Fields whose default is not written.
const DEFAULTED: [&str; 5] = ["revision", "voided", "imported", "assigned", "lone_worker"];

/// The one whole number that is rounded.
const ACCURACY: &str = "accuracy_meters";

pub(crate) trait JsonField: Sized {
    /// An empty text means that there is no value (ids).
    const EMPTY_IS_ABSENT: bool = false;

    fn from_json(name: &'static str, raw: &RawValue) -> Result<Self, Fault>;
    /// What an absent field means.
    fn absent() -> Result<Self, Trouble> {
        Err(Trouble::Missing)
    }
    /// Appends the value.
    fn put(&self, name: &'static str, out: &mut String) -> Result<(), Fault>;
    fn is_absent(&self) -> bool {
        false
    }
    /// Whether it is what `absent` gives.
    fn is_default(&self) -> bool {
        false
    }
}

/// A record as a run of keys, so that a group stands in another record as if it were its own.
pub(crate) trait JsonRecord: Sized {
    const KEYS: &'static [&'static str];
    fn take(object: &mut Object<'_>) -> Result<Self, Fault>;
    /// Appends `"key":value` for every field that is there, each with a comma before it.
    fn put_fields(&self, out: &mut String) -> Result<(), Fault>;
}

fn take_field<T: JsonField>(object: &mut Object<'_>, name: &'static str) -> Result<T, Fault> {
    let value = match object.take(name) {
        Some(raw) if !(T::EMPTY_IS_ABSENT && raw.get() == "\"\"") => T::from_json(name, &raw),
        _ => T::absent().map_err(Fault::from),
    };
    value.map_err(|fault| fault.within(name))
}

pub(crate) fn put_field<T: JsonField>(value: &T, name: &'static str, out: &mut String) -> Result<(), Fault> {
    if value.is_absent() || value.is_default() && DEFAULTED.contains(&name) {
        return Ok(());
    }
    let _ = write!(out, ",\"{name}\":");
    value.put(name, out).map_err(|fault| fault.within(name))
}

fn text_of(raw: &RawValue) -> Result<String, Trouble> {
    serde_json::from_str(raw.get()).map_err(|_| Trouble::Type)
}

fn number_of(raw: &RawValue) -> Result<&str, Trouble> {
    let number = raw.get();
    if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) { Ok(number) } else { Err(Trouble::Type) }
}

/// A whole number; `12.0` and `1.2e1` are 12, 12.5 is none.
fn whole_of(raw: &RawValue) -> Result<i64, Trouble> {
    whole(number_of(raw)?).ok_or(Trouble::Range)
}

/// A time of RFC 3339, which knows ASCII only; the offset is mandatory, digits past the microsecond are cut.
pub(crate) fn time_of(raw: &RawValue) -> Result<chrono::DateTime<chrono::FixedOffset>, Trouble> {
    let text = text_of(raw)?;
    // The parser would take other signs, such as U+2212, for a minus.
    if !text.is_ascii() {
        return Err(Trouble::Time);
    }
    chrono::DateTime::parse_from_rfc3339(&text).map_err(|_| Trouble::Time)
}

macro_rules! json_fields {
    ($($type:ty: |$raw:ident| $from:expr, |$value:ident, $out:ident| $put:expr $(, default $default:expr)?;)*) => {$(
        impl JsonField for $type {
            fn from_json(_: &'static str, $raw: &RawValue) -> Result<Self, Fault> { Ok($from) }
            fn put(&self, _: &'static str, $out: &mut String) -> Result<(), Fault> {
                let $value = self;
                let _ = $put;
                Ok(())
            }
            $(
                fn absent() -> Result<Self, Trouble> { Ok($default) }
                fn is_default(&self) -> bool { *self == $default }
            )?
        }
    )*};
}
json_fields! {
    bool: |raw| serde_json::from_str(raw.get()).map_err(|_| Trouble::Type)?, |b, out| write!(out, "{b}"), default false;
    i16: |raw| i16::try_from(whole_of(raw)?).map_err(|_| Trouble::Range)?, |n, out| write!(out, "{n}");
    i64: |raw| whole_of(raw)?, |n, out| write!(out, "{n}");
    u32: |raw| u32::try_from(whole_of(raw)?).map_err(|_| Trouble::Range)?, |n, out| write!(out, "{n}"), default 0;
    f64: |raw| finite(raw)?, |x, out| out.push_str(&serde_json::Value::from(*x).to_string());
    Timestamp: |raw| Timestamp(time_of(raw)?.timestamp_micros()), |t, out| write!(out, "\"{t}\"");
    Version: |_raw| Err(Trouble::Type)?, |v, out| write!(out, "{}", v.0);
    Cow<'_, [u8]>: |_raw| Err(Trouble::Type)?, |bytes, out| put_hex(bytes, out);
    Anomalies: |_raw| Err(Trouble::Type)?, |codes, out| out.push_str(&serde_json::Value::from_iter(codes.iter().map(|a| a.code())).to_string());
}

impl JsonField for i32 {
    fn from_json(name: &'static str, raw: &RawValue) -> Result<Self, Fault> {
        // No event is lost for the precision of a position: see A21.
        if name == ACCURACY {
            return Ok(rounded_up(number_of(raw)?));
        }
        Ok(i32::try_from(whole_of(raw)?).map_err(|_| Trouble::Range)?)
    }
    fn put(&self, _: &'static str, out: &mut String) -> Result<(), Fault> {
        let _ = write!(out, "{self}");
        Ok(())
    }
}

fn finite(raw: &RawValue) -> Result<f64, Trouble> {
    match number_of(raw)?.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(Trouble::NotFinite),
    }
}

fn put_hex(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('"');
}

impl JsonField for Cow<'_, str> {
    fn from_json(name: &'static str, raw: &RawValue) -> Result<Self, Fault> {
        if NESTED.contains(&name) {
            return Ok(Cow::Owned(canonical(raw.get(), METADATA_DEPTH_MAX)?));
        }
        Ok(Cow::Owned(text_of(raw)?))
    }
    fn put(&self, name: &'static str, out: &mut String) -> Result<(), Fault> {
        out.push_str(&if NESTED.contains(&name) { canonical(self, METADATA_DEPTH_MAX)? } else { quoted(self) });
        Ok(())
    }
}

macro_rules! json_ids {
    ($($name:ident)*) => {$(
        impl JsonField for $name {
            const EMPTY_IS_ABSENT: bool = true;
            fn from_json(_: &'static str, raw: &RawValue) -> Result<Self, Fault> {
                let text = text_of(raw)?;
                Ok($name(Uuid::try_parse(&text).map_err(|_| Trouble::Uuid)?))
            }
            fn put(&self, _: &'static str, out: &mut String) -> Result<(), Fault> {
                let _ = write!(out, "\"{self}\"");
                Ok(())
            }
        }
    )*};
}
json_ids! { EventId ContactId TechnicianId VisitId VehicleId MessageId ThreadId JobId }

macro_rules! json_symbols {
    ($($name:ident)*) => {$(
        impl JsonField for $name {
            fn from_json(_: &'static str, raw: &RawValue) -> Result<Self, Fault> {
                let text = text_of(raw)?;
                Ok(<$name as Symbols>::ALL.iter().copied().find(|s| s.symbol() == text).ok_or(Trouble::Symbol)?)
            }
            fn put(&self, _: &'static str, out: &mut String) -> Result<(), Fault> {
                let _ = write!(out, "\"{}\"", self.symbol());
                Ok(())
            }
        }
    )*};
}
json_symbols! {
    ActivityType CallType CallOutcome EventCategory Severity ActionKind ResolveReason ContactKind DeadLetterReason Quality Finality
    FlagCode FlagOrigin FlagStanding AlertState AlertStep DeliveryOutcome
}

impl<T: JsonField> JsonField for Option<T> {
    const EMPTY_IS_ABSENT: bool = T::EMPTY_IS_ABSENT;
    fn from_json(name: &'static str, raw: &RawValue) -> Result<Self, Fault> {
        T::from_json(name, raw).map(Some)
    }
    fn absent() -> Result<Self, Trouble> {
        Ok(None)
    }
    fn put(&self, name: &'static str, out: &mut String) -> Result<(), Fault> {
        self.as_ref().map_or(Ok(()), |value| value.put(name, out))
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: JsonField> JsonField for Vec<T> {
    fn from_json(name: &'static str, raw: &RawValue) -> Result<Self, Fault> {
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| Trouble::Type)?;
        items.into_iter().map(|item| T::from_json(name, item)).collect()
    }
    fn absent() -> Result<Self, Trouble> {
        Ok(Vec::new())
    }
    fn put(&self, name: &'static str, out: &mut String) -> Result<(), Fault> {
        out.push('[');
        for (place, item) in self.iter().enumerate() {
            out.push_str(if place == 0 { "" } else { "," });
            item.put(name, out)?;
        }
        out.push(']');
        Ok(())
    }
    fn is_default(&self) -> bool {
        self.is_empty()
    }
}

macro_rules! json_records {
    ($($name:ident $(<$life:lifetime>)? [$($group:ident)?] { $($field:ident,)* })*) => {$(
        impl $(<$life>)? JsonRecord for $name $(<$life>)? {
            const KEYS: &'static [&'static str] = &[$(stringify!($field),)*];
            fn take(object: &mut Object<'_>) -> Result<Self, Fault> {
                Ok(Self {
                    $($group: JsonRecord::take(object)?,)?
                    $($field: take_field(object, plain(stringify!($field)))?,)*
                })
            }
            fn put_fields(&self, out: &mut String) -> Result<(), Fault> {
                $(self.$group.put_fields(out)?;)?
                $(put_field(&self.$field, plain(stringify!($field)), out)?;)*
                Ok(())
            }
        }
        impl $(<$life>)? JsonField for $name $(<$life>)? {
            fn from_json(_: &'static str, raw: &RawValue) -> Result<Self, Fault> {
                Self::take(&mut Object::parse(raw.get())?)
            }
            fn put(&self, _: &'static str, out: &mut String) -> Result<(), Fault> {
                let start = out.len();
                self.put_fields(out)?;
                // The first field's comma becomes the opening brace.
                if out.len() == start { out.push('{') } else { out.replace_range(start..=start, "{") }
                out.push('}');
                Ok(())
            }
        }
    )*};
}
each_record!(json_records);

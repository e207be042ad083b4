//! One JSON object becomes one record.

use super::field::{JsonRecord, time_of};
use super::text::{Entry, Object, canonical, object_of};
use crate::events::{Common, DeadLetterReason, Location};
use crate::limits::{JSON_BYTES_MAX, METADATA_DEPTH_MAX};
use crate::rejection::{Fault, Rejection, Trouble};
use crate::time::Timestamp;
use crate::wire::{AnyRecord, Kind};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What to do about an absent `id` or `created_at`.
pub enum Missing<'f> {
    /// They are required: files.
    Refuse,
    /// They are filled in and named in `assigned`: the gateway and the publisher. What only the pipeline may set
    /// (`imported`, `received_at`, `assigned`) counts as an unknown key here: an `imported` emergency would page nobody.
    Fill { now: Timestamp, id: &'f mut dyn FnMut() -> Uuid },
}

/// A record read from JSON, and what came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct FromJson {
    pub record: AnyRecord<'static>,
    /// How many keys were no field of the kind. The three families keep them in their metadata under `unmapped`; the other
    /// kinds have no place for them, so that this number is all that remains.
    pub unmapped: usize,
    /// `received_at` of a file that has it; never part of the record.
    pub received_at: Option<Timestamp>,
}

/// Keys that only the pipeline sets.
const OURS: [&str; 3] = ["imported", "received_at", "assigned"];
const UNMAPPED: &str = "unmapped";

/// One JSON object as a record.
pub fn from_json(line: &str, missing: Missing<'_>) -> Result<AnyRecord<'static>, Rejection> {
    read_json(line, missing).map(|read| read.record)
}

/// One JSON object as a record, with the number of unknown keys and `received_at`.
pub fn read_json(line: &str, missing: Missing<'_>) -> Result<FromJson, Rejection> {
    if line.len() > JSON_BYTES_MAX {
        return Err(Rejection::new(DeadLetterReason::TooLarge, format!("event of {} bytes", line.len())));
    }
    let mut object = Object::parse(line).map_err(|trouble| Fault::from(trouble).reject("event"))?;
    let kind = take_kind(&mut object)?;
    read_kind(kind, object, missing).map_err(|fault| fault.reject(kind.name()))
}

fn take_kind(object: &mut Object<'_>) -> Result<Kind, Rejection> {
    let raw = object.take("event").ok_or_else(|| Fault::from(Trouble::Missing).reject("event"))?;
    let name: String = serde_json::from_str(raw.get()).map_err(|_| Fault::from(Trouble::Type).reject("event"))?;
    match Kind::from_name(&name) {
        Some(
            kind @ (Kind::TechnicianActivity
            | Kind::CommunicationCall
            | Kind::OperationalEvent
            | Kind::ShiftPlan
            | Kind::VisitPlan
            | Kind::Contact
            | Kind::DeviceHeartbeat
            | Kind::AlertAction),
        ) => Ok(kind),
        Some(kind) => Err(Rejection::new(DeadLetterReason::WrongKind, format!("{} is not sent as JSON", kind.name()))),
        None => Err(Rejection::new(DeadLetterReason::UnknownSchema, "event: names a kind that is not known here")),
    }
}

fn read_kind(kind: Kind, mut object: Object<'_>, missing: Missing<'_>) -> Result<FromJson, Fault> {
    let mut unknown = Vec::new();
    let mut assigned = Vec::new();
    let mut received_at = None;
    match missing {
        Missing::Refuse => {
            if let Some(raw) = object.take("received_at") {
                received_at = Some(Timestamp(time_of(&raw).map_err(|t| Fault::from(t).within("received_at"))?.timestamp_micros()));
            }
        }
        Missing::Fill { now, id } => {
            unknown = object.set_aside(&OURS);
            assigned = fill(kind, &mut object, now, id);
        }
    }
    let offset = offset_minutes(&object, &assigned);
    unknown.extend(set_aside_in_location(&mut object)?);
    let mut record = match kind {
        Kind::TechnicianActivity => AnyRecord::TechnicianActivity(JsonRecord::take(&mut object)?),
        Kind::CommunicationCall => AnyRecord::CommunicationCall(JsonRecord::take(&mut object)?),
        Kind::OperationalEvent => AnyRecord::OperationalEvent(JsonRecord::take(&mut object)?),
        Kind::ShiftPlan => AnyRecord::ShiftPlan(JsonRecord::take(&mut object)?),
        Kind::VisitPlan => AnyRecord::VisitPlan(JsonRecord::take(&mut object)?),
        Kind::Contact => AnyRecord::Contact(JsonRecord::take(&mut object)?),
        Kind::DeviceHeartbeat => AnyRecord::DeviceHeartbeat(JsonRecord::take(&mut object)?),
        _ => AnyRecord::AlertAction(JsonRecord::take(&mut object)?),
    };
    unknown.extend(object.into_rest());
    unknown.retain(|(_, value)| !is_null(value));
    let mut unmapped = unknown.len();
    let common = match &mut record {
        AnyRecord::TechnicianActivity(r) => Some(&mut r.common),
        AnyRecord::CommunicationCall(r) => Some(&mut r.common),
        AnyRecord::OperationalEvent(r) => Some(&mut r.common),
        _ => None,
    };
    if let Some(common) = common {
        common.utc_offset_minutes = common.utc_offset_minutes.or(offset);
        common.assigned.extend(assigned.into_iter().map(Cow::Borrowed));
        unmapped += usize::from(keep_unknown(common, &unknown).map_err(|trouble| Fault::from(trouble).within("metadata"))?);
    }
    Ok(FromJson { record, unmapped, received_at })
}

/// Fills in what the model's own examples leave out; returns the names.
fn fill(kind: Kind, object: &mut Object<'_>, now: Timestamp, id: &mut dyn FnMut() -> Uuid) -> Vec<&'static str> {
    let is_event = matches!(kind, Kind::TechnicianActivity | Kind::CommunicationCall | Kind::OperationalEvent | Kind::AlertAction);
    let mut assigned = Vec::new();
    if is_event && object.get("id").is_none_or(|raw| raw.get() == "\"\"") {
        object.set_text("id", &id().hyphenated().to_string());
        assigned.push("id");
    }
    if (is_event || kind == Kind::DeviceHeartbeat) && object.get("created_at").is_none() {
        object.set_text("created_at", &now.to_string());
        assigned.push("created_at");
    }
    assigned
}

/// The offset that was sent with `created_at`; none where the time is not the sender's.
fn offset_minutes(object: &Object<'_>, assigned: &[&str]) -> Option<i16> {
    if assigned.contains(&"created_at") {
        return None;
    }
    let time = time_of(object.get("created_at")?).ok()?;
    i16::try_from(time.offset().local_minus_utc() / 60).ok()
}

/// Takes out of `location` what has no place in it, as an object: the keys that are none of its fields, and coordinates
/// beyond every double, since no event is lost for its position.
fn set_aside_in_location<'a>(object: &mut Object<'_>) -> Result<Option<Entry<'a>>, Fault> {
    let Some(raw) = object.get("location") else { return Ok(None) };
    let fault = |trouble: Trouble| Fault::from(trouble).within("location");
    let mut location = Object::parse(raw.get()).map_err(fault)?;
    let (beyond, fields): (Vec<_>, Vec<_>) =
        location.set_aside(<Location<'_> as JsonRecord>::KEYS).into_iter().partition(|(key, value)| is_beyond(key, value));
    let mut rest = location.into_rest();
    rest.retain(|(_, value)| !is_null(value));
    rest.extend(beyond.iter().cloned());
    if rest.is_empty() {
        return Ok(None);
    }
    let value = RawValue::from_string(object_of(texts(&rest))).map_err(|_| fault(Trouble::Json))?;
    if !beyond.is_empty() {
        let fields = object_of(texts(&fields));
        object.set_json("location", fields);
    }
    Ok(Some((Cow::Borrowed("location"), Cow::Owned(value))))
}

/// Whether it is a coordinate that is a number, and too large for any.
fn is_beyond(key: &str, value: &RawValue) -> bool {
    matches!(key, "latitude" | "longitude") && value.get().parse().is_ok_and(f64::is_infinite)
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn texts<'e>(entries: &'e [Entry<'_>]) -> impl Iterator<Item = (&'e str, &'e str)> {
    entries.iter().map(|(key, value)| (&**key, value.get()))
}

/// Puts unknown keys under `unmapped` of the metadata; metadata that is no object goes there too. Where the sender's own
/// `unmapped` has the same key, both values are kept, in an array. Returns whether the metadata itself was such a value.
fn keep_unknown(common: &mut Common<'_>, unknown: &[Entry<'_>]) -> Result<bool, Trouble> {
    let no_object = common.metadata.as_deref().is_some_and(|metadata| !metadata.starts_with('{'));
    if unknown.is_empty() && !no_object {
        return Ok(false);
    }
    let sent = common.metadata.take().unwrap_or(Cow::Borrowed("{}"));
    let mut unmapped: BTreeMap<Cow<'_, str>, String> = BTreeMap::new();
    let mut metadata = Object::parse(if no_object { "{}" } else { &sent })?;
    if no_object {
        unmapped.insert(Cow::Borrowed("metadata"), sent.to_string());
    }
    if let Some(own) = metadata.take(UNMAPPED) {
        match Object::parse(own.get()) {
            Ok(own) => {
                unmapped.extend(own.into_rest().into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.get().to_owned())))
            }
            Err(_) => drop(unmapped.insert(Cow::Borrowed(UNMAPPED), own.get().to_owned())),
        }
    }
    for (key, value) in unknown {
        let both = unmapped.get(key).map(|own| format!("[{own},{}]", value.get()));
        unmapped.insert(key.clone(), both.unwrap_or_else(|| value.get().to_owned()));
    }
    let unmapped = object_of(unmapped.iter().map(|(key, value)| (&**key, value.as_str())));
    let rest = metadata.into_rest();
    let whole = canonical(&object_of(texts(&rest).chain([(UNMAPPED, unmapped.as_str())])), METADATA_DEPTH_MAX)?;
    common.metadata = Some(Cow::Owned(whole));
    Ok(no_object)
}

//! From framed bytes to records and back.
//!
//! Two framings are read: Avro single-object (`C3 01`, then the schema's fingerprint, least significant byte first) and
//! Confluent's (`00`, then the schema's id, most significant byte first). A frame that names exactly our current schema
//! takes the fast codec; any other known schema goes through `apache-avro`'s resolving reader into the same types.

use super::embedded::schemas;
use super::field::Field;
use super::ids::{Older, Route, SchemaError, SchemaIds};
use super::input::Input;
use super::record::{AnyRecord, Kind};
use super::tombstone::Tombstone;
use super::values::from_avro_value;
use crate::alerts::*;
use crate::events::*;
use crate::limits::{DEAD_LETTER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::rejection::{Fault, Rejection, Trouble};
use crate::results::{EpisodeResult, Kpi, KpiRecord, ShiftResult, Stamp};
use std::fmt;
use std::io::Read;
use std::sync::Arc;

const SINGLE_OBJECT: [u8; 2] = [0xC3, 0x01];
const CONFLUENT: u8 = 0;
/// What `apache-avro` may allocate for one value: enough for the largest payload as its values, no more.
const RESOLVE_BYTES_MAX: usize = 64 * DEAD_LETTER_BYTES_MAX;

/// How a frame names its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaId {
    /// CRC-64-AVRO, in an Avro single-object frame.
    Fingerprint(u64),
    /// The id that a schema registry gave it, in a Confluent frame.
    Registry(u32),
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(fingerprint) => write!(f, "with fingerprint {fingerprint:016x}"),
            Self::Registry(id) => write!(f, "with registry id {id}"),
        }
    }
}

/// Knows the schemas of the log.
#[derive(Clone, Debug)]
pub struct Codec {
    /// In the order of `Kind::ALL`, the frequent ones first.
    fingerprints: Vec<u64>,
    ids: Arc<SchemaIds>,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec {
    /// A codec that knows the schemas of this release, and writes single objects.
    pub fn new() -> Self {
        Self::with_ids(Arc::default())
    }

    /// The same with the ids of a schema registry, which it shares: what is learned there is known here at once, and what
    /// is adopted there is written here from the next record on.
    pub fn with_ids(ids: Arc<SchemaIds>) -> Self {
        apache_avro::util::max_allocation_bytes(RESOLVE_BYTES_MAX);
        Self { fingerprints: schemas().all().iter().map(|s| s.fingerprint).collect(), ids }
    }

    /// The same, which also reads what was written with the schema `json` and framed with `id`; so does every codec that
    /// shares the table.
    pub fn with_schema(self, id: SchemaId, json: &str) -> Result<Self, SchemaError> {
        self.ids.learn(id, json)?;
        Ok(self)
    }

    /// The record in a framed payload. It must be consumed exactly.
    pub fn decode<'a>(&self, payload: &'a [u8]) -> Result<AnyRecord<'a>, Rejection> {
        if payload.len() > DEAD_LETTER_BYTES_MAX {
            return Err(too_large(payload.len()));
        }
        let (id, datum) = unframe(payload)?;
        if let SchemaId::Fingerprint(fingerprint) = id
            && let Some(index) = self.fingerprints.iter().position(|known| *known == fingerprint)
            && let Some(kind) = Kind::ALL.get(index)
        {
            return decode_fast(*kind, datum);
        }
        match self.ids.route(id) {
            Some(Route::Fast(kind)) => decode_fast(kind, datum),
            Some(Route::Resolve(kind, older)) => decode_resolving(kind, &older, datum),
            Some(Route::Refuse(error)) => Err(Rejection::new(DeadLetterReason::UnknownSchema, error.to_string())),
            None => Err(Rejection::new(DeadLetterReason::UnknownSchema, format!("no schema {id} is known"))),
        }
    }

    /// The registry's id in a payload that cannot be decoded before somebody has asked what it means.
    #[inline]
    pub fn unknown_id(&self, payload: &[u8]) -> Option<u32> {
        match payload.split_first_chunk::<5>()? {
            ([CONFLUENT, id @ ..], _) => Some(u32::from_be_bytes(*id)).filter(|id| !self.ids.knows(SchemaId::Registry(*id))),
            _ => None,
        }
    }

    /// Appends the record to `to`, framed with the registry's id of our schema where it has one, else as a single object.
    /// What lies outside the limits of this crate is written as it is, and refused by `decode` or `validate`.
    pub fn encode(&self, record: &AnyRecord<'_>, to: &mut Vec<u8>) {
        match self.ids.own(record.kind()) {
            Some(id) => {
                to.push(CONFLUENT);
                to.extend_from_slice(&id.to_be_bytes());
                write_datum(record, to);
            }
            None => self.encode_single_object(record, to),
        }
    }

    /// Appends the record to `to`, in Avro single-object encoding: what can be read without anybody's registry.
    pub fn encode_single_object(&self, record: &AnyRecord<'_>, to: &mut Vec<u8>) {
        to.extend_from_slice(&SINGLE_OBJECT);
        let fingerprint = self.fingerprints.get(record.kind() as usize).copied().unwrap_or_default();
        to.extend_from_slice(&fingerprint.to_le_bytes());
        write_datum(record, to);
    }
}

fn too_large(bytes: usize) -> Rejection {
    Rejection::new(DeadLetterReason::TooLarge, format!("payload of {bytes} bytes"))
}

fn unframe(payload: &[u8]) -> Result<(SchemaId, &[u8]), Rejection> {
    if let Some(rest) = payload.strip_prefix(&SINGLE_OBJECT)
        && let Some((fingerprint, datum)) = rest.split_first_chunk::<8>()
    {
        return Ok((SchemaId::Fingerprint(u64::from_le_bytes(*fingerprint)), datum));
    }
    if let Some((&CONFLUENT, rest)) = payload.split_first()
        && let Some((id, datum)) = rest.split_first_chunk::<4>()
    {
        return Ok((SchemaId::Registry(u32::from_be_bytes(*id)), datum));
    }
    let detail = format!("payload of {} bytes is neither an Avro single object nor a Confluent frame", payload.len());
    Err(Rejection::new(DeadLetterReason::UnknownFraming, detail))
}

fn check_size(kind: Kind, datum: &[u8]) -> Result<(), Rejection> {
    let max = if kind == Kind::DeadLetter { DEAD_LETTER_BYTES_MAX } else { PAYLOAD_BYTES_MAX };
    if datum.len() > max { Err(too_large(datum.len())) } else { Ok(()) }
}

/// The record of our current schema of `kind` in `datum`, which it fills exactly.
fn decode_fast(kind: Kind, datum: &[u8]) -> Result<AnyRecord<'_>, Rejection> {
    check_size(kind, datum)?;
    match kind {
        Kind::TechnicianActivity => read_whole(kind, datum, TechnicianActivity::read),
        Kind::Tick => read_whole(kind, datum, Tick::read),
        Kind::CommunicationCall => read_whole(kind, datum, CommunicationCall::read),
        Kind::OperationalEvent => read_whole(kind, datum, OperationalEvent::read),
        Kind::DeviceHeartbeat => read_whole(kind, datum, DeviceHeartbeat::read),
        Kind::ShiftPlan => read_whole(kind, datum, ShiftPlan::read),
        Kind::VisitPlan => read_whole(kind, datum, VisitPlan::read),
        Kind::Contact => read_whole(kind, datum, Contact::read),
        Kind::AlertAction => read_whole(kind, datum, AlertAction::read),
        Kind::Flag => read_whole(kind, datum, Flag::read),
        Kind::Alert => read_whole(kind, datum, Alert::read),
        Kind::Delivery => read_whole(kind, datum, Delivery::read),
        Kind::Silence => read_whole(kind, datum, Silence::read),
        Kind::Signal => read_whole(kind, datum, Signal::read),
        Kind::Clearance => read_whole(kind, datum, Clearance::read),
        Kind::RecomputeRequest => read_whole(kind, datum, RecomputeRequest::read),
        Kind::DeadLetter => read_whole(kind, datum, DeadLetter::read),
        Kind::ShiftResult => read_whole(kind, datum, |input| {
            let stamp = Stamp::read(input)?;
            Ok(KpiRecord { stamp, kpi: Kpi::Shift(Box::new(ShiftResult::read(input)?)) })
        }),
        Kind::EpisodeResult => read_whole(kind, datum, |input| {
            let stamp = Stamp::read(input)?;
            Ok(KpiRecord { stamp, kpi: Kpi::Episode(Box::new(EpisodeResult::read(input)?)) })
        }),
        Kind::Tombstone => read_whole(kind, datum, |input| {
            let stamp = Stamp::read(input)?;
            Ok(KpiRecord { stamp, kpi: Kpi::Tombstone(Tombstone::read(input)?.identity()?) })
        }),
    }
}

/// Reads the one record that `datum` is. A function for each kind, which builds the answer in its place: a record is
/// hundreds of bytes, and each time it is handed on it is copied.
#[inline(never)]
fn read_whole<'a, T: Into<AnyRecord<'a>>>(
    kind: Kind,
    datum: &'a [u8],
    read: impl FnOnce(&mut Input<'a>) -> Result<T, Trouble>,
) -> Result<AnyRecord<'a>, Rejection> {
    let mut input = Input::new(datum);
    match read(&mut input) {
        Ok(record) if input.left() == 0 => Ok(record.into()),
        Ok(_) => Err(Fault::from(Trouble::LeftOver).reject(kind.name())),
        Err(trouble) => Err(input.fault(trouble).reject(kind.name())),
    }
}

/// Appends the record, unframed, as our current schema has it.
fn write_datum(record: &AnyRecord<'_>, to: &mut Vec<u8>) {
    match record {
        AnyRecord::TechnicianActivity(r) => r.write(to),
        AnyRecord::CommunicationCall(r) => r.write(to),
        AnyRecord::OperationalEvent(r) => r.write(to),
        AnyRecord::ShiftPlan(r) => r.write(to),
        AnyRecord::VisitPlan(r) => r.write(to),
        AnyRecord::Contact(r) => r.write(to),
        AnyRecord::DeviceHeartbeat(r) => r.write(to),
        AnyRecord::AlertAction(r) => r.write(to),
        AnyRecord::Flag(r) => r.write(to),
        AnyRecord::Alert(r) => r.write(to),
        AnyRecord::Delivery(r) => r.write(to),
        AnyRecord::Silence(r) => r.write(to),
        AnyRecord::Signal(r) => r.write(to),
        AnyRecord::Clearance(r) => r.write(to),
        AnyRecord::Tick(r) => r.write(to),
        AnyRecord::RecomputeRequest(r) => r.write(to),
        AnyRecord::DeadLetter(r) => r.write(to),
        AnyRecord::Kpi(r) => {
            r.stamp.write(to);
            match &r.kpi {
                Kpi::Shift(shift) => shift.write(to),
                Kpi::Episode(episode) => episode.write(to),
                Kpi::Tombstone(identity) => Tombstone::of(*identity).write(to),
            }
        }
    }
}

/// A payload that remembers whether somebody read beyond its end: `apache-avro` takes the end of the payload for a null in
/// a union, a string or a boolean, and so returns a record with wrong values for one that was cut off.
struct Watched<'a> {
    rest: &'a [u8],
    starved: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let taken = self.rest.read(to)?;
        self.starved |= taken < to.len();
        Ok(taken)
    }
}

/// The record of `kind` that was written with an `older` schema, through `apache-avro`, read exactly to its end.
fn decode_resolving(kind: Kind, older: &Older, datum: &[u8]) -> Result<AnyRecord<'static>, Rejection> {
    check_size(kind, datum)?;
    let mut payload = Watched { rest: datum, starved: false };
    // The error's own text is not passed on: it quotes values.
    let undecodable =
        |_| Rejection::new(DeadLetterReason::Undecodable, format!("{}: does not resolve from the schema it was written with", kind.name()));
    let value = older.reader.read_value(&mut payload).map_err(undecodable)?;
    if payload.starved {
        return Err(Fault::from(Trouble::Ended).reject(kind.name()));
    }
    if !payload.rest.is_empty() {
        return Err(Fault::from(Trouble::LeftOver).reject(kind.name()));
    }
    from_avro_value(kind, value)
}

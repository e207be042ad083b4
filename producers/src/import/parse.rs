//! From the lines of a chunk to records that are ready to append.

use super::options::LINE_BYTES_MAX;
use super::reader::RawChunk;
use super::source::Source;
use super::summary::{Refusal, RefusedLine};
use crate::publisher::checked;
use crate::route::{PLAN_RELEASED_BEFORE_US, is_later_plan, lane_of, plan_start, planned_for, topic_of};
use fieldline_schemas::events::{DeadLetter, DeadLetterReason};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::json::read_json;
use fieldline_schemas::{AnyRecord, Codec, Kind, Missing, Rejection, SosTypes, Timestamp, Topic, key_in};
use std::borrow::Cow;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// What lines are taken as.
#[derive(Clone, Debug)]
pub(super) struct ParsePlan {
    /// Writes the records.
    pub codec: Codec,
    /// When the broker takes them; `None`: as if live, each at its own time.
    pub received_at: Option<Timestamp>,
    /// What every event says of being imported.
    pub imported: bool,
    /// Operational events that take the emergency lane too.
    pub sos: SosTypes,
}

/// A record that is ready to append; its bytes are the chunk's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub topic: Topic,
    /// Of a plan that waits.
    pub planned_for: Option<TechnicianId>,
    /// The instant that as-live order goes by.
    pub at: Timestamp,
    pub key_start: usize,
    pub payload_start: usize,
    pub payload_end: usize,
}

/// A chunk's records in the order of its lines.
#[derive(Debug, Default)]
pub(super) struct ParsedChunk {
    pub first_line: u64,
    pub lines: u64,
    pub bytes: Vec<u8>,
    pub entries: Vec<Entry>,
    pub events: u64,
    pub kinds: [u64; Kind::ALL.len()],
    pub refused: Vec<RefusedLine>,
    /// Keys that are no field.
    pub unmapped: u64,
    /// Lines that hold nothing.
    pub blank: u64,
}

impl ParsedChunk {
    pub fn key(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.key_start..entry.payload_start]
    }
    pub fn payload(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.payload_start..entry.payload_end]
    }
}

/// Parses chunks of one file.
pub(super) struct Parser {
    plan: ParsePlan,
    file: String,
    /// What its dead letters have for a topic.
    topic: String,
    /// Now, for dead letters and for the plan's release where there is no other time.
    now: Timestamp,
    /// As-live time of the line before, under which a refused line is filed.
    last_at: Timestamp,
}

impl Parser {
    pub fn new(source: &Source, plan: ParsePlan, now: Timestamp) -> Self {
        Self { plan, file: source.name(), topic: source.topic(), now, last_at: Timestamp::MIN }
    }

    pub fn parse(&mut self, raw: &RawChunk) -> ParsedChunk {
        let mut chunk = ParsedChunk { first_line: raw.first_line, lines: raw.lines, ..ParsedChunk::default() };
        chunk.bytes.reserve(raw.text.len());
        self.last_at = self.plan.received_at.unwrap_or(Timestamp::MIN);
        if raw.is_cut {
            let detail = format!("a line of more than {LINE_BYTES_MAX} bytes, of which the first are kept here");
            self.refuse(&mut chunk, raw.first_line, &raw.text, Rejection::new(DeadLetterReason::TooLarge, detail));
            return chunk;
        }
        for (line, number) in raw.text.split(|&b| b == b'\n').zip(raw.first_line..raw.first_line + raw.lines) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
            if line.iter().all(u8::is_ascii_whitespace) {
                chunk.blank += 1;
            } else if let Err(rejection) = self.line(&mut chunk, line) {
                self.refuse(&mut chunk, number, line, rejection);
            }
        }
        chunk
    }

    fn line(&mut self, chunk: &mut ParsedChunk, line: &[u8]) -> Result<(), Rejection> {
        if line.len() > LINE_BYTES_MAX {
            let detail = format!("a line of {} bytes, at most {LINE_BYTES_MAX} are read", line.len());
            return Err(Rejection::new(DeadLetterReason::TooLarge, detail));
        }
        let text = std::str::from_utf8(line).map_err(|e| {
            Rejection::new(DeadLetterReason::Undecodable, format!("not UTF-8 from byte {} of the line on", e.valid_up_to()))
        })?;
        let read = read_json(text, Missing::Refuse)?;
        let mut record = read.record;
        let topic = topic_of(&record)?;
        mark_imported(&mut record, self.plan.imported);
        let at = match self.plan.received_at {
            Some(received_at) => received_at,
            None => live_time(&record, read.received_at),
        };
        // A replay puts each plan into its technician's log when that log's time has come; otherwise the owner of the log does.
        let (waits, is_later) = (self.plan.received_at.is_some() && plan_start(&record).is_some(), is_later_plan(&record, at));
        let topic = if waits && is_later { Topic::Plans } else { topic };
        let key_start = chunk.bytes.len();
        chunk.bytes.extend_from_slice(&key_in(topic, &record));
        let payload_start = chunk.bytes.len();
        // A record without any time (a contact) is there from the beginning.
        if let Err(rejection) =
            checked(&self.plan.codec, topic, &record, if at == Timestamp::MIN { self.now } else { at }, &mut chunk.bytes)
        {
            chunk.bytes.truncate(key_start);
            return Err(rejection);
        }
        let payload_end = chunk.bytes.len();
        chunk.entries.push(Entry { topic, planned_for: planned_for(&record), at, key_start, payload_start, payload_end });
        if let Some(lane) = lane_of(&record, &self.plan.sos) {
            copy_to(lane, None, chunk, &record, at, payload_start..payload_end);
        }
        // What amends a plan must find it among those that wait, also when its day has come.
        if waits && !is_later {
            copy_to(Topic::Plans, planned_for(&record), chunk, &record, at, payload_start..payload_end);
        }
        chunk.kinds[record.kind() as usize] += 1;
        chunk.events += 1;
        chunk.unmapped += read.unmapped as u64;
        self.last_at = at;
        Ok(())
    }

    /// A bad line is reported and kept as a dead letter. Its source position is the path as it was given, a fingerprint
    /// of the line in the partition's place, and the line's number: the same line of the same file is one dead letter
    /// however often it is imported, and tomorrow's file of the same path takes nothing from it.
    fn refuse(&self, chunk: &mut ParsedChunk, number: u64, line: &[u8], rejection: Rejection) {
        let kept = &line[..line.len().min(LINE_BYTES_MAX)];
        let letter = AnyRecord::DeadLetter(DeadLetter {
            topic: Cow::Borrowed(&self.topic),
            partition: (xxh3_64(line) & 0x7fff_ffff) as i32,
            offset: i64::try_from(number).unwrap_or(i64::MAX),
            received_at: if self.last_at == Timestamp::MIN { self.now } else { self.last_at },
            reason: rejection.reason,
            detail: Cow::Borrowed(&rejection.detail),
            stage: Cow::Borrowed("import"),
            key: Cow::Borrowed(&[]),
            payload: Cow::Borrowed(kept),
        });
        let key_start = chunk.bytes.len();
        chunk.bytes.extend_from_slice(&key_in(Topic::DeadLetters, &letter));
        let payload_start = chunk.bytes.len();
        self.plan.codec.encode(&letter, &mut chunk.bytes);
        let payload_end = chunk.bytes.len();
        chunk.entries.push(Entry { topic: Topic::DeadLetters, planned_for: None, at: self.last_at, key_start, payload_start, payload_end });
        chunk.refused.push(RefusedLine {
            file: self.file.clone(),
            line: number,
            refusal: Refusal::Reason(rejection.reason),
            detail: rejection.detail,
        });
    }
}

fn mark_imported(record: &mut AnyRecord<'_>, imported: bool) {
    match record {
        AnyRecord::TechnicianActivity(r) => r.common.imported = imported,
        AnyRecord::CommunicationCall(r) => r.common.imported = imported,
        AnyRecord::OperationalEvent(r) => r.common.imported = imported,
        _ => {}
    }
}

/// When a record would have been appended: when it was, where the file says so, else when it happened. A plan enters its
/// technician's log 24 h before its start, or when it came, if that was later.
fn live_time(record: &AnyRecord<'_>, received_at: Option<Timestamp>) -> Timestamp {
    if let Some(start) = plan_start(record) {
        let released_at = start - PLAN_RELEASED_BEFORE_US;
        return received_at.map_or(released_at, |at| at.max(released_at));
    }
    let happened_at = match record {
        AnyRecord::TechnicianActivity(r) => Some(r.common.created_at),
        AnyRecord::CommunicationCall(r) => Some(r.common.created_at),
        AnyRecord::OperationalEvent(r) => Some(r.common.created_at),
        AnyRecord::DeviceHeartbeat(r) => Some(r.created_at),
        AnyRecord::AlertAction(r) => Some(r.created_at),
        _ => None,
    };
    received_at.or(happened_at).unwrap_or(Timestamp::MIN)
}

/// Another topic's copy of a record that was just encoded, under its key there.
fn copy_to(
    topic: Topic,
    planned_for: Option<TechnicianId>,
    chunk: &mut ParsedChunk,
    record: &AnyRecord<'_>,
    at: Timestamp,
    payload: Range<usize>,
) {
    let key_start = chunk.bytes.len();
    chunk.bytes.extend_from_slice(&key_in(topic, record));
    let payload_start = chunk.bytes.len();
    chunk.bytes.extend_from_within(payload);
    let payload_end = chunk.bytes.len();
    chunk.entries.push(Entry { topic, planned_for, at, key_start, payload_start, payload_end });
}

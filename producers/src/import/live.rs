//! Files as if live: every record at the time at which the broker took it, or would have.

use super::error::ImportError;
use super::options::ImportOptions;
use super::parse::ParsePlan;
use super::pipeline::run;
use super::source::Source;
use super::summary::{ImportSummary, Progress};
use fieldline_schemas::{Codec, Timestamp, Topic};

/// One record of a replay, encoded for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRecord<'p> {
    /// Its append time.
    pub at: Timestamp,
    pub topic: Topic,
    pub key: &'p [u8],
    pub payload: &'p [u8],
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: Timestamp,
    topic: Topic,
    key_start: usize,
    payload_start: usize,
    payload_end: usize,
}

/// All records of some files in the order of their append times: `received_at` where the file has it, else created_at;
/// equal times in the order of the lines. Held encoded in memory, some 300 bytes for an event.
#[derive(Debug, Default)]
pub struct LivePlan {
    bytes: Vec<u8>,
    places: Vec<Place>,
    pub summary: ImportSummary,
}

impl LivePlan {
    pub fn len(&self) -> usize {
        self.places.len()
    }
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
    /// The first and the last append time.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.places.first()?.at, self.places.last()?.at))
    }
    pub fn iter(&self) -> impl ExactSizeIterator<Item = LiveRecord<'_>> {
        self.places.iter().map(|place| LiveRecord {
            at: place.at,
            topic: place.topic,
            key: &self.bytes[place.key_start..place.payload_start],
            payload: &self.bytes[place.payload_start..place.payload_end],
        })
    }
}

/// Reads the files whole and puts their records in the order of their append times. Every event is marked as the
/// options say: what is imported is history, however it is replayed, and pages nobody. Refused lines are dead letters at the time of the line before them
/// in their chunk.
pub fn plan_as_live(sources: &[Source], options: &ImportOptions, progress: &mut dyn FnMut(&Progress)) -> Result<LivePlan, ImportError> {
    let mut plan = LivePlan::default();
    let (bytes, places) = (&mut plan.bytes, &mut plan.places);
    // The log of a replay is its own: single objects, so that two replays give the same bytes.
    let parse = ParsePlan { codec: Codec::new(), received_at: None, imported: options.imported, sos: options.sos.clone() };
    plan.summary = run(sources, options, parse, progress, &mut |chunk| {
        let base = bytes.len();
        bytes.extend_from_slice(&chunk.bytes);
        places.extend(chunk.entries.iter().map(|entry| Place {
            at: entry.at,
            topic: entry.topic,
            key_start: base + entry.key_start,
            payload_start: base + entry.payload_start,
            payload_end: base + entry.payload_end,
        }));
        Ok(())
    })?;
    // What has no time of its own is there from the beginning, or from the line before it.
    let first = plan.places.iter().map(|place| place.at).filter(|at| *at > Timestamp::MIN).min().unwrap_or(Timestamp(0));
    for place in &mut plan.places {
        place.at = place.at.max(first);
    }
    plan.places.sort_by_key(|place| place.at);
    Ok(plan)
}

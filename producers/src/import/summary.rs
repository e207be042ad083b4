//! What an import tells: while it runs, and at its end.

use super::parse::ParsedChunk;
use fieldline_schemas::Kind;
use fieldline_schemas::events::DeadLetterReason;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Why a line was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It cannot be understood; it is among the dead letters.
    Reason(DeadLetterReason),
}

impl Refusal {
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.symbol(),
        }
    }
}

/// One line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    pub file: String,
    /// From 1.
    pub line: u64,
    pub refusal: Refusal,
    /// Fields and positions, never the values.
    pub detail: String,
}

impl fmt::Display for RefusedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: {}: {}", self.file, self.line, self.refusal.symbol(), self.detail)
    }
}

/// What was imported and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    pub files: u64,
    /// Lines of all files, blank ones included.
    pub lines: u64,
    pub blank_lines: u64,
    /// Records appended, dead letters and copies aside.
    pub events: u64,
    pub events_by_kind: BTreeMap<&'static str, u64>,
    /// Lines refused; each is a dead letter.
    pub refused: u64,
    pub refused_by_reason: BTreeMap<Refusal, u64>,
    /// The first of them.
    pub refused_lines: Vec<RefusedLine>,
    /// Keys that are no field of their kind, kept under metadata.unmapped where the kind has metadata.
    pub unmapped_keys: u64,
    pub elapsed: Duration,
}

impl ImportSummary {
    pub(super) fn add(&mut self, chunk: &mut ParsedChunk, refused_kept_max: usize) {
        self.lines += chunk.lines;
        self.blank_lines += chunk.blank;
        self.events += chunk.events;
        self.unmapped_keys += chunk.unmapped;
        for (kind, &count) in Kind::ALL.iter().zip(&chunk.kinds).filter(|(_, count)| **count > 0) {
            *self.events_by_kind.entry(kind.name()).or_default() += count;
        }
        self.refused += chunk.refused.len() as u64;
        for refused in chunk.refused.drain(..) {
            *self.refused_by_reason.entry(refused.refusal).or_default() += 1;
            if self.refused_lines.len() < refused_kept_max {
                self.refused_lines.push(refused);
            }
        }
    }
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file that is read, and which of how many.
    pub file: String,
    pub file_number: usize,
    pub files_total: usize,
    /// Of all files, as they lie on the disk; the total is unknown for standard input.
    pub bytes_read: u64,
    pub bytes_total: Option<u64>,
    pub lines: u64,
    pub events: u64,
    pub refused: u64,
    pub elapsed: Duration,
}

impl Progress {
    pub fn events_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.events as f64 / seconds } else { 0.0 }
    }
}

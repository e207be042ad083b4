//! Emissions as the lines of a file that `import` reads.

use super::emission::{Body, Emission};
use fieldline_schemas::Rejection;
use fieldline_schemas::Timestamp;
use fieldline_schemas::json::to_json;
use fieldline_schemas::wire::AnyRecord;
use std::io::Write;

/// What was written and what could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NdjsonCounts {
    pub lines: u64,
    /// Damaged on purpose; import refuses them.
    pub corrupt_lines: u64,
    /// Records that have no JSON form in files (clearances).
    pub left_out: u64,
}

/// Why the lines could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NdjsonError {
    #[error("writing line {line}")]
    Io { line: u64, source: std::io::Error },
    #[error("writing a record as JSON for line {line}")]
    Record { line: u64, source: Rejection },
}

/// Writes one line for each emission, with `received_at`, so that a replay as if live has the simulated append times.
pub fn to_ndjson(emissions: impl IntoIterator<Item = Emission>, out: &mut impl Write) -> Result<NdjsonCounts, NdjsonError> {
    let mut counts = NdjsonCounts::default();
    for emission in emissions {
        let line = counts.lines + 1;
        let (record, is_corrupt) = match &emission.body {
            Body::Record(record) => (record, false),
            Body::Corrupt { original, .. } => (&**original, true),
        };
        if matches!(record, AnyRecord::Clearance(_)) {
            counts.left_out += 1;
            continue;
        }
        let mut text = to_json(record).map_err(|source| NdjsonError::Record { line, source })?;
        receive(&mut text, emission.at);
        if is_corrupt {
            // The end of the line is lost, somewhere behind its first half.
            let cut = text.len() / 2 + (emission.at.0.unsigned_abs() as usize) % (text.len() / 2);
            text.truncate(text.floor_char_boundary(cut));
            counts.corrupt_lines += 1;
        }
        text.push('\n');
        out.write_all(text.as_bytes()).map_err(|source| NdjsonError::Io { line, source })?;
        counts.lines += 1;
    }
    out.flush().map_err(|source| NdjsonError::Io { line: counts.lines, source })?;
    Ok(counts)
}

fn receive(text: &mut String, at: Timestamp) {
    if text.ends_with('}') {
        text.pop();
        text.push_str(&format!(",\"received_at\":\"{at}\"}}"));
    }
}

//! Import of NDJSON files, plain or gzip.
//!
//! ```text
//! file ─► reader (gunzip, whole lines) ─► parsers (JSON to encoded records, in parallel) ─► in file order ─► log
//!                                                                     └─► refused lines ─► dead_letters
//! ```
//!
//! Only bad lines are refused, and none is lost: a refused line becomes a dead letter of the source `file:<path as given>`,
//! with its line number as the offset.

mod error;
mod gunzip;
mod live;
mod options;
mod parse;
mod pipeline;
mod reader;
mod source;
mod summary;

pub use error::ImportError;
pub use live::{LivePlan, LiveRecord, plan_as_live};
pub use options::{ImportOptions, LINE_BYTES_MAX, REFUSED_KEPT_DEFAULT};
pub use source::Source;
pub use summary::{ImportSummary, Progress, Refusal, RefusedLine};

use crate::publisher::Publisher;
use parse::ParsePlan;
use pipeline::run;

/// Appends every record of the files to the log, in the order of their lines, marked as imported, and waits until they
/// are durable.
///
/// `progress` is called a few times a second and once at the end of each file.
pub fn import(
    publisher: &mut Publisher,
    sources: &[Source],
    options: &ImportOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ImportSummary, ImportError> {
    let plan = ParsePlan {
        codec: publisher.codec().clone(),
        received_at: Some(publisher.now()),
        imported: options.imported,
        sos: options.sos.clone(),
    };
    let outcome = run(sources, options, plan, progress, &mut |chunk| {
        for entry in &chunk.entries {
            publisher.append(entry.topic, chunk.key(entry), entry.planned_for, chunk.payload(entry), None)?;
        }
        Ok(())
    });
    // What was read before an error stays, too.
    let flushed = publisher.flush(options.flush_wait_max);
    let summary = outcome?;
    flushed?;
    Ok(summary)
}

//! What a start finds in a partition's folder, and where the partition goes on.
//!
//! A torn end was never acknowledged and is cut. Offsets are not used twice: where the tail that they stood in may have
//! been lost (cut here, or by a restart of the machine), the partition goes on above everything it had reserved, and the
//! offsets between are a recorded hole. Bytes that were once acknowledged and cannot be read stop the start, unless the
//! machine was restarted (then files may lack what was never synced) or the options say to go on.

use super::Shared;
use super::partition::{PartitionLog, State};
use super::registry::Hole;
use super::segment::{Segment, index_path, segment_path};
use crate::{Error, Result, TopicPartition};
use fieldline_schemas::Timestamp;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a start had to do to a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// The bytes behind this place of the file were no whole batch and were cut off.
    Cut { path: PathBuf, at: u64, bytes: u64 },
    /// Offsets that no record has.
    Hole(Hole),
}

struct Recovery<'a> {
    partition: &'a TopicPartition,
    folder: &'a Path,
    shared: &'a Shared,
    /// Whether unreadable bytes and missing files are cut rather than refused.
    cut_damaged: bool,
    found: Vec<Recovered>,
}

pub(crate) fn open_partition(
    partition: TopicPartition,
    folder: PathBuf,
    retention_us: Option<i64>,
    holes: &[Hole],
    shared: &Arc<Shared>,
) -> Result<(Arc<PartitionLog>, Vec<Recovered>)> {
    let reserved = shared.registry.reserved(&partition)?;
    let restarted = shared.registry.restarted;
    let cut_damaged = shared.options.cut_damaged || restarted;
    let mut recovery = Recovery { partition: &partition, folder: &folder, shared, cut_damaged, found: Vec::new() };
    let (segments, tail_cut) = recovery.segments(holes)?;

    let end = segments.last().map_or(reserved.clean_end.unwrap_or(0), |s| s.next_offset);
    let mut next_offset = end;
    // After a hole at the very end the last segment says less than what was recorded then.
    if let Some(hole) = holes.iter().find(|h| h.partition == partition && h.from <= end && end < h.until) {
        next_offset = hole.until;
    }
    match reserved.clean_end {
        Some(clean_end) if next_offset < clean_end => {
            let last = segments.last().map_or_else(|| folder.clone(), |s| segment_path(&folder, s.base));
            let at = segments.last().map_or(0, |s| s.bytes);
            let what = format!("records up to offset {clean_end} were there when the log was closed, now they end at {next_offset}");
            recovery.refuse(last, at, what)?;
            recovery.hole(end, clean_end)?;
            next_offset = clean_end;
        }
        None if (tail_cut || restarted) && next_offset < reserved.end => {
            recovery.hole(end, reserved.end)?;
            next_offset = reserved.end;
        }
        _ => {}
    }
    let last_time = segments.iter().map(|s| s.max_time).max().unwrap_or(Timestamp::MIN);
    let found = recovery.found;
    let state = State {
        segments,
        active: None,
        end,
        next_offset,
        published_end: end,
        reserved_end: if reserved.clean_end.is_some() { 0 } else { reserved.end },
        last_time,
        failed: false,
    };
    shared.advance_clock(last_time);
    Ok((PartitionLog::new(partition, folder, retention_us, Arc::clone(shared), state), found))
}

impl Recovery<'_> {
    fn refuse(&self, path: PathBuf, at: u64, what: String) -> Result<()> {
        if self.cut_damaged { Ok(()) } else { Err(Error::Damaged { path, at, what }) }
    }

    fn hole(&mut self, from: i64, until: i64) -> Result<()> {
        let hole = Hole { partition: self.partition.clone(), from, until };
        self.shared.registry.add_hole(&hole)?;
        self.found.push(Recovered::Hole(hole));
        Ok(())
    }

    /// All segments in order, and whether the last one lost its tail.
    fn segments(&mut self, holes: &[Hole]) -> Result<(Vec<Segment>, bool)> {
        let bases = segment_bases(self.folder)?;
        let mut segments: Vec<Segment> = Vec::with_capacity(bases.len());
        let mut tail_cut = false;
        for (place, base) in bases.iter().copied().enumerate() {
            let last = place + 1 == bases.len();
            // After a restart of the machine the last file may have its length without its content.
            let known = if last && self.shared.registry.restarted { None } else { Segment::load_index(self.folder, base) };
            if last {
                // It may grow again; an index of then must not be believed later.
                let _ = std::fs::remove_file(index_path(self.folder, base));
            }
            let segment = match known {
                Some(segment) => segment,
                None => {
                    let (segment, cut) = self.scan(base, last)?;
                    tail_cut = cut;
                    segment
                }
            };
            if let Some(before) = segments.last()
                && before.next_offset != base
                && !holes.iter().any(|h| h.partition == *self.partition && h.from == before.next_offset && h.until == base)
            {
                let (from, path) = (before.next_offset, segment_path(self.folder, base));
                self.refuse(path, 0, format!("the records from offset {from} to {base} are missing before it"))?;
                self.hole(from, base)?;
            }
            segments.push(segment);
        }
        Ok((segments, tail_cut))
    }

    fn scan(&mut self, base: i64, last: bool) -> Result<(Segment, bool)> {
        let (segment, torn) = Segment::scan(self.folder, base)?;
        let Some(torn) = torn else {
            if !last {
                let _ = segment.save_index(self.folder);
            }
            return Ok((segment, false));
        };
        let path = segment_path(self.folder, base);
        if let Some(follows) = torn.valid_follows_at {
            self.refuse(path.clone(), torn.at, format!("the batch there cannot be read, but a whole one follows at byte {follows}"))?;
        } else if !last {
            self.refuse(path.clone(), torn.at, "the file ends in the middle of a batch, but a later file exists".to_owned())?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(Error::io("could not open", &path))?;
        let bytes = file.metadata().map_err(Error::io("could not look at", &path))?.len() - torn.at;
        if torn.valid_follows_at.is_some() {
            // What is given up is kept beside, for whoever wants to look into it.
            let aside = path.with_extension("damaged");
            std::fs::copy(&path, &aside).map_err(Error::io("could not keep the damaged file", &aside))?;
        }
        file.set_len(torn.at).map_err(Error::io("could not cut the torn end", &path))?;
        self.found.push(Recovered::Cut { path, at: torn.at, bytes });
        Ok((segment, true))
    }
}

fn segment_bases(folder: &Path) -> Result<Vec<i64>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { what: "could not list", path: folder.to_owned(), source }),
    };
    let mut bases = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("could not list", folder))?.file_name();
        if let Some(base) = name.to_str().and_then(|n| n.strip_suffix(".log")).and_then(|n| n.parse().ok()) {
            bases.push(base);
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

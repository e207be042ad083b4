//! One segment file: batches back to back, nothing else, named after its first offset. What is known of it is kept in
//! memory (a sparse index) and, once it is closed, in a small file beside it, so that opening need not read it all.

use crate::frame::{HEADER_BYTES, Header, MAGIC};
use crate::limits::BATCH_BYTES_MAX;
use crate::{Error, Result};
use fieldline_schemas::Timestamp;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// An index entry is made once per so many bytes; between entries a reader goes from header to header.
const INDEX_STEP_BYTES: u64 = 16 << 10;
const INDEX_MAGIC: &[u8; 8] = b"FLINDEX1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IndexEntry {
    offset: i64,
    at: u64,
    /// The highest time of the segment before this place.
    max_time_before: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) base: i64,
    pub(crate) bytes: u64,
    /// One past the last offset in the file; the base while there is none.
    pub(crate) next_offset: i64,
    pub(crate) first_time: Timestamp,
    pub(crate) max_time: Timestamp,
    index: Vec<IndexEntry>,
}

/// Where the valid batches of a file end, when that is not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) at: u64,
    /// A valid batch behind the invalid bytes: then they are no torn end but damage.
    pub(crate) valid_follows_at: Option<u64>,
}

pub(crate) fn segment_path(folder: &Path, base: i64) -> PathBuf {
    folder.join(format!("{base:020}.log"))
}

pub(crate) fn index_path(folder: &Path, base: i64) -> PathBuf {
    folder.join(format!("{base:020}.index"))
}

impl Segment {
    pub(crate) fn new(base: i64) -> Self {
        Self { base, bytes: 0, next_offset: base, first_time: Timestamp::MAX, max_time: Timestamp::MIN, index: Vec::new() }
    }

    /// Takes note of a batch at the end of the file.
    pub(crate) fn push(&mut self, header: &Header) {
        if self.bytes == 0 {
            self.first_time = header.max_time;
        }
        if self.index.last().is_none_or(|last| self.bytes - last.at >= INDEX_STEP_BYTES) {
            self.index.push(IndexEntry { offset: header.base_offset, at: self.bytes, max_time_before: self.max_time });
        }
        self.bytes += header.length as u64;
        self.next_offset = header.next_offset();
        self.max_time = self.max_time.max(header.max_time);
    }

    /// A place at or before the batch that holds the offset.
    pub(crate) fn locate(&self, offset: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map_or(0, |i| self.index[i].at)
    }

    /// A place at or before the first batch with a record at or after the time.
    pub(crate) fn locate_time(&self, time: Timestamp) -> u64 {
        let after = self.index.partition_point(|entry| entry.max_time_before < time);
        after.checked_sub(1).map_or(0, |i| self.index[i].at)
    }

    /// Reads the whole file, batch by batch, checksums included.
    pub(crate) fn scan(folder: &Path, base: i64) -> Result<(Self, Option<Torn>)> {
        let path = segment_path(folder, base);
        let fail = || Error::io("could not read", &path);
        let file = File::open(&path).map_err(fail())?;
        let file_bytes = file.metadata().map_err(fail())?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut segment = Self::new(base);
        let mut batch = Vec::new();
        while segment.bytes < file_bytes {
            let left = file_bytes - segment.bytes;
            batch.resize(HEADER_BYTES, 0);
            let whole = if left < HEADER_BYTES as u64 {
                None
            } else {
                reader.read_exact(&mut batch).map_err(fail())?;
                Header::parse(&batch).filter(|h| h.length as u64 <= left && h.base_offset >= segment.next_offset)
            };
            let checked = match whole {
                Some(header) => {
                    batch.resize(header.length, 0);
                    reader.read_exact(&mut batch[HEADER_BYTES..]).map_err(fail())?;
                    Header::check(&batch)
                }
                None => None,
            };
            match checked {
                Some(header) => segment.push(&header),
                None => {
                    let valid_follows_at = find_valid(&file, segment.bytes + 1, file_bytes, segment.next_offset).map_err(fail())?;
                    let torn = Torn { at: segment.bytes, valid_follows_at };
                    return Ok((segment, Some(torn)));
                }
            }
        }
        Ok((segment, None))
    }

    /// Keeps what is known of a segment that will not grow. Lost or torn, it is made again by a scan.
    pub(crate) fn save_index(&self, folder: &Path) -> std::io::Result<()> {
        let mut bytes = INDEX_MAGIC.to_vec();
        let numbers = [self.base, self.bytes as i64, self.next_offset, self.first_time.0, self.max_time.0];
        let entries = self.index.iter().flat_map(|e| [e.offset, e.at as i64, e.max_time_before.0]);
        bytes.extend(numbers.into_iter().chain(entries).flat_map(i64::to_le_bytes));
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        std::fs::write(index_path(folder, self.base), bytes)
    }

    /// What was kept, if it is whole and of a file of this length.
    pub(crate) fn load_index(folder: &Path, base: i64) -> Option<Self> {
        let bytes = std::fs::read(index_path(folder, base)).ok()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let numbers = body.strip_prefix(INDEX_MAGIC)?;
        if crc32c::crc32c(body).to_le_bytes() != *crc {
            return None;
        }
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|n| i64::from_le_bytes(*n));
        let mut segment = Self::new(base);
        if numbers.next()? != base {
            return None;
        }
        segment.bytes = numbers.next()? as u64;
        segment.next_offset = numbers.next()?;
        segment.first_time = Timestamp(numbers.next()?);
        segment.max_time = Timestamp(numbers.next()?);
        while let (Some(offset), Some(at), Some(time)) = (numbers.next(), numbers.next(), numbers.next()) {
            segment.index.push(IndexEntry { offset, at: at as u64, max_time_before: Timestamp(time) });
        }
        let file_bytes = std::fs::metadata(segment_path(folder, base)).ok()?.len();
        (file_bytes == segment.bytes).then_some(segment)
    }
}

/// The first place from `from` on where a batch stands whole that could come after `next_offset`.
fn find_valid(file: &File, from: u64, file_bytes: u64, next_offset: i64) -> std::io::Result<Option<u64>> {
    const WINDOW_BYTES: u64 = 4 << 20;
    let mut start = from;
    while start < file_bytes {
        // The window reaches a batch's length beyond the places looked at, so that each is seen whole.
        let places = WINDOW_BYTES.min(file_bytes - start);
        let mut window = vec![0; (places + BATCH_BYTES_MAX as u64).min(file_bytes - start) as usize];
        file.read_exact_at(&mut window, start)?;
        for place in 0..places as usize {
            if window[place..].starts_with(&MAGIC) && Header::check(&window[place..]).is_some_and(|h| h.base_offset >= next_offset) {
                return Ok(Some(start + place as u64));
            }
        }
        start += places;
    }
    Ok(None)
}

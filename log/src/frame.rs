//! The bytes of a batch, the same in memory and on disk, so that reading is checking and pointing.
//!
//! ```text
//!  0 magic "FLB1"        16 base offset   i64     40 records: key length u16, value length u32, key, value
//!  4 length      u32     24 latest time   i64     .. times: one i64 per record, only where they differ
//!  8 CRC-32C     u32     32 kind of times u32
//! 12 count       u32     36 zero          u32
//! ```
//! Little-endian. The length is of the whole batch; the checksum covers everything after itself. Offsets within a batch
//! are contiguous; between batches there may be holes.

use crate::batch::Entry;
use crate::limits::BATCH_BYTES_MAX;
use fieldline_schemas::Timestamp;

pub(crate) const MAGIC: [u8; 4] = *b"FLB1";
pub(crate) const HEADER_BYTES: usize = 40;
const RECORD_HEADER_BYTES: usize = 6;
const ONE_TIME: u32 = 0;
const TIMES_AT_END: u32 = 1;

/// What stands before the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: usize,
    pub(crate) count: u32,
    pub(crate) base_offset: i64,
    pub(crate) max_time: Timestamp,
    crc: u32,
    times_at_end: bool,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Header {
    /// Reads a header that could be one; the checksum is for `check`.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        let length = u32_at(header, 4)? as usize;
        let count = u32_at(header, 12)?;
        let base_offset = i64_at(header, 16)?;
        let kind = u32_at(header, 32)?;
        let plausible = header[..4] == MAGIC
            && (HEADER_BYTES..=BATCH_BYTES_MAX).contains(&length)
            && count > 0
            && count as usize <= length / RECORD_HEADER_BYTES
            && (0..i64::MAX - i64::from(u32::MAX)).contains(&base_offset)
            && kind <= TIMES_AT_END;
        plausible.then_some(Self {
            length,
            count,
            base_offset,
            max_time: Timestamp(i64_at(header, 24)?),
            crc: u32_at(header, 8)?,
            times_at_end: kind == TIMES_AT_END,
        })
    }

    /// One past the last offset of the batch.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.count)
    }

    /// The header of the batch at the start of `bytes`, if all of it is there and its checksum holds.
    pub(crate) fn check(bytes: &[u8]) -> Option<Self> {
        let header = Self::parse(bytes)?;
        let batch = bytes.get(..header.length)?;
        (crc32c::crc32c(&batch[12..]) == header.crc).then_some(header)
    }
}

/// Points at the records with offsets in `from..until` of the checked batch at `at` in `buffer`.
/// `None`: the lengths within do not add up.
pub(crate) fn entries(buffer: &[u8], at: usize, header: &Header, from: i64, until: i64, into: &mut Vec<Entry>) -> Option<()> {
    let end = at + header.length;
    let times_bytes = if header.times_at_end { header.count as usize * 8 } else { 0 };
    let records_end = end.checked_sub(times_bytes)?;
    let mut cursor = at + HEADER_BYTES;
    let mut time = header.max_time;
    for i in 0..header.count as usize {
        let lengths: &[u8; RECORD_HEADER_BYTES] = buffer.get(cursor..)?.first_chunk()?;
        let key_bytes = usize::from(u16::from_le_bytes([lengths[0], lengths[1]]));
        let value_bytes = u32::from_le_bytes([lengths[2], lengths[3], lengths[4], lengths[5]]) as usize;
        let key_start = cursor + RECORD_HEADER_BYTES;
        let value_start = key_start + key_bytes;
        let value_end = value_start.checked_add(value_bytes)?;
        if value_end > records_end {
            return None;
        }
        let offset = header.base_offset + i as i64;
        if header.times_at_end {
            time = Timestamp(i64_at(buffer, records_end + i * 8)?);
        }
        if offset >= from && offset < until {
            into.push(Entry {
                offset,
                append_time: time,
                key_start: key_start as u32,
                value_start: value_start as u32,
                value_end: value_end as u32,
            });
        }
        cursor = value_end;
    }
    (cursor == records_end).then_some(())
}

/// A batch while it is filled: its offsets and the broker's time are known only when it is sealed.
pub(crate) struct PendingBatch {
    bytes: Vec<u8>,
    records_end: usize,
    count: u32,
    /// Empty where the broker's clock stamps the batch.
    times: Vec<Timestamp>,
}

impl PendingBatch {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], records_end: HEADER_BYTES, count: 0, times: Vec::new() }
    }
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.records_end = HEADER_BYTES;
        self.count = 0;
        self.times.clear();
    }
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
    /// Bytes taken so far, without what sealing may add.
    pub(crate) fn bytes_len(&self) -> usize {
        self.records_end
    }
    pub(crate) fn record_bytes(key: &[u8], value: &[u8]) -> usize {
        RECORD_HEADER_BYTES + key.len() + value.len()
    }
    /// All records of a batch either name their time or leave it to the broker.
    pub(crate) fn takes(&self, time: Option<Timestamp>) -> bool {
        self.count == 0 || self.times.is_empty() != time.is_some()
    }
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8], time: Option<Timestamp>) {
        // A failed seal may have left the times behind the records.
        self.bytes.truncate(self.records_end);
        self.bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.records_end = self.bytes.len();
        self.count += 1;
        self.times.extend(time);
    }
    /// The latest time of a record that named one.
    pub(crate) fn max_time(&self) -> Option<Timestamp> {
        self.times.iter().copied().max()
    }
    /// The finished bytes. May be called again with other values when writing them failed.
    pub(crate) fn seal(&mut self, base_offset: i64, broker_time: Timestamp) -> &[u8] {
        self.bytes.truncate(self.records_end);
        let max_time = self.max_time().unwrap_or(broker_time);
        let differ = self.times.iter().any(|t| *t != max_time);
        if differ {
            self.bytes.extend(self.times.iter().flat_map(|t| t.0.to_le_bytes()));
        }
        let length = self.bytes.len() as u32;
        let kind = if differ { TIMES_AT_END } else { ONE_TIME };
        let header = &mut self.bytes[..HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[12..16].copy_from_slice(&self.count.to_le_bytes());
        header[16..24].copy_from_slice(&base_offset.to_le_bytes());
        header[24..32].copy_from_slice(&max_time.0.to_le_bytes());
        header[32..36].copy_from_slice(&kind.to_le_bytes());
        let crc = crc32c::crc32c(&self.bytes[12..]);
        self.bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        &self.bytes
    }
}

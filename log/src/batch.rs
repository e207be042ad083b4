//! Records of one partition in one buffer.

use crate::TopicPartition;
use fieldline_schemas::Timestamp;

/// A borrowed record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: i64,
    pub append_time: Timestamp,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: i64,
    append_time: Timestamp,
    key_start: u32,
    value_start: u32,
    value_end: u32,
}

/// Records of one partition, in offset order, in one allocation.
#[derive(Clone, Debug)]
pub struct Batch {
    pub partition: TopicPartition,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|e| Record {
            offset: e.offset,
            append_time: e.append_time,
            key: &self.bytes[e.key_start as usize..e.value_start as usize],
            value: &self.bytes[e.value_start as usize..e.value_end as usize],
        })
    }
}

/// Builds a batch record by record.
pub struct BatchBuilder(Batch);

impl BatchBuilder {
    pub fn new(partition: TopicPartition) -> Self {
        Self(Batch { partition, bytes: Vec::new(), entries: Vec::new() })
    }
    pub fn push(&mut self, offset: i64, append_time: Timestamp, key: &[u8], value: &[u8]) {
        let batch = &mut self.0;
        let key_start = batch.bytes.len() as u32;
        batch.bytes.extend_from_slice(key);
        let value_start = batch.bytes.len() as u32;
        batch.bytes.extend_from_slice(value);
        batch.entries.push(Entry { offset, append_time, key_start, value_start, value_end: batch.bytes.len() as u32 });
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn bytes_len(&self) -> usize {
        self.0.bytes.len()
    }
    pub fn finish(self) -> Batch {
        self.0
    }
}

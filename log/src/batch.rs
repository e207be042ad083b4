//! Records of one partition in one buffer.

use crate::TopicPartition;
use bytes::Bytes;
use fieldline_schemas::Timestamp;

/// A borrowed record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: i64,
    pub append_time: Timestamp,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// Where a record lies in its batch's buffer; the value follows the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) append_time: Timestamp,
    pub(crate) key_start: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
}

/// Records of one partition, in offset order, in one shared allocation.
#[derive(Clone, Debug)]
pub struct Batch {
    pub partition: TopicPartition,
    bytes: Bytes,
    entries: Vec<Entry>,
}

impl Batch {
    pub(crate) fn from_parts(partition: TopicPartition, bytes: Bytes, entries: Vec<Entry>) -> Self {
        Self { partition, bytes, entries }
    }
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
    pub fn first_offset(&self) -> Option<i64> {
        self.entries.first().map(|e| e.offset)
    }
    /// The offset to go on from once this batch is handled; `None` of an empty batch.
    pub fn next_offset(&self) -> Option<i64> {
        self.entries.last().map(|e| e.offset + 1)
    }
    /// Takes the first `records` off into a batch of their own, over the same buffer.
    pub(crate) fn split_front(&mut self, records: usize) -> Self {
        let front: Vec<Entry> = self.entries.drain(..records.min(self.entries.len())).collect();
        Self { partition: self.partition.clone(), bytes: self.bytes.clone(), entries: front }
    }
}

/// Builds a batch record by record.
pub struct BatchBuilder {
    partition: TopicPartition,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl BatchBuilder {
    pub fn new(partition: TopicPartition) -> Self {
        Self { partition, bytes: Vec::new(), entries: Vec::new() }
    }
    pub fn push(&mut self, offset: i64, append_time: Timestamp, key: &[u8], value: &[u8]) {
        let key_start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(key);
        let value_start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        let value_end = self.bytes.len() as u32;
        self.entries.push(Entry { offset, append_time, key_start, value_start, value_end });
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }
    pub fn finish(self) -> Batch {
        Batch { partition: self.partition, bytes: Bytes::from(self.bytes), entries: self.entries }
    }
}

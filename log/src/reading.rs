//! How far readers are, for whoever watches.

use crate::TopicPartition;
use fieldline_schemas::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How far a member of a group is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The next offset that it has not read.
    pub next: i64,
    /// One past the last record, as last heard of.
    pub end: i64,
    /// Append time of the last record that it has read.
    pub append_time: Option<Timestamp>,
}

impl Reading {
    /// Records that are not read yet.
    pub fn lag_records(&self) -> i64 {
        (self.end - self.next).max(0)
    }
}

/// The partitions that a member owns.
#[derive(Debug, Default)]
pub struct Readings(Mutex<BTreeMap<TopicPartition, Reading>>);

impl Readings {
    pub fn set(&self, at: &TopicPartition, reading: Reading) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(at) {
            Some(known) => *known = reading,
            None => drop(all.insert(at.clone(), reading)),
        }
    }

    pub fn remove(&self, at: &TopicPartition) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(at);
    }

    pub fn snapshot(&self) -> BTreeMap<TopicPartition, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! Whether two records say the same.

use crate::wire::{AnyRecord, Codec};

/// A hash of everything a record says but `assigned`, stable across releases.
pub fn content_hash(record: &AnyRecord<'_>) -> u128 {
    let mut bytes = Vec::new();
    Codec::new().encode(record, &mut bytes);
    xxhash_rust::xxh3::xxh3_128(&bytes)
}

//! Bytes that were a record once.

use super::emission::Body;
use fieldline_schemas::topics::key_of;
use fieldline_schemas::wire::{AnyRecord, Codec};

/// Damages the payload of a record in one of five ways, each of which makes it undecodable.
pub(super) fn damaged(record: AnyRecord<'static>, how: u16) -> Body {
    let mut payload = Vec::with_capacity(512);
    Codec::new().encode(&record, &mut payload);
    let place = usize::from(how) / 5;
    match how % 5 {
        // Cut off, at least one byte short.
        0 => payload.truncate(place % payload.len().max(1)),
        // Bytes left over.
        1 => payload.extend_from_slice(&[0x5a; 3][..1 + place % 3]),
        // No framing that anybody knows.
        2 => {
            if let Some(first) = payload.first_mut() {
                *first ^= 0x3c;
            }
        }
        // The fingerprint of a schema that nobody has.
        3 => {
            if let Some(byte) = payload.get_mut(2 + place % 8) {
                *byte ^= 0xff;
            }
        }
        // Text where a record should be.
        _ => payload = b"{\"event\":\"technician_activity\"}".to_vec(),
    }
    Body::Corrupt { key: key_of(&record), payload, original: Box::new(record) }
}

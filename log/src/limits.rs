//! Every bound of the log, by name. Sizes are bytes.

use std::time::Duration;

/// Key and value of one record together: a payload of 1 MiB and 64 KiB for its framing, its key, and what a dead letter adds.
pub const RECORD_BYTES_MAX: usize = (1 << 20) + (64 << 10);
pub const KEY_BYTES_MAX: usize = 32 << 10;
/// A producer hands a partition's records over before they exceed this.
pub const BATCH_BYTES_TARGET: usize = 128 << 10;
/// The longest batch a reader believes in: the target or one large record, and the times beside it.
pub const BATCH_BYTES_MAX: usize = 2 << 20;
/// What one producer holds that is not acknowledged yet.
pub const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;
/// The same, in records: each takes some 200 bytes in Kafka's client beside its own.
pub const IN_FLIGHT_RECORDS_MAX: usize = 100_000;
/// How long an append may wait for room in flight.
pub const APPEND_WAIT_MAX: Duration = Duration::from_secs(30);
/// What a consumer reads ahead of one partition.
pub const FETCH_BYTES_MAX: usize = 1 << 20;
/// The note beside a committed offset.
pub const NOTE_BYTES_MAX: usize = 4 << 10;
pub const PARTITIONS_MAX: i32 = 1024;
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
pub const GROUP_NAME_BYTES_MAX: usize = 255;

//! The note beside a committed offset: what a successor must know to go on.

use fieldline_processors_core::flags::FlagSettings;
use serde::{Deserialize, Serialize};

/// Stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub definition: u16,
    pub definition_hash: String,
    /// The clock of the partition before the record at the committed offset, microseconds since 1970.
    pub clock_us: i64,
    /// Hexadecimal.
    pub topic_id: String,
    /// Of the topic.
    pub partitions: i32,
    /// Plans that start before this were released into the log; microseconds since 1970.
    pub released_through: Option<i64>,
    /// The hash of the settings of flags; absent where flags were not put out.
    #[serde(default)]
    pub flags_hash: Option<String>,
    /// The oldest append time on which the state leans beyond what every successor replays; microseconds since 1970.
    #[serde(default)]
    pub leans_on_us: Option<i64>,
}

/// The hash of every setting of flags.
pub fn flags_hash(settings: &FlagSettings) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(format!("{settings:?}").as_bytes()))
}

/// A topic's id as it is written in a note.
pub fn topic_id_text(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

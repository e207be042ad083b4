//! What the states of `operations` and `calls` share: what they know of themselves, and how their outputs are numbered.

use crate::flags::FlagSettings;
use fieldline_schemas::Version;

/// What a partition needs to know about itself.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub epoch: u8,
    /// The number of the definition.
    pub definition: u16,
    pub flags: FlagSettings,
}

/// Why a partition can not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    #[error("offset {offset} with epoch {epoch} and definition {definition} does not fit into a version")]
    Version { offset: i64, epoch: u8, definition: u16 },
}

impl Settings {
    pub(crate) fn version(&self, offset: i64, step: u8) -> Result<Version, EventsError> {
        let Self { epoch, definition, .. } = *self;
        let version = u64::try_from(offset).ok().and_then(|offset| Version::pack(epoch, definition, offset, step));
        version.ok_or(EventsError::Version { offset, epoch, definition })
    }
}

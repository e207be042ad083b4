//! The note beside a committed offset of `recompute`.

use super::HistoryError;
use fieldline_log::{Committed, TopicPartition};
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    /// The clock before the record there, by which windows close.
    clock_us: Option<i64>,
    /// What the requests before it were computed with; 0 in notes from before it was noted.
    #[serde(default)]
    definition: u16,
    #[serde(default)]
    definition_hash: String,
}

impl Note {
    pub fn new(clock: Option<Timestamp>, definition: &Definition) -> Self {
        Self { clock_us: clock.map(|clock| clock.0), definition: definition.number, definition_hash: definition.hash() }
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The clock where the group stands. An offset that a person committed has no note.
    pub fn clock_of(committed: Option<&Committed>, at: &TopicPartition, ours: &Definition) -> Result<Option<Timestamp>, HistoryError> {
        let Some(committed) = committed.filter(|committed| !committed.metadata.is_empty()) else { return Ok(None) };
        let unreadable = |source| HistoryError::Note { topic: at.topic.clone(), partition: at.partition, source };
        let note: Self = serde_json::from_str(&committed.metadata).map_err(unreadable)?;
        note.check(at, ours)?;
        Ok(note.clock_us.map(Timestamp))
    }

    /// Refuses to go on where rows of a newer definition would be followed by our older ones.
    fn check(&self, at: &TopicPartition, ours: &Definition) -> Result<(), HistoryError> {
        let (topic, partition, number) = (at.topic.clone(), at.partition, ours.number);
        if self.definition > number {
            return Err(HistoryError::DefinitionBehind { topic, partition, ours: number, theirs: self.definition });
        }
        if self.definition == number && self.definition_hash != ours.hash() {
            return Err(HistoryError::DefinitionDiffers { topic, partition, number });
        }
        Ok(())
    }
}

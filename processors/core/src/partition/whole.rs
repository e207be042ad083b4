//! What stands of a technician when the whole log is read, or a long span of it: for history and `verify`.

use super::input::Input;
use super::records::{Gathered, Records};
use super::standing::Inserted;
use super::window::Window;
use crate::facts::Facts;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::TechnicianId;

/// Records of one technician, inserted in log order; the same rules as in the live state, without a window.
#[derive(Debug, Default)]
pub struct WholeLog {
    records: Records,
    gathered: Gathered,
}

impl WholeLog {
    /// Takes the next record of the technician; ticks and heartbeats say nothing.
    pub fn insert(&mut self, input: &Input) -> Inserted {
        self.records.insert(input, Window::everything()).0
    }

    /// The facts that stand, as the fold takes them.
    pub fn facts(&mut self, technician_contact_id: TechnicianId) -> Facts<'_> {
        self.gathered.facts(technician_contact_id, &self.records, Window::everything(), (Timestamp::MIN, Timestamp::MAX))
    }
}

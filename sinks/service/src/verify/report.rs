//! What `verify` found.

use super::compare::Column;
use fieldline_schemas::results::Identity;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// Findings of one sort that are named; all are counted.
pub const FINDINGS_MAX: usize = 100;

/// Rows of one sort: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings<T> {
    pub count: u64,
    pub first: Vec<T>,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Findings<T> {
    pub(super) fn add(&mut self, finding: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(finding());
        }
    }
}

/// The identity of a result row, by table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowName(pub Identity);

impl RowName {
    pub const fn table(&self) -> &'static str {
        match self.0 {
            Identity::Shift { .. } => "shift_results",
            Identity::Episode { .. } => "episode_results",
        }
    }
}

impl std::fmt::Display for RowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Identity::Shift { technician_contact_id, shift_id } => write!(f, "shift {shift_id} of technician {technician_contact_id}"),
            Identity::Episode { technician_contact_id, visit_id, first_event_id } => {
                write!(f, "episode {first_event_id} of visit {visit_id} of technician {technician_contact_id}")
            }
        }
    }
}

impl Serialize for RowName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("table", self.table())?;
        match self.0 {
            Identity::Shift { technician_contact_id, shift_id } => {
                map.serialize_entry("technician_contact_id", &technician_contact_id.to_string())?;
                map.serialize_entry("shift_id", &shift_id.to_string())?;
            }
            Identity::Episode { technician_contact_id, visit_id, first_event_id } => {
                map.serialize_entry("technician_contact_id", &technician_contact_id.to_string())?;
                map.serialize_entry("visit_id", &visit_id.to_string())?;
                map.serialize_entry("first_event_id", &first_event_id.to_string())?;
            }
        }
        map.end()
    }
}

/// A stored row that is not what the log gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub row: RowName,
    pub columns: Vec<Column>,
}

/// Why a row is reported apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApartBecause {
    /// A29: its cuts depend on where a computation began, and it was published by one that saw less.
    Context,
    /// Only A19, A20 or the distance differ: they look back to the last trusted position, however old.
    Positions,
    /// Only the finality differs, and the row was published under another number of the definition: rows come to a new
    /// one as they are touched.
    Definition,
}

/// A difference that the definitions allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apart {
    pub row: RowName,
    pub because: ApartBecause,
    /// Empty where the row is only in one of the two.
    pub columns: Vec<Column>,
}

/// What a comparison of all results with the log tables came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub technicians: u64,
    /// Records of the log tables that were read.
    pub records: u64,
    /// Identities that are stored and computed.
    pub compared: u64,
    pub changed: Findings<Difference>,
    /// Computed, but not stored.
    pub missing: Findings<RowName>,
    /// Stored, but nothing in the log gives it.
    pub extra: Findings<RowName>,
    pub apart: Findings<Apart>,
}

impl Report {
    /// Whether every stored result follows from the log.
    pub fn is_clean(&self) -> bool {
        self.changed.count == 0 && self.missing.count == 0 && self.extra.count == 0
    }
}

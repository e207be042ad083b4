//! Views as text, compared row for row.

use super::folder::Folder;
use std::collections::{BTreeMap, BTreeSet};

/// Cells by column, as ClickHouse writes them.
pub type Row = BTreeMap<String, String>;
/// Rows by the cells of their identity.
pub type Table = BTreeMap<Vec<String>, Row>;

/// A view of results or facts, and what tells its rows apart.
pub struct View {
    pub name: &'static str,
    pub key: &'static [&'static str],
}

pub const SHIFTS: View = View { name: "shifts", key: &["technician_contact_id", "shift_id"] };
pub const VISITS: View = View { name: "visits", key: &["technician_contact_id", "visit_id"] };
pub const DAYS: View = View { name: "technician_days", key: &["technician_contact_id", "local_date"] };
pub const ACTIVITY: View = View { name: "technician_activity", key: &["technician_contact_id", "id"] };
pub const CALLS: View = View { name: "communication_call_details", key: &["id"] };
pub const OPERATIONS: View = View { name: "operational_event", key: &["id"] };
pub const LEVELS: View = View { name: "queue_service_levels", key: &["queue_name", "interval_start"] };
pub const INCIDENTS: View = View { name: "incidents", key: &["id"] };
pub const ALL: [&View; 8] = [&SHIFTS, &VISITS, &DAYS, &ACTIVITY, &CALLS, &OPERATIONS, &LEVELS, &INCIDENTS];

/// What concerns arrival and not the facts.
pub const ABOUT_ARRIVAL: &[&str] =
    &["version", "caused_by", "as_of", "received_at", "partition", "offset", "definition_version", "open_seconds"];
/// Sums of floating point numbers, which the order of adding may change.
pub const ROUNDED: &[&str] = &["distance_meters_lower_bound", "utilisation", "work_share", "travel_ratio"];

/// Reads a view; no identity may be there twice (I2).
pub fn read(folder: &Folder, view: &View) -> Table {
    let outcome = folder.ok(&["sql", "--format", "TSVWithNames", &format!("SELECT * FROM {}", view.name)]);
    let mut lines = outcome.stdout.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut table = Table::new();
    for line in lines {
        let row: Row = names.iter().map(|name| (*name).to_owned()).zip(line.split('\t').map(str::to_owned)).collect();
        let key = key_of(view, &row);
        assert!(table.insert(key.clone(), row).is_none(), "{} holds {key:?} twice", view.name);
    }
    table
}

pub fn key_of(view: &View, row: &Row) -> Vec<String> {
    view.key.iter().map(|name| row[*name].clone()).collect()
}

/// All views of a folder.
pub struct Snapshot(pub BTreeMap<&'static str, Table>);

impl Snapshot {
    pub fn of(folder: &Folder) -> Self {
        Self(ALL.iter().map(|view| (view.name, read(folder, view))).collect())
    }

    /// Demands that both hold the same, `ignored` columns aside.
    pub fn assert_same(&self, other: &Snapshot, ignored: &[&str], what: &str) {
        for view in ALL {
            let lines = differences(&self.0[view.name], &other.0[view.name], ignored);
            assert!(lines.is_empty(), "{what}: {} differs in {} places:\n{}", view.name, lines.len(), first(&lines));
        }
    }

    pub fn rows(&self) -> usize {
        self.0.values().map(Table::len).sum()
    }
}

pub fn first(lines: &[String]) -> String {
    lines[..lines.len().min(20)].join("\n")
}

/// What differs between two tables, a line for each cell.
pub fn differences(expected: &Table, actual: &Table, ignored: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let keys: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
    for key in keys {
        match (expected.get(key), actual.get(key)) {
            (Some(expected), Some(actual)) => {
                let columns: BTreeSet<_> = expected.keys().chain(actual.keys()).filter(|c| !ignored.contains(&c.as_str())).collect();
                for column in columns {
                    let (this, that) = (expected.get(column), actual.get(column));
                    if !is_same(column, this, that) {
                        lines.push(format!("{key:?} {column}: expected {this:?}, is {that:?}"));
                    }
                }
            }
            (Some(_), None) => lines.push(format!("{key:?} is missing")),
            _ => lines.push(format!("{key:?} should not be there")),
        }
    }
    lines
}

fn is_same(column: &str, this: Option<&String>, that: Option<&String>) -> bool {
    if this == that {
        return true;
    }
    let number = |cell: Option<&String>| cell.and_then(|text| text.parse::<f64>().ok());
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
    ROUNDED.contains(&column) && number(this).zip(number(that)).is_some_and(|(a, b)| near(a, b))
}

/// The codes of a cell such as `['A01','A29']`.
pub fn codes(cell: &str) -> BTreeSet<String> {
    cell.split('\'').filter(|part| part.starts_with('A')).map(str::to_owned).collect()
}

//! One engine for all tests, a database for each.

use crate::common::TestEngine;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{ActivityType, Common, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::MINUTE_US;
use fieldline_sinks::{ClickHouseTarget, Database, Deadlines, Engines, migrate};
use fieldline_sinks_rows::native::{Columns, Rows};
use std::sync::OnceLock;

/// 2026-03-02T08:00:00Z, a Monday.
pub const MORNING: Timestamp = Timestamp(1_772_438_400_000_000);

pub fn at(minutes: i64) -> Timestamp {
    MORNING + minutes * MINUTE_US
}

pub fn engine() -> &'static TestEngine {
    static ENGINE: OnceLock<TestEngine> = OnceLock::new();
    // Never dropped: the child ends when this process does.
    ENGINE.get_or_init(TestEngine::start)
}

/// A migrated database of its own.
pub struct TestDatabase {
    pub target: ClickHouseTarget,
    pub database: Database,
}

impl TestDatabase {
    pub fn new(name: &str) -> Self {
        Self::on(engine(), name)
    }

    pub fn on(engine: &TestEngine, name: &str) -> Self {
        let target = ClickHouseTarget::embedded(&engine.engine.endpoint(), name);
        migrate(&target, Engines::Single, Deadlines::default()).unwrap();
        let database = Database::open(&target, Deadlines::default()).unwrap();
        Self { target, database }
    }

    /// The answer as lines of tab-separated text.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let text = String::from_utf8(self.database.query(sql, "TabSeparated").unwrap()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn check(&self, sql: &str, expect: &[&str]) {
        assert_eq!(self.lines(sql), expect, "{sql}");
    }

    pub fn insert<C: Columns>(&self, table: &str, rows: &Rows<C>) {
        let mut block = Vec::new();
        rows.put_block(&mut block);
        self.database.insert_native(table, block.into()).unwrap();
    }
}

/// An id that is easy to recognise: the letter and the number, then zeroes.
const fn id(letter: u8, number: u8) -> [u8; 16] {
    [letter, number, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]
}
pub const fn event(number: u8) -> EventId {
    EventId::from_bytes(id(0xe0, number))
}
pub const fn technician(number: u8) -> TechnicianId {
    TechnicianId::from_bytes(id(0x70, number))
}
pub const fn visit(number: u8) -> VisitId {
    VisitId::from_bytes(id(0x50, number))
}

pub fn common(number: u8, minutes: i64) -> Common<'static> {
    Common {
        id: event(number),
        revision: 0,
        voided: false,
        created_at: at(minutes),
        utc_offset_minutes: None,
        recorded_at: None,
        device_id: None,
        device_sequence: None,
        source: None,
        imported: false,
        assigned: Vec::new(),
        metadata: None,
    }
}

pub fn activity(number: u8, minutes: i64, activity_type: ActivityType) -> TechnicianActivity<'static> {
    TechnicianActivity {
        common: common(number, minutes),
        technician_contact_id: technician(1),
        activity_type,
        visit_id: None,
        vehicle_id: None,
        location: None,
        notes: None,
    }
}

/// Marsaglia's xorshift.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
    pub fn id(&mut self) -> [u8; 16] {
        std::array::from_fn(|_| self.below(256) as u8)
    }
}

//! One engine for all tests, a database for each.

use crate::common::TestEngine;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{
    ActivityType, CallOutcome, CallType, Common, CommunicationCall, EventCategory, OperationalEvent, Severity, TechnicianActivity,
};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, content_hash};
use fieldline_sinks::{ClickHouseTarget, Database, Deadlines, Engines, migrate};
use fieldline_sinks_rows::native::{Columns, Rows};
use fieldline_sinks_rows::{ActivityRows, CallRows, OperationRows, Position};
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

/// Inbound and answered, and nothing else known.
pub fn call(number: u8, queue: Option<&'static str>) -> CommunicationCall<'static> {
    CommunicationCall {
        common: common(number, 0),
        communication_message_id: None,
        call_type: CallType::Inbound,
        call_outcome: CallOutcome::Answered,
        duration_seconds: None,
        wait_time_seconds: None,
        recording_url: None,
        transcription: None,
        sentiment_score: None,
        sentiment_basis: None,
        transferred_to_contact_id: None,
        queue_name: queue.map(Into::into),
        ivr_path: None,
        channel_type: None,
        direction: None,
        started_at: None,
        agent_contact_id: None,
        thread_id: None,
        root_call_id: None,
        abandoned: None,
    }
}

/// A critical alarm about security, and nothing else known.
pub fn operation(number: u8, minutes: i64) -> OperationalEvent<'static> {
    OperationalEvent {
        common: common(number, minutes),
        event_type: Some("alarm_triggered".into()),
        event_category: EventCategory::Security,
        severity: Severity::Critical,
        source_system: Some("panel".into()),
        title: None,
        description: None,
        resolved_at: None,
        resolved_by_contact_id: None,
        acknowledged_at: None,
        acknowledged_by_contact_id: None,
        dedup_key: None,
        technician_contact_id: None,
        vehicle_id: None,
        visit_id: None,
    }
}

/// Records in the order of the log, each a second after the one before, into the table of their kind.
pub fn insert_log<'a>(test: &TestDatabase, records: impl IntoIterator<Item = AnyRecord<'a>>) {
    let (mut activities, mut calls, mut operations) = (ActivityRows::default(), CallRows::default(), OperationRows::default());
    for (offset, record) in (0..).zip(records) {
        let position = Position { partition: 3, offset, received_at: at(0) + offset * SECOND_US };
        let hash = content_hash(&record);
        match &record {
            AnyRecord::TechnicianActivity(r) => activities.push(position, hash, r),
            AnyRecord::CommunicationCall(r) => calls.push(position, hash, r),
            AnyRecord::OperationalEvent(r) => operations.push(position, hash, r),
            other => panic!("no table of this set-up: {other:?}"),
        }
    }
    if !activities.is_empty() {
        test.insert("technician_activity_log", &activities);
    }
    if !calls.is_empty() {
        test.insert("communication_call_details_log", &calls);
    }
    if !operations.is_empty() {
        test.insert("operational_event_log", &operations);
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
    /// Puts them into any order.
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for end in (1..of.len()).rev() {
            of.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

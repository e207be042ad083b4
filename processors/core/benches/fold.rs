//! Cost of the fold over a technician's live window: seven ordinary days of 20 events each.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ActivityFact, Facts};
use fieldline_processors_core::fold::fold;
use fieldline_schemas::events::ActivityType::{self, *};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Timestamp};

/// Minute of the day, event, visit of the day.
const DAY: [(i64, ActivityType, Option<u8>); 20] = [
    (480, ShiftStart, None),
    (482, VehicleInspection, None),
    (490, TravelStart, Some(1)),
    (520, TravelEnd, Some(1)),
    (520, ArrivedOnSite, Some(1)),
    (525, WorkStarted, Some(1)),
    (555, WorkPaused, Some(1)),
    (565, WorkResumed, Some(1)),
    (600, WorkCompleted, Some(1)),
    (605, LeftSite, Some(1)),
    (605, TravelStart, Some(2)),
    (620, FuelStop, None),
    (650, ArrivedOnSite, Some(2)),
    (652, WorkStarted, Some(2)),
    (720, BreakStart, None),
    (750, BreakEnd, None),
    (780, WorkCompleted, Some(2)),
    (782, LeftSite, Some(2)),
    (800, TravelStart, None),
    (830, ShiftEnd, None),
];

fn week() -> Vec<ActivityFact> {
    let mut week = Vec::new();
    for day in 0..7u8 {
        for (n, (minute, activity_type, visit)) in DAY.iter().enumerate() {
            week.push(ActivityFact {
                id: EventId::from_bytes([day + 1, n as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
                created_at: Timestamp(i64::from(day) * DAY_US + minute * MINUTE_US),
                device_sequence: None,
                activity_type: *activity_type,
                visit_id: visit.map(|v| VisitId::from_bytes([day, v, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])),
                utc_offset_minutes: 60,
                position: None,
                stop_us: 0,
                anomalies: Anomalies::NONE,
                imported: false,
            });
        }
    }
    week
}

fn bench(c: &mut Criterion) {
    let week = week();
    let facts = Facts {
        technician_contact_id: TechnicianId::from_bytes([9; 16]),
        activities: &week,
        shift_plans: &[],
        visit_plans: &[],
        signals: &[],
        clearances: &[],
    };
    let mut group = c.benchmark_group("fold");
    group.throughput(Throughput::Elements(week.len() as u64));
    group.bench_function("a week from scratch", |b| b.iter(|| fold(facts, Timestamp(8 * DAY_US), &Definition::default())));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

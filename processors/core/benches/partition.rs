//! What a record costs: `cargo bench -p fieldline-processors-core --bench partition`.
//!
//! `burst` is a backlog, where a technician's records share seconds of the log; `live` has each record in a second of its
//! own, so that each one changes rows; `refold` is the same with everything derived again each time.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::ActivityFact;
use fieldline_processors_core::partition::{Claim, Effects, Input, Partition, Path, Record, Settings};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomalies, Timestamp};
use std::hint::black_box;

const START: Timestamp = Timestamp(1_767_571_200 * SECOND_US);
const DAY: [ActivityType; 8] = [
    ActivityType::ShiftStart,
    ActivityType::TravelStart,
    ActivityType::ArrivedOnSite,
    ActivityType::WorkStarted,
    ActivityType::WorkCompleted,
    ActivityType::LeftSite,
    ActivityType::TravelStart,
    ActivityType::ShiftEnd,
];

/// Days of 24 events of each technician, in order of time.
fn records(technicians: u64, days: i64, append_time: impl Fn(Timestamp, i64) -> Timestamp) -> Vec<Record> {
    let mut events: Vec<(Timestamp, TechnicianId, Claim<ActivityFact>)> = Vec::new();
    for who in 0..technicians {
        let technician = TechnicianId(uuid::Uuid::from_u64_pair(who.wrapping_mul(0x9e37_79b9_7f4a_7c15), who));
        for n in 0..days as u64 * 24 {
            let (day, step) = ((n / 24) as i64, (n % 24) as usize);
            let created_at = START + day * DAY_US + step as i64 * 20 * MINUTE_US + (who as i64 * 7919) % (19 * MINUTE_US);
            let activity_type = if step == 0 {
                DAY[0]
            } else if step == 23 {
                DAY[7]
            } else {
                DAY[1 + step % 6]
            };
            let id = EventId(uuid::Uuid::from_u64_pair((who ^ n << 20).wrapping_mul(0xbf58_476d_1ce4_e5b9), n));
            let fact = ActivityFact {
                id,
                created_at,
                device_sequence: None,
                activity_type,
                visit_id: Some(VisitId(uuid::Uuid::from_u64_pair(who, n / 6))),
                utc_offset_minutes: 60,
                position: None,
                stop_us: 0,
                anomalies: Anomalies::NONE,
                imported: false,
            };
            events.push((created_at, technician, Claim { id, revision: 0, voided: false, content: u128::from(n), own: created_at, fact }));
        }
    }
    events.sort_by_key(|(at, technician, _)| (*at, *technician));
    let numbered = events.into_iter().zip(0_i64..);
    numbered
        .map(|((at, who, claim), offset)| Record { offset, append_time: append_time(at, offset), input: Input::Activity(who, claim) })
        .collect()
}

fn apply_all(path: Path, records: &[Record]) -> Partition {
    let mut partition = Partition::new(Settings { path, ..Settings::single(Definition::default()) });
    let mut effects = Effects::default();
    for record in records {
        if partition.apply(record, &mut effects).is_ok() {
            black_box(&effects);
        }
        effects.clear();
    }
    partition
}

fn partition(criterion: &mut Criterion) {
    let end = START + 30 * DAY_US;
    let live = records(1_000, 8, |at, _| at);
    // 100,000 records in each second of the log.
    let burst = records(1_000, 8, |_, offset| end - 29 * DAY_US + offset * 10);
    let cases: [(&str, Path, &[Record]); 3] =
        [("burst", Path::Incremental, &burst), ("live", Path::Incremental, &live), ("refold", Path::Refold, &live)];
    let mut group = criterion.benchmark_group("partition");
    group.sample_size(10);
    for (name, path, records) in cases {
        group.throughput(Throughput::Elements(records.len() as u64));
        group.bench_function(name, |bencher| bencher.iter_batched(|| (), |()| apply_all(path, records), BatchSize::PerIteration));
    }
    group.finish();
}

criterion_group!(benches, partition);
criterion_main!(benches);

//! CPU per row of encoding a block of 10,000 rows, buffers reused.
//! `cargo bench -p fieldline-sinks-rows`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{ActivityType, Common, Location, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VehicleId, VisitId};
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Quality, Stamp};
use fieldline_schemas::{Anomalies, Version};
use fieldline_sinks_rows::{ActivityRows, EpisodeRows, Position};
use std::hint::black_box;

const ROWS: u64 = 10_000;

fn id(number: u64) -> [u8; 16] {
    u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

/// What a phone sends: everything but notes.
fn activity(number: u64, device: &str) -> TechnicianActivity<'_> {
    TechnicianActivity {
        common: Common {
            id: EventId::from_bytes(id(number)),
            revision: 0,
            voided: false,
            created_at: Timestamp(1_772_438_400_000_000 + number as i64),
            utc_offset_minutes: Some(60),
            recorded_at: Some(Timestamp(1_772_438_401_000_000 + number as i64)),
            device_id: Some(device.into()),
            device_sequence: Some(number as i64),
            source: Some("mobile".into()),
            imported: false,
            assigned: Vec::new(),
            metadata: Some(r#"{"app":"4.2.1"}"#.into()),
        },
        technician_contact_id: TechnicianId::from_bytes(id(number % 200)),
        activity_type: ActivityType::ALL[number as usize % ActivityType::ALL.len()],
        visit_id: Some(VisitId::from_bytes(id(number / 10))),
        vehicle_id: Some(VehicleId::from_bytes(id(number % 150))),
        location: Some(Location { latitude: Some(52.1), longitude: Some(4.3), accuracy_meters: Some(8), address: None }),
        notes: None,
    }
}

fn activities(c: &mut Criterion) {
    let devices: Vec<_> = (0..200).map(|number| format!("device-{number:06}")).collect();
    let records: Vec<_> = (0..ROWS).map(|number| activity(number, &devices[number as usize % devices.len()])).collect();
    let mut rows = ActivityRows::default();
    let mut block = Vec::new();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("technician_activity_log", |b| {
        b.iter(|| {
            rows.clear();
            block.clear();
            for (offset, record) in black_box(&records).iter().enumerate() {
                let position = Position { partition: 3, offset: offset as i64, received_at: Timestamp(offset as i64) };
                rows.push(position, offset as u128, record);
            }
            rows.put_block(&mut block);
            black_box(&block);
        });
    });
    group.finish();
}

fn episodes(c: &mut Criterion) {
    let measure = Measure { value_us: Some(1_000), lo_us: 1_000, hi_us: Some(1_000), quality: Quality::Observed };
    let records: Vec<_> = (0..ROWS)
        .map(|number| EpisodeResult {
            technician_contact_id: TechnicianId::from_bytes(id(number % 200)),
            visit_id: VisitId::from_bytes(id(number)),
            first_event_id: EventId::from_bytes(id(number)),
            first_event_at: Timestamp(0),
            last_event_at: Timestamp(0),
            settles_at: Timestamp(0),
            is_loose: false,
            has_visit_event: true,
            has_travel: true,
            has_attendance: true,
            first_in_shift_at: Some(Timestamp(0)),
            shift_id: Some(EventId::from_bytes(id(number))),
            travel_started_at: Some(Timestamp(0)),
            arrived_at: Some(Timestamp(0)),
            left_at: Some(Timestamp(0)),
            completed_at: Some(Timestamp(0)),
            travel: measure,
            on_site: measure,
            site_wait: measure,
            work: measure,
            pause: measure,
            wrap: measure,
            anomalies: Anomalies::NONE,
            finality: Finality::Final,
        })
        .collect();
    let stamp = Stamp { version: Version(1), as_of: Timestamp(0), caused_by: None };
    let mut rows = EpisodeRows::default();
    let mut block = Vec::new();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("episode_results", |b| {
        b.iter(|| {
            rows.clear();
            block.clear();
            black_box(&records).iter().for_each(|record| rows.push(&stamp, Timestamp(0), record));
            rows.put_block(&mut block);
            black_box(&block);
        });
    });
    group.finish();
}

criterion_group!(benches, activities, episodes);
criterion_main!(benches);

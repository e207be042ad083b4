//! The activity record, decoded and encoded: our codec against `apache-avro`'s values.
//!
//! `cargo bench -p fieldline-schemas --profile release`
//!
//! 2026-11-24, 2 shared virtual cores with AVX-512, a payload of 299 bytes, best of many: decode 122 ns (`apache-avro` values
//! 1,830 ns), encode 50 ns (2,690 ns), validation 50 ns.
//!
//! With the id of a registry, same day, the machine busy (load 6): decode 248 ns beside 236 ns as a single object, encode 70
//! beside 69; `unknown_id` 5 ns. Of an older writer, through the resolving reader: decode 6.3 µs.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldline_schemas::events::{ActivityType, Common, Location, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VehicleId, VisitId};
use fieldline_schemas::wire::{SchemaId, SchemaIds, schemas, to_avro_value};
use fieldline_schemas::{AnyRecord, Codec, Kind, Timestamp, Topic, content_hash, validate};
use std::hint::black_box;
use std::sync::Arc;

/// What a phone sends, every field filled: about 300 bytes.
fn activity() -> AnyRecord<'static> {
    AnyRecord::TechnicianActivity(TechnicianActivity {
        common: Common {
            id: EventId::from_bytes([1; 16]),
            revision: 0,
            voided: false,
            created_at: Timestamp(1_790_000_000_000_000),
            utc_offset_minutes: Some(120),
            recorded_at: Some(Timestamp(1_790_000_000_500_000)),
            device_id: Some("device-0123456789abcdef".into()),
            device_sequence: Some(123_456),
            source: Some("mobile".into()),
            imported: false,
            assigned: Vec::new(),
            metadata: Some(r#"{"app":"4.2.1","battery":81,"duration_seconds":600.5}"#.into()),
        },
        technician_contact_id: TechnicianId::from_bytes([2; 16]),
        activity_type: ActivityType::ArrivedOnSite,
        visit_id: Some(VisitId::from_bytes([3; 16])),
        vehicle_id: Some(VehicleId::from_bytes([4; 16])),
        location: Some(Location {
            latitude: Some(52.370_216),
            longitude: Some(4.895_168),
            accuracy_meters: Some(12),
            address: Some("Damrak 1, 1012 LG Amsterdam".into()),
        }),
        notes: Some("gate code asked at reception, arrived by the north door".into()),
    })
}

fn codec(c: &mut Criterion) {
    let codec = Codec::new();
    let record = activity();
    let mut payload = Vec::new();
    codec.encode(&record, &mut payload);
    let current = schemas().of(Kind::TechnicianActivity);
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&current.schema).build().unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&current.schema).build().unwrap();
    let value = to_avro_value(&record);

    // The same record in Confluent's frame: with the id of our schema, and with that of a writer who calls a field otherwise.
    let ids = Arc::new(SchemaIds::default());
    for (kind, id) in Kind::ALL.iter().zip(100_001..) {
        ids.learn(SchemaId::Registry(id), schemas().of(*kind).json).unwrap();
        ids.adopt(*kind, id).unwrap();
    }
    ids.learn(SchemaId::Registry(7), &current.json.replace("\"vehicle_id\"", "\"truck_id\"")).unwrap();
    let registered = Codec::with_ids(ids);
    let mut frame = Vec::new();
    registered.encode(&record, &mut frame);
    let older = [&[0, 0, 0, 0, 7], &frame[5..]].concat();

    let mut group = c.benchmark_group("activity");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("decode/fast", |b| b.iter(|| codec.decode(black_box(&payload)).unwrap()));
    group.bench_function("decode/confluent", |b| b.iter(|| registered.decode(black_box(&frame)).unwrap()));
    group.bench_function("decode/confluent, older writer", |b| b.iter(|| registered.decode(black_box(&older)).unwrap()));
    group.bench_function("unknown_id/confluent", |b| b.iter(|| registered.unknown_id(black_box(&frame))));
    group.bench_function("decode/apache-avro", |b| b.iter(|| reader.read_value(&mut black_box(&payload[10..])).unwrap()));
    let mut out = Vec::with_capacity(512);
    group.bench_function("encode/fast", |b| {
        b.iter(|| {
            out.clear();
            codec.encode(black_box(&record), &mut out);
            out.len()
        })
    });
    group.bench_function("encode/confluent", |b| {
        b.iter(|| {
            out.clear();
            registered.encode(black_box(&record), &mut out);
            out.len()
        })
    });
    group.bench_function("encode/apache-avro", |b| {
        b.iter(|| {
            out.clear();
            writer.write_value_ref(&mut out, black_box(&value)).unwrap()
        })
    });
    group.bench_function("validate", |b| {
        b.iter(|| validate(Topic::Activity, black_box(&record), Timestamp(1_790_000_001_000_000)).unwrap())
    });
    group.bench_function("content_hash", |b| b.iter(|| content_hash(black_box(&record))));
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);

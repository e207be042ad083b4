//! Random sequences of calls: the two logs and a plain list answer alike.

use crate::*;
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Committed, Watermarks};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    Append { partition: i32, records: u8, bytes: u16, time_s: i64 },
    HandOver,
    Seek { partition: i32, place: u8 },
    Read { records_max: u8 },
    Commit { partition: i32, place: u8 },
    Pause { partition: i32 },
    Resume { partition: i32 },
    OffsetForTime { partition: i32, time_s: i64 },
    Rejoin,
}

const PARTITIONS: i32 = 2;

fn call() -> impl Strategy<Value = Call> {
    let partition = || 0..PARTITIONS;
    prop_oneof![
        6 => (partition(), 1..20u8, prop_oneof![40 => 0..300u16, 1 => 10_000..20_000u16], 0..100i64)
            .prop_map(|(partition, records, bytes, time_s)| Call::Append { partition, records, bytes, time_s }),
        3 => Just(Call::HandOver),
        2 => (partition(), any::<u8>()).prop_map(|(partition, place)| Call::Seek { partition, place }),
        4 => (1..40u8).prop_map(|records_max| Call::Read { records_max }),
        2 => (partition(), any::<u8>()).prop_map(|(partition, place)| Call::Commit { partition, place }),
        1 => partition().prop_map(|partition| Call::Pause { partition }),
        1 => partition().prop_map(|partition| Call::Resume { partition }),
        2 => (partition(), 0..110i64).prop_map(|(partition, time_s)| Call::OffsetForTime { partition, time_s }),
        1 => Just(Call::Rejoin),
    ]
}

#[derive(Default, Clone)]
struct Model {
    records: Vec<(Timestamp, Vec<u8>)>,
    visible: usize,
    position: usize,
    committed: Option<usize>,
    paused: bool,
}

fn place_of(place: u8, visible: usize) -> usize {
    usize::from(place) % (visible + 1)
}

/// Runs the calls against a log and the lists beside it. The topic may hold records of earlier runs: this one's times
/// begin at `since_s`, after all of theirs, and its group is its own.
fn run(log: &dyn Log, topic: &str, group: &str, since_s: i64, calls: &[Call]) {
    log.ensure_topic(&TopicSpec { name: topic.into(), partitions: PARTITIONS, retention: None, compacted: false }).unwrap();
    let base: Vec<i64> =
        (0..PARTITIONS).map(|partition| log.watermarks(&TopicPartition { topic: topic.into(), partition }).unwrap().end).collect();
    let time = |time_s: i64| Timestamp((since_s + time_s) * 1_000_000);
    let at = |partition: i32| TopicPartition { topic: topic.into(), partition };
    let join = |models: &mut [Model]| {
        let mut consumer = log.consumer(group, &[topic]).unwrap();
        let Polled::Assigned(assigned) = consumer.poll(Duration::ZERO, 1).unwrap() else { panic!("no assignment") };
        assert_eq!(assigned, (0..PARTITIONS).map(at).collect::<Vec<_>>());
        for (partition, model) in (0..).zip(models) {
            (model.position, model.paused) = (model.committed.unwrap_or(0), false);
            match model.committed {
                Some(place) => assert_eq!(consumer.resume_from_committed(&at(partition)).unwrap(), base[partition as usize] + place as i64),
                None => consumer.seek(&at(partition), base[partition as usize]).unwrap(),
            }
        }
        consumer
    };
    let mut models = vec![Model::default(); PARTITIONS as usize];
    let mut consumer = join(&mut models);
    let mut producer = log.producer().unwrap();
    let mut taken = 0;
    let mut numbers = 0u64;
    for call in calls {
        match call {
            Call::Append { partition, records, bytes, time_s } => {
                for n in 0..*records {
                    let append_time = time(*time_s + i64::from(n % 3));
                    let mut value = numbers.to_le_bytes().to_vec();
                    value.resize(8 + usize::from(*bytes), n);
                    let destination = Destination::Partition(*partition);
                    let record = Append { destination, key: b"k", value: &value, append_time: Some(append_time) };
                    (taken, numbers) = (taken + 1, numbers + 1);
                    assert_eq!(producer.append(topic, record).unwrap(), taken);
                    models[*partition as usize].records.push((append_time, value));
                }
                // Full batches may have been handed over; let all be visible, so that the lists know where they are.
                assert_eq!(producer.acknowledged().unwrap(), taken);
                models.iter_mut().for_each(|m| m.visible = m.records.len());
            }
            Call::HandOver => {
                producer.flush(DEADLINE).unwrap();
                producer = log.producer().unwrap();
                taken = 0;
            }
            Call::Seek { partition, place } => {
                let model = &mut models[*partition as usize];
                model.position = place_of(*place, model.visible);
                let base = base[*partition as usize];
                consumer.seek(&at(*partition), base + model.position as i64).unwrap();
                assert!(consumer.seek(&at(*partition), base + model.visible as i64 + 1).is_err());
                assert!(consumer.seek(&at(*partition), -1).is_err());
            }
            Call::Read { records_max } => loop {
                let due = models.iter().any(|m| !m.paused && m.position < m.visible);
                match consumer.poll(Duration::ZERO, usize::from(*records_max)).unwrap() {
                    Polled::Records(batch) => {
                        let model = &mut models[batch.partition.partition as usize];
                        assert!(due && !model.paused && (1..=usize::from(*records_max)).contains(&batch.len()));
                        let base = base[batch.partition.partition as usize];
                        for record in batch.iter() {
                            assert_eq!(record.offset, base + model.position as i64);
                            let (time, value) = &model.records[model.position];
                            assert!(record.append_time == *time && record.value == value && record.key == b"k");
                            model.position += 1;
                        }
                    }
                    Polled::Idle => {
                        assert!(!due);
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            },
            Call::Commit { partition, place } => {
                let model = &mut models[*partition as usize];
                model.committed = Some(place_of(*place, model.visible));
                let committed =
                    Committed { offset: base[*partition as usize] + place_of(*place, model.visible) as i64, metadata: format!("{place}") };
                consumer.commit(&[(at(*partition), committed.clone())]).unwrap();
                assert_eq!(log.committed(group, &at(*partition)).unwrap(), Some(committed));
            }
            Call::Pause { partition } => {
                models[*partition as usize].paused = true;
                consumer.pause(&at(*partition)).unwrap();
            }
            Call::Resume { partition } => {
                models[*partition as usize].paused = false;
                consumer.resume(&at(*partition)).unwrap();
            }
            Call::OffsetForTime { partition, time_s } => {
                let (model, time) = (&models[*partition as usize], time(*time_s));
                let expected = model.records.iter().position(|(t, _)| *t >= time).unwrap_or(model.visible);
                assert_eq!(consumer.offset_for_time(&at(*partition), time).unwrap(), base[*partition as usize] + expected as i64);
            }
            Call::Rejoin => {
                drop(consumer);
                consumer = join(&mut models);
            }
        }
        for (partition, model) in (0..).zip(&models) {
            let end = base[partition as usize];
            assert_eq!(log.watermarks(&at(partition)).unwrap(), Watermarks { begin: 0, end: end + model.visible as i64 });
        }
    }
}

#[test]
fn random_calls() {
    let folder = tempfile::tempdir().unwrap();
    // Small segments, so that every sequence goes over several.
    let options = EmbeddedOptions { event_time: true, segment_bytes: 20_000, ..Default::default() };
    let state = std::cell::RefCell::new((None, 0u32));
    let case = |calls: Vec<Call>| {
        let mut state = state.borrow_mut();
        let (log, cases) = &mut *state;
        if *cases % 500 == 0 {
            *log = None;
            std::fs::remove_dir_all(folder.path()).unwrap();
        } else if *cases % 100 == 0 {
            *log = None;
        }
        *cases += 1;
        let (group, since_s) = (format!("g{cases}"), i64::from(*cases) * 1000);
        run(&*MemoryLog::new(MemoryOptions::default()), TOPIC, &group, since_s, &calls);
        let log = log.get_or_insert_with(|| open(folder.path(), options));
        run(&**log, TOPIC, &group, since_s, &calls);
    };
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(calls in prop::collection::vec(call(), 1..25))| case(calls));
}

//! A log with its topics, senders of records, and readers of results.

use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Committed, Destination, Log, Polled, TopicPartition, TopicSpec, partition_for_key};
use fieldline_processors::ProcessorConfig;
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::events::{ActivityType, Common, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{HOUR_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of};
use std::sync::Arc;
use std::time::Duration;

pub const PREFIX: &str = "test.";
pub const PARTITIONS: i32 = 4;
pub const START: Timestamp = Timestamp(1_767_571_200 * SECOND_US);

pub struct Bench {
    pub log: Arc<MemoryLog>,
}

impl Bench {
    pub fn new(options: MemoryOptions) -> Self {
        let log = MemoryLog::new(options);
        for topic in
            [Topic::Activity, Topic::Calls, Topic::Operations, Topic::Kpis, Topic::Recompute, Topic::DeadLetters, Topic::AlertEvents]
        {
            let spec = TopicSpec { name: topic.full_name(PREFIX), partitions: PARTITIONS, retention: None, compacted: false };
            log.ensure_topic(&spec).unwrap();
        }
        Self { log }
    }

    pub fn config(&self) -> ProcessorConfig {
        ProcessorConfig::new(PREFIX, Definition::default())
    }

    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    /// Appends records, each at its time, where their key says.
    pub fn send(&self, records: &[(Timestamp, AnyRecord<'_>)]) {
        for (at, record) in records {
            self.send_to(Topic::Activity, Destination::ByKey, Some(*at), &key_of(record), &encode(record));
        }
    }

    pub fn send_to(&self, topic: Topic, destination: Destination, append_time: Option<Timestamp>, key: &[u8], value: &[u8]) {
        let mut producer = self.log.producer().unwrap();
        producer.append(&topic.full_name(PREFIX), Append { destination, key, value, append_time }).unwrap();
        producer.flush(Duration::from_secs(5)).unwrap();
    }

    /// Every record of a topic, partition by partition: its append time and what it says.
    pub fn read(&self, topic: Topic) -> Vec<(i32, Timestamp, AnyRecord<'static>)> {
        let name = topic.full_name(PREFIX);
        let mut consumer = self.log.consumer("reader", &[&name]).unwrap();
        let (mut found, mut idle) = (Vec::new(), 0);
        while idle < 3 {
            match consumer.poll(Duration::ZERO, 1000).unwrap() {
                Polled::Assigned(partitions) => partitions.iter().for_each(|at| consumer.seek(at, 0).unwrap()),
                Polled::Records(batch) => {
                    let codec = Codec::new();
                    let decoded =
                        batch.iter().map(|r| (batch.partition.partition, r.append_time, codec.decode(r.value).unwrap().into_owned()));
                    found.extend(decoded.filter(|(_, _, record)| !matches!(record, AnyRecord::Tick(_))));
                    idle = 0;
                }
                _ => idle += 1,
            }
        }
        found.sort_by_key(|(partition, _, _)| *partition);
        found
    }

    pub fn committed(&self, partition: i32) -> Option<Committed> {
        self.log.committed(&format!("{PREFIX}processors"), &activity_partition(partition)).unwrap()
    }
}

pub fn activity_partition(partition: i32) -> TopicPartition {
    TopicPartition { topic: Topic::Activity.full_name(PREFIX), partition }
}

pub fn encode(record: &AnyRecord<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Codec::new().encode(record, &mut bytes);
    bytes
}

pub fn technician(n: u64) -> TechnicianId {
    TechnicianId(uuid::Uuid::from_u64_pair(0x7ec4, n))
}

pub fn home(technician: TechnicianId) -> i32 {
    partition_for_key(technician.to_string().as_bytes(), PARTITIONS)
}

pub fn activity(who: u64, n: u64, created_at: Timestamp, activity_type: ActivityType) -> AnyRecord<'static> {
    AnyRecord::TechnicianActivity(TechnicianActivity {
        common: Common {
            id: EventId(uuid::Uuid::from_u64_pair(who + 1, n)),
            revision: 0,
            voided: false,
            created_at,
            utc_offset_minutes: None,
            recorded_at: None,
            device_id: None,
            device_sequence: None,
            source: None,
            imported: false,
            assigned: Vec::new(),
            metadata: None,
        },
        technician_contact_id: technician(who),
        activity_type,
        visit_id: Some(VisitId(uuid::Uuid::from_u64_pair(who, n / 8))),
        vehicle_id: None,
        location: None,
        notes: None,
    })
}

/// Days of some technicians, in order of time; arrival is event time.
pub fn days(technicians: u64, days: i64) -> Vec<(Timestamp, AnyRecord<'static>)> {
    use ActivityType::*;
    let mut records = Vec::new();
    for who in 0..technicians {
        let mut n = 0;
        for day in 0..days {
            let mut at = START + day * 24 * HOUR_US + who as i64 * 7 * SECOND_US;
            for activity_type in [ShiftStart, TravelStart, ArrivedOnSite, WorkStarted, WorkCompleted, LeftSite, TravelStart, ShiftEnd] {
                // Every third day ends without a word.
                if activity_type != ShiftEnd || (day + who as i64) % 3 != 0 {
                    records.push((at, activity(who, n, at, activity_type)));
                }
                n += 1;
                at = at + HOUR_US + 13 * SECOND_US;
            }
        }
    }
    records.sort_by_key(|(at, _)| *at);
    records
}

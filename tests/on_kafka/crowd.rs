//! Many technicians' events, appended as fast as a broker takes them: the log of a large organisation, without waiting for days.
//!
//! What happened lies in the days before now. In order of time, so that a technician's records lie as far apart as they do in life. The
//! append time is now, or, in a topic of `CreateTime`, when each record would have come.

use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_log::{Append, Destination, Log as _};
use fieldline_schemas::events::{ActivityType, Common, Location, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, key_of};
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);
const THREADS: u32 = 2;
/// A working day of eight hours.
pub const EVENTS_PER_DAY: u32 = 40;
/// Within so many seconds everybody begins.
const SPREAD_S: i64 = 7_200;
const PAUSE_US: i64 = 12 * MINUTE_US;
const VISIT: [ActivityType; 6] = [
    ActivityType::TravelStart,
    ActivityType::TravelEnd,
    ActivityType::ArrivedOnSite,
    ActivityType::WorkStarted,
    ActivityType::WorkCompleted,
    ActivityType::LeftSite,
];

/// Technicians with a day of work on each of the `days` before now.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub technicians: u32,
    pub days: u32,
}

impl Crowd {
    pub fn records(&self) -> u64 {
        u64::from(self.technicians) * u64::from(self.days) * u64::from(EVENTS_PER_DAY)
    }

    /// Appends everything to `activity` and returns when all of it is durable.
    pub fn queue(self, brokers: &str, prefix: &str) {
        self.append(KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() }, prefix);
    }

    /// The same, appended when it would have come; the time of the last append.
    pub fn queue_over_days(self, brokers: &str, prefix: &str) -> Timestamp {
        self.append(KafkaConfig { brokers: brokers.to_owned(), event_time: true, ..KafkaConfig::default() }, prefix)
    }

    fn append(self, config: KafkaConfig, prefix: &str) -> Timestamp {
        let topic = format!("{prefix}activity");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        let first_day = Timestamp(now - i64::from(self.days) * DAY_US);
        // Whoever begins last has begun by then.
        let comes_at = |day: u32, number: u32, technician: u32| {
            let within = PAUSE_US * i64::from(technician) / i64::from(self.technicians);
            first_day + i64::from(day) * DAY_US + SPREAD_S * SECOND_US + i64::from(number) * PAUSE_US + within
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (topic, config) = (&topic, config.clone());
                scope.spawn(move || {
                    let is_over_days = config.event_time;
                    let log = KafkaLog::open(config).unwrap();
                    let (mut producer, codec, mut payload) = (log.producer().unwrap(), Codec::new(), Vec::new());
                    for (day, number) in (0..self.days).flat_map(|day| (0..EVENTS_PER_DAY).map(move |number| (day, number))) {
                        for technician in (thread..self.technicians).step_by(THREADS as usize) {
                            let record = event(technician, day, number, first_day);
                            payload.clear();
                            codec.encode(&record, &mut payload);
                            let key = key_of(&record);
                            let append_time = is_over_days.then(|| comes_at(day, number, technician));
                            let append = Append { destination: Destination::ByKey, key: &key, value: &payload, append_time };
                            producer.append(topic, append).unwrap();
                        }
                    }
                    producer.flush(FLUSH_WAIT_MAX).unwrap();
                });
            }
        });
        comes_at(self.days - 1, EVENTS_PER_DAY - 1, self.technicians - 1)
    }
}

/// An id of the same kind for the same numbers, of no pattern that a hash could like.
fn id(kind: u64, a: u32, b: u32) -> Uuid {
    let mut state = kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(a) << 32 | u64::from(b));
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    Uuid::from_u64_pair(next(), next())
}

/// Start, six visits with a break after the third, end.
fn activity_at(number: u32) -> (ActivityType, Option<u32>) {
    match number {
        0 => (ActivityType::ShiftStart, None),
        19 => (ActivityType::BreakStart, None),
        20 => (ActivityType::BreakEnd, None),
        39 => (ActivityType::ShiftEnd, None),
        _ => {
            let place = number - if number < 19 { 1 } else { 3 };
            (VISIT[(place % 6) as usize], Some(place / 6))
        }
    }
}

fn event(technician: u32, day: u32, number: u32, first_day: Timestamp) -> AnyRecord<'static> {
    let (activity_type, visit) = activity_at(number);
    let begins = first_day.0 + i64::from(day) * DAY_US + (i64::from(technician) % SPREAD_S) * SECOND_US;
    let location = (activity_type == ActivityType::ArrivedOnSite).then(|| Location {
        latitude: Some(48.0 + f64::from(technician % 1_000) / 1_000.0),
        longitude: Some(11.0 + f64::from(visit.unwrap_or(0)) / 100.0),
        accuracy_meters: Some(10),
        address: None,
    });
    let common = Common {
        id: EventId(id(1, technician, day * EVENTS_PER_DAY + number)),
        revision: 0,
        voided: false,
        created_at: Timestamp(begins + i64::from(number) * PAUSE_US),
        utc_offset_minutes: Some(60),
        recorded_at: None,
        device_id: None,
        device_sequence: Some(i64::from(day * EVENTS_PER_DAY + number)),
        source: Some(Cow::Borrowed("mobile")),
        imported: false,
        assigned: Vec::new(),
        metadata: None,
    };
    let activity = TechnicianActivity {
        common,
        technician_contact_id: TechnicianId(id(2, technician, 0)),
        activity_type,
        visit_id: visit.map(|visit| VisitId(id(3, technician, day * 6 + visit))),
        vehicle_id: None,
        location,
        notes: None,
    };
    activity.into()
}

//! The whole pipeline around a log in memory: processors, both sinks and history as threads, and a broker's clock that
//! runs a thousand times as fast.

use crate::setup::TestDatabase;
use fieldline_log::memory::{MemoryLog, MemoryOptions};
use fieldline_log::{Append, Destination, Log, TopicPartition, TopicSpec};
use fieldline_processors::{ProcessorConfig, StopToken};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ActivityFact, Facts, ShiftPlanFact};
use fieldline_processors_core::fold::{Units, fold};
use fieldline_processors_core::partition::Input;
use fieldline_schemas::events::{ActivityType, Common, TechnicianActivity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::SECOND_US;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, key_of};
use fieldline_sinks::history::{self, HistoryConfig};
use fieldline_sinks::verify::{Report, VerifyConfig, verify};
use fieldline_sinks::{Deadlines, SinkConfig, SinkControl, raw_sink, results_sink};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const WAIT_MAX: Duration = Duration::from_secs(30);
const PREFIX: &str = "fieldline.";
pub const PARTITIONS: i32 = 3;

pub struct World {
    pub test: TestDatabase,
    pub log: Arc<MemoryLog>,
    stop: StopToken,
    clock_stop: Arc<AtomicBool>,
    sinks: [Arc<SinkControl>; 2],
    pub history: Arc<SinkControl>,
    threads: Vec<JoinHandle<()>>,
    history_thread: Option<JoinHandle<()>>,
    /// What was appended, in order.
    records: Vec<AnyRecord<'static>>,
}

impl World {
    pub fn new(name: &str, clock: Timestamp) -> Self {
        let test = TestDatabase::new(name);
        let log = MemoryLog::new(MemoryOptions { event_time: false, waits: true, clock });
        for topic in Topic::ALL {
            log.ensure_topic(&TopicSpec { name: topic.full_name(PREFIX), partitions: PARTITIONS, retention: None, compacted: false })
                .unwrap();
        }
        let sinks = [SinkControl::new(), SinkControl::new()];
        sinks.iter().for_each(|sink| sink.hurry(true));
        let mut world = Self {
            test,
            log,
            stop: StopToken::default(),
            clock_stop: Arc::default(),
            sinks,
            history: SinkControl::new(),
            threads: Vec::new(),
            history_thread: None,
            records: Vec::new(),
        };
        let (log, stop) = (Arc::clone(&world.log), Arc::clone(&world.clock_stop));
        world.threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                log.set_clock(log.clock() + SECOND_US / 2);
                std::thread::sleep(Duration::from_millis(1));
            }
        }));
        let tick_every = Some(Duration::from_millis(20));
        let config =
            ProcessorConfig { tick_every, commit_every: Duration::from_millis(20), ..ProcessorConfig::new(PREFIX, Definition::default()) };
        let (log, stop) = (world.log(), world.stop.clone());
        world.threads.push(std::thread::spawn(move || fieldline_processors::run(config, log, stop).unwrap()));
        let (log, target, control) = (world.log(), world.test.target.clone(), Arc::clone(&world.sinks[0]));
        world.threads.push(std::thread::spawn(move || raw_sink::run(&SinkConfig::default(), log, &target, control).unwrap()));
        let (log, target, control) = (world.log(), world.test.target.clone(), Arc::clone(&world.sinks[1]));
        world.threads.push(std::thread::spawn(move || results_sink::run(&SinkConfig::default(), log, &target, control).unwrap()));
        world.start_history();
        world
    }

    pub fn log(&self) -> Arc<dyn Log> {
        let log: Arc<dyn Log> = self.log.clone();
        log
    }

    pub fn config() -> HistoryConfig {
        HistoryConfig { tick_every: Duration::from_millis(20), ..HistoryConfig::new(PREFIX, Definition::default()) }
    }

    pub fn start_history(&mut self) {
        self.history = SinkControl::new();
        let (log, target, control) = (self.log(), self.test.target.clone(), Arc::clone(&self.history));
        self.history_thread = Some(std::thread::spawn(move || history::run(&Self::config(), log, &target, control).unwrap()));
    }

    pub fn stop_history(&mut self) {
        self.history.stop();
        if let Some(thread) = self.history_thread.take() {
            thread.join().unwrap();
        }
    }

    /// Appends records of `activity`.
    pub fn append(&mut self, records: impl IntoIterator<Item = AnyRecord<'static>>) {
        let records: Vec<_> = records.into_iter().collect();
        self.append_to(Topic::Activity, &records);
        self.records.extend(records);
    }

    /// Appends records to a topic from which nothing is computed but views.
    pub fn append_to(&self, topic: Topic, records: &[AnyRecord<'static>]) {
        let (codec, mut producer) = (Codec::new(), self.log.producer().unwrap());
        for record in records {
            let mut value = Vec::new();
            codec.encode(record, &mut value);
            let append = Append { destination: Destination::ByKey, key: &key_of(record), value: &value, append_time: None };
            producer.append(&topic.full_name(PREFIX), append).unwrap();
        }
        producer.flush(WAIT_MAX).unwrap();
    }

    fn ends(&self, topic: Topic) -> Vec<(TopicPartition, i64)> {
        let at = |partition| TopicPartition { topic: topic.full_name(PREFIX), partition };
        (0..PARTITIONS).map(at).map(|at| (at.clone(), self.log.watermarks(&at).unwrap().end)).collect()
    }

    #[track_caller]
    fn wait_for(&self, group: &str, ends: &[(TopicPartition, i64)]) {
        let deadline = Instant::now() + WAIT_MAX;
        for (at, end) in ends {
            let committed = || self.log.committed(&format!("{PREFIX}{group}"), at).unwrap().map_or(0, |committed| committed.offset);
            while committed() < *end {
                assert!(Instant::now() < deadline, "{group} is at {} of {end} in {at:?}", committed());
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Returns when every row that follows from what was appended is stored.
    #[track_caller]
    pub fn settle(&self) {
        let events = self.ends(Topic::Activity);
        self.wait_for("processors", &events);
        self.wait_for("raw-sink", &[events, self.ends(Topic::Calls), self.ends(Topic::Operations)].concat());
        self.wait_for("history", &self.ends(Topic::Recompute));
        self.wait_for("results-sink", &self.ends(Topic::Kpis));
    }

    /// Requests of history so far.
    pub fn requests(&self) -> i64 {
        self.ends(Topic::Recompute).iter().map(|(_, end)| end).sum()
    }

    /// What the fold gives of everything that was appended: by the rule of identity in its plainest form.
    pub fn expected(&self) -> Vec<String> {
        type Standing<F> = BTreeMap<(TechnicianId, EventId), (u32, bool, F)>;
        fn claim<F>(standing: &mut Standing<F>, key: (TechnicianId, EventId), revision: u32, voided: bool, fact: F) {
            match standing.get(&key) {
                Some((known, known_voided, _)) if (*known, *known_voided) >= (revision, voided) => {}
                _ => drop(standing.insert(key, (revision, voided, fact))),
            }
        }
        let mut activities: Standing<ActivityFact> = BTreeMap::new();
        let mut plans: Standing<ShiftPlanFact> = BTreeMap::new();
        let definition = Definition::default();
        for record in &self.records {
            match Input::read(record, self.log.clock(), &definition) {
                Input::Activity(who, c) => claim(&mut activities, (who, c.id), c.revision, c.voided, c.fact),
                Input::ShiftPlan(who, c) => claim(&mut plans, (who, c.id), c.revision, c.voided, c.fact),
                other => panic!("{other:?}"),
            }
        }
        let mut lines = Vec::new();
        let mut technicians: Vec<TechnicianId> = activities.keys().map(|(who, _)| *who).collect();
        technicians.dedup();
        for who in technicians {
            fn of<F: Copy>(standing: &Standing<F>, who: TechnicianId) -> Vec<F> {
                standing.iter().filter(|((other, _), (_, voided, _))| *other == who && !voided).map(|(_, (.., fact))| *fact).collect()
            }
            let (activities, shift_plans) = (of(&activities, who), of(&plans, who));
            let facts = Facts {
                technician_contact_id: who,
                activities: &activities,
                shift_plans: &shift_plans,
                visit_plans: &[],
                signals: &[],
                clearances: &[],
            };
            lines.extend(render(fold(facts, self.log.clock(), &definition)));
        }
        lines.sort();
        lines
    }

    /// The same rows as they stand in the tables.
    pub fn stored(&self) -> Vec<String> {
        let mut lines = self.test.lines(
            "SELECT 'shift', shift_id, toUnixTimestamp64Micro(started_at), toUnixTimestamp64Micro(closed_at), \
             toInt64(travel_seconds_lo * 1000000), toInt64(work_seconds_hi * 1000000), visits, jobs, arrayStringConcat(anomalies, ' '), \
             length(days) FROM shift_results FINAL WHERE NOT is_deleted",
        );
        lines.extend(self.test.lines(
            "SELECT 'episode', first_event_id, toUnixTimestamp64Micro(first_event_at), toUnixTimestamp64Micro(last_event_at), \
             toInt64(travel_seconds_lo * 1000000), toInt64(on_site_seconds_lo * 1000000), visit_id, ifNull(toString(shift_id), '-'), \
             arrayStringConcat(anomalies, ' '), is_loose FROM episode_results FINAL WHERE NOT is_deleted",
        ));
        lines.sort();
        lines
    }

    #[track_caller]
    pub fn check(&self) {
        self.settle();
        let (expected, stored) = (self.expected(), self.stored());
        assert_eq!(stored.len(), expected.len(), "stored {stored:#?}\nexpected {expected:#?}");
        for (stored, expected) in stored.iter().zip(&expected) {
            assert_eq!(stored, expected);
        }
        let report = self.verify();
        assert!(report.is_clean(), "{report:#?}");
        assert_eq!((report.apart.count, report.compared), (0, expected.len() as u64), "{report:#?}");
    }

    pub fn verify(&self) -> Report {
        let config = VerifyConfig { definition: Definition::default(), partitions: PARTITIONS, deadlines: Deadlines::default() };
        verify(&self.test.target, &config, &mut |_| {}).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.stop();
        self.sinks.iter().chain([&self.history]).for_each(|control| control.stop());
        let threads = self.threads.drain(1..).chain(self.history_thread.take()).collect::<Vec<_>>();
        let failed = threads.into_iter().filter_map(|thread| thread.join().err()).count();
        self.clock_stop.store(true, Ordering::Relaxed);
        if !std::thread::panicking() {
            assert_eq!(failed, 0, "a stage panicked");
        }
    }
}

fn render(units: Units) -> Vec<String> {
    let codes = |anomalies: fieldline_schemas::Anomalies| anomalies.iter().map(|a| a.code()).collect::<Vec<_>>().join(" ");
    let shifts = units.shifts.iter().map(|s| {
        let (travel, work) = (s.durations.travel.lo_us, s.durations.work.hi_us.unwrap());
        let (codes, days) = (codes(s.anomalies), s.days.len());
        format!("shift\t{}\t{}\t{}\t{travel}\t{work}\t{}\t{}\t{codes}\t{days}", s.shift_id, s.started_at.0, s.closed_at.0, s.visits, s.jobs)
    });
    let episodes = units.episodes.iter().map(|e| {
        let (travel, on_site) = (e.travel.lo_us, e.on_site.lo_us);
        let shift = e.shift_id.map_or("-".to_owned(), |id| id.to_string());
        let (id, from, to, codes) = (e.first_event_id, e.first_event_at.0, e.last_event_at.0, codes(e.anomalies));
        format!("episode\t{id}\t{from}\t{to}\t{travel}\t{on_site}\t{}\t{shift}\t{codes}\t{}", e.visit_id, e.is_loose)
    });
    shifts.chain(episodes).collect()
}

pub fn technician(n: u128) -> TechnicianId {
    TechnicianId(uuid::Uuid::from_u128(0x7000 << 112 | n))
}
pub fn event(n: u128) -> EventId {
    EventId(uuid::Uuid::from_u128(0xe000 << 112 | n))
}
pub fn visit(n: u128) -> VisitId {
    VisitId(uuid::Uuid::from_u128(0x5000 << 112 | n))
}

pub fn activity(who: u128, id: u128, created_at: Timestamp, activity_type: ActivityType, at: Option<u128>) -> TechnicianActivity<'static> {
    TechnicianActivity {
        common: Common {
            id: event(id),
            revision: 0,
            voided: false,
            created_at,
            utc_offset_minutes: None,
            recorded_at: None,
            device_id: None,
            device_sequence: None,
            source: Some("import".into()),
            imported: true,
            assigned: Vec::new(),
            metadata: None,
        },
        technician_contact_id: technician(who),
        activity_type,
        visit_id: at.map(visit),
        vehicle_id: None,
        location: None,
        notes: None,
    }
}

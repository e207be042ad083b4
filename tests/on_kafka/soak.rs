//! Faults while the pipeline works: whoever is killed, frozen or sent away, the tables end as those of a straight run.

use super::{Deployment, SESSION_MS};
use crate::support::folder::{Folder, Running, signal_process, wait_until};
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use crate::support::{Random, events, is_long};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often each fault comes, in turn; with FIELDLINE_LONG set.
const TURNS: usize = 2;
const TURNS_LONG: usize = 20;
/// Beyond the session timeout, so that the group goes on without the frozen one, which then wakes up among the others.
const FREEZE: Duration = Duration::from_millis(SESSION_MS + 3_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillProcessor,
    KillSink,
    FreezeProcessor,
    FreezeSink,
    /// One more of each role joins, and stays.
    Join,
    /// One of each role leaves in good order.
    Leave,
    KillBroker,
    KillEngine,
    KillEverybody,
    KillImporter,
    FreezeBroker,
    /// A processor and a sink join, and end themselves as by kill -9 at a point of their code, passed for the so many-th time.
    CrashAt(&'static str, &'static str),
}

/// After a poll, after decoding, between an output's acknowledgement and its commit; after a poll, in the middle of an insert,
/// between its acknowledgement and the commit, between recomputed rows and their commit. Each once a run.
const CRASHES: [Fault; 4] = [
    Fault::CrashAt("processors-polled:3", "sinks-polled:2"),
    Fault::CrashAt("processors-handled:4", "sinks-inserting:1"),
    Fault::CrashAt("processors-acknowledged:2", "sinks-inserted:1"),
    Fault::CrashAt("processors-handled:40", "history-acknowledged:1"),
];
/// Imports of the same file until a point is passed: the first ones may be worked through by others.
const CRASH_IMPORTS_MAX: usize = 6;

const FAULTS: [Fault; 11] = [
    Fault::KillProcessor,
    Fault::KillSink,
    Fault::FreezeProcessor,
    Fault::Join,
    Fault::KillBroker,
    Fault::KillEngine,
    Fault::FreezeSink,
    Fault::KillEverybody,
    Fault::Leave,
    Fault::KillImporter,
    Fault::FreezeBroker,
];

/// The processes of both roles.
struct Roles<'a> {
    deployment: &'a Deployment,
    processors: Vec<Running>,
    sinks: Vec<Running>,
}

impl<'a> Roles<'a> {
    fn start(deployment: &'a Deployment) -> Self {
        let two = |role: &str| (0..2).map(|_| deployment.start(role)).collect();
        Self { deployment, processors: two("processors"), sinks: two("sinks") }
    }

    fn kill_a_processor(&mut self) {
        self.processors.remove(0).kill_all();
        self.processors.push(self.deployment.start("processors"));
    }

    fn kill_a_sink(&mut self) {
        self.sinks.remove(0).kill_all();
        self.sinks.push(self.deployment.start("sinks"));
    }

    fn kill_everybody(&mut self) {
        let everybody = self.processors.drain(..).chain(self.sinks.drain(..));
        everybody.for_each(Running::kill_all);
        *self = Self::start(self.deployment);
    }

    fn join(&mut self) {
        self.processors.push(self.deployment.start("processors"));
        self.sinks.push(self.deployment.start("sinks"));
    }

    fn leave(&mut self) {
        for process in [self.processors.remove(0), self.sinks.remove(0)] {
            process.signal(Signal::TERM);
            let left = process.finish();
            assert_eq!(left.code, Some(0), "{left:?}");
        }
        if self.processors.is_empty() || self.sinks.is_empty() {
            self.join();
        }
    }

    /// Both end at their points; who else is there goes on.
    fn crash(&self, processors_at: &str, sinks_at: &str, file: &str) {
        let mut crashing = vec![
            (processors_at, self.deployment.start_crashing("processors", processors_at)),
            (sinks_at, self.deployment.start_crashing("sinks", sinks_at)),
        ];
        for imports in 0.. {
            assert!(imports < CRASH_IMPORTS_MAX, "{:?} never came", crashing.iter().map(|(at, _)| at).collect::<Vec<_>>());
            let (alive, ended): (Vec<_>, Vec<_>) =
                crashing.into_iter().map(|(at, mut p)| (p.is_alive(), at, p)).partition(|(alive, ..)| *alive);
            for (_, at, process) in ended {
                let outcome = process.finish();
                let name = at.split(':').next().unwrap_or(at);
                let is_crash = outcome.signal == Some(Signal::ABORT.as_raw()) && outcome.stderr.contains(&format!("crash point {name}"));
                assert!(is_crash, "{at}: {outcome:?}");
            }
            crashing = alive.into_iter().map(|(_, at, process)| (at, process)).collect();
            if crashing.is_empty() {
                return;
            }
            self.deployment.import(file);
        }
    }

    /// Nobody ended by itself: an error would have ended a process.
    fn assert_all_alive(&mut self) {
        for process in self.processors.iter_mut().chain(&mut self.sinks) {
            assert!(process.is_alive(), "a process ended by itself: {}", process.said("stderr"));
        }
    }
}

fn freeze(process: &Running) {
    process.signal(Signal::STOP);
    std::thread::sleep(FREEZE);
    process.signal(Signal::CONT);
}

#[test]
fn faults_of_every_kind_end_in_the_tables_of_a_straight_run() {
    let Some(mut kafka) = Kafka::start_or_leave_out(KafkaOptions::default()) else { return };
    let faults: Vec<Fault> = (0..if is_long() { TURNS_LONG } else { TURNS })
        .flat_map(|turn| FAULTS.into_iter().chain(CRASHES.into_iter().filter(move |_| turn % 2 == 0)))
        .collect();
    let rounds = faults.len();
    let lines = events::undisputed(events::simulated(20 * rounds as u32, 2, 71, "heavy"));
    let straight = Folder::new();
    straight.import(&[&straight.write("days.ndjson", &lines)]);

    let deployment = Deployment::new(&kafka.bootstrap(), 12);
    let mut roles = Roles::start(&deployment);
    let mut random = Random(17);
    let mut fired: BTreeMap<Fault, usize> = BTreeMap::new();
    let (mut with_work_pending, began) = (0, Instant::now());
    for (round, chunk) in lines.chunks(lines.len().div_ceil(rounds)).enumerate() {
        let fault = faults[round];
        let file = deployment.folder.write(&format!("chunk{round}.ndjson"), chunk);
        let mut import = deployment.spawn(&["import", &file]);
        std::thread::sleep(Duration::from_millis(300 + random.below(1_200)));
        let pending = import.is_alive();
        with_work_pending += usize::from(pending);
        match fault {
            Fault::KillProcessor => roles.kill_a_processor(),
            Fault::KillSink => roles.kill_a_sink(),
            Fault::FreezeProcessor => freeze(&roles.processors[0]),
            Fault::FreezeSink => freeze(&roles.sinks[0]),
            Fault::Join => roles.join(),
            Fault::Leave => roles.leave(),
            Fault::KillBroker => {
                kafka.kill9(0);
                std::thread::sleep(Duration::from_secs(1));
                kafka.restart(0);
                kafka.wait_until_up();
            }
            Fault::FreezeBroker => {
                kafka.pause(0);
                std::thread::sleep(Duration::from_secs(4));
                kafka.resume(0);
            }
            Fault::KillEngine => {
                wait_until("the engine has a process", || deployment.engine.engine().is_some());
                if let Some(engine) = deployment.engine.engine() {
                    signal_process(engine, Signal::KILL);
                }
            }
            Fault::KillEverybody => roles.kill_everybody(),
            Fault::CrashAt(processors, sinks) => roles.crash(processors, sinks, &file),
            Fault::KillImporter => import.signal(Signal::KILL),
        }
        *fired.entry(fault).or_default() += 1;
        let outcome = import.finish();
        if fault == Fault::KillImporter && outcome.code.is_none() {
            deployment.import(&file);
        } else {
            assert!(matches!(outcome.code, Some(0 | 3)), "round {round}, {fault:?}: {outcome:?}");
        }
        roles.assert_all_alive();
    }
    println!("{fired:?}: {with_work_pending} with work pending, in {:?}", began.elapsed());
    assert!(FAULTS.iter().chain(&CRASHES).all(|fault| fired.contains_key(fault)), "a fault never fired: {fired:?}");
    assert!(with_work_pending * 10 >= rounds * 9, "only {with_work_pending} of {rounds} faults met work");

    Snapshot::of(&straight).assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "after every kind of fault");
    // I5: what is known later is never about an earlier time.
    let back = "SELECT count() FROM (SELECT version, as_of, lagInFrame(as_of) OVER (PARTITION BY shift_id ORDER BY version) AS before \
                FROM shift_results_history FINAL) WHERE as_of < before";
    assert_eq!(deployment.folder.number(back), 0);
    // I7: a shift has an end, or is younger than its deadline, or is flagged. Of what `verify` finds this is no part: it takes the
    // log's time from the tables, and would not miss a clock that stands still.
    let open = "SELECT count() FROM shifts WHERE isNull(ended_at) AND NOT has(anomalies, 'A02') AND started_at < now() - INTERVAL 25 HOUR";
    assert_eq!(deployment.folder.number(open), 0);
    // I1 to I3, I8: every record of the log in a table, every row from the log, nothing else.
    drop(roles);
    deployment.verify();
}

//! Faults while the pipeline works: whoever is killed, frozen or sent away, the tables end as those of a straight run.

use super::{Deployment, SESSION_MS};
use crate::support::folder::{Folder, Running, signal_process, wait_until};
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use crate::support::{Random, events, is_long};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ROUNDS: usize = 22;
/// With FIELDLINE_LONG set.
const ROUNDS_LONG: usize = 220;
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
}

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
    let rounds = if is_long() { ROUNDS_LONG } else { ROUNDS };
    let lines = events::undisputed(events::simulated(20 * rounds as u32, 2, 71, "heavy"));
    let straight = Folder::new();
    straight.import(&[&straight.write("days.ndjson", &lines)]);

    let deployment = Deployment::new(&kafka.bootstrap(), 12);
    let mut roles = Roles::start(&deployment);
    let mut random = Random(17);
    let mut fired: BTreeMap<Fault, usize> = BTreeMap::new();
    let (mut with_work_pending, began) = (0, Instant::now());
    for (round, chunk) in lines.chunks(lines.len().div_ceil(rounds)).enumerate() {
        let fault = FAULTS[round % FAULTS.len()];
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
    assert!(FAULTS.iter().all(|fault| fired.contains_key(fault)), "a fault never fired: {fired:?}");
    assert!(with_work_pending * 10 >= rounds * 9, "only {with_work_pending} of {rounds} faults met work");

    Snapshot::of(&straight).assert_same(&Snapshot::of(&deployment.folder), ABOUT_ARRIVAL, "after every kind of fault");
    // I5: what is known later is never about an earlier time.
    let back = "SELECT count() FROM (SELECT version, as_of, lagInFrame(as_of) OVER (PARTITION BY shift_id ORDER BY version) AS before \
                FROM shift_results_history FINAL) WHERE as_of < before";
    assert_eq!(deployment.folder.number(back), 0);
    // I1 to I3, I8: every record of the log in a table, every row from the log, nothing else.
    drop(roles);
    deployment.verify();
}

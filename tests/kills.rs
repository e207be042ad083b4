//! kill -9 at random moments, then the same command again: nothing is lost, nothing is there twice.

use crate::support::folder::{Folder, is_process_alive, signal_process, wait_until};
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use crate::support::{Random, events, is_long, log};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    /// The pipeline's process; its engine must end by itself.
    Pipeline,
    /// The engine's process; the pipeline starts it again and goes on.
    Engine,
    /// Both at once.
    Everything,
}

const VICTIMS: [Victim; 3] = [Victim::Pipeline, Victim::Engine, Victim::Everything];

#[test]
fn killed_at_random_moments_and_imported_again() {
    let lines = events::undisputed(events::simulated(40, 5, 31, "heavy"));
    let folder = Folder::new();
    kill_and_import_again(&folder.write("days.ndjson", &lines), if is_long() { 50 } else { 6 });
}

/// Kills so many imports of the file, each with work pending, and compares what the next one leaves with a straight import.
pub fn kill_and_import_again(file: &str, kills: usize) {
    let straight = Folder::new();
    let started = Instant::now();
    straight.import(&[file]);
    let straight_run = started.elapsed();
    let straight = Snapshot::of(&straight);

    let folder = Folder::new();
    let mut random = Random(41);
    let (mut hits, mut tries, mut with_pending_records) = (0, 0, 0);
    while hits < kills {
        tries += 1;
        assert!(tries <= 3 * kills, "only {hits} of {tries} kills hit a living import: a kill that hits nothing proves nothing");
        let victim = VICTIMS[hits % VICTIMS.len()];
        let moment = Duration::from_micros(random.below(straight_run.as_micros() as u64 * 9 / 10));
        let mut import = folder.spawn(&["import", file]);
        std::thread::sleep(moment);
        if victim == Victim::Engine {
            // Early moments come before the engine has said where it is.
            wait_until("the engine runs", || import.engine().is_some() || !import.is_alive());
        }
        let engine = import.engine();
        // An import that has not ended has rows to wait for.
        if !import.is_alive() || victim == Victim::Engine && engine.is_none() {
            continue;
        }
        hits += 1;
        match (victim, engine) {
            (Victim::Engine, Some(engine)) => {
                signal_process(engine, Signal::KILL);
                let outcome = import.finish();
                // One that dies before it was ever ready is not started again; the command says so and can be repeated.
                let never_ready = outcome.code == Some(5) && outcome.stderr.contains("before it was ready");
                assert!(never_ready || matches!(outcome.code, Some(0 | 3)), "kill {hits}, of the engine after {moment:?}: {outcome:?}");
            }
            (Victim::Pipeline, _) => import.kill_alone(),
            _ => import.kill_all(),
        }
        if let Some(engine) = engine {
            wait_until("the engine has ended", || !is_process_alive(engine));
        }
        with_pending_records += usize::from(log::pending(&folder) > 0);
    }
    folder.import(&[file]);
    println!("{hits} kills of a living import in {tries} tries; {with_pending_records} left records pending in the log");
    assert!(with_pending_records > 0, "no kill left records pending");

    assert_eq!(log::pending(&folder), 0);
    log::assert_conserved(&folder);
    straight.assert_same(&Snapshot::of(&folder), ABOUT_ARRIVAL, "after kills");
    let verified = folder.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Runs of a few seconds that a killed import may need to be worked through.
const RUNS_MAX: usize = 10;

/// A version never goes back (I5), also over a kill: the history of revisions tells.
#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    let lines = events::simulated(30, 3, 51, "light");
    let folder = Folder::new();
    let file = folder.write("days.ndjson", &lines);
    let import = folder.spawn(&["import", &file]);
    wait_until("records wait in the log", || folder.path().join("log").exists() && import.engine().is_some());
    std::thread::sleep(Duration::from_millis(600));
    import.kill_all();
    // Whatever was appended is worked through by a run, without the file; on a busy machine by a few of them.
    let mut pending = usize::MAX;
    for _ in 0..RUNS_MAX {
        let mut run = folder.spawn(&["run"]);
        run.wait_until_said("fieldline runs on");
        std::thread::sleep(Duration::from_secs(4));
        run.signal(Signal::TERM);
        let outcome = run.finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        pending = log::pending(&folder);
        if pending == 0 {
            break;
        }
    }
    assert_eq!(pending, 0);
    log::assert_conserved(&folder);
    let again = "SELECT count() FROM (SELECT shift_id, version, as_of, lagInFrame(as_of) OVER (PARTITION BY shift_id ORDER BY version) AS before \
                 FROM shift_results_history FINAL) WHERE as_of < before";
    assert_eq!(folder.number(again), 0, "a later version is never about an earlier time");
}

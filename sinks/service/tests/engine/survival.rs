//! The engine's process is killed, stopped, orphaned and doubled; what was acknowledged stays.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fieldline_sinks::engine::{ENDPOINT_FILE, Endpoint, Engine};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::common::{TestEngine, client, command, config, has_role, library};

const PARENT_ROLE: &str = "parent";
const FOLDER: &str = "FIELDLINE_TEST_FOLDER";

fn process(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn insert_batch(client: &clickhouse::Client, batch: u64) -> bool {
    let mut insert = client.insert_formatted_with("INSERT INTO t FORMAT CSV");
    let rows: String = (0..100).map(|row| format!("{batch},{row}\n")).collect();
    insert.send(rows.into()).await.is_ok() && insert.end().await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_child_is_killed() {
    let test = TestEngine::start();
    let before = test.engine.endpoint();
    let client = test.client();
    client
        .query(
            "CREATE TABLE t (batch UInt64, row UInt32) ENGINE = ReplacingMergeTree ORDER BY (batch, row) SETTINGS fsync_after_insert = 1",
        )
        .execute()
        .await
        .unwrap();
    let (mut failures, mut batches) = (0, 0);
    for kill in 1..=4 {
        let child = process(test.engine.process_id());
        let killer = std::thread::spawn(move || {
            // Another point in the stream of inserts each time.
            std::thread::sleep(Duration::from_millis(40 + 37 * kill));
            kill_process(child, Signal::KILL).unwrap();
        });
        let until = batches + 60;
        while batches < until || test.engine.restarts() < kill {
            // The same batch again until it is acknowledged.
            if insert_batch(&client, batches).await {
                batches += 1;
            } else {
                failures += 1;
            }
        }
        killer.join().unwrap();
    }
    assert!(failures > 0, "no kill hit an insert");
    let stored: (u64, u64) = client.query("SELECT count(), uniqExact(batch) FROM t FINAL").fetch_one().await.unwrap();
    assert_eq!(stored, (batches * 100, batches));
    assert_eq!(test.engine.endpoint(), before, "address and token stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_running_statements_finish() {
    let TestEngine { engine, folder } = TestEngine::start();
    let path = folder.path().join(ENDPOINT_FILE);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Endpoint::read(folder.path()).unwrap(), Some(engine.endpoint()));

    let asking = client(&engine);
    let running = tokio::spawn(async move { asking.query("SELECT toUInt8(sleep(1)) + 1").fetch_one::<u16>().await });
    let watching = client(&engine);
    loop {
        let count: u64 = watching
            .query("SELECT count() FROM system.processes WHERE query LIKE '%sleep(1)%' AND query NOT LIKE '%LIKE%'")
            .fetch_one()
            .await
            .unwrap();
        if count > 0 {
            break;
        }
    }
    let child = process(engine.process_id());
    tokio::task::spawn_blocking(move || engine.stop()).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap(), 1);
    assert!(test_kill_process(child).is_err(), "the child has ended");
    assert_eq!(Endpoint::read(folder.path()).unwrap(), None);
    let log = std::fs::read_to_string(folder.path().join("clickhouse.log")).unwrap();
    assert!(!log.contains("still ran"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_child_in_order_and_it_is_started_again() {
    let test = TestEngine::start();
    kill_process(process(test.engine.process_id()), Signal::TERM).unwrap();
    wait_for("the restart", || test.engine.restarts() == 1);
    assert_eq!(test.client().query("SELECT 1").fetch_one::<u8>().await.unwrap(), 1);
}

/// Not a test in a test run: a parent that starts an engine and waits for its death.
#[test]
fn parent() {
    if has_role(PARENT_ROLE) {
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
        let engine = Engine::start(config(&folder)).unwrap();
        std::fs::write(folder.join("child.new"), engine.process_id().to_string()).unwrap();
        std::fs::rename(folder.join("child.new"), folder.join("child")).unwrap();
        std::thread::sleep(Duration::from_secs(60));
    }
    assert!(std::env::var_os(FOLDER).is_none(), "the parent was not killed");
}

fn start_parent(folder: &Path) -> std::process::Child {
    let command = command("survival::parent", PARENT_ROLE);
    Command::new(command.program)
        .args(command.arguments)
        .envs(command.environment)
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_ends_and_its_successor_waits_for_that() {
    library();
    let folder = tempfile::tempdir().unwrap();
    let mut parent = start_parent(folder.path());
    wait_for("the parent's engine", || folder.path().join("child").exists());
    let child = process(std::fs::read_to_string(folder.path().join("child")).unwrap().parse().unwrap());
    let endpoint = Endpoint::read(folder.path()).unwrap().unwrap();
    let first = clickhouse::Client::default().with_url(endpoint.url).with_user(endpoint.user).with_password(endpoint.password);
    first.query("CREATE TABLE t (batch UInt64, row UInt32) ENGINE = MergeTree ORDER BY batch").execute().await.unwrap();
    assert!(insert_batch(&first, 1).await);
    // Something that still runs when the parent dies.
    let running = tokio::spawn(async move { first.query("SELECT sleep(3)").fetch_one::<u8>().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    parent.kill().unwrap();
    parent.wait().unwrap();

    let engine = Engine::start(config(folder.path())).unwrap();
    assert!(running.await.unwrap().is_err(), "the old child did not survive");
    assert_eq!(client(&engine).query("SELECT count() FROM t").fetch_one::<u64>().await.unwrap(), 100);
    wait_for("the orphan's end", || test_kill_process(child).is_err());
}

#[test]
fn one_folder_has_one_engine() {
    let test = TestEngine::start();
    let mut second = config(test.folder.path());
    second.folder_wait = Duration::from_millis(300);
    let error = Engine::start(second).err().unwrap().to_string();
    assert!(error.contains("another process holds the engine's folder"), "{error}");
    assert_eq!(Endpoint::read(test.folder.path()).unwrap(), Some(test.engine.endpoint()), "the first one's address stays");
}

#[test]
fn a_library_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nonsense.so");
    std::fs::write(&path, "nonsense").unwrap();
    let mut config = config(folder.path());
    config.library = path;
    let error = Engine::start(config).err().unwrap().to_string();
    assert!(error.contains("loading the engine's library") && error.contains("nonsense.so"), "{error}");
    assert_eq!(Endpoint::read(folder.path()).unwrap(), None);
}

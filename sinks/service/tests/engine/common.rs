//! Starts engines for the tests; the child is this test binary itself.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fieldline_sinks::engine::{Engine, EngineCommand, EngineConfig, install, serve};

/// Set in the environment of a process that is not the test itself.
const ROLE: &str = "FIELDLINE_TEST_ROLE";
const ENGINE_ROLE: &str = "engine";

/// The child of the engines that the tests start enters here; in a test run it says that the role is not ours.
#[test]
fn child() {
    if has_role(ENGINE_ROLE) {
        serve().unwrap();
    } else {
        assert!(serve().is_err(), "without a parent there is nothing to serve");
    }
}

/// This binary, running one of its tests in a role.
pub fn command(test: &str, role: &str) -> EngineCommand {
    EngineCommand {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", test, "--nocapture"].map(Into::into).into(),
        environment: vec![(ROLE.into(), role.into())],
    }
}

pub fn has_role(role: &str) -> bool {
    std::env::var_os(ROLE).is_some_and(|found| found == role)
}

/// The library: what `FIELDLINE_ENGINE` names, else the installed one, else it is installed now.
pub fn library() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            let given = std::env::var_os("FIELDLINE_ENGINE").map(PathBuf::from);
            install::install(given.as_deref(), &mut |_| {}).unwrap_or_else(|error| panic!("these tests need the engine's library: {error}"))
        })
        .clone()
}

pub fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig::new(library(), data_dir.to_owned(), command("common::child", ENGINE_ROLE))
}

/// A client of an engine, without compression.
pub fn client(engine: &Engine) -> clickhouse::Client {
    let endpoint = engine.endpoint();
    clickhouse::Client::default()
        .with_url(endpoint.url)
        .with_user(endpoint.user)
        .with_password(endpoint.password)
        .with_compression(clickhouse::Compression::None)
}

/// An engine with a folder of its own.
pub struct TestEngine {
    pub engine: Engine,
    pub folder: tempfile::TempDir,
}

impl TestEngine {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(config(folder.path())).unwrap();
        Self { engine, folder }
    }

    pub fn client(&self) -> clickhouse::Client {
        client(&self.engine)
    }
}

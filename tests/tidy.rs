//! Rules about the repository itself.

use std::path::{Path, PathBuf};

/// A file is a room. Tests may be longer than what they test.
const LINES_MAX: usize = 400;
/// Longer today, each for its reason; a file that becomes short enough must leave the list.
const LONG_ROOMS: &[(&str, &str)] = &[
    ("sinks/service/src/engine/ffi.rs", "every call into the engine's library, and nothing else"),
];
const PURE_CRATES: &[&str] = &["schemas", "processors/core", "sinks/rows"];
const IMPURE_DEPENDENCIES: &[&str] =
    &["tokio", "fieldline-log", "fieldline-registry", "clickhouse", "rand", "tracing", "redb", "axum", "rustix", "hyper-util"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository, with their path from its root; what git does not keep is left out.
fn files(extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git") {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                let place = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((place, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn is_test(place: &str) -> bool {
    place.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs" | "conformance"))
}

fn members() -> Vec<PathBuf> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap().iter().map(|member| root().join(member.as_str().unwrap()));
    std::iter::once(root().to_owned()).chain(members).collect()
}

fn manifest(folder: &Path) -> toml::Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

#[test]
fn rooms_are_small() {
    for (place, text) in files(&[".rs"]).iter().filter(|(place, _)| !is_test(place)) {
        let lines = text.lines().count();
        let is_known = LONG_ROOMS.iter().any(|(known, _)| known == place);
        assert!(is_known || lines <= LINES_MAX, "{place} has {lines} lines; at most {LINES_MAX} fit in a room");
        assert!(!is_known || lines > LINES_MAX, "{place} fits now: take it off the list of long rooms");
    }
}

#[test]
fn every_room_says_what_it_is_for() {
    for (place, text) in files(&[".rs"]) {
        assert!(text.starts_with("//!"), "{place} does not begin with a doc comment");
    }
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let words = [["TO", "DO"], ["FIX", "ME"], ["to", "do!"], ["un", "implemented!"], ["#[ig", "nore"], ["#[al", "low("], ["#![al", "low("]];
    for (place, text) in files(&[".rs", ".toml", ".sql", ".md", "run"]) {
        for word in words.iter().map(|parts| parts.concat()) {
            let line = text.lines().position(|line| line.contains(&word));
            assert!(line.is_none(), "{place}:{} holds {word}", line.unwrap_or(0) + 1);
        }
    }
}

#[test]
fn no_path_of_a_machine_and_no_registry_is_named() {
    let parts = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["registry.npm", "js"],
        ["crates", ".io/"],
        ["py", "pi.org"],
        ["proxy.go", "lang"],
        ["maven", ".org"],
    ];
    for (place, text) in files(&[".rs", ".toml", ".sql", ".md", ".json", ".avsc", "run"]) {
        for word in parts.iter().map(|parts| parts.concat()) {
            let line = text.lines().position(|line| line.contains(&word));
            assert!(line.is_none(), "{place}:{} names {word}", line.unwrap_or(0) + 1);
        }
    }
}

#[test]
fn every_crate_takes_lints_and_versions_from_the_workspace() {
    for folder in members() {
        let manifest = manifest(&folder);
        let at = folder.display();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{at}: [lints] workspace = true");
        for table in ["dependencies", "dev-dependencies"] {
            for (name, wanted) in manifest.get(table).and_then(toml::Value::as_table).into_iter().flatten() {
                assert!(wanted.get("workspace").is_some() || wanted.get("path").is_some(), "{at}: {name} has a version of its own");
            }
        }
    }
}

#[test]
fn pure_crates_are_fenced() {
    for name in PURE_CRATES {
        let folder = root().join(name);
        let fence = std::fs::read_to_string(folder.join("clippy.toml")).unwrap();
        for banned in ["SystemTime::now", "Instant::now", "std::fs", "std::thread::spawn", "std::env::var", "HashMap", "HashSet", "new_v4"]
        {
            assert!(fence.contains(banned), "{name}/clippy.toml does not ban {banned}");
        }
        let manifest = manifest(&folder);
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let impure: Vec<_> = IMPURE_DEPENDENCIES.iter().filter(|dependency| dependencies.contains_key(**dependency)).collect();
        assert!(impure.is_empty(), "{name} depends on {impure:?}");
        for (place, text) in files(&[".rs"]) {
            if place.starts_with(&format!("{name}/src/")) && !place.ends_with("tests.rs") {
                let banned = ["std::fs::", "std::net::", "std::process::", "async fn"].into_iter().find(|word| text.contains(word));
                assert!(banned.is_none(), "{place} uses {banned:?}");
            }
        }
    }
}

#[test]
fn one_file_each_names_the_engine_and_the_client() {
    let uses = |words: &[&str]| -> Vec<String> {
        let is_code = |line: &str| !line.trim_start().starts_with("//");
        let holds = |text: &str| text.lines().filter(|line| is_code(line)).any(|line| words.iter().any(|word| line.contains(word)));
        files(&[".rs"])
            .into_iter()
            .filter(|(place, text)| !is_test(place) && place.contains("src/") && holds(text))
            .map(|(place, _)| place)
            .collect()
    };
    assert_eq!(uses(&["clickhouse::Client"]), ["sinks/service/src/clickhouse.rs"]);
    assert_eq!(uses(&["libloading::Library", "use libloading"]), ["sinks/service/src/engine/ffi.rs"]);
    let kafka = uses(&["rdkafka::"]);
    assert!(!kafka.is_empty() && kafka.iter().all(|place| place.starts_with("log/src/kafka/")), "{kafka:?}");
}

#[test]
fn the_ci_runs_the_test_command_of_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("cargo test ")).collect();
    assert_eq!(commands.first(), Some(&"cargo test --release --workspace"));
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("README.md") && !ci.contains("cargo test --release"), ".ci/run takes the command from the README");
    assert!(ci.starts_with("#!") && ci.contains("set -euo pipefail"));
}

//! The installation with stand-ins for npm and curl; nothing here needs a network.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::platform::Platform;
use super::unpack;
use super::{InstallError, Installer, Progress, STAMP_FILE, Step, UNFINISHED_DIR};

/// Contents of the stand-in for the library, and its checksum by another tool.
const LIBRARY: &[u8] = b"not quite libchdb\n";
const LIBRARY_SHA256: &str = "28546a72928db1286ace0135d693f644798674a5760331e120b90f35dab0c150";

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A package as npm packs it, with `library` inside.
    fn archive(&self, library: &[u8]) -> PathBuf {
        let path = self.path("package.tgz");
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast()));
        for (name, contents) in [("package/package.json", b"{}".as_slice()), ("package/libchdb.so", library)] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o755);
            header.set_cksum();
            tar.append_data(&mut header, name, contents).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        path
    }

    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// An npm that answers with the archive.
    fn npm(&self, archive: &Path) -> PathBuf {
        let integrity = unpack::sha512_integrity(archive, &mut |_| {}).unwrap();
        self.program(
            "npm",
            &format!("cp {} package.tgz && echo '[{{\"filename\":\"package.tgz\",\"integrity\":\"{integrity}\"}}]'", archive.display()),
        )
    }

    fn installer(&self, npm: PathBuf, curl: PathBuf) -> Installer {
        let mut platform = Platform::of("linux", "x86_64").unwrap();
        platform.npm_integrity = None;
        platform.library_sha256 = Some(LIBRARY_SHA256);
        Installer { folder: self.path("cache/fieldline/engine/1"), platform, npm, curl }
    }

    fn absent(&self) -> PathBuf {
        self.path("absent")
    }
}

fn install(installer: &Installer) -> Result<(PathBuf, Vec<Step>), InstallError> {
    let mut steps = Vec::new();
    let path = installer.install(&mut |Progress { step, .. }| steps.push(step))?;
    steps.dedup();
    Ok((path, steps))
}

#[test]
fn npm_brings_the_library_once() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let installer = stage.installer(stage.npm(&archive), stage.absent());
    assert_eq!(installer.installed().unwrap(), None);
    let (path, steps) = install(&installer).unwrap();
    assert_eq!(fs::read(&path).unwrap(), LIBRARY);
    assert!(steps.ends_with(&[Step::Checking, Step::Unpacking]), "{steps:?}");
    assert!(!installer.folder.join(UNFINISHED_DIR).exists());
    // The second time nothing is run.
    let again = stage.installer(stage.absent(), stage.absent());
    assert_eq!(install(&again).unwrap(), (path, vec![]));
}

#[test]
fn another_library_than_the_pinned_one_is_refused() {
    let stage = Stage::new();
    let archive = stage.archive(b"something else");
    let installer = stage.installer(stage.npm(&archive), stage.absent());
    let error = install(&installer).unwrap_err().to_string();
    assert!(error.contains("does not have the pinned checksum") && error.contains(LIBRARY_SHA256), "{error}");
    assert_eq!(installer.installed().unwrap(), None);
    assert!(!installer.library().exists() && !installer.folder.join(UNFINISHED_DIR).exists());
}

#[test]
fn another_archive_than_the_pinned_one_is_refused() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let mut installer = stage.installer(stage.npm(&archive), stage.absent());
    installer.platform.npm_integrity = Some("sha512-AAAA");
    let error = install(&installer).unwrap_err().to_string();
    assert!(error.contains("the downloaded archive does not have the pinned checksum"), "{error}");
    assert!(!installer.library().exists());
}

#[test]
fn the_release_serves_where_npm_is_missing() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let curl = stage.program(
        "curl",
        &format!("while [ \"$1\" != --output ]; do shift; done; case \"$3\" in https://*/v26.7.3/linux-x86_64-libchdb.tar.gz) cp {} \"$2\";; *) exit 3;; esac", archive.display()),
    );
    let (path, _) = install(&stage.installer(stage.absent(), curl)).unwrap();
    assert_eq!(fs::read(path).unwrap(), LIBRARY);
}

#[test]
fn a_library_without_a_known_checksum_comes_from_npm_only() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let curl = stage.program("curl", &format!("while [ \"$1\" != --output ]; do shift; done; cp {} \"$2\"", archive.display()));
    let mut installer = stage.installer(stage.absent(), curl);
    installer.platform.library_sha256 = None;
    let error = install(&installer).unwrap_err().to_string();
    assert!(error.contains("no checksum is known"), "{error}");
    installer.npm = stage.npm(&archive);
    let (path, _) = install(&installer).unwrap();
    assert_eq!(installer.installed().unwrap(), Some(path));
}

#[test]
fn offline_the_message_says_what_to_do() {
    let stage = Stage::new();
    let npm = stage.program("npm", "echo 'npm error code ENOTFOUND' >&2; exit 1");
    let error = install(&stage.installer(npm, stage.absent())).unwrap_err().to_string();
    for part in ["npm error code ENOTFOUND", "there is no absent on this machine", "FIELDLINE_ENGINE", "URL of a ClickHouse server"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn a_library_that_changed_is_not_taken_for_the_checked_one() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let installer = stage.installer(stage.npm(&archive), stage.absent());
    let (path, _) = install(&installer).unwrap();
    // Without its stamp it is checked anew.
    fs::remove_file(installer.folder.join(STAMP_FILE)).unwrap();
    assert_eq!(installer.installed().unwrap(), Some(path.clone()));
    assert!(installer.folder.join(STAMP_FILE).exists());
    fs::write(&path, b"damaged").unwrap();
    assert_eq!(installer.installed().unwrap(), None);
    assert_eq!(fs::read(install(&installer).unwrap().0).unwrap(), LIBRARY);
}

#[test]
fn a_second_installation_waits_for_the_first() {
    let stage = Stage::new();
    let archive = stage.archive(LIBRARY);
    let installer = stage.installer(stage.npm(&archive), stage.absent());
    let waits = stage.installer(stage.absent(), stage.absent());
    fs::create_dir_all(&installer.folder).unwrap();
    let lock = installer.lock(&mut |_| {}).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let second = std::thread::spawn(move || {
        waits.install(&mut |progress| {
            let _ = tell.send(progress.step);
        })
    });
    assert_eq!(told.recv().unwrap(), Step::Waiting);
    fs::write(installer.library(), LIBRARY).unwrap();
    drop(lock);
    assert_eq!(second.join().unwrap().unwrap(), installer.library());
}

#[test]
fn every_platform_that_has_a_library_is_known() {
    for (system, processor, package) in [
        ("linux", "x86_64", "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"),
        ("linux", "aarch64", "@chdb/lib-linux-arm64-gnu@26.7.3-stable.1"),
        ("macos", "aarch64", "@chdb/lib-darwin-arm64@26.7.3-stable.1"),
        ("macos", "x86_64", "@chdb/lib-darwin-x64@26.7.3-stable.1"),
    ] {
        assert_eq!(Platform::of(system, processor).unwrap().npm_package, package);
    }
    for (system, processor) in [("windows", "x86_64"), ("linux-musl", "x86_64"), ("linux", "riscv64")] {
        assert!(matches!(Platform::of(system, processor), Err(InstallError::Platform(_))), "{system} {processor}");
    }
}

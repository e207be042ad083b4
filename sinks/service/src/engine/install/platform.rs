//! Which package and which release asset hold the library for a platform, and what is pinned of them.

use super::{InstallError, LIBRARY_VERSION};

/// The library for one platform.
#[derive(Clone, Debug)]
pub(super) struct Platform {
    /// Name and version as npm's client takes them.
    pub npm_package: String,
    /// npm's integrity of the package's archive. `None`: never tried there; then npm's own check of its download against
    /// what the registry says is all there is.
    pub npm_integrity: Option<&'static str>,
    pub archive_bytes: Option<u64>,
    /// File of the public release.
    pub release_asset: &'static str,
    pub library_sha256: Option<&'static str>,
    pub library_bytes: Option<u64>,
}

impl Platform {
    /// The platform that this program was built for.
    pub fn here() -> Result<Self, InstallError> {
        // The library needs glibc.
        let system = if cfg!(target_env = "musl") { "linux-musl" } else { std::env::consts::OS };
        Self::of(system, std::env::consts::ARCH)
    }

    pub fn of(system: &str, processor: &str) -> Result<Self, InstallError> {
        let untried = |package: &str, release_asset| Self {
            npm_package: format!("@chdb/lib-{package}@{LIBRARY_VERSION}-stable.1"),
            npm_integrity: None,
            archive_bytes: None,
            release_asset,
            library_sha256: None,
            library_bytes: None,
        };
        match (system, processor) {
            ("linux", "x86_64") => Ok(Self {
                npm_integrity: Some("sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=="),
                archive_bytes: Some(177_817_999),
                library_sha256: Some("36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"),
                library_bytes: Some(566_330_096),
                ..untried("linux-x64-gnu", "linux-x86_64-libchdb.tar.gz")
            }),
            ("linux", "aarch64") => Ok(untried("linux-arm64-gnu", "linux-aarch64-libchdb.tar.gz")),
            ("macos", "aarch64") => Ok(untried("darwin-arm64", "macos-arm64-libchdb.tar.gz")),
            ("macos", "x86_64") => Ok(untried("darwin-x64", "macos-x86_64-libchdb.tar.gz")),
            _ => Err(InstallError::Platform(format!("{system} on {processor}"))),
        }
    }
}

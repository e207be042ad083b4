//! Finds the engine's library, or fetches it.

/// Why the library could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {}

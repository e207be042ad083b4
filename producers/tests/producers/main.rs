//! The producers against the log in memory.
#![expect(clippy::unwrap_used, reason = "these are tests; a failure should stop at its line")]

mod files;
mod publishing;
mod records;
mod simulation;

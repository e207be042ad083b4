//! Flags by example with a hand-driven clock, and their laws on messy days.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod alarm;
mod clearing;
mod emergency;
mod laws;
mod missing_end;
mod restart;
#[expect(dead_code, reason = "shared with the laws of the partition, which use more of it")]
#[path = "../partition/scenario.rs"]
mod scenario;
mod script;
mod silence;
mod windows;

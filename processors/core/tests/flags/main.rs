//! Flags by example with a hand-driven clock, and their laws on messy days.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod emergency;
mod missing_end;
mod restart;
mod script;
mod silence;
mod windows;

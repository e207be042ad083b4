//! The life of alerts: every step by example with a hand-driven clock, and its laws on generated records.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod brute;
mod cleared;
mod desk;
mod emergencies;
mod flags;
mod laws;
mod moved;
mod plans;
#[path = "../events/random.rs"]
mod random;

//! The processors over a log in memory.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod alerts;
mod bench;
mod driver;
mod events;
mod live;
mod plans;
mod takeover;
mod zombie;

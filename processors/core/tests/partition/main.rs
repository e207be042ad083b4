//! The state of a partition: its laws on generated logs, and its rules by example.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]
#![expect(clippy::disallowed_methods, reason = "tests: the number of seeds comes from the environment")]

mod examples;
mod laws;
mod reading;
mod scenario;
mod tables;

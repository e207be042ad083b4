//! A partition of `calls` by example, with a hand-driven clock: S14.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod brute;
mod levels;
mod script;

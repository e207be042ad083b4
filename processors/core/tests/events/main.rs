//! Partitions of `operations` and of `calls` by example, with a hand-driven clock: whom events concern, SOS, what nobody resolves, and
//! the service levels of queues.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod incidents;
mod queues;
mod random;
mod script;

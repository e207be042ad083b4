//! A partition of `operations` by example, with a hand-driven clock: whom events concern, SOS, and what nobody resolves.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod carried;
mod script;
mod sos;
mod unresolved;

//! Tests of the contract: one binary, a room for each part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod collection;
mod content;
mod generate;
mod golden;
mod hostile;
mod json;
mod registered;
mod validation;
mod wire;

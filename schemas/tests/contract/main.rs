//! Tests of the contract: one binary, a room for each part.

mod collection;
mod content;
mod generate;
mod golden;
mod hostile;
mod json;
mod validation;
mod wire;

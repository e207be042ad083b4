//! Tables, views, writer and sinks on the real engine: written with our code, read with SQL text.

#[path = "../engine/common.rs"]
#[expect(dead_code, reason = "the engine's own tests use the rest")]
mod common;
mod facts;
mod results;
mod schema;
mod setup;
mod sinks;

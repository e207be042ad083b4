//! Tables, views, writer and sinks on the real engine: written with our code, read with SQL text.

#![expect(clippy::unwrap_used, reason = "set-up outside the test functions may fail the test")]

mod alerts;
mod calls;
#[path = "../engine/common.rs"]
#[expect(dead_code, reason = "the engine's own tests use the rest")]
mod common;
mod facts;
mod fickle;
mod gate;
mod history;
mod incidents;
mod jobs;
mod joins;
mod lost;
mod mutants;
mod near_duplicates;
mod people;
mod places;
mod plans;
mod plans_generated;
mod quality;
mod results;
mod roles;
mod schema;
mod service_levels;
mod setup;
mod sinks;
mod threads;
mod verify;
mod weeks;
mod world;

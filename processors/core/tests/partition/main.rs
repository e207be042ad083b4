//! The state of a partition: its laws on generated logs, and its rules by example.

mod examples;
mod laws;
mod reading;
mod scenario;
mod tables;

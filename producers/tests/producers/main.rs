//! The producers against the log in memory.

mod files;
mod publishing;
mod records;
mod simulation;

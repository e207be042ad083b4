//! The fold: what is computed from a technician's log, and nothing else.
//!
//! Pure: time is an argument, there is no I/O, no randomness and no hash-map order, so that every result is a function
//! of the log alone.

pub mod definition;
pub mod events;
pub mod facts;
pub mod flags;
pub mod fold;
pub mod incidents;
pub mod lifecycle;
pub mod partition;
pub mod plans;
pub mod queues;

//! Faults while the pipeline works.

//! What puts records into the log: the typed publisher, importers of files, and the simulator.

pub mod simulate;

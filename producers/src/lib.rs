//! What puts records into the log: the typed publisher, importers of files, and the simulator.

pub mod import;
mod publisher;
mod route;
pub mod simulate;
mod ways;

pub use publisher::{PublishError, Publisher, PublisherConfig, Receipt, TOPICS};
pub use route::{PLAN_RELEASED_BEFORE_US, lane_of, plan_start, topic_of};

//! Runs the pure state machines of `fieldline-processors-core` over the partitions of the log.
//!
//! ```text
//!               ┌─ decode ─ validate ─┐
//! activity ─────┤                     ├─► Partition::apply ─► kpis · recompute · activity (misplaced)
//! operations ───┤                     ├─► Incidents::apply ─► activity (signals) · alert_events
//! calls ────────┘                     ├─► Queues::apply ────► alert_events
//!                                     └─► dead_letters
//! ```
//! One thread per worker and share of the topics ([`Share`]), which owns whole partitions ([`run`]); or one thread that moves the log's time by itself
//! ([`Driver`]). This is the only place of the processors where a wall clock is read: to append ticks.

mod config;
mod driver;
mod error;
mod events;
mod lane;
mod ledger;
mod lifecycle;
mod member;
mod note;
mod outlet;
mod plans;
mod progress;
mod run;
mod station;
mod stop;
mod worker;

pub use config::{ProcessorConfig, Share};
pub use driver::Driver;
pub use error::ProcessorError;
pub use lane::run_lane;
pub use lifecycle::run_lifecycle;
pub use member::StageConfig;
pub use note::Note;
pub use progress::{PartitionProgress, Progress};
pub use run::run;
pub use stop::StopToken;

//! What somebody should look at: an emergency, and what should have come and did not.
//!
//! ```text
//! fold ─► conditions (each true from an instant on, unless an event comes) ─► quiet? ─► raised … no longer
//! ```
//! A condition depends on the facts alone, and time never makes it untrue. When a flag about absence opens depends on the
//! partition's clock and on when the technician's records came, so that a burst raises nothing that it also withdraws.
//! An emergency waits for nothing.

mod alarm;
mod clearing;
mod condition;
mod device;
mod emergency;
pub(crate) mod reasoning;
mod settings;
mod standing;

pub(crate) use clearing::RESOLVED_AHEAD_US;
pub(crate) use condition::Condition;
pub use device::Device;
pub use settings::FlagSettings;
pub(crate) use standing::{Flags, Mode, Now};

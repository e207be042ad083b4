//! The processors over a log in memory.

mod bench;
mod driver;
mod live;
mod takeover;

//! Delivery against receivers that answer, refuse, hang and vanish, on a log in memory.

#![expect(clippy::unwrap_used, reason = "set-up outside the test functions may fail the test")]

mod alertmanager;
mod bench;
mod channels;
mod encrypted;
#[path = "../clickhouse/fickle.rs"]
#[expect(dead_code, reason = "the sinks' own tests use the rest")]
mod fickle;
mod grouping;
mod hostile;
mod lost;
mod receiver;
mod restart;
mod silence;
mod watch;

//! The embedded engine, with the real library, over HTTP as everything else uses it.

#![expect(clippy::unwrap_used, reason = "a test stops where anything fails")]

mod clients;
mod common;
mod http;
mod survival;

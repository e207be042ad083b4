//! The embedded engine, with the real library, over HTTP as everything else uses it.

mod clients;
mod common;
mod http;
mod survival;

//! What is told to whoever started the program. Unlike `println!` and `eprintln!`, which end the process where nobody reads any
//! more, as in `fieldline run 2>&1 | head -1`, these go on without a reader.

use anyhow::{Context, Result};
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// A line of the result, on standard output.
macro_rules! tell {
    ($($text:tt)*) => { $crate::say::result(format_args!($($text)*)) };
}

/// A line beside the result, on standard error.
macro_rules! remark {
    ($($text:tt)*) => { $crate::say::beside(format_args!($($text)*)) };
}

/// Whoever reads may have seen enough: the command does what is left of its work, and its exit code says how that ended. A result
/// that can not be written for another reason, as on a full disk, is an error.
pub fn result(line: Arguments<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("writing the result"),
        _ => Ok(()),
    }
}

/// There is no other place to say that nobody reads this.
pub fn beside(line: Arguments<'_>) {
    _ = writeln!(std::io::stderr().lock(), "{line}");
}

//! Why an import ended before its end.

use crate::publisher::PublishError;

/// Why an import ended before its end. What was appended before stays; importing the same files again repeats it, and
/// repeated records count once; the texts say so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    #[error("opening {file} (nothing of it has arrived; with another path or other rights import again, repeated records count once)")]
    Open { file: String, source: std::io::Error },
    #[error(
        "reading {file} after line {line} (the lines up to there are in the log; get the file whole and import all of it again, which \
         computes them too: repeated records count once)"
    )]
    Read { file: String, line: u64, source: std::io::Error },
    #[error(
        "appending the records of {file} from line {line} on (those before are in the log; import the file again when the reason is \
         mended: repeated records count once)"
    )]
    Append { file: String, line: u64, source: Box<PublishError> },
    #[error("finishing the import (whether the last records are durable is not known; import again: repeated records count once)")]
    Finish(#[from] PublishError),
    #[error("a thread of the import stopped without finishing {file}")]
    Stopped { file: String },
}

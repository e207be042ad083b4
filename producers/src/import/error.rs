//! Why an import ended before its end.

use crate::publisher::PublishError;

/// Why an import ended before its end. What was appended before stays; importing the same files again repeats it, and
/// repeated records count once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    #[error("opening {file}")]
    Open { file: String, source: std::io::Error },
    #[error("reading {file} after line {line}")]
    Read { file: String, line: u64, source: std::io::Error },
    #[error("appending the records of {file} from line {line} on")]
    Append { file: String, line: u64, source: Box<PublishError> },
    #[error("finishing the import")]
    Finish(#[from] PublishError),
    #[error("a thread of the import stopped without finishing {file}")]
    Stopped { file: String },
}

//! What a registry answered instead.

use fieldline_schemas::wire::SchemaError;
use std::time::Duration;

/// What went wrong between us and the registry. Names what was asked and the answer's status and code, never its text.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    #[error("the schema registry's address: {reason}")]
    Url { reason: &'static str },
    #[error("starting to ask the schema registry: {reason}")]
    Start { reason: String },
    #[error("{doing}: the schema registry cannot be reached: {reason}")]
    Unreachable { doing: String, reason: String },
    #[error("{doing}: no answer from the schema registry within {after:?}")]
    TimedOut { doing: String, after: Duration },
    #[error("{doing}: the schema registry answered {status}{}", with_code(*code))]
    Refused { doing: String, status: u16, code: Option<u32> },
    #[error("{doing}: the schema registry's answer cannot be used: {what}")]
    Malformed { doing: String, what: &'static str },
    #[error("{doing}: the schema registry means something else")]
    Meaning { doing: String, source: SchemaError },
}

fn with_code(code: Option<u32>) -> String {
    code.map(|code| format!(", code {code}")).unwrap_or_default()
}

impl RegistryError {
    /// Whether a person must mend it: rights, an incompatible schema, another meaning.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Url { .. } | Self::Start { .. } | Self::Meaning { .. } => true,
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 409 | 422),
            _ => false,
        }
    }
}

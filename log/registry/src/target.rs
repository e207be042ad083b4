//! Where a registry answers, as whom, and how long is waited for it.

use crate::RegistryError;
use std::time::Duration;

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To open a connection, the name's resolution included.
    pub connect: Duration,
    /// From the first byte of a request to the last of its answer, the connection included.
    pub request: Duration,
    /// For all that is asked in one go: then a stage looks after its partitions again.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), request: Duration::from_secs(5), total: Duration::from_secs(10) }
    }
}

/// A registry with Confluent's HTTP interface.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryTarget {
    /// `http://host:8081`, with a path where the interface has one; no slash at the end.
    pub(crate) url: String,
    pub(crate) login: Option<(String, String)>,
    pub deadlines: Deadlines,
}

impl std::fmt::Debug for RegistryTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {:?}", self.url, self.login.as_ref().map(|(user, _)| user))
    }
}

impl RegistryTarget {
    /// `login`: user and password.
    pub fn new(url: &str, login: Option<(String, String)>) -> Result<Self, RegistryError> {
        let wrong = |reason| Err(RegistryError::Url { reason });
        if url.contains('@') {
            return wrong("it holds a user or a password: they have settings of their own");
        }
        if url.starts_with("https://") {
            return wrong(
                "this program speaks to registries without TLS: name an http:// address, of the registry or of a proxy beside it",
            );
        }
        let Ok(uri) = url.parse::<http::Uri>() else { return wrong("it is no URL") };
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return wrong("http://host:port is wanted");
        }
        if uri.query().is_some() || url.contains('#') {
            return wrong("nothing may follow its path");
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), login, deadlines: Deadlines::default() })
    }
}

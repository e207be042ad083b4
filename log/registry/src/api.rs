//! What is asked of a registry, and what its answers mean.

use crate::http::{Reply, exchange};
use crate::{RegistryError, RegistryTarget, Requests};
use http::Method;
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// A new schema must be able to read what any published one wrote.
const RULE: &str = "BACKWARD_TRANSITIVE";
/// The rule that demands this and more.
const STRICTER_RULE: &str = "FULL_TRANSITIVE";
/// "Schema not found", of an id or under a subject.
const NO_SCHEMA: u32 = 40403;

/// The requests to one registry.
#[derive(Debug)]
pub(crate) struct Api {
    pub target: RegistryTarget,
    answered: AtomicU64,
    failed: AtomicU64,
}

#[derive(Deserialize)]
struct Id {
    id: u32,
}
#[derive(Deserialize)]
struct Text {
    schema: String,
}
#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}
#[derive(Deserialize)]
struct Failure {
    error_code: u32,
}

impl Api {
    pub fn new(target: RegistryTarget) -> Self {
        Self { target, answered: AtomicU64::default(), failed: AtomicU64::default() }
    }

    pub fn requests(&self) -> Requests {
        Requests { answered: self.answered.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }

    /// Asks, and takes the reply for what it means. Failure is counted like success.
    fn ask<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        doing: &dyn Fn() -> String,
        read: impl FnOnce(&Reply) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let outcome = exchange(&self.target, method, path, body, doing).and_then(|reply| read(&reply));
        let count = if outcome.is_ok() { &self.answered } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// The text of the schema that `id` means; `None`: the registry says that there is none. Any other 404 is an error: a
    /// wrong path, or a proxy without a registry behind it.
    pub fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        let doing = || format!("looking up schema id {id}");
        self.ask(Method::GET, &format!("/schemas/ids/{id}"), None, &doing, |reply| match reply.status {
            404 if code(reply) == Some(NO_SCHEMA) => Ok(None),
            _ => Ok(Some(answer::<Text>(reply, &doing)?.schema)),
        })
    }

    /// The id of the schema under its subject; `None` where it is not there.
    pub fn find(&self, subject: &str, json: &str) -> Result<Option<u32>, RegistryError> {
        let doing = || format!("looking for our schema under {subject}");
        self.ask(Method::POST, &format!("/subjects/{subject}"), Some(request(json)), &doing, |reply| match reply.status {
            // Neither the subject nor the schema: it is registered next, which tells where that is not so.
            404 => Ok(None),
            _ => Ok(Some(answer::<Id>(reply, &doing)?.id)),
        })
    }

    /// Registers the schema, which does no harm where it is there: its id.
    pub fn register(&self, subject: &str, json: &str) -> Result<u32, RegistryError> {
        let doing = || format!("registering our schema under {subject}");
        let path = format!("/subjects/{subject}/versions");
        self.ask(Method::POST, &path, Some(request(json)), &doing, |reply| Ok(answer::<Id>(reply, &doing)?.id))
    }

    /// Sees to it that the registry checks the subject's versions as we do. A rule that somebody has set stays, and rights
    /// that we do not have are no reason to stop: both are told.
    pub fn demand_rule(&self, subject: &str) -> Result<(), RegistryError> {
        match self.rule(subject).and_then(|rule| if rule.is_none() { self.set_rule(subject) } else { Ok(rule) }) {
            Ok(Some(rule)) if rule != RULE && rule != STRICTER_RULE => {
                tracing::warn!(subject, wanted = RULE, "the schema registry checks this subject by another rule; it is left as it is");
                Ok(())
            }
            Err(RegistryError::Refused { status: status @ (401 | 403 | 404 | 405 | 422), .. }) => {
                tracing::warn!(subject, wanted = RULE, status, "the compatibility rule cannot be set with our rights; it is left as it is");
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// The rule of the subject's own; `None` where it has none.
    fn rule(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let doing = || format!("asking for the compatibility rule of {subject}");
        self.ask(Method::GET, &format!("/config/{subject}"), None, &doing, |reply| match reply.status {
            404 => Ok(None),
            _ => Ok(Some(answer::<Rule>(reply, &doing)?.level)),
        })
    }

    fn set_rule(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let doing = || format!("setting the compatibility rule of {subject}");
        let body = serde_json::json!({ "compatibility": RULE }).to_string();
        self.ask(Method::PUT, &format!("/config/{subject}"), Some(body), &doing, |reply| success(reply, &doing))?;
        Ok(None)
    }
}

fn request(json: &str) -> String {
    serde_json::json!({ "schema": json }).to_string()
}

fn code(reply: &Reply) -> Option<u32> {
    serde_json::from_slice::<Failure>(&reply.body).ok().map(|failure| failure.error_code)
}

fn success(reply: &Reply, doing: &dyn Fn() -> String) -> Result<(), RegistryError> {
    match reply.status {
        200..=299 => Ok(()),
        status => Err(RegistryError::Refused { doing: doing(), status, code: code(reply) }),
    }
}

fn answer<'a, T: Deserialize<'a>>(reply: &'a Reply, doing: &dyn Fn() -> String) -> Result<T, RegistryError> {
    success(reply, doing)?;
    // Serde's own text is not passed on: it may quote the answer.
    serde_json::from_slice(&reply.body)
        .map_err(|_| RegistryError::Malformed { doing: doing(), what: "it is not the JSON that was asked for" })
}

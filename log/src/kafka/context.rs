//! What Kafka's client tells by itself: its log, its errors, and, to consumers, what the group decided.

use crate::TopicPartition;
use crate::broker::wake::lock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the group decided, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupStep {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    /// Given to others already.
    Lost(Vec<TopicPartition>),
}

/// Shared between a client and whoever uses it.
#[derive(Default)]
pub(super) struct Context {
    /// The last complaint, for the text of a timeout, which by itself says nothing.
    reason: Mutex<Option<String>>,
    /// The brokers know us, and refuse us.
    refused: Mutex<Option<String>>,
    steps: Mutex<VecDeque<GroupStep>>,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn said(&self, level: Level, facility: &str, text: &str) {
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error | Level::Warning => tracing::warn!(facility, "{text}"),
            Level::Notice | Level::Info => tracing::info!(facility, "{text}"),
            Level::Debug => tracing::debug!(facility, "{text}"),
        }
    }

    pub(super) fn failed(&self, code: Code, reason: &str) {
        tracing::warn!(%code, "{reason}");
        if matches!(code, Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism) {
            *lock(&self.refused) = Some(reason.to_owned());
        }
        // That all brokers are down follows from what was said of each.
        if code != Code::AllBrokersDown {
            *lock(&self.reason) = Some(reason.to_owned());
        }
    }

    /// Why requests get no answer, as far as it is known.
    pub(super) fn reason(&self) -> Option<String> {
        lock(&self.reason).clone()
    }

    /// Set once the brokers refused our name and password.
    pub(super) fn refused(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    /// From now on the group's steps are answered where they arrive.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn push(&self, step: GroupStep) {
        lock(&self.steps).push_back(step);
    }

    pub(super) fn next(&self) -> Option<GroupStep> {
        lock(&self.steps).pop_front()
    }
}

impl ClientContext for Context {
    fn log(&self, level: Level, facility: &str, text: &str) {
        self.said(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.failed(error.rdkafka_error_code().unwrap_or(Code::Unknown), reason);
    }
}

//! What Kafka's client tells by itself: its log, its errors, to consumers what the group decided, and to producers what became
//! of their records.

use crate::broker::wake::lock;
use crate::{AppendNumber, TopicPartition};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What the group decided, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupStep {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    /// Given to others already.
    Lost(Vec<TopicPartition>),
}

/// A record that the brokers did not take.
#[derive(Clone)]
pub(super) struct Undelivered {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) code: Code,
}

/// Shared between a client and whoever uses it.
#[derive(Default)]
pub(super) struct Context {
    /// The last complaint, for the text of a timeout, which by itself says nothing.
    reason: Mutex<Option<String>>,
    /// The brokers know us, and refuse us.
    refused: Mutex<Option<(String, Instant)>>,
    steps: Mutex<VecDeque<GroupStep>>,
    closing: AtomicBool,
    /// What was acknowledged and is not taken yet.
    delivered: Mutex<Vec<AppendNumber>>,
    undelivered: Mutex<Option<Undelivered>>,
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
        // Connections that fail are in the client's log already.
        match code {
            Code::BrokerTransportFailure | Code::Resolve | Code::SSL | Code::Authentication => tracing::debug!(%code, "{reason}"),
            _ => tracing::warn!(%code, "{reason}"),
        }
        if is_refusal(code, reason) {
            *lock(&self.refused) = Some((reason.to_owned(), Instant::now()));
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

    /// Set once the brokers refused our name and password, or our token; and when they last did.
    pub(super) fn refused(&self) -> Option<(String, Instant)> {
        lock(&self.refused).clone()
    }

    /// The refusal was of a token that is no more.
    pub(super) fn forgive(&self) {
        *lock(&self.refused) = None;
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

    pub(super) fn delivered(&self, number: AppendNumber) {
        lock(&self.delivered).push(number);
    }

    /// Swaps what was acknowledged since the last time for an empty list.
    pub(super) fn take_delivered(&self, empty: &mut Vec<AppendNumber>) {
        std::mem::swap(&mut *lock(&self.delivered), empty);
    }

    /// The first is the cause; those behind it follow from it.
    pub(super) fn undelivered(&self, record: Undelivered) {
        lock(&self.undelivered).get_or_insert(record);
    }

    pub(super) fn first_undelivered(&self) -> Option<Undelivered> {
        lock(&self.undelivered).clone()
    }
}

/// Whether the brokers do not want us. A connection that ends in the middle of the greeting has the same code, and so has a broker
/// that has just closed the session of a token that is over: both pass.
fn is_refusal(code: Code, reason: &str) -> bool {
    matches!(code, Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism)
        && !reason.contains("handshake failed: Local: ")
        && !reason.contains("Request not valid in current SASL state")
}

impl ClientContext for Context {
    fn log(&self, level: Level, facility: &str, text: &str) {
        self.said(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.failed(error.rdkafka_error_code().unwrap_or(Code::Unknown), reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_that_is_cut_off_is_no_refusal() {
        let cases = [
            ("SASL authentication error: {\"status\":\"invalid_token\"} (after 314ms in state AUTH_REQ)", true),
            ("SASL authentication error: Authentication failed: Invalid username or password", true),
            ("SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: ", true),
            ("SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a)", false),
            ("SASL OAUTHBEARER mechanism handshake failed: Broker: Request not valid in current SASL state: broker's", false),
        ];
        for (reason, is_refused) in cases {
            let context = Context::default();
            context.failed(Code::Authentication, reason);
            assert_eq!(context.refused().is_some(), is_refused, "{reason}");
        }
    }
}

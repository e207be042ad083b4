//! What each kind of client is told, and why.

use super::config::KafkaConfig;
use crate::limits::{BATCH_BYTES_MAX, FETCH_BYTES_MAX, IN_FLIGHT_RECORDS_MAX};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel as Level;
use std::time::Duration;

/// What a producer waits for more records before it sends a batch.
const LINGER: Duration = Duration::from_millis(5);
/// Another name of `linger.ms`.
const LINGER_ALIAS: &str = "queue.buffering.max.ms";
/// What a consumer holds of records fetched ahead, in KiB, all partitions together.
const FETCHED_AHEAD_KIB_MAX: usize = 32 << 10;
/// How often a member asks whether the group is changing. The default of three seconds is how long every change would take.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How soon a partition is fetched again after what was fetched ahead was enough. The default of one second starves a
/// reader that is faster than that.
const FETCH_AGAIN: Duration = Duration::from_millis(20);

const OWN: &str = "is set by fieldline; its own setting says it";
const DURABLE: &str = "is set by fieldline: nothing may count as written before all replicas in sync have it, once and in order";
const COMMITS: &str = "is set by fieldline: only what is durable downstream is committed";

/// Properties on which the log's promises rest, and what is said to whoever sets them.
pub(super) const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", OWN),
    ("metadata.broker.list", OWN),
    ("client.id", OWN),
    ("group.id", OWN),
    ("group.instance.id", OWN),
    ("session.timeout.ms", OWN),
    ("max.poll.interval.ms", OWN),
    ("acks", DURABLE),
    ("request.required.acks", DURABLE),
    ("enable.idempotence", DURABLE),
    ("max.in.flight", DURABLE),
    ("max.in.flight.requests.per.connection", DURABLE),
    ("message.send.max.retries", DURABLE),
    ("retries", DURABLE),
    ("message.timeout.ms", DURABLE),
    ("delivery.timeout.ms", DURABLE),
    ("transactional.id", "fieldline does not use transactions"),
    ("delivery.report.only.error", "fieldline counts acknowledgements"),
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("auto.offset.reset", "is set by fieldline: an offset that is gone is an error, never a jump"),
    ("partition.assignment.strategy", "is set by fieldline: partitions move one by one, because taking one over is costly"),
    ("group.protocol", "is set by fieldline: the classic protocol"),
    ("enable.partition.eof", "is set by fieldline"),
    ("log.queue", "is set by fieldline"),
    ("allow.auto.create.topics", "fieldline makes its topics itself"),
];

/// A property whose name holds one of these may hold a secret.
pub(super) const SECRET_WORDS: &[&str] = &["password", "secret", "token", "key", "oauthbearer", "assertion", "jaas", "pem"];

fn ms(duration: Duration) -> String {
    duration.as_millis().min(i32::MAX as u128).to_string()
}

fn common(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    // The safe crate would ask the crate `log`, which is not used here.
    client.set_log_level(if config.properties.contains_key("debug") { Level::Debug } else { Level::Info });
    client.set("bootstrap.servers", &config.brokers).set("client.id", &config.client_id);
    if !config.properties.contains_key("security.protocol") {
        let has_sasl = config.sasl.is_some() || config.oauth.is_some();
        let protocol = match (config.tls.is_some(), has_sasl) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
    }
    if let Some(tls) = &config.tls {
        let files =
            [("ssl.ca.location", &tls.ca_file), ("ssl.certificate.location", &tls.certificate_file), ("ssl.key.location", &tls.key_file)];
        for (name, file) in files {
            if let Some(file) = file {
                client.set(name, file.to_string_lossy());
            }
        }
        if let Some(password) = &tls.key_password {
            client.set("ssl.key.password", password.reveal());
        }
    }
    if let Some(sasl) = &config.sasl {
        client.set("sasl.mechanisms", sasl.mechanism.name());
        client.set("sasl.username", &sasl.username).set("sasl.password", sasl.password.reveal());
    }
    if config.oauth.is_some() {
        client.set("sasl.mechanisms", "OAUTHBEARER");
    }
    client
}

/// Topics, foreign groups' offsets, watermarks.
pub(super) fn admin(config: &KafkaConfig) -> ClientConfig {
    let mut client = common(config);
    client.set("allow.auto.create.topics", "false");
    client
}

/// Of a client that asks what a group has committed and never joins it.
pub(super) fn outsider(config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut client = common(config);
    client.set("group.id", group).set("enable.auto.commit", "false").set("allow.auto.create.topics", "false");
    client
}

pub(super) fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = common(config);
    let defaults = [("linger.ms", ms(LINGER)), ("queue.buffering.max.messages", IN_FLIGHT_RECORDS_MAX.to_string())];
    for (name, value) in defaults {
        if !config.properties.contains_key(name) {
            client.set(name, value);
        }
    }
    client
        .set("acks", "all")
        // Retries neither double nor reorder: five requests in flight at most, numbered.
        .set("enable.idempotence", "true")
        .set("message.max.bytes", BATCH_BYTES_MAX.to_string())
        // For ever: a record that was dropped after a time would be a hole; who waits for room is told instead.
        .set("message.timeout.ms", "0");
    client
}

/// Of few records that are urgent: none waits for another, whatever is set for bulk. And the connections stay: brokers close
/// one that was silent for ten minutes, and an emergency would wait until there is another.
pub(super) fn prompt_producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = producer(config);
    client.remove(LINGER_ALIAS);
    client.set("linger.ms", "0").set("enable.sparse.connections", "false");
    client
}

pub(super) fn consumer(config: &KafkaConfig, group: &str, instance_id: Option<&str>) -> ClientConfig {
    let mut client = common(config);
    let defaults = [
        ("max.partition.fetch.bytes", FETCH_BYTES_MAX.to_string()),
        ("queued.max.messages.kbytes", FETCHED_AHEAD_KIB_MAX.to_string()),
        ("fetch.queue.backoff.ms", ms(FETCH_AGAIN)),
        ("heartbeat.interval.ms", ms(HEARTBEAT)),
        ("check.crcs", "true".to_owned()),
    ];
    for (name, value) in defaults {
        if !config.properties.contains_key(name) {
            client.set(name, value);
        }
    }
    client
        .set("group.id", group)
        .set("group.protocol", "classic")
        // Range and round robin revoke everything at every change, and each owner would then rebuild hours of state for
        // partitions that it has had all along. Here only what moves is revoked.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", ms(config.timeouts.session))
        .set("max.poll.interval.ms", ms(config.timeouts.poll_interval))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false");
    if let Some(instance_id) = instance_id {
        client.set("group.instance.id", instance_id);
    }
    client
}

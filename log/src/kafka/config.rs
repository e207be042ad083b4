//! How a cluster is reached: what is typed, checked once.

use super::properties::{RESERVED, SECRET_WORDS};
use super::tokens::OAuth;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A password. It is not shown by `Debug`, and no error holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Encryption towards the brokers. Needs the feature `tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of the authorities that are believed, PEM. `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key, PEM, where the brokers ask for one.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Passwords travel as they are: only over TLS, or where nobody listens.
    Plain,
    /// Needs the feature `tls`, also without encryption: its hashes are OpenSSL's.
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub username: String,
    pub password: Secret,
}

/// Waits, each with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// How long opening waits for a first answer of any broker. Default 30 s.
    pub connect: Duration,
    /// One attempt of one request. Default 10 s.
    pub request: Duration,
    /// How long a request that fails for a passing reason is tried again. `None`, the default: until it succeeds, or
    /// `KafkaLog::give_up` is called.
    pub retry: Option<Duration>,
    /// How long an append may wait for room while nothing is acknowledged. Default 30 s.
    pub append: Duration,
    /// After so long without a sign of life a member's partitions go to others. Default 45 s.
    pub session: Duration,
    /// After so long without a poll a member's partitions go to others, and so long a rebalance waits for members that
    /// finish what they have in hand. Default 5 min.
    pub poll_interval: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            request: Duration::from_secs(10),
            retry: None,
            append: crate::limits::APPEND_WAIT_MAX,
            session: Duration::from_secs(45),
            poll_interval: Duration::from_secs(300),
        }
    }
}

/// How a cluster is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas; the others of the cluster are found through any one of them.
    pub brokers: String,
    /// What the brokers' logs and quotas call this client.
    pub client_id: String,
    /// Static membership: members of a group are called `<this>-<number>`, and keep their partitions over a restart that
    /// takes less than the session timeout. It must be unique to the process and the same after its restart. The price:
    /// a member that goes for good is missed only after the session timeout. `None`: members leave when they are dropped.
    pub instance_id: Option<String>,
    /// Copies of each topic that is made here; `None`: what the cluster has as its default.
    pub replication_factor: Option<i32>,
    /// Topics carry the time that a record names (`CreateTime`), for time-lapse and replay. Otherwise the broker's clock
    /// is the append time, and a record that names its own is refused.
    pub event_time: bool,
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
    /// In the place of `sasl`: tokens.
    pub oauth: Option<OAuth>,
    /// Any property of librdkafka, for producers, consumers and administration alike; those on which the log's promises
    /// rest are refused.
    pub properties: BTreeMap<String, String>,
    pub timeouts: Timeouts,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            client_id: "fieldline".to_owned(),
            instance_id: None,
            replication_factor: None,
            event_time: false,
            tls: None,
            sasl: None,
            oauth: None,
            properties: BTreeMap::new(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Properties are shown by name: some values are secrets.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| SECRET_WORDS.iter().all(|word| !name.contains(word));
        let properties: BTreeMap<_, _> =
            self.properties.iter().map(|(name, value)| (name, if shown(name) { value.as_str() } else { "…" })).collect();
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("client_id", &self.client_id)
            .field("instance_id", &self.instance_id)
            .field("replication_factor", &self.replication_factor)
            .field("event_time", &self.event_time)
            .field("tls", &self.tls)
            .field("sasl", &self.sasl)
            .field("oauth", &self.oauth)
            .field("properties", &properties)
            .field("timeouts", &self.timeouts)
            .finish()
    }
}

impl KafkaConfig {
    /// What cannot work, said before anything is tried.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |name: &str, reason: &str| Err(Error::KafkaSetting { name: name.to_owned(), reason: reason.to_owned() });
        if self.brokers.trim().is_empty() {
            return refuse("brokers", "names no broker; give host:port");
        }
        for name in self.properties.keys() {
            if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
                return refuse(name, reason);
            }
        }
        if self.sasl.is_some() && self.oauth.is_some() {
            return refuse("sasl", "names a user and a source of tokens; one of the two is wanted");
        }
        if self.timeouts.session > self.timeouts.poll_interval {
            return refuse("timeouts", "the session timeout is longer than the poll interval");
        }
        if !cfg!(feature = "tls")
            && let Some((name, what)) = self.needs_tls()
        {
            return Err(Error::KafkaSetting {
                name: name.to_owned(),
                reason: format!(
                    "{what} needs OpenSSL, which is not part of this program; build it with `--features tls` \
                     (the system's OpenSSL) or `--features tls-vendored` (compiled along, needs Perl)"
                ),
            });
        }
        Ok(())
    }

    fn needs_tls(&self) -> Option<(&'static str, &'static str)> {
        let property = |name: &str| self.properties.get(name).map(|value| value.to_ascii_lowercase()).unwrap_or_default();
        let mechanism = property("sasl.mechanism") + &property("sasl.mechanisms");
        if self.tls.is_some() {
            Some(("tls", "encryption"))
        } else if property("security.protocol").contains("ssl") && property("security.protocol") != "sasl_plaintext" {
            Some(("security.protocol", "encryption"))
        } else if self.sasl.as_ref().is_some_and(|sasl| sasl.mechanism != Mechanism::Plain) || mechanism.contains("scram") {
            Some(("sasl", "SCRAM"))
        } else if self.oauth.is_some() || mechanism.contains("oauthbearer") {
            Some(("sasl", "OAUTHBEARER"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_nowhere() {
        let secret = "hunter2";
        let properties = ["ssl.key.password", "sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.pem", "sasl.oauthbearer.config"];
        let config = KafkaConfig {
            tls: Some(Tls { key_password: Some(Secret::new(secret)), ..Tls::default() }),
            sasl: Some(Sasl { mechanism: Mechanism::Plain, username: "u".into(), password: Secret::new(secret) }),
            properties: properties.iter().map(|name| ((*name).to_owned(), secret.to_owned())).collect(),
            ..KafkaConfig::default()
        };
        assert!(!format!("{config:?} {config:#?}").contains(secret));
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_set() {
        for name in ["acks", "enable.idempotence", "enable.auto.commit", "auto.offset.reset", "group.id"] {
            let properties = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
            let refused = KafkaConfig { properties, ..KafkaConfig::default() }.check();
            assert!(matches!(&refused, Err(Error::KafkaSetting { name: named, .. }) if named == name), "{refused:?}");
        }
        let properties = BTreeMap::from([("compression.codec".to_owned(), "lz4".to_owned())]);
        KafkaConfig { properties, ..KafkaConfig::default() }.check().unwrap();
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn security_without_openssl_says_how_to_get_it() {
        let sasl = |mechanism| KafkaConfig {
            sasl: Some(Sasl { mechanism, username: "u".into(), password: Secret::new("p") }),
            ..KafkaConfig::default()
        };
        let property = |name: &str, value: &str| KafkaConfig {
            properties: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..KafkaConfig::default()
        };
        for config in [
            KafkaConfig { tls: Some(Tls::default()), ..KafkaConfig::default() },
            sasl(Mechanism::ScramSha256),
            sasl(Mechanism::ScramSha512),
            property("security.protocol", "SASL_SSL"),
            property("security.protocol", "ssl"),
            property("sasl.mechanisms", "OAUTHBEARER"),
        ] {
            let refused = config.check().unwrap_err().to_string();
            assert!(refused.contains("--features tls"), "{refused}");
        }
        sasl(Mechanism::Plain).check().unwrap();
        property("security.protocol", "SASL_PLAINTEXT").check().unwrap();
    }
}

//! Settings of Kafka.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A value that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where Apache Kafka is, and how to speak to it.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    pub brokers: String,
    pub client_id: String,
    pub instance_id: Option<String>,
    pub session_timeout: Duration,
    pub replication_factor: Option<i32>,
    pub tls: bool,
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Option<Hidden>,
    pub sasl: Option<SaslSettings>,
    pub oauth: Option<OAuthSettings>,
    pub properties: BTreeMap<String, Hidden>,
}

/// Where tokens are asked for (OAUTHBEARER by client credentials), and with what.
#[derive(Clone, Debug)]
pub struct OAuthSettings {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Hidden,
    pub scope: Option<String>,
    pub extensions: BTreeMap<String, String>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

#[derive(Clone, Debug)]
pub struct SaslSettings {
    pub mechanism: SaslMechanism,
    pub user: String,
    pub password: Hidden,
}

impl KafkaSettings {
    /// `None` where no brokers are set; then the other settings mean nothing.
    pub(super) fn validate(text: &dyn Fn(&str) -> Result<String>, set: &dyn Fn(&str) -> Result<Option<String>>) -> Result<Option<Self>> {
        let Some(brokers) = set("kafka.brokers")? else { return Ok(None) };
        let path = |name: &str| Ok::<_, anyhow::Error>(set(name)?.map(PathBuf::from));
        let replication_factor = set("kafka.replication_factor")?.map(|copies| {
            let parsed = copies.parse::<i32>().ok().filter(|n| (1..=100).contains(n));
            parsed.with_context(|| format!("kafka.replication_factor = {copies:?}: a whole number from 1 to 100 is wanted"))
        });
        let session = text("kafka.session_timeout_ms")?;
        let session_ms = session.parse::<u64>().ok().filter(|ms| (1_000..=300_000).contains(ms));
        let session_ms = session_ms.with_context(|| format!("kafka.session_timeout_ms = {session:?}: 1000 to 300000 is wanted"))?;
        let tls = text("kafka.tls")?;
        let tls = tls.parse().ok().with_context(|| format!("kafka.tls = {tls:?}: true or false is wanted"))?;
        let sasl = match set("kafka.sasl_mechanism")?.as_deref() {
            None | Some("oauthbearer") => None,
            Some(mechanism) => Some(SaslSettings {
                mechanism: match mechanism {
                    "plain" => SaslMechanism::Plain,
                    "scram-sha-256" => SaslMechanism::ScramSha256,
                    "scram-sha-512" => SaslMechanism::ScramSha512,
                    _ => bail!("kafka.sasl_mechanism = {mechanism:?}: plain, scram-sha-256, scram-sha-512 or oauthbearer is wanted"),
                },
                user: set("kafka.user")?.context("kafka.sasl_mechanism is set, so kafka.user is wanted too")?,
                password: Hidden(set("kafka.password")?.context("kafka.sasl_mechanism is set, so kafka.password is wanted too")?),
            }),
        };
        let pairs = |name: &'static str| -> Result<Vec<(String, String)>> {
            let split = |pair: &str| {
                let (key, value) =
                    pair.split_once('=').with_context(|| format!("{name}: name=value pairs separated by spaces are wanted"))?;
                Ok((key.to_owned(), value.to_owned()))
            };
            text(name)?.split_whitespace().map(split).collect()
        };
        let properties = pairs("kafka.properties")?.into_iter().map(|(name, value)| (name, Hidden(value))).collect();
        let oauth = match set("kafka.sasl_mechanism")?.as_deref() {
            Some("oauthbearer") => {
                let wanted =
                    |name: &str| set(name)?.with_context(|| format!("kafka.sasl_mechanism = oauthbearer, so {name} is wanted too"));
                Some(OAuthSettings {
                    token_url: token_url(wanted("kafka.oauth_token_url")?)?,
                    client_id: wanted("kafka.oauth_client_id")?,
                    client_secret: Hidden(wanted("kafka.oauth_client_secret")?),
                    scope: set("kafka.oauth_scope")?,
                    extensions: pairs("kafka.oauth_extensions")?.into_iter().collect(),
                    ca_file: path("kafka.oauth_ca_file")?,
                })
            }
            _ => None,
        };
        Ok(Some(Self {
            brokers,
            client_id: text("kafka.client_id")?,
            instance_id: set("kafka.instance_id")?,
            session_timeout: Duration::from_millis(session_ms),
            replication_factor: replication_factor.transpose()?,
            tls,
            ca_file: path("kafka.ca_file")?,
            certificate_file: path("kafka.certificate_file")?,
            key_file: path("kafka.key_file")?,
            key_password: set("kafka.key_password")?.map(Hidden),
            sasl,
            oauth,
            properties,
        }))
    }
}

/// The client's secret travels there: encrypted, or not beyond this machine.
fn token_url(url: String) -> Result<String> {
    let host = url.strip_prefix("http://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
    let is_here = host.is_some_and(|host| host == "localhost" || host == "127.0.0.1");
    // Without the address, which may hold a login.
    ensure!(
        (url.starts_with("https://") || is_here) && !url.contains(['@', ' ']),
        "kafka.oauth_token_url: https://host/path is wanted, without a login; http:// only on this machine, since the secret travels there"
    );
    Ok(url)
}

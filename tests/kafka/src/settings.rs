//! Ports and `server.properties`.

use crate::KafkaOptions;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the system gives to outgoing connections: one of those could take a broker's while it is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) sasl: u16,
    pub(crate) tls: u16,
    controller: u16,
}

const KEYSTORE_PASSWORD: &str = "not-a-secret";

/// A certificate that vouches for itself, for 127.0.0.1.
pub(crate) struct Certificate {
    keystore: PathBuf,
    pub(crate) pem: PathBuf,
}

impl Certificate {
    /// With Java's own keytool.
    pub(crate) fn make(folder: &Path) -> Self {
        let (keystore, pem) = (folder.join("broker.p12"), folder.join("broker.pem"));
        let keytool = |arguments: &[&str]| {
            let mut command = Command::new("keytool");
            command.args(arguments).arg("-keystore").arg(&keystore).args(["-storepass", KEYSTORE_PASSWORD, "-alias", "broker"]);
            let output = command.output().expect("running keytool");
            assert!(output.status.success(), "keytool {arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        };
        let names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=ip:127.0.0.1", "-ext", "BC=ca:true"];
        keytool(&[&["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12"][..], &names[..]].concat());
        keytool(&["-exportcert", "-rfc", "-file", pem.to_str().expect("a path of letters")]);
        Self { keystore, pem }
    }
}

/// What the brokers of a cluster share.
pub(crate) struct Plan {
    pub(crate) ports: Vec<Ports>,
    properties: Vec<(String, String)>,
    users: Vec<(String, String)>,
    certificate: Option<Certificate>,
    tokens_for_ms: Option<u32>,
}

impl Plan {
    pub(crate) fn new(options: &KafkaOptions, certificate: Option<Certificate>) -> Self {
        assert!(matches!(options.brokers, 1 | 3), "one broker or three, not {}", options.brokers);
        let ports = (0..options.brokers)
            .map(|_| Ports { plain: free_port(), sasl: free_port(), tls: free_port(), controller: free_port() })
            .collect();
        Self {
            ports,
            properties: options.properties.clone(),
            users: options.users.clone(),
            certificate,
            tokens_for_ms: options.tokens_for_ms,
        }
    }

    pub(crate) fn server_properties(&self, number: usize, data: &Path) -> String {
        let Ports { plain, sasl, tls, controller } = self.ports[number];
        let copies = self.ports.len();
        let voters = self.ports.iter().enumerate().map(|(number, ports)| format!("{}@127.0.0.1:{}", number + 1, ports.controller));
        let with_users = !self.users.is_empty();
        let mut listeners = format!("PLAINTEXT://127.0.0.1:{plain}");
        let asking = if self.certificate.is_some() { "SASL_SSL" } else { "SASL_PLAINTEXT" };
        if with_users || self.tokens_for_ms.is_some() {
            _ = write!(listeners, ",{asking}://127.0.0.1:{sasl}");
        }
        if self.certificate.is_some() {
            _ = write!(listeners, ",SSL://127.0.0.1:{tls}");
        }
        let advertised = listeners.clone();
        let mut lines = vec![
            ("process.roles".to_owned(), "broker,controller".to_owned()),
            ("node.id".to_owned(), (number + 1).to_string()),
            ("controller.quorum.voters".to_owned(), voters.collect::<Vec<_>>().join(",")),
            ("listeners".to_owned(), format!("{listeners},CONTROLLER://127.0.0.1:{controller}")),
            ("advertised.listeners".to_owned(), advertised),
            (
                "listener.security.protocol.map".to_owned(),
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT".to_owned(),
            ),
            ("controller.listener.names".to_owned(), "CONTROLLER".to_owned()),
            ("inter.broker.listener.name".to_owned(), "PLAINTEXT".to_owned()),
            ("log.dirs".to_owned(), data.display().to_string()),
            ("default.replication.factor".to_owned(), copies.to_string()),
            ("min.insync.replicas".to_owned(), copies.min(2).to_string()),
            ("offsets.topic.replication.factor".to_owned(), copies.to_string()),
            ("transaction.state.log.replication.factor".to_owned(), copies.to_string()),
            ("transaction.state.log.min.isr".to_owned(), copies.min(2).to_string()),
            // Fifty by default, which take longer to make than a test takes.
            ("offsets.topic.num.partitions".to_owned(), "3".to_owned()),
            ("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned()),
        ];
        let of_asking = format!("listener.name.{}", asking.to_lowercase());
        if with_users {
            let passwords = self.users.iter().map(|(user, password)| format!(" user_{user}=\"{password}\"")).collect::<String>();
            let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
            let scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
            lines.extend([
                ("sasl.enabled.mechanisms".to_owned(), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned()),
                (format!("{of_asking}.plain.sasl.jaas.config"), format!("{module} required{passwords};")),
                (format!("{of_asking}.scram-sha-256.sasl.jaas.config"), format!("{scram} required;")),
                (format!("{of_asking}.scram-sha-512.sasl.jaas.config"), format!("{scram} required;")),
                ("authorizer.class.name".to_owned(), "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
                ("super.users".to_owned(), format!("User:ANONYMOUS;User:{}", self.users[0].0)),
            ]);
        }
        if let Some(for_ms) = self.tokens_for_ms {
            let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
            lines.extend([
                ("sasl.enabled.mechanisms".to_owned(), "OAUTHBEARER".to_owned()),
                (
                    format!("{of_asking}.oauthbearer.sasl.jaas.config"),
                    format!("{module} required unsecuredLoginStringClaim_sub=\"broker\";"),
                ),
                ("connections.max.reauth.ms".to_owned(), for_ms.to_string()),
            ]);
        }
        if let Some(certificate) = &self.certificate {
            lines.extend([
                ("ssl.keystore.location".to_owned(), certificate.keystore.display().to_string()),
                ("ssl.keystore.type".to_owned(), "PKCS12".to_owned()),
                ("ssl.keystore.password".to_owned(), KEYSTORE_PASSWORD.to_owned()),
            ]);
        }
        lines.extend(self.properties.iter().cloned());
        lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

/// A port that nobody listens at, and that no other call of this process got.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16;
    for _ in PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + first.wrapping_mul(97).wrapping_add(step) % (PORTS.end - PORTS.start);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

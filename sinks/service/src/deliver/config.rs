//! Receivers and routes, checked.

use super::message::Template;
use super::policy::Settings;
use super::route::Route;
use super::signature::SigningSecret;
use fieldline_registry::Registry;
use fieldline_schemas::topics::PREFIX_DEFAULT;
use std::path::PathBuf;
use std::time::Duration;

/// A value that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden<T>(pub T);

impl<T> std::fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Everything that delivery needs to know.
#[derive(Clone, Debug)]
pub struct DeliverConfig {
    /// Stands before topic and group names.
    pub prefix: String,
    pub schemas: Registry,
    pub receivers: Vec<Receiver>,
    pub routes: Vec<Route>,
    pub policy: Settings,
}

impl Default for DeliverConfig {
    fn default() -> Self {
        Self {
            prefix: PREFIX_DEFAULT.to_owned(),
            schemas: Registry::default(),
            receivers: vec![Receiver::terminal()],
            routes: Vec::new(),
            policy: Settings::default(),
        }
    }
}

/// Somebody, or something, that is told of alerts.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Lowercase letters, digits, `-` and `_`: it names a consumer group and a metric's label.
    pub name: String,
    pub channel: Channel,
    pub deadlines: Deadlines,
    /// Attempts under way at once.
    pub in_flight_max: usize,
    /// Attempts within any minute, emergencies not counted; what is beyond it waits. `None`: no limit.
    pub per_minute_max: Option<u32>,
}

impl Receiver {
    pub fn new(name: &str, channel: Channel) -> Self {
        Self { name: name.to_owned(), channel, deadlines: Deadlines::default(), in_flight_max: 8, per_minute_max: None }
    }

    /// Needs nothing: a line on standard error.
    pub fn terminal() -> Self {
        Self::new("terminal", Channel::Terminal)
    }

    pub fn is_name(name: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        (1..=64).contains(&name.len()) && name.chars().all(is_plain)
    }
}

/// Two of the three deadlines; the third, of all attempts together, is the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To open a connection.
    pub connect: Duration,
    /// From the first byte of a request to the last of its answer, connecting included.
    pub attempt: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), attempt: Duration::from_secs(10) }
    }
}

/// Where to, and in what form.
#[derive(Clone, Debug)]
pub enum Channel {
    Terminal,
    Webhook { endpoint: Endpoint, style: Style, secret: Option<SigningSecret> },
    Alertmanager { endpoint: Endpoint, resend_every: Duration },
    PagerDuty { endpoint: Endpoint, routing_key: Hidden<String> },
    Mail(Mailbox),
}

impl Channel {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Webhook { style: Style::Json | Style::Template(_), .. } => "webhook",
            Self::Webhook { style: Style::Slack, .. } => "slack",
            Self::Webhook { style: Style::Teams, .. } => "teams",
            Self::Alertmanager { .. } => "alertmanager",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Mail(_) => "mail",
        }
    }

    /// Whether several alerts can go in one message. Alertmanager groups by itself, an incident of PagerDuty is one alert, and a
    /// text of one's own is made for one.
    pub const fn groups(&self) -> bool {
        !matches!(self, Self::Alertmanager { .. } | Self::PagerDuty { .. } | Self::Webhook { style: Style::Template(_), .. })
    }

    /// How often open alerts are told again, if they are.
    pub const fn resend_every(&self) -> Option<Duration> {
        match self {
            Self::Alertmanager { resend_every, .. } => Some(*resend_every),
            _ => None,
        }
    }
}

/// The body of a webhook.
#[derive(Clone, Debug)]
pub enum Style {
    Json,
    Slack,
    Teams,
    Template(Template),
}

/// An HTTP server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Often a secret by itself.
    pub url: Hidden<String>,
    /// PEM file of the authorities that are believed instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Endpoint {
    pub fn new(url: &str) -> Self {
        Self { url: Hidden(url.to_owned()), ca_file: None }
    }
}

/// A mail server and who gets the mail.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// PEM file of the authorities that are believed instead of the public ones.
    pub ca_file: Option<PathBuf>,
    pub login: Option<(String, Hidden<String>)>,
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte (smtps).
    Wrapped,
    /// STARTTLS, demanded.
    StartTls,
    /// None, for a relay on the same machine.
    Plain,
}

//! Receivers and routes: lists, and so in the file only.

use super::secret_file;
use anyhow::{Context, Result, bail, ensure};
use fieldline_schemas::alerts::FlagCode;
use fieldline_schemas::events::Severity;
use fieldline_sinks::deliver::{
    Channel, Deadlines, Encryption, Endpoint, GroupBy, Hidden, Mailbox, Receiver, Route, SigningSecret, Style, Template, check,
};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// Who is told of alerts.
#[derive(Clone, Debug)]
pub struct Receivers {
    pub receivers: Vec<Receiver>,
    pub routes: Vec<Route>,
}

impl Default for Receivers {
    fn default() -> Self {
        Self { receivers: vec![Receiver::terminal()], routes: Vec::new() }
    }
}

/// `[[receivers]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiverTable {
    name: String,
    channel: String,
    url: Option<String>,
    url_file: Option<String>,
    secret: Option<String>,
    secret_file: Option<String>,
    ca_file: Option<PathBuf>,
    template: Option<String>,
    template_file: Option<PathBuf>,
    resend_seconds: Option<u64>,
    per_minute_max: Option<u32>,
    in_flight_max: Option<usize>,
    connect_timeout_ms: Option<u64>,
    attempt_timeout_ms: Option<u64>,
    user: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
}

/// `[[routes]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    receiver: String,
    #[serde(default)]
    flags: Vec<String>,
    severity_min: Option<String>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    stop: bool,
    group_wait_seconds: Option<u64>,
    #[serde(default)]
    group_by: Vec<String>,
}

impl Receivers {
    /// Takes the two lists out of the file's table.
    pub(super) fn take(table: &mut toml::Table) -> Result<Self> {
        let mut receivers: Vec<Receiver> = Vec::new();
        for (number, value) in list(table, "receivers")?.into_iter().enumerate() {
            let of = || format!("receivers, number {}", number + 1);
            let raw: ReceiverTable = value.try_into().with_context(of)?;
            let name = raw.name.clone();
            ensure!(Receiver::is_name(&name), "{}: name = {name:?}: lowercase letters, digits, - and _ are wanted, at most 64", of());
            ensure!(receivers.iter().all(|other| other.name != name), "{}: the name {name:?} is there twice", of());
            let receiver = raw.receiver().with_context(|| format!("receiver {name}"))?;
            check(&receiver)?;
            receivers.push(receiver);
        }
        let mut routes = Vec::new();
        for (number, value) in list(table, "routes")?.into_iter().enumerate() {
            let of = || format!("routes, number {}", number + 1);
            let route = value.try_into::<RouteTable>().map_err(anyhow::Error::from).and_then(RouteTable::route).with_context(of)?;
            let receiver = receivers.iter().find(|receiver| receiver.name == route.receiver);
            let receiver = receiver.with_context(|| format!("{}: there is no receiver {:?}", of(), route.receiver))?;
            let can_group = route.group_wait.is_zero() || receiver.channel.groups();
            ensure!(can_group, "{}: group_wait_seconds: receiver {:?} takes one alert in a message", of(), route.receiver);
            routes.push(route);
        }
        let unreached = receivers.iter().find(|receiver| !routes.is_empty() && routes.iter().all(|route| route.receiver != receiver.name));
        if let Some(receiver) = unreached {
            bail!("no route leads to receiver {:?}: name it in one, or take it out", receiver.name);
        }
        Ok(if receivers.is_empty() { Self::default() } else { Self { receivers, routes } })
    }
}

fn list(table: &mut toml::Table, name: &str) -> Result<Vec<toml::Value>> {
    match table.remove(name) {
        None => Ok(Vec::new()),
        Some(toml::Value::Array(values)) => Ok(values),
        Some(_) => bail!("{name}: a list is wanted, each entry under [[{name}]]"),
    }
}

/// A value or the first line of its file.
fn either(name: &str, value: Option<String>, file: Option<String>) -> Result<Option<String>> {
    ensure!(value.is_none() || file.is_none(), "{name} and {name}_file: one of them is wanted");
    file.map_or(Ok(value), |path| secret_file(name, &path).map(Some))
}

impl ReceiverTable {
    fn receiver(self) -> Result<Receiver> {
        let url = either("url", self.url.clone(), self.url_file.clone())?;
        let secret = either("secret", self.secret.clone(), self.secret_file.clone())?;
        let channel = self.channel(url, secret)?;
        let standard = Receiver::new(&self.name, channel);
        let time = |name: &str, ms: Option<u64>, otherwise: Duration| -> Result<Duration> {
            ensure!(ms.is_none_or(|ms| (10..=120_000).contains(&ms)), "{name}: 10 to 120000 is wanted");
            Ok(ms.map_or(otherwise, Duration::from_millis))
        };
        let in_flight_max = self.in_flight_max.unwrap_or(standard.in_flight_max);
        ensure!((1..=64).contains(&in_flight_max), "in_flight_max = {in_flight_max}: 1 to 64 is wanted");
        ensure!(self.per_minute_max != Some(0), "per_minute_max = 0: nothing would ever be sent; at least 1 is wanted");
        Ok(Receiver {
            deadlines: Deadlines {
                connect: time("connect_timeout_ms", self.connect_timeout_ms, standard.deadlines.connect)?,
                attempt: time("attempt_timeout_ms", self.attempt_timeout_ms, standard.deadlines.attempt)?,
            },
            in_flight_max,
            per_minute_max: self.per_minute_max,
            ..standard
        })
    }

    fn channel(&self, url: Option<String>, secret: Option<String>) -> Result<Channel> {
        let kind = self.channel.as_str();
        let known = ["terminal", "webhook", "slack", "teams", "alertmanager", "pagerduty", "mail"];
        ensure!(known.contains(&kind), "channel = {kind:?}: one of {} is wanted", known.join(", "));
        // What a channel does not read would otherwise be a setting that does nothing.
        let only = |set: bool, name: &str, channels: &[&str]| -> Result<()> {
            ensure!(!set || channels.contains(&kind), "{name}: channel {kind} has no use for it");
            Ok(())
        };
        only(url.is_some(), "url", &["webhook", "slack", "teams", "alertmanager", "pagerduty", "mail"])?;
        only(secret.is_some(), "secret", &["webhook", "pagerduty", "mail"])?;
        only(self.ca_file.is_some(), "ca_file", &["webhook", "slack", "teams", "alertmanager", "pagerduty", "mail"])?;
        only(self.template.is_some() || self.template_file.is_some(), "template", &["webhook"])?;
        only(self.resend_seconds.is_some(), "resend_seconds", &["alertmanager"])?;
        only(self.user.is_some() || self.from.is_some() || self.to.is_some(), "user, from and to", &["mail"])?;
        let endpoint = |url: Option<String>| -> Result<Endpoint> {
            let url = url.context("url is wanted")?;
            // The address itself is not shown: with Slack and Teams it is the secret.
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            ensure!(is_http, "url: http:// or https:// is wanted");
            Ok(Endpoint { url: Hidden(url), ca_file: self.ca_file.clone() })
        };
        Ok(match kind {
            "terminal" => Channel::Terminal,
            "webhook" => {
                let secret = secret.map(|secret| SigningSecret::parse(&secret)).transpose().context("secret")?;
                Channel::Webhook { endpoint: endpoint(url)?, style: self.style()?, secret }
            }
            "slack" => Channel::Webhook { endpoint: endpoint(url)?, style: Style::Slack, secret: None },
            "teams" => Channel::Webhook { endpoint: endpoint(url)?, style: Style::Teams, secret: None },
            "alertmanager" => {
                let seconds = self.resend_seconds.unwrap_or(60);
                ensure!((1..=3_600).contains(&seconds), "resend_seconds = {seconds}: 1 to 3600 is wanted");
                Channel::Alertmanager { endpoint: endpoint(url)?, resend_every: Duration::from_secs(seconds) }
            }
            "pagerduty" => {
                let routing_key = Hidden(secret.context("secret is wanted: the integration's routing key")?);
                Channel::PagerDuty { endpoint: endpoint(Some(url.unwrap_or_else(|| PAGERDUTY_URL.to_owned())))?, routing_key }
            }
            _ => Channel::Mail(self.mailbox(&url.context("url is wanted")?, secret)?),
        })
    }

    fn style(&self) -> Result<Style> {
        let text = match (&self.template, &self.template_file) {
            (Some(_), Some(_)) => bail!("template and template_file: one of them is wanted"),
            (Some(text), None) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("reading template_file {}", path.display()))?,
            (None, None) => return Ok(Style::Json),
        };
        Ok(Style::Template(Template::parse(&text).context("template")?))
    }

    /// `smtps://host:465`, `smtp://host:587` (STARTTLS) or `smtp+plain://host:25`.
    fn mailbox(&self, url: &str, password: Option<String>) -> Result<Mailbox> {
        let wanted = "url: smtps://host, smtp://host (STARTTLS) or smtp+plain://host is wanted, with :port where it is another";
        let (scheme, place) = url.split_once("://").context(wanted)?;
        let (encryption, port) = match scheme {
            "smtps" => (Encryption::Wrapped, 465),
            "smtp" => (Encryption::StartTls, 587),
            "smtp+plain" => (Encryption::Plain, 25),
            _ => bail!(wanted),
        };
        let place = place.trim_end_matches('/');
        ensure!(!place.is_empty() && !place.contains(['@', '/']), "{wanted}; user and secret stand by themselves");
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => (host, port.parse().ok().context(wanted)?),
            _ => (place, port),
        };
        let login = match (&self.user, password) {
            (Some(user), Some(password)) => Some((user.clone(), Hidden(password))),
            (None, None) => None,
            _ => bail!("user and secret: both are wanted, or neither"),
        };
        let to = self.to.clone().unwrap_or_default();
        ensure!(!to.is_empty(), "to: at least one address is wanted");
        let from = self.from.clone().context("from is wanted")?;
        Ok(Mailbox { host: host.to_owned(), port, encryption, ca_file: self.ca_file.clone(), login, from, to })
    }
}

impl RouteTable {
    fn route(self) -> Result<Route> {
        let flag = |symbol: &String| {
            let known = || FlagCode::ALL.iter().map(|flag| flag.symbol()).collect::<Vec<_>>().join(", ");
            FlagCode::from_symbol(symbol).with_context(|| format!("flags: {symbol:?} is none of {}", known()))
        };
        let severity = |symbol: String| {
            Severity::from_symbol(&symbol).with_context(|| format!("severity_min = {symbol:?}: info, warning, error or critical is wanted"))
        };
        let by = |symbol: &String| {
            let known = || GroupBy::ALL.map(GroupBy::symbol).join(", ");
            let found = GroupBy::ALL.into_iter().find(|by| by.symbol() == symbol);
            found.with_context(|| format!("group_by: {symbol:?} is none of {}", known()))
        };
        let group_wait_seconds = self.group_wait_seconds.unwrap_or(0);
        ensure!(group_wait_seconds <= 3_600, "group_wait_seconds = {group_wait_seconds}: at most 3600 is wanted");
        ensure!(self.group_by.is_empty() || group_wait_seconds > 0, "group_by: group_wait_seconds is wanted with it");
        Ok(Route {
            receiver: self.receiver,
            flags: self.flags.iter().map(flag).collect::<Result<_>>()?,
            severity_min: self.severity_min.map(severity).transpose()?,
            teams: self.teams,
            stop: self.stop,
            group_wait: Duration::from_secs(group_wait_seconds),
            group_by: self.group_by.iter().map(by).collect::<Result<_>>()?,
        })
    }
}

/// What the sample file says of the lists.
pub(super) const SAMPLE: &str = r#"
# Who is told of alerts. Lists stand at the end of the file, and in the file only. Without a receiver every alert is a line on
# standard error. Emergencies (S1, S6) pass through silences and limits.
#
# [[receivers]]
# name = "desk"                        # lowercase letters, digits, - and _; a receiver of another name is told everything again
# channel = "webhook"                  # terminal, webhook, slack, teams, alertmanager, pagerduty or mail
# url = "https://desk.example/hook"    # or url_file; alertmanager: its base; pagerduty: not needed; mail: smtps://, smtp://
#                                      # (STARTTLS) or smtp+plain:// with host and port
# secret_file = "desk.secret"          # or secret. webhook: whsec_..., which signs; pagerduty: the routing key; mail: the password
# ca_file = "house.pem"                # the authorities that are believed instead of the public ones
# template_file = "desk.json"          # or template. webhook: a body of one's own, with {{alert_id}}, {{flag}}, {{severity}}, ...
# resend_seconds = 60                  # alertmanager: how often open alerts are told again; below its resolve_timeout
# user = "fieldline"                   # mail
# from = "fieldline@example.org"       # mail
# to = ["desk@example.org"]            # mail
# per_minute_max = 30                  # attempts in any minute; what is beyond waits. Not set: no limit
# in_flight_max = 8                    # attempts at once
# connect_timeout_ms = 3000
# attempt_timeout_ms = 10000
#
# Every route that fits leads to its receiver. Without routes everyone is told of everything; an emergency that no route fits
# goes to everyone.
#
# [[routes]]
# receiver = "desk"
# flags = ["S1", "S6"]                 # not set: any
# severity_min = "warning"             # info, warning, error or critical; not set: any
# teams = ["north"]                    # teams of the technician, as contacts name them; not set: any
# stop = false                         # true: what fits here is not led further by the routes below
# group_wait_seconds = 30              # an alert waits so long for others to go in one message with it, S1 and S6 never; not set: none waits
# group_by = ["flag", "team"]          # what those of one message have in common: flag, severity, team, technician; not set: nothing
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Receivers> {
        Receivers::take(&mut text.parse()?)
    }

    #[test]
    fn nothing_configured_is_a_terminal() {
        let receivers = read("").unwrap();
        assert_eq!((receivers.receivers[0].name.as_str(), receivers.receivers.len(), receivers.routes.len()), ("terminal", 1, 0));
        assert!(read(&SAMPLE.replace("\n#", "\n")).is_err(), "the sample is a comment");
    }

    /// Uncommented, and without what belongs to other channels, the sample is what it says.
    #[test]
    fn the_sample_is_read() {
        let of_others = ["secret_file", "ca_file", "template_file", "resend_seconds", "user", "from", "to ="];
        let is_setting = |line: &str| line.starts_with("[[") || line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        let lines = SAMPLE.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| is_setting(line));
        let text: Vec<_> = lines.filter(|line| !of_others.iter().any(|other| line.starts_with(other))).collect();
        let read = read(&text.join("\n")).unwrap();
        let receiver = &read.receivers[0];
        assert_eq!((receiver.channel.name(), receiver.per_minute_max, receiver.in_flight_max), ("webhook", Some(30), 8));
        assert_eq!(receiver.deadlines, Deadlines::default());
        assert_eq!((read.routes[0].flags.len(), read.routes[0].severity_min), (2, Some(Severity::Warning)));
    }

    #[test]
    fn wrong_lists_are_refused_with_the_place_named() {
        let desk = "[[receivers]]\nname = \"desk\"\nchannel = \"slack\"\nurl = \"https://h/s\"\n";
        let mail = "[[receivers]]\nname = \"m\"\nchannel = \"mail\"\nurl = \"smtps://h\"\nfrom = \"a@b.example\"\n";
        let cases = [
            ("receivers = 1", "receivers"),
            ("[[receivers]]\nname = \"a b\"\nchannel = \"terminal\"", "number 1: name"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"fax\"", "receiver a: channel = \"fax\""),
            ("[[receivers]]\nname = \"a\"\nchannel = \"slack\"", "receiver a: url is wanted"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"slack\"\nurl = \"ftp://h\"", "http:// or https://"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"terminal\"\nurl = \"http://h\"", "url: channel terminal has no use for it"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"slack\"\nurl = \"http://h\"\ntemplate = \"1\"", "template"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"webhook\"\nurl = \"http://h\"\ntemplate = \"{{no}}\"", "{{no}} is no field"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"webhook\"\nurl = \"http://h\"\nsecret = \"hunter2\"", "secret: whsec_"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"webhook\"\nurl = \"http://h\"\nca_file = \"/no/such\"", "/no/such"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"pagerduty\"", "routing key"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"terminal\"\nper_minute_max = 0", "per_minute_max"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"terminal\"\ncolour = 1", "colour"),
            ("[[receivers]]\nname = \"a\"\nchannel = \"slack\"\nurl_file = \"/no/such\"", "/no/such"),
            (&format!("{desk}{desk}"), "twice"),
            (mail, "to: at least one"),
            (&format!("{mail}to = [\"nobody\"]"), "no mail address"),
            (&format!("{mail}to = [\"a@b.example\"]\nsecret = \"x\""), "user and secret"),
            (&format!("{desk}[[routes]]\nreceiver = \"desk\"\nflags = [\"S2\"]"), "\"S2\" is none of S1, S4"),
            (&format!("{desk}[[routes]]\nreceiver = \"dsk\""), "no receiver \"dsk\""),
            (&format!("{desk}[[routes]]\nreceiver = \"desk\"\nseverity_min = \"bad\""), "severity_min"),
            (&format!("{desk}[[routes]]\nreceiver = \"desk\"\ngroup_by = [\"flag\"]"), "group_wait_seconds is wanted"),
            (&format!("{desk}[[routes]]\nreceiver = \"desk\"\ngroup_wait_seconds = 9\ngroup_by = [\"city\"]"), "none of flag, severity"),
            (&format!("{desk}[[routes]]\nreceiver = \"desk\"\ngroup_wait_seconds = 9999"), "at most 3600"),
            (
                "[[receivers]]\nname = \"p\"\nchannel = \"pagerduty\"\nsecret = \"x\"\n[[routes]]\nreceiver = \"p\"\ngroup_wait_seconds = 9",
                "takes one alert in a message",
            ),
            (
                &format!("{desk}[[receivers]]\nname = \"b\"\nchannel = \"terminal\"\n[[routes]]\nreceiver = \"desk\""),
                "no route leads to receiver \"b\"",
            ),
        ];
        for (text, expect) in cases {
            let error = format!("{:#}", read(text).map(|_| ()).unwrap_err());
            assert!(error.contains(expect), "{text}\n{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn secrets_come_from_files_and_are_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "https://hooks.example/hunter2\n").unwrap();
        let slack = format!("[[receivers]]\nname = \"s\"\nchannel = \"slack\"\nurl_file = {:?}\n", file.display().to_string());
        let mail = "[[receivers]]\nname = \"m\"\nchannel = \"mail\"\nurl = \"smtp://h:25\"\nuser = \"u\"\nsecret = \"hunter2\"\n\
                    from = \"a@b.example\"\nto = [\"c@d.example\"]\n";
        let pagerduty = "[[receivers]]\nname = \"p\"\nchannel = \"pagerduty\"\nsecret = \"hunter2\"";
        let read = read(&format!("{slack}{mail}{pagerduty}")).unwrap();
        let Channel::Webhook { endpoint, .. } = &read.receivers[0].channel else { panic!("slack is a webhook") };
        assert_eq!(endpoint.url.0, "https://hooks.example/hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}

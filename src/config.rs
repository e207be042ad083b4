//! Configuration: flag over environment over file over default, from one table of keys.
//!
//! The sample file, `--help` and the README come from [`KEYS`], so they can not disagree with what is read.

mod kafka;
mod keys;
mod receivers;
mod watch;

use anyhow::{Context, Result, bail, ensure};
use fieldline_processors_core::definition::DEFINITION;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_registry::RegistryTarget;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{SosTypes, Version};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use keys::{KEYS, Key};

#[cfg(test)]
pub use kafka::Hidden;
pub use kafka::{KafkaSettings, OAuthSettings, SaslMechanism};
pub use receivers::Receivers;
pub use watch::WatchSettings;

/// Validated settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub engine: Option<PathBuf>,
    pub log: String,
    pub bulk_nice: u8,
    pub topics_prefix: String,
    pub topics_partitions: i32,
    pub log_store_fsync: bool,
    pub kafka: Option<KafkaSettings>,
    pub clickhouse: Option<ExternalClickHouse>,
    pub clickhouse_database: String,
    pub clickhouse_memory_max_mib: u64,
    pub registry: Option<RegistryTarget>,
    pub processors_threads: usize,
    pub sinks_batch_rows: usize,
    pub sinks_linger_ms: u64,
    pub alerts: fieldline_processors_core::lifecycle::Settings,
    pub observe_listen: Option<std::net::SocketAddr>,
    pub api: Option<ApiSettings>,
    pub watch: WatchSettings,
    pub alerts_give_up_hours: u64,
    pub receivers: Receivers,
    pub definition_number: u16,
    pub definition_finality_hours: i64,
    pub definition_geofence_radius_meters: u32,
    pub definition_accuracy_max_meters: i32,
    pub definition_missing_end_minutes: i64,
    pub flags: FlagSettings,
    pub sos: SosTypes,
}

/// Where actions on alerts are taken.
#[derive(Clone)]
pub struct ApiSettings {
    pub listen: std::net::SocketAddr,
    pub token: String,
}

impl std::fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiSettings {{ listen: {}, token: *** }}", self.listen)
    }
}

/// A shorter one can be guessed.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// A ClickHouse that somebody else runs.
#[derive(Clone)]
pub struct ExternalClickHouse {
    pub url: String,
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for ExternalClickHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExternalClickHouse {{ url: {:?}, user: {:?}, password: *** }}", self.url, self.user)
    }
}

/// Values by key, a later layer over an earlier one.
type Layer = BTreeMap<&'static str, String>;

impl Config {
    /// Reads the file (if one is named), the environment and the flags.
    pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Self> {
        let mut values = Layer::new();
        let mut receivers = Receivers::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading the configuration file {}", path.display()))?;
            let (layer, lists) = from_file(&text).with_context(|| format!("in the configuration file {}", path.display()))?;
            values.extend(layer);
            receivers = lists;
        }
        values.extend(from_environment(|name| std::env::var(name).ok())?);
        for (name, value) in flags {
            values.insert(known(name)?.name, value.clone());
        }
        Ok(Self { receivers, ..Self::validate(&values)? })
    }

    fn validate(values: &Layer) -> Result<Self> {
        let text = |name: &str| -> Result<String> { Ok(values.get(known(name)?.name).cloned().unwrap_or(known(name)?.default.to_owned())) };
        let set = |name: &str| -> Result<Option<String>> { Ok(Some(text(name)?).filter(|v| !v.is_empty())) };
        let number = |name: &str, min: u64, max: u64| -> Result<u64> {
            let value = text(name)?;
            let parsed = value.parse::<u64>().ok().filter(|n| (min..=max).contains(n));
            parsed.with_context(|| format!("{name} = {value:?}: a whole number from {min} to {max} is wanted"))
        };
        let truth = |name: &str| -> Result<bool> {
            let value = text(name)?;
            value.parse().ok().with_context(|| format!("{name} = {value:?}: true or false is wanted"))
        };
        let kafka = KafkaSettings::validate(&text, &set)?;
        let database = text("clickhouse.database")?;
        let plain = database.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !database.is_empty();
        ensure!(plain, "clickhouse.database = {database:?}: letters, digits and underscores are wanted");
        let url = set("clickhouse.url")?;
        if let Some(url) = &url {
            ensure!(url.starts_with("http://") || url.starts_with("https://"), "clickhouse.url = {url:?}: http:// or https:// is wanted");
        }
        let address = |name: &str| -> Result<Option<std::net::SocketAddr>> {
            let parse = |text: String| {
                text.parse().ok().with_context(|| format!("{name} = {text:?}: an address and a port are wanted, as 127.0.0.1:9464"))
            };
            set(name)?.map(parse).transpose()
        };
        let api = match (address("api.listen")?, text("api.token")?) {
            (None, token) => {
                ensure!(token.is_empty(), "api.token is set, and api.listen is not");
                None
            }
            (Some(listen), token) => {
                let long = token.len() >= TOKEN_CHARACTERS_MIN;
                ensure!(
                    long,
                    "api.listen is set: api.token of at least {TOKEN_CHARACTERS_MIN} characters is wanted, or anybody could close an emergency"
                );
                Some(ApiSettings { listen, token })
            }
        };
        let numbered = set("definition.number")?.map(|_| number("definition.number", DEFINITION.into(), Version::DEFINITION_MAX.into()));
        let numbered = numbered.transpose()?;
        let login = set("registry.user")?.map(|user| Ok::<_, anyhow::Error>((user, text("registry.password")?))).transpose()?;
        let registry = set("registry.url")?.map(|url| RegistryTarget::new(&url, login)).transpose().context("registry.url")?;
        let (user, password) = (text("clickhouse.user")?, text("clickhouse.password")?);
        Ok(Self {
            // The engine takes a relative path twice over.
            data_dir: std::path::absolute(match set("data_dir")? {
                Some(dir) => dir.into(),
                None => user_data_home()?.join("fieldline"),
            })
            .context("data_dir")?,
            engine: set("engine")?.map(PathBuf::from),
            log: text("log")?,
            bulk_nice: number("bulk_nice", 0, 19)? as u8,
            topics_prefix: text("topics.prefix")?,
            topics_partitions: number("topics.partitions", 1, 256)? as i32,
            log_store_fsync: truth("log_store.fsync")?,
            kafka,
            clickhouse: url.map(|url| ExternalClickHouse { url, user, password }),
            clickhouse_database: database,
            clickhouse_memory_max_mib: number("clickhouse.memory_max_mib", 256, 1 << 20)?,
            registry,
            processors_threads: number("processors.threads", 1, 64)? as usize,
            sinks_batch_rows: number("sinks.batch_rows", 1, 1_000_000)? as usize,
            sinks_linger_ms: number("sinks.linger_ms", 1, 60_000)?,
            alerts: fieldline_processors_core::lifecycle::Settings {
                escalate_after_us: number("alerts.escalate_after_seconds", 1, 86_400)? as i64 * SECOND_US,
                rounds_max: number("alerts.rounds_max", 0, 100)? as u32,
                reopen_after_us: number("alerts.reopen_after_minutes", 1, 10_080)? as i64 * MINUTE_US,
                epoch: 0,
            },
            observe_listen: address("observe.listen")?,
            api,
            watch: WatchSettings::validate(&set, &number)?,
            alerts_give_up_hours: number("alerts.give_up_hours", 1, 8_760)?,
            receivers: Receivers::default(),
            definition_number: numbered.map_or(DEFINITION, |number| number as u16),
            definition_finality_hours: number("definition.finality_hours", 1, 8_760)? as i64,
            definition_geofence_radius_meters: number("definition.geofence_radius_meters", 1, 100_000)? as u32,
            definition_accuracy_max_meters: number("definition.accuracy_max_meters", 1, 100_000)? as i32,
            definition_missing_end_minutes: number("definition.missing_end_minutes", 0, 1_440)? as i64,
            sos: SosTypes::of_list(&text("flags.sos_event_types")?),
            flags: FlagSettings {
                quiet_us: number("flags.quiet_seconds", 1, 3_600)? as i64 * SECOND_US,
                gap_hold_us: number("flags.gap_hold_seconds", 1, 3_600)? as i64 * SECOND_US,
                check_in_us: number("flags.check_in_minutes", 1, 1_440)? as i64 * MINUTE_US,
                check_in_grace_us: number("flags.check_in_grace_minutes", 0, 1_440)? as i64 * MINUTE_US,
                missing_end_error_us: number("flags.missing_end_error_hours", 1, 48)? as i64 * HOUR_US,
                travel_us: number("flags.travel_hours", 1, 23)? as i64 * HOUR_US,
                device_us: number("flags.device_seconds", 30, 86_400)? as i64 * SECOND_US,
                window_us: number("flags.window_minutes", 0, 1_440)? as i64 * MINUTE_US,
                alarm_us: number("flags.alarm_minutes", 0, 60)? as i64 * MINUTE_US,
                unresolved_us: number("flags.unresolved_minutes", 1, 1_440)? as i64 * MINUTE_US,
                queue_window_us: number("flags.queue_window_minutes", 1, 240)? as i64 * MINUTE_US,
                queue_calls_min: number("flags.queue_calls_min", 1, 1_000_000)? as u32,
                queue_wait_us: number("flags.queue_wait_seconds", 0, 3_600)? as i64 * SECOND_US,
                queue_target_percent: number("flags.queue_target_percent", 1, 100)? as u32,
                ..FlagSettings::default()
            },
        })
    }
}

fn known(name: &str) -> Result<&'static Key> {
    KEYS.iter().find(|k| k.name == name).with_context(|| {
        let section = name.split_once('.').map_or(name, |(section, _)| section);
        let near: Vec<&str> = KEYS.iter().map(|k| k.name).filter(|n| n.split_once('.').is_some_and(|(own, _)| own == section)).collect();
        let of_section = if near.is_empty() { String::new() } else { format!("; those of {section} are {}", near.join(", ")) };
        format!("unknown setting {name:?}{of_section}; `fieldline config` lists all of them")
    })
}

fn variable(name: &str) -> String {
    format!("FIELDLINE_{}", name.to_ascii_uppercase().replace('.', "_"))
}

fn from_environment(read: impl Fn(&str) -> Option<String>) -> Result<Layer> {
    let mut layer = Layer::new();
    for key in KEYS {
        let name = variable(key.name);
        if let Some(value) = read(&name) {
            layer.insert(key.name, value);
        } else if key.is_secret
            && let Some(path) = read(&format!("{name}_FILE"))
        {
            layer.insert(key.name, secret_file(key.name, &path)?);
        }
    }
    Ok(layer)
}

fn from_file(text: &str) -> Result<(Layer, Receivers)> {
    let mut layer = Layer::new();
    let mut table: toml::Table = text.parse()?;
    let lists = Receivers::take(&mut table)?;
    let mut pending: Vec<(String, toml::Table)> = vec![(String::new(), table)];
    while let Some((prefix, table)) = pending.pop() {
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            let value = match value {
                toml::Value::Table(inner) => {
                    pending.push((format!("{name}."), inner));
                    continue;
                }
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(truth) => truth.to_string(),
                other => bail!("{name}: text, a whole number, true or false is wanted, not {}", other.type_str()),
            };
            match name.strip_suffix("_file").and_then(|plain| KEYS.iter().find(|k| k.is_secret && k.name == plain)) {
                Some(key) => layer.insert(key.name, secret_file(key.name, &value)?),
                None => layer.insert(known(&name)?.name, value),
            };
        }
    }
    Ok((layer, lists))
}

fn secret_file(name: &str, path: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {name} from {path}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn user_data_home() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("XDG_DATA_HOME").filter(|d| !d.is_empty()) {
        return Ok(dir.into());
    }
    let home = std::env::var_os("HOME")
        .filter(|d| !d.is_empty())
        .context("neither HOME nor XDG_DATA_HOME is set; name a folder with --data-dir")?;
    Ok(PathBuf::from(home).join(".local/share"))
}

/// The documented sample file, every setting at its default.
pub fn sample() -> String {
    let mut text = String::from(
        "# Settings of fieldline, each at its default. A flag (--set name=value) wins over the environment, that over this file.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (own_section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own_section != section {
            _ = write!(text, "\n[{own_section}]\n");
            section = own_section;
        }
        let is_bare = key.default.parse::<u64>().is_ok() || key.default.parse::<bool>().is_ok();
        let value = if is_bare { key.default.to_owned() } else { format!("{:?}", key.default) };
        _ = write!(text, "# {}\n# Environment: {}", key.doc, variable(key.name));
        text.push_str(if key.is_secret { ", or the same with _FILE; here also with _file: a file to read it from.\n" } else { "\n" });
        _ = writeln!(text, "{}{name} = {value}", if key.default.is_empty() { "# " } else { "" });
    }
    text.push_str(receivers::SAMPLE);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_valid_file_and_equals_the_defaults() {
        let (layer, _) = from_file(&sample()).unwrap();
        for (name, value) in &layer {
            assert_eq!(*value, known(name).unwrap().default, "{name}");
        }
        assert_eq!(layer.len(), KEYS.iter().filter(|k| !k.default.is_empty()).count());
    }

    #[test]
    fn wrong_values_are_refused_with_the_setting_named() {
        let cases = [
            ("topics.partitions = 0", "topics.partitions"),
            ("processors.threads = 0", "processors.threads"),
            ("clickhouse.url = \"ftp://x\"", "clickhouse.url"),
            ("clickhouse.database = \"a; drop\"", "clickhouse.database"),
            ("kafka.brokers = \"h:1\"\nkafka.sasl_mechanism = \"gssapi\"", "kafka.sasl_mechanism"),
            ("kafka.brokers = \"h:1\"\nkafka.sasl_mechanism = \"plain\"", "kafka.user"),
            ("kafka.brokers = \"h:1\"\nkafka.sasl_mechanism = \"oauthbearer\"", "kafka.oauth_token_url"),
            (
                "kafka.brokers = \"h:1\"\nkafka.sasl_mechanism = \"oauthbearer\"\nkafka.oauth_token_url = \"http://idp/token\"",
                "https://host/path is wanted",
            ),
            ("kafka.brokers = \"h:1\"\nkafka.properties = \"linger.ms\"", "kafka.properties"),
            ("registry.url = \"https://h:8081\"", "registry.url"),
            ("registry.url = \"http://u:hunter2@h:8081\"", "registry.url"),
            ("clickhouse.pasword = \"x\"", "clickhouse.pasword"),
            ("topics.prefix = 1.5", "topics.prefix"),
        ];
        for (file, name) in cases {
            let result = from_file(file).and_then(|(layer, _)| Config::validate(&layer));
            assert!(format!("{:#}", result.unwrap_err()).contains(name), "{file}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let kafka = "kafka.brokers = \"h:1\"\nkafka.sasl_mechanism = \"plain\"\nkafka.user = \"u\"\nkafka.password = \"hunter2\"";
        let file = format!(
            "clickhouse.url = \"http://h:1\"\nclickhouse.password = \"hunter2\"\nregistry.url = \"http://h:2\"\nregistry.user = \"u\"\n\
             registry.password = \"hunter2\"\n{kafka}\nkafka.properties = \"ssl.key.password=hunter2\""
        );
        let (mut layer, _) = from_file(&file).unwrap();
        layer.insert("data_dir", "/d".into());
        let config = Config::validate(&layer).unwrap();
        assert_eq!(config.clickhouse.as_ref().unwrap().password, "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

//! `fieldline alerts`: what is open, and what people do about it.

use super::{Place, WrongCommand};
use crate::api::{self, Absent, Local};
use crate::cli::{AlertsAction, OnAlert, SilenceArguments};
use crate::config::Config;
use crate::desk::{Desk, Remark, Silencing, Unfit, Wanted, quoted};
use crate::engine::Database;
use crate::log::Time;
use crate::pipeline::Pipeline;
use anyhow::{Context, Result, bail};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActionKind;
use fieldline_sinks::clickhouse::Database as Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a command waits until the tables show what it did.
const SEEN_WAIT_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub fn run(config: &Config, action: &AlertsAction) -> Result<()> {
    super::ensure_data(config, Place::Tables)?;
    let outcome = match action {
        AlertsAction::List { all, flag, technician, json } => {
            let wanted = Wanted { all: *all, flag: flag.clone(), technician_contact_id: *technician, limit: None };
            list(config, &wanted, *json)
        }
        AlertsAction::Show { alert_id, json } => show(config, alert_id, *json),
        AlertsAction::Acknowledge(on) => act(config, ActionKind::Acknowledge, None, on),
        AlertsAction::Resolve { on, reason } => act(config, ActionKind::Resolve, reason.clone(), on),
        AlertsAction::Note(on) => act(config, ActionKind::Note, None, on),
        AlertsAction::Silence(arguments) => silence(config, arguments),
        AlertsAction::Test { severity } => test(config, severity),
    };
    outcome.map_err(|error| match error.downcast::<Unfit>() {
        Ok(unfit) => WrongCommand(unfit.0).into(),
        Err(error) => error,
    })
}

/// A connection to wherever the tables are.
fn tables(config: &Config) -> Result<(Database, Connection)> {
    let database = Database::reach(config)?;
    super::migrate(&database.target)?;
    let connection = Connection::open(&database.target, Default::default())?;
    Ok((database, connection))
}

fn list(config: &Config, wanted: &Wanted, json: bool) -> Result<()> {
    if print(config, &wanted.query()?, json)? == 0 {
        remark!("{}", if wanted.all { "there is no such alert" } else { "no such alert is open; --all shows resolved ones too" });
    }
    Ok(())
}

/// Prints what is found; how many bytes that is.
fn print(config: &Config, query: &str, json: bool) -> Result<usize> {
    let (_database, connection) = tables(config)?;
    let query = format!("{query} SETTINGS output_format_pretty_row_numbers = 0");
    let found = connection.query(&query, if json { "JSONEachRow" } else { "PrettyCompactMonoBlock" })?;
    super::to_stdout(&String::from_utf8_lossy(&found))?;
    Ok(found.len())
}

fn show(config: &Config, alert_id: &str, json: bool) -> Result<()> {
    let (_database, connection) = tables(config)?;
    let history = format!("SELECT * FROM alerts_history WHERE alert_id = {} ORDER BY version", quoted(alert_id));
    let deliveries = format!("SELECT * FROM alert_deliveries WHERE alert_id = {} ORDER BY attempted_at", quoted(alert_id));
    let known = connection.query_json(&history)?;
    if known.is_empty() {
        bail!("{}; `fieldline alerts list --all` shows their ids", Absent(alert_id.to_owned()));
    }
    if json {
        let answer = json!({ "history": known, "deliveries": connection.query_json(&deliveries)? });
        tell!("{answer}")?;
        return Ok(());
    }
    let steps = format!(
        "SELECT as_of, step, state, severity, round, cause, reasoning, note FROM ({history}) SETTINGS output_format_pretty_row_numbers = 0"
    );
    let attempts = format!(
        "SELECT attempted_at, receiver, notification, attempt, outcome, status, waited_seconds, took_seconds, detail FROM ({deliveries}) \
         SETTINGS output_format_pretty_row_numbers = 0"
    );
    for query in [steps, attempts] {
        connection.query_to(&query, "PrettyCompactMonoBlock", &mut std::io::stdout().lock())?;
    }
    Ok(())
}

/// How something gets into the log: through the process that holds it, or by this one.
enum Way {
    Running(Local),
    Own(Box<Pipeline>),
}

impl Way {
    fn find(config: &Config) -> Result<Self> {
        if config.kafka.is_none()
            && let Some(local) = Local::read(&config.data_dir)?
            && api::call(&local, "GET", "/v1/alerts?limit=0", None).is_ok_and(|answer| answer.is_some())
        {
            return Ok(Self::Running(local));
        }
        let mut pipeline = Pipeline::start(config, Time::Clock)?;
        if config.kafka.is_none() {
            pipeline.start_delivery()?;
        }
        Ok(Self::Own(Box::new(pipeline)))
    }

    /// Does it and waits until `seen` by a query that then counts one; what it answered.
    fn send(
        self,
        config: &Config,
        path: &str,
        body: &Value,
        own: impl FnOnce(&Desk) -> Result<Value>,
        seen: impl FnOnce(&Value) -> String,
    ) -> Result<(Value, bool)> {
        match self {
            Self::Running(local) => {
                let answer =
                    api::call(&local, "POST", path, Some(body))?.context("the process that held the folder has ended; try again")?;
                let (_database, connection) = tables(config)?;
                let is_seen = wait(&connection, &seen(&answer), || Ok(()))?;
                Ok((answer, is_seen))
            }
            Self::Own(mut pipeline) => {
                let outcome = own(&Desk::open(pipeline.log.clone(), &pipeline.schemas, config)?);
                let outcome = outcome.and_then(|answer| {
                    let (_database, connection) = match pipeline.target() {
                        Ok(target) => (None, Connection::open(target, Default::default())?),
                        Err(_) => tables(config).map(|(database, connection)| (Some(database), connection))?,
                    };
                    let is_seen = wait(&connection, &seen(&answer), || pipeline.check())?;
                    Ok((answer, is_seen))
                });
                let stopped = pipeline.stop();
                let outcome = outcome?;
                stopped?;
                Ok(outcome)
            }
        }
    }
}

/// Whether the query counts something within the time.
fn wait(connection: &Connection, query: &str, mut check: impl FnMut() -> Result<()>) -> Result<bool> {
    let started = Instant::now();
    loop {
        let counted = connection.query(query, "TSV")?;
        if counted.first().is_some_and(|digit| *digit != b'0') {
            return Ok(true);
        }
        if started.elapsed() >= SEEN_WAIT_MAX {
            return Ok(false);
        }
        check()?;
        std::thread::sleep(LOOK_EVERY);
    }
}

fn act(config: &Config, action: ActionKind, reason: Option<String>, on: &OnAlert) -> Result<()> {
    let remark = Remark { reason, actor_contact_id: on.actor, note: on.note.clone() };
    // Said before anything is opened: what the desk would refuse.
    if action == ActionKind::Note && on.note.is_none() {
        return Err(WrongCommand("--note TEXT is wanted".into()).into());
    }
    let path = format!("/v1/alerts/{}/{}", percent(&on.alert_id), action.symbol());
    let body = serde_json::to_value(&remark)?;
    let own = |desk: &Desk| Ok(json!({ "id": desk.act(&on.alert_id, action, remark)?.to_string() }));
    let seen = |answer: &Value| {
        let id = answer["id"].as_str().unwrap_or_default();
        format!("SELECT count() FROM alerts_history WHERE alert_id = {} AND caused_by = toUUIDOrZero({})", quoted(&on.alert_id), quoted(id))
    };
    let (_, is_seen) = Way::find(config)?.send(config, &path, &body, own, seen)?;
    if !is_seen {
        bail!(
            "the action is in the log, and alert {} does not show it after {} s: there is no such alert, or it has this state already \
             (see `fieldline alerts show`)",
            on.alert_id,
            SEEN_WAIT_MAX.as_secs()
        );
    }
    let done = match action {
        ActionKind::Acknowledge => "acknowledged",
        ActionKind::Resolve => "resolved",
        ActionKind::Note => "noted",
    };
    tell!("{done}: {}", on.alert_id)?;
    Ok(())
}

fn silence(config: &Config, arguments: &SilenceArguments) -> Result<()> {
    let silencing = Silencing {
        until: arguments.until.clone(),
        flag: arguments.flag.clone(),
        technician_contact_id: arguments.technician,
        team: arguments.team.clone(),
        actor_contact_id: arguments.actor,
        note: arguments.note.clone(),
    };
    let body = serde_json::to_value(&silencing)?;
    let own = |desk: &Desk| Ok(json!({ "id": desk.silence(silencing)?.to_string() }));
    let (answer, _) = Way::find(config)?.send(config, "/v1/silences", &body, own, |_| "SELECT 1".into())?;
    tell!("silenced until {}; the silence's id is {}", arguments.until, answer["id"].as_str().unwrap_or_default())?;
    Ok(())
}

/// Opens a test alert, waits until a receiver has it, and resolves it.
fn test(config: &Config, severity: &str) -> Result<()> {
    let parsed = api::severity(Some(severity))?;
    let own = |desk: &Desk| Ok(json!({ "alert_id": desk.test(parsed)? }));
    let seen = |answer: &Value| {
        let id = quoted(answer["alert_id"].as_str().unwrap_or_default());
        format!("SELECT count() FROM alert_deliveries WHERE alert_id = {id} AND outcome = 'acknowledged'")
    };
    let (answer, is_seen) = Way::find(config)?.send(config, "/v1/alerts/test", &json!({ "severity": severity }), own, seen)?;
    let alert_id = answer["alert_id"].as_str().unwrap_or_default().to_owned();
    let attempts = format!(
        "SELECT receiver, channel, outcome, status, waited_seconds, took_seconds, detail FROM alert_deliveries WHERE alert_id = {} \
         ORDER BY receiver, attempted_at",
        quoted(&alert_id)
    );
    print(config, &attempts, false)?;
    let on = OnAlert { alert_id, actor: None, note: Some("test".into()) };
    act(config, ActionKind::Resolve, Some("test".into()), &on)?;
    if !is_seen {
        bail!("no receiver acknowledged the test within {} s", SEEN_WAIT_MAX.as_secs());
    }
    Ok(())
}

/// A text as a part of a path.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// An instant that lies this long ahead, as it is typed: 30m, 8h, 2d.
pub fn until(text: &str) -> Result<String, String> {
    if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
        return Ok(text.to_owned());
    }
    let wanted = || format!("{text:?}: a time (RFC 3339) or a span such as 30m, 8h or 2d is wanted");
    let unit = text.chars().last().filter(char::is_ascii_alphabetic).ok_or_else(wanted)?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return Err(wanted()),
    };
    let count: i64 = text[..text.len() - 1].parse().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or_else(wanted)?;
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    Ok(Timestamp((now + chrono::TimeDelta::minutes(count * minutes)).timestamp_micros()).to_string())
}

/// A uuid as it is typed.
pub fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| format!("{text:?}: a uuid is wanted"))
}

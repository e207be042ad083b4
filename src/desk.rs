//! What people do about alerts: acknowledge, resolve, note, silence, and try the way of a page.

use crate::config::Config;
use anyhow::{Context, Result, ensure};
use fieldline_log::{Append, Destination, Log};
use fieldline_producers::{Publisher, PublisherConfig};
use fieldline_registry::Registry;
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding, Silence};
use fieldline_schemas::events::{ActionKind, AlertAction, ResolveReason, Severity};
use fieldline_schemas::ids::{ContactId, EventId, TechnicianId};
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, Version, subject_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How long the log may take to acknowledge what a person did.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(10);

/// What a person adds to an action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Of a resolution: false_alarm, assisted, dispatched or test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_contact_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is not to be sent, and until when. All that is there must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silencing {
    /// RFC 3339 with an offset.
    pub until: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technician_contact_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_contact_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was asked can not be meant; nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// Writes what people do into the log.
pub struct Desk {
    log: Arc<dyn Log>,
    publisher: Mutex<Publisher>,
    codec: Codec,
    alert_events: String,
}

impl Desk {
    pub fn open(log: Arc<dyn Log>, schemas: &Registry, config: &Config) -> Result<Self> {
        let settings = PublisherConfig {
            prefix: config.topics_prefix.clone(),
            partitions: Some(config.topics_partitions),
            makes_topics: config.kafka.is_none(),
            schemas: schemas.clone(),
            sos: config.sos.clone(),
            ..PublisherConfig::default()
        };
        let publisher = Mutex::new(Publisher::new(Arc::clone(&log), settings)?);
        Ok(Self { log, publisher, codec: schemas.codec(), alert_events: Topic::AlertEvents.full_name(&config.topics_prefix) })
    }

    /// Appends an action, durable when this returns; its id.
    pub fn act(&self, alert_id: &str, action: ActionKind, remark: Remark) -> Result<EventId> {
        if subject_of(alert_id).is_none() {
            return Err(Unfit(format!("{alert_id:?} is no alert id: flag:subject:cause is wanted, as in `fieldline alerts list`")).into());
        }
        let reason = remark.reason.as_deref().map(reason).transpose()?;
        if action == ActionKind::Resolve && reason.is_none() && alert_id.starts_with("S1:") {
            return Err(
                Unfit(format!("an emergency is resolved with a reason only: {}", symbols(ResolveReason::ALL, |r| r.symbol()))).into()
            );
        }
        if action == ActionKind::Note && remark.note.as_deref().is_none_or(|note| note.trim().is_empty()) {
            return Err(Unfit("a note of nothing: its text is wanted, as note".into()).into());
        }
        let record = AlertAction {
            id: EventId(Uuid::now_v7()),
            created_at: self.now(),
            alert_id: Cow::Borrowed(alert_id),
            action,
            reason,
            actor_contact_id: remark.actor_contact_id.map(ContactId),
            note: remark.note.map(Cow::Owned),
        };
        let id = record.id;
        self.publish(&record.into())?;
        Ok(id)
    }

    /// Appends a silence, durable when this returns; its id.
    pub fn silence(&self, silencing: Silencing) -> Result<EventId> {
        let until = chrono::DateTime::parse_from_rfc3339(&silencing.until)
            .map_err(|_| Unfit(format!("until {:?}: RFC 3339 with an offset is wanted, as 2026-03-29T06:00:00Z", silencing.until)))?;
        let flag = silencing.flag.as_deref().map(flag).transpose()?;
        if let Some(FlagCode::S1 | FlagCode::S6) = flag {
            return Err(Unfit("S1 and S6 are sent whatever is silenced: name another flag".into()).into());
        }
        let now = self.now();
        let until = Timestamp(until.timestamp_micros());
        if until <= now {
            return Err(Unfit(format!("until {until}: that is over already")).into());
        }
        let record = Silence {
            id: EventId(Uuid::now_v7()),
            revision: 0,
            voided: false,
            created_at: now,
            until,
            flag,
            technician_contact_id: silencing.technician_contact_id.map(TechnicianId),
            team: silencing.team.map(Cow::Owned),
            actor_contact_id: silencing.actor_contact_id.map(ContactId),
            note: silencing.note.map(Cow::Owned),
        };
        let id = record.id;
        self.publish(&record.into())?;
        Ok(id)
    }

    /// Opens an alert that is about nothing, to try the way to the receivers; its id.
    pub fn test(&self, severity: Severity) -> Result<String> {
        let now = self.now();
        let alert_id = format!("S12:test:{}", now.0);
        let flag = Flag {
            alert_id: Cow::Borrowed(&alert_id),
            flag: FlagCode::S12,
            origin: FlagOrigin::Watch,
            version: Version::default(),
            as_of: now,
            standing: FlagStanding::Raised,
            severity,
            technician_contact_id: None,
            visit_id: None,
            caused_by: None,
            opened_at: now,
            about_at: now,
            is_late: false,
            location: None,
            reasoning: Cow::Borrowed("a test of the way to the receivers; nobody is in danger"),
            resolved_at: None,
            resolved_by_contact_id: None,
        };
        let mut value = Vec::new();
        self.codec.encode(&AnyRecord::Flag(flag), &mut value);
        let described = self.log.describe_topic(&self.alert_events)?;
        let partitions = described.with_context(|| format!("topic {} does not exist", self.alert_events))?.partitions;
        let destination = Destination::of_alert(&alert_id, partitions);
        let mut producer = self.log.producer()?;
        producer.append(&self.alert_events, Append { destination, key: alert_id.as_bytes(), value: &value, append_time: None })?;
        producer.flush(FLUSH_WAIT_MAX)?;
        Ok(alert_id)
    }

    fn now(&self) -> Timestamp {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner).now()
    }

    fn publish(&self, record: &AnyRecord<'_>) -> Result<()> {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        publisher.publish(record)?;
        Ok(publisher.flush(FLUSH_WAIT_MAX)?)
    }
}

fn reason(text: &str) -> Result<ResolveReason, Unfit> {
    let wanted = || Unfit(format!("reason {text:?}: one of {} is wanted", symbols(ResolveReason::ALL, |r| r.symbol())));
    ResolveReason::from_symbol(text).ok_or_else(wanted)
}

fn flag(text: &str) -> Result<FlagCode, Unfit> {
    let wanted = || Unfit(format!("flag {text:?}: one of {} is wanted", symbols(FlagCode::ALL, |f| f.symbol())));
    FlagCode::from_symbol(text).ok_or_else(wanted)
}

fn symbols<T: Copy>(all: &[T], symbol: impl Fn(T) -> &'static str) -> String {
    all.iter().map(|one| symbol(*one)).collect::<Vec<_>>().join(", ")
}

/// A text as ClickHouse reads it between quotation marks.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Which alerts are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Resolved ones too.
    #[serde(default)]
    pub all: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technician_contact_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

const LIST_MAX: u32 = 100_000;
const LIST_DEFAULT: u32 = 1_000;

impl Wanted {
    /// The query whose answer they are, the most severe and then the oldest first.
    pub fn query(&self) -> Result<String> {
        let limit = self.limit.unwrap_or(LIST_DEFAULT);
        ensure!(limit <= LIST_MAX, Unfit(format!("limit {limit}: at most {LIST_MAX} are listed at once")));
        let mut conditions = vec!["1".to_owned()];
        if !self.all {
            conditions.push("state != 'resolved'".into());
        }
        if let Some(text) = &self.flag {
            conditions.push(format!("flag = {}", quoted(flag(text)?.symbol())));
        }
        if let Some(technician) = self.technician_contact_id {
            conditions.push(format!("technician_contact_id = toUUID('{technician}')"));
        }
        Ok(format!(
            "SELECT alert_id, flag, severity, state, opened_at, cause FROM alerts WHERE {} \
             ORDER BY indexOf(['critical', 'error', 'warning', 'info'], toString(severity)), opened_at, alert_id LIMIT {limit}",
            conditions.join(" AND ")
        ))
    }
}

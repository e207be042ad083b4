//! What a receiver is told of an alert: fields, JSON, and texts of one's own. Pure.

use super::people::Person;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::{Alert, AlertState};
use serde_json::{Value, json};
use std::sync::Arc;

/// Stands in every JSON body; raised when a field changes its meaning or goes.
pub const BODY_VERSION: u32 = 1;

/// One notification of an alert, on its way to a receiver.
#[derive(Clone, Debug)]
pub struct Message {
    pub alert: Arc<Alert<'static>>,
    pub person: Person,
}

/// What can stand in a template as `{{name}}`.
pub const FIELDS: &[&str] = &[
    "alert_id",
    "notification",
    "flag",
    "severity",
    "state",
    "step",
    "cause",
    "technician_contact_id",
    "technician_name",
    "team",
    "visit_id",
    "opened_at",
    "about_at",
    "acknowledged_at",
    "resolved_at",
    "resolve_reason",
    "round",
    "repeats",
    "location",
    "reasoning",
    "note",
    "title",
];

impl Message {
    /// The same for every attempt of one notification: receivers recognise a repetition by it.
    pub fn key(&self) -> String {
        format!("{}:{}", self.alert.alert_id, self.alert.notification)
    }

    /// One line: how bad, what, who, and how it stands.
    pub fn title(&self) -> String {
        let alert = &self.alert;
        let who = self.person.display_name.clone().or_else(|| alert.technician_contact_id.map(|id| id.to_string()));
        let who = who.map(|who| format!(" of {who}")).unwrap_or_default();
        let round = if alert.round > 0 && alert.state != AlertState::Resolved { format!(", round {}", alert.round) } else { String::new() };
        let late = if alert.is_late { ", reported late" } else { "" };
        format!("[{}] {} {}{who} {}{round}{late}", alert.severity.symbol(), alert.flag.symbol(), meaning(alert), alert.state.symbol())
    }

    /// The value of a field; empty where there is none.
    pub fn field(&self, name: &str) -> Option<String> {
        let alert = &self.alert;
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string()).unwrap_or_default();
        Some(match name {
            "alert_id" => alert.alert_id.to_string(),
            "notification" => alert.notification.to_string(),
            "flag" => alert.flag.symbol().to_owned(),
            "severity" => alert.severity.symbol().to_owned(),
            "state" => alert.state.symbol().to_owned(),
            "step" => alert.step.symbol().to_owned(),
            "cause" => alert.cause.to_string(),
            "technician_contact_id" => alert.technician_contact_id.map(|id| id.to_string()).unwrap_or_default(),
            "technician_name" => self.person.display_name.clone().unwrap_or_default(),
            "team" => self.person.team.clone().unwrap_or_default(),
            "visit_id" => alert.visit_id.map(|id| id.to_string()).unwrap_or_default(),
            "opened_at" => alert.opened_at.to_string(),
            "about_at" => alert.about_at.to_string(),
            "acknowledged_at" => time(alert.acknowledged_at),
            "resolved_at" => time(alert.resolved_at),
            "resolve_reason" => alert.resolve_reason.map(|reason| reason.symbol().to_owned()).unwrap_or_default(),
            "round" => alert.round.to_string(),
            "repeats" => alert.repeats.to_string(),
            "location" => self.location_text(),
            "reasoning" => alert.reasoning.to_string(),
            "note" => alert.note.as_deref().unwrap_or_default().to_owned(),
            "title" => self.title(),
            _ => return None,
        })
    }

    fn location_text(&self) -> String {
        let Some(location) = &self.alert.location else { return String::new() };
        let accuracy = location.accuracy_meters.map(|meters| format!(" within {meters} m")).unwrap_or_default();
        match (location.latitude, location.longitude) {
            (Some(latitude), Some(longitude)) => format!("{latitude}, {longitude}{accuracy}"),
            _ => location.address.as_deref().unwrap_or_default().to_owned(),
        }
    }

    /// The body of a webhook.
    pub fn json(&self) -> Value {
        let alert = &self.alert;
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string());
        json!({
            "version": BODY_VERSION,
            "type": format!("alert.{}", alert.state.symbol()),
            "timestamp": alert.stamp.as_of.to_string(),
            "alert_id": alert.alert_id,
            "notification": alert.notification,
            "title": self.title(),
            "flag": alert.flag.symbol(),
            "severity": alert.severity.symbol(),
            "state": alert.state.symbol(),
            "step": alert.step.symbol(),
            "cause": alert.cause,
            "technician_contact_id": alert.technician_contact_id.map(|id| id.to_string()),
            "technician_name": self.person.display_name,
            "team": self.person.team,
            "visit_id": alert.visit_id.map(|id| id.to_string()),
            "actor_contact_id": alert.actor_contact_id.map(|id| id.to_string()),
            "opened_at": alert.opened_at.to_string(),
            "about_at": alert.about_at.to_string(),
            "notified_at": time(alert.notified_at),
            "acknowledged_at": time(alert.acknowledged_at),
            "acknowledged_by_contact_id": alert.acknowledged_by_contact_id.map(|id| id.to_string()),
            "resolved_at": time(alert.resolved_at),
            "resolved_by_contact_id": alert.resolved_by_contact_id.map(|id| id.to_string()),
            "resolve_reason": alert.resolve_reason.map(|reason| reason.symbol()),
            "round": alert.round,
            "reopened": alert.reopened,
            "repeats": alert.repeats,
            "is_late": alert.is_late,
            "is_voided": alert.is_voided,
            "location": alert.location.as_ref().map(|location| json!({
                "latitude": location.latitude,
                "longitude": location.longitude,
                "accuracy_meters": location.accuracy_meters,
                "address": location.address,
            })),
            "reasoning": alert.reasoning,
            "note": alert.note,
        })
    }
}

/// The flag in words.
pub fn meaning(alert: &Alert<'_>) -> &'static str {
    use fieldline_schemas::alerts::FlagCode;
    match alert.flag {
        FlagCode::S1 => "emergency stop",
        FlagCode::S4 => "missed check-in",
        FlagCode::S5 => "shift end missing",
        FlagCode::S6 => "not confirmed home",
        FlagCode::S7 => "silent while travelling",
        FlagCode::S8 => "device offline",
        FlagCode::S10 => "alarm without emergency stop",
        FlagCode::S11 => "visit window missed",
        FlagCode::S12 => "pipeline heartbeat lost",
        FlagCode::S13 => "critical event unresolved",
        FlagCode::S14 => "service level below target",
    }
}

/// A text with `{{field}}` in it, whose values are escaped for where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Text, then a field's name, in turn; the last one has none.
    pieces: Vec<(String, Option<&'static str>)>,
    is_slack: bool,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    #[error("{{{{{0}}}}} is no field; the fields are {fields}", fields = FIELDS.join(", "))]
    UnknownField(String),
    #[error("a {{{{ is not closed by }}}}")]
    NotClosed,
    #[error("with its fields filled in it is no JSON: {0}")]
    NoJson(String),
}

impl Template {
    /// Slack's and Mattermost's incoming webhooks.
    pub fn slack() -> Self {
        let text = r#"{"text":"*{{title}}*\n{{reasoning}}\n{{alert_id}} {{location}} {{note}}"}"#;
        Self { is_slack: true, ..Self::constant(text) }
    }

    /// Teams: an adaptive card, as the workflow "post to a channel when a webhook request is received" takes it.
    pub fn teams() -> Self {
        Self::constant(concat!(
            r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":"#,
            r#"{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":["#,
            r#"{"type":"TextBlock","weight":"Bolder","wrap":true,"text":"{{title}}"},"#,
            r#"{"type":"TextBlock","wrap":true,"text":"{{reasoning}}"},"#,
            r#"{"type":"TextBlock","isSubtle":true,"wrap":true,"text":"{{alert_id}} {{location}} {{note}}"}]}}]}"#
        ))
    }

    /// A text of this program, which a test parses.
    fn constant(text: &str) -> Self {
        Self::parse(text).unwrap_or(Self { pieces: Vec::new(), is_slack: false })
    }

    /// Reads a text that must be JSON once its fields are filled in.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or(TemplateError::NotClosed)?;
            let field = FIELDS.iter().find(|field| **field == name.trim());
            let field = field.ok_or_else(|| TemplateError::UnknownField(name.trim().to_owned()))?;
            pieces.push((before.to_owned(), Some(*field)));
            rest = after;
        }
        pieces.push((rest.to_owned(), None));
        let template = Self { pieces, is_slack: false };
        let filled = template.fill(&|_| "0".to_owned());
        match serde_json::from_str::<serde::de::IgnoredAny>(&filled) {
            Ok(_) => Ok(template),
            Err(error) => Err(TemplateError::NoJson(error.to_string())),
        }
    }

    /// One alert, or the several of a group.
    pub fn render(&self, messages: &[Message]) -> String {
        self.fill(&|name| super::group::field(messages, name))
    }

    fn fill(&self, value: &dyn Fn(&str) -> String) -> String {
        let mut text = String::new();
        for (before, field) in &self.pieces {
            text.push_str(before);
            let Some(field) = field else { continue };
            let value = value(field);
            // Slack reads these three as markup, also within what somebody wrote.
            let value = if self.is_slack { value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { value };
            let quoted = Value::String(value).to_string();
            text.push_str(quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or_default());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::alert;
    use super::*;
    use fieldline_schemas::alerts::FlagCode;

    fn message() -> Message {
        let person = Person { display_name: Some("Kim & <Sons>".to_owned()), team: Some("north".to_owned()) };
        Message { alert: Arc::new(alert("S1:x:1", FlagCode::S1, 3)), person }
    }

    #[test]
    fn values_are_escaped_where_they_stand() {
        let template = Template::parse(r#"{"a": "{{ reasoning }}", "n": {{notification}}, "who": "{{technician_name}}"}"#).unwrap();
        let filled: Value = serde_json::from_str(&template.render(&[message()])).unwrap();
        assert_eq!(filled, json!({"a": "said \"help\" <now>\nat once", "n": 3, "who": "Kim & <Sons>"}));
    }

    #[test]
    fn ready_templates_are_json() {
        let slack: Value = serde_json::from_str(&Template::slack().render(&[message()])).unwrap();
        let text = slack["text"].as_str().unwrap();
        assert!(text.starts_with("*[critical] S1 emergency stop of Kim &amp; &lt;Sons&gt; opened*\nsaid \"help\" &lt;now&gt;"), "{text}");
        let teams: Value = serde_json::from_str(&Template::teams().render(&[message()])).unwrap();
        let body = &teams["attachments"][0]["content"]["body"];
        assert_eq!(body[1]["text"], "said \"help\" <now>\nat once");
        assert_eq!(body[2]["text"], "S1:x:1 52.5, 13.25 within 12 m ");
    }

    #[test]
    fn a_text_that_is_no_template_is_refused() {
        assert_eq!(Template::parse("{{nothing}}"), Err(TemplateError::UnknownField("nothing".to_owned())));
        assert_eq!(Template::parse("\"{{flag\""), Err(TemplateError::NotClosed));
        assert!(matches!(Template::parse("{\"a\": }"), Err(TemplateError::NoJson(_))));
        assert!(matches!(Template::parse("{{flag}}{{flag}}x"), Err(TemplateError::NoJson(_))));
    }

    #[test]
    fn every_field_has_a_value() {
        for field in FIELDS {
            assert!(message().field(field).is_some(), "{field}");
        }
        assert_eq!(message().json()["version"], BODY_VERSION);
    }
}

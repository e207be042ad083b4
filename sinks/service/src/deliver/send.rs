//! One attempt over one channel.

use super::config::{Channel, Mailbox, Receiver, Style};
use super::group;
use super::http::{HttpClient, Sent};
use super::mail::Mailer;
use super::message::{Message, Template, meaning};
use super::policy::Outcome;
use chrono::{DateTime, SecondsFormat, Utc};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::AlertState;
use fieldline_schemas::events::Severity;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, SystemTime};

/// How long an open alert stays in Alertmanager when nobody tells it again. Our own outage must not look like a resolution.
const ALERTMANAGER_KEEPS: Duration = Duration::from_secs(24 * 3_600);
/// PagerDuty's limit of a summary, in characters.
const SUMMARY_CHARS_MAX: usize = 1_024;

/// A channel with what it keeps open.
pub struct Sender {
    channel: Channel,
    http: Option<HttpClient>,
    mail: Option<Mailer>,
}

impl Sender {
    /// The text says what is wrong with the receiver's settings.
    pub fn new(receiver: &Receiver) -> Result<Self, String> {
        let (http, mail) = match &receiver.channel {
            Channel::Terminal => (None, None),
            Channel::Webhook { endpoint, .. } | Channel::Alertmanager { endpoint, .. } | Channel::PagerDuty { endpoint, .. } => {
                (Some(HttpClient::new(endpoint, receiver.deadlines)?), None)
            }
            Channel::Mail(mailbox) => (None, Some(mailer(mailbox, receiver)?)),
        };
        Ok(Self { channel: receiver.channel.clone(), http, mail })
    }

    /// Tells of one alert, or of the several of a group where the channel takes groups.
    pub async fn send(&self, messages: &[Message]) -> Sent {
        let Some(message) = messages.first() else { return Sent::permanent("nothing is to be told") };
        let now = DateTime::<Utc>::from(SystemTime::now());
        match (&self.channel, &self.http, &self.mail) {
            (Channel::Terminal, ..) => messages.iter().map(terminal).find(|sent| *sent != Sent::taken(None)).unwrap_or(Sent::taken(None)),
            (Channel::Webhook { endpoint, style, secret }, Some(http), _) => {
                let body = match style {
                    Style::Json => group::json(messages).to_string(),
                    Style::Slack => Template::slack().render(messages),
                    Style::Teams => Template::teams().render(messages),
                    Style::Template(template) => template.render(messages),
                };
                let (id, at) = (group::key(messages), now.timestamp());
                let mut headers = vec![("webhook-id", id.clone()), ("webhook-timestamp", at.to_string())];
                headers.extend(secret.as_ref().map(|secret| ("webhook-signature", secret.sign(&id, at, body.as_bytes()))));
                http.post(&endpoint.url.0, &headers, body).await
            }
            (Channel::Alertmanager { endpoint, .. }, Some(http), _) => {
                let url = format!("{}/api/v2/alerts", endpoint.url.0.trim_end_matches('/'));
                http.post(&url, &[], json!([alertmanager(message, now)]).to_string()).await
            }
            (Channel::PagerDuty { endpoint, routing_key }, Some(http), _) => {
                let mut sent = Sent::taken(None);
                // Events of one key may be repeated at will, so all of them are where one was not taken.
                for event in pagerduty(message, &routing_key.0) {
                    sent = http.post(&endpoint.url.0, &[], event.to_string()).await;
                    if !matches!(sent.outcome, Outcome::Status { status: 200..=299, .. }) {
                        break;
                    }
                }
                sent
            }
            (Channel::Mail(_), _, Some(mailer)) => mailer.send(messages).await,
            _ => Sent::permanent("the channel has not been opened"),
        }
    }
}

fn mailer(mailbox: &Mailbox, receiver: &Receiver) -> Result<Mailer, String> {
    Mailer::new(mailbox, receiver.deadlines)
}

fn terminal(message: &Message) -> Sent {
    let alert = &message.alert;
    // What people wrote must not move the cursor about.
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let line = format!("ALERT {}: {} ({})\n", clean(&message.title()), clean(&alert.reasoning), clean(&alert.alert_id));
    match std::io::stderr().lock().write_all(line.as_bytes()) {
        Ok(()) => Sent::taken(None),
        Err(error) => Sent::passing(format!("writing to standard error: {error}")),
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// An alert of Alertmanager's API v2.
fn alertmanager(message: &Message, now: DateTime<Utc>) -> Value {
    let alert = &message.alert;
    let at = |time: Timestamp| DateTime::from_timestamp_micros(time.0).unwrap_or_default();
    let starts_at = at(alert.opened_at);
    let ends_at = match alert.state {
        // Not in the future: it would count as open until then.
        AlertState::Resolved => alert.resolved_at.map_or(now, at).min(now).max(starts_at),
        _ => now + ALERTMANAGER_KEEPS,
    };
    let mut labels = json!({ "alertname": alert.flag.symbol(), "alert_id": alert.alert_id, "severity": alert.severity.symbol() });
    if let Some(technician) = alert.technician_contact_id {
        labels["technician"] = technician.to_string().into();
    }
    if let Some(team) = &message.person.team {
        labels["team"] = team.as_str().into();
    }
    json!({
        "labels": labels,
        "annotations": {
            "summary": message.title(),
            "description": alert.reasoning,
            "state": alert.state.symbol(),
            "notification": alert.notification.to_string(),
        },
        "startsAt": rfc3339(starts_at),
        "endsAt": rfc3339(ends_at),
    })
}

/// Incidents of an alert that are resolved with it, at most: the newest of those that it was opened again for.
const INCIDENTS_MAX: u32 = 8;

/// Events of PagerDuty's Events API v2. A further trigger of an open incident rings nobody there: of the rounds of escalation
/// PagerDuty takes care itself, by its own policy. But what is acknowledged and opens again needs an incident of its own, which
/// takes the place of the one before.
fn pagerduty(message: &Message, routing_key: &str) -> Vec<Value> {
    let alert = &message.alert;
    let newest = alert.reopened;
    let resolves = |numbers: std::ops::RangeInclusive<u32>| {
        numbers.map(|number| json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": incident(message, number) }))
    };
    match alert.state {
        AlertState::Resolved => resolves(newest.saturating_sub(INCIDENTS_MAX - 1)..=newest).collect(),
        AlertState::Opened | AlertState::Notified if newest > 0 => {
            std::iter::once(pagerduty_event(message, routing_key)).chain(resolves(newest - 1..=newest - 1)).collect()
        }
        _ => vec![pagerduty_event(message, routing_key)],
    }
}

/// The dedup_key of an alert that was opened again so often.
fn incident(message: &Message, reopened: u32) -> String {
    let alert_id = &message.alert.alert_id;
    if reopened == 0 { alert_id.to_string() } else { format!("{alert_id}#{reopened}") }
}

fn pagerduty_event(message: &Message, routing_key: &str) -> Value {
    let alert = &message.alert;
    let action = match alert.state {
        AlertState::Opened | AlertState::Notified => "trigger",
        AlertState::Acknowledged => "acknowledge",
        AlertState::Resolved => "resolve",
    };
    let severity = match alert.severity {
        Severity::Critical => "critical",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let details = message.json();
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": incident(message, alert.reopened),
        "payload": {
            "summary": message.title().chars().take(SUMMARY_CHARS_MAX).collect::<String>(),
            "source": alert.technician_contact_id.map_or_else(|| "fieldline".to_owned(), |id| id.to_string()),
            "severity": severity,
            "timestamp": alert.opened_at.to_string(),
            "component": meaning(alert),
            "class": alert.flag.symbol(),
            "custom_details": details,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::people::Person;
    use super::super::samples::alert;
    use super::*;
    use fieldline_schemas::alerts::FlagCode;
    use std::sync::Arc;

    fn message(state: AlertState) -> Message {
        let mut alert = alert("S1:x:1", FlagCode::S1, 2);
        alert.state = state;
        alert.resolved_at = (state == AlertState::Resolved).then_some(alert.opened_at + 5_000_000);
        Message { alert: Arc::new(alert), person: Person { display_name: None, team: Some("north".to_owned()) } }
    }

    #[test]
    fn alertmanager_hears_of_the_opening_and_of_the_end() {
        let now = DateTime::from_timestamp(1_772_438_500, 0).unwrap();
        let open = alertmanager(&message(AlertState::Acknowledged), now);
        let technician = "07070707-0707-0707-0707-070707070707";
        let labels = json!({"alertname": "S1", "alert_id": "S1:x:1", "severity": "critical", "technician": technician, "team": "north"});
        assert_eq!(open["labels"], labels);
        assert_eq!((&open["startsAt"], &open["endsAt"]), (&json!("2026-03-02T08:00:00.000000Z"), &json!("2026-03-03T08:01:40.000000Z")));
        let resolved = alertmanager(&message(AlertState::Resolved), now);
        assert_eq!(resolved["endsAt"], "2026-03-02T08:00:05.000000Z");
        // The log's clock may be ahead of ours, the end is never before the start and never to come.
        let early = alertmanager(&message(AlertState::Resolved), DateTime::from_timestamp(1_772_438_402, 0).unwrap());
        assert_eq!(early["endsAt"], "2026-03-02T08:00:02.000000Z");
        assert_eq!(early["labels"], open["labels"]);
    }

    #[test]
    fn pagerduty_hears_what_it_knows() {
        let cases = [
            (AlertState::Opened, "trigger"),
            (AlertState::Notified, "trigger"),
            (AlertState::Acknowledged, "acknowledge"),
            (AlertState::Resolved, "resolve"),
        ];
        for (state, action) in cases {
            let events = pagerduty(&message(state), "key");
            let [event] = &events[..] else { panic!("{events:?}") };
            assert_eq!(event["event_action"], action);
            assert_eq!((&event["dedup_key"], &event["routing_key"]), (&json!("S1:x:1"), &json!("key")));
            assert!(action == "resolve" || event["payload"]["severity"] == "critical");
        }
    }

    #[test]
    fn pagerduty_rings_again_for_what_was_acknowledged_and_opens_again() {
        let told = |state, reopened| -> Vec<String> {
            let mut message = message(state);
            Arc::make_mut(&mut message.alert).reopened = reopened;
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            pagerduty(&message, "key")
                .iter()
                .map(|event| format!("{} {}", text(&event["event_action"]), text(&event["dedup_key"])))
                .collect()
        };
        assert_eq!(told(AlertState::Opened, 1), ["trigger S1:x:1#1", "resolve S1:x:1"]);
        assert_eq!(told(AlertState::Notified, 2), ["trigger S1:x:1#2", "resolve S1:x:1#1"]);
        assert_eq!(told(AlertState::Acknowledged, 2), ["acknowledge S1:x:1#2"]);
        assert_eq!(told(AlertState::Resolved, 2), ["resolve S1:x:1", "resolve S1:x:1#1", "resolve S1:x:1#2"]);
        let many = told(AlertState::Resolved, 100);
        assert_eq!((many.len(), &*many[0]), (8, "resolve S1:x:1#93"));
    }
}

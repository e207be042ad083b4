//! Several alerts in one message. Pure.

use super::message::{BODY_VERSION, Message, meaning};
use fieldline_schemas::events::Severity;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

/// Alerts in one message at most.
pub const GROUP_MAX: usize = 50;

/// What alerts of one message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    Flag,
    Severity,
    Team,
    Technician,
}

impl GroupBy {
    pub const ALL: [Self; 4] = [Self::Flag, Self::Severity, Self::Team, Self::Technician];

    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Severity => "severity",
            Self::Team => "team",
            Self::Technician => "technician",
        }
    }

    /// What a message has of it.
    pub fn value(self, message: &Message) -> String {
        let name = match self {
            Self::Technician => "technician_contact_id",
            other => other.symbol(),
        };
        message.field(name).unwrap_or_default()
    }
}

/// The same for every attempt of the same notifications.
pub fn key(messages: &[Message]) -> String {
    match messages {
        [one] => one.key(),
        several => {
            let mut keys: Vec<_> = several.iter().map(Message::key).collect();
            keys.sort();
            format!("group:{:032x}", xxh3_128(keys.join("\n").as_bytes()))
        }
    }
}

/// One line: how bad the worst is, how many, and of what.
pub fn title(messages: &[Message]) -> String {
    if let [one] = messages {
        return one.title();
    }
    let worst = messages.iter().map(|message| message.alert.severity).max().unwrap_or(Severity::Info);
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for message in messages {
        let kind = format!("{} {}", message.alert.flag.symbol(), meaning(&message.alert));
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| if count > 1 { format!("{kind} ({count})") } else { kind }).collect();
    format!("[{}] {} alerts: {}", worst.symbol(), messages.len(), kinds.join(", "))
}

/// The body of a webhook: of one alert its own, of several a list of these.
pub fn json(messages: &[Message]) -> Value {
    match messages {
        [one] => one.json(),
        several => json!({
            "version": BODY_VERSION,
            "type": "alert.group",
            "timestamp": several.iter().map(|message| message.alert.stamp.as_of).max().map(|at| at.to_string()),
            "title": title(several),
            "alerts": several.iter().map(Message::json).collect::<Vec<_>>(),
        }),
    }
}

/// A field of a ready template: of several alerts a line for each stands where the reasoning of one stands.
pub fn field(messages: &[Message], name: &str) -> String {
    match (messages, name) {
        ([one], name) => one.field(name).unwrap_or_default(),
        (several, "title") => title(several),
        (several, "reasoning") => {
            let line = |message: &Message| format!("{}: {} ({})", message.title(), message.alert.reasoning, message.alert.alert_id);
            several.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Template;
    use super::super::people::Person;
    use super::super::samples::alert;
    use super::*;
    use fieldline_schemas::alerts::FlagCode;
    use std::sync::Arc;

    fn message(id: &str, flag: FlagCode) -> Message {
        Message { alert: Arc::new(alert(id, flag, 1)), person: Person { display_name: None, team: Some("north".to_owned()) } }
    }

    #[test]
    fn one_alert_is_told_as_ever_and_several_as_a_list_of_such() {
        let (one, other, third) = (message("S5:x:1", FlagCode::S5), message("S5:x:2", FlagCode::S5), message("S11:x:3", FlagCode::S11));
        let alone = std::slice::from_ref(&one);
        assert_eq!((key(alone), title(alone), json(alone)), (one.key(), one.title(), one.json()));
        let several = [one.clone(), other.clone(), third];
        let body = json(&several);
        assert_eq!((&body["type"], &body["version"], &body["alerts"][1]), (&"alert.group".into(), &BODY_VERSION.into(), &other.json()));
        assert_eq!(title(&several), "[warning] 3 alerts: S5 shift end missing (2), S11 visit window missed");
        let turned = [several[2].clone(), several[0].clone(), several[1].clone()];
        assert_eq!(key(&several), key(&turned), "the order of a group says nothing");
        assert_ne!(key(&several), key(&several[..2]));
        let slack: Value = serde_json::from_str(&Template::slack().render(&several)).unwrap();
        assert_eq!(slack["text"].as_str().unwrap().lines().count(), 1 + 3 * 2 + 1, "{slack}");
    }

    #[test]
    fn what_alerts_have_in_common() {
        let message = message("S5:x:1", FlagCode::S5);
        let values = GroupBy::ALL.map(|by| by.value(&message));
        assert_eq!(values, ["S5", "warning", "north", "07070707-0707-0707-0707-070707070707"]);
    }
}

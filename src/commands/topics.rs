//! `fieldline topics create|check`.

use super::WrongCommand;
use crate::cli::TopicsAction;
use crate::config::Config;
use crate::log::{connect, topics};
use anyhow::Result;
use fieldline_log::Log;
use std::process::ExitCode;

/// The exit code where a topic differs.
const DIFFERENT: u8 = 1;

pub fn run(config: &Config, action: &TopicsAction) -> Result<ExitCode> {
    let is_embedded = || WrongCommand("kafka.brokers is not set; the embedded log makes its topics itself".into());
    let kafka = config.kafka.as_ref().ok_or_else(is_embedded)?;
    let log = connect(kafka)?;
    match action {
        TopicsAction::Create => {
            for spec in topics(config) {
                let made = log.ensure_topic(&spec)?;
                let kept = made.retention.map_or("for ever".to_owned(), |kept| format!("{} days", kept.as_secs() / 86_400));
                tell!("{}: {} partitions, records kept {kept}", made.name, made.partitions)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        TopicsAction::Check(arguments) => {
            let mut differences = Vec::new();
            for spec in topics(config) {
                differences.extend(log.check_topic(&spec)?);
            }
            if arguments.json {
                let rows = differences.iter().map(|d| {
                    serde_json::json!({ "topic": d.topic, "what": d.what, "found": d.found, "wanted": d.wanted, "wrong": d.is_wrong, "means": d.means })
                });
                tell!("{}", serde_json::Value::from_iter(rows))?;
            } else {
                for difference in &differences {
                    tell!("{difference}")?;
                }
                if differences.is_empty() {
                    tell!("every topic is as it must be")?;
                }
            }
            Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
        }
    }
}

//! `fieldline verify`: every stored result computed again, and every record of the log found in the tables.

use super::Place;
use crate::cli::Json;
use crate::config::Config;
use crate::engine::Database;
use crate::log::{self, Time};
use crate::pipeline::definition;
use anyhow::{Result, bail};
use fieldline_schemas::topics::Topic;
use fieldline_sinks::verify::{Conservation, Findings, Report, VerifyConfig, VerifyProgress, conservation, verify};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;

/// The exit code where stored results differ.
const DIFFERENT: u8 = 1;

pub fn run(config: &Config, arguments: &Json) -> Result<ExitCode> {
    super::ensure_data(config, Place::Log)?;
    let log = log::open(config, if config.kafka.is_some() { Time::Clock } else { Time::Events })?.log;
    let database = Database::serve(config)?;
    super::migrate(&database.target)?;
    let schemas = crate::registry::open(config, false)?;
    let kept = conservation(&*log, &schemas, &config.topics_prefix, &database.target, Default::default())?;
    if let Some((stage, records)) = kept.pending.iter().next() {
        bail!(
            "{records} records are not worked through yet (group {stage}): `fieldline run` until it has caught up, or repeat the import, then verify"
        );
    }
    let described = log.describe_topic(&Topic::Activity.full_name(&config.topics_prefix))?;
    let settings = VerifyConfig {
        definition: definition(config),
        partitions: described.map_or(config.topics_partitions, |topic| topic.partitions),
        deadlines: Default::default(),
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("computing again {bar:30} {pos}/{len} technicians {elapsed}") {
        bar.set_style(style);
    }
    let mut show = |progress: VerifyProgress| {
        bar.set_length(progress.technicians);
        bar.set_position(progress.technicians_done);
    };
    let report = verify(&database.target, &settings, &mut show)?;
    bar.finish_and_clear();
    let is_clean = report.is_clean() && kept.missing.count == 0;
    if arguments.json {
        tell!("{}", serde_json::json!({ "clean": is_clean, "results": report, "log": kept }))?;
    } else {
        tell(&report, &kept)?;
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn tell(report: &Report, kept: &Conservation) -> Result<()> {
    tell!("{:>10}  technicians, {} records read from the log tables", report.technicians, report.records)?;
    tell!("{:>10}  results compared", report.compared)?;
    list("changed: stored otherwise than the log gives", &report.changed, |d| {
        let columns: Vec<String> = d.columns.iter().map(|c| format!("{} is {}, should be {}", c.name, c.stored, c.computed)).collect();
        format!("{}: {}", d.row, columns.join(", "))
    })?;
    list("missing: computed, not stored", &report.missing, ToString::to_string)?;
    list("extra: stored, but nothing in the log gives it", &report.extra, ToString::to_string)?;
    list("apart: differences that the definitions allow (A29, positions, finality of another definition)", &report.apart, |a| {
        a.row.to_string()
    })?;
    tell!("{:>10}  records and {} ticks in the log", kept.records, kept.ticks)?;
    list("lost: in the log, but in no table", &kept.missing, |p| format!("{} partition {} offset {}", p.topic, p.partition, p.offset))?;
    Ok(())
}

fn list<T>(title: &str, findings: &Findings<T>, line: impl Fn(&T) -> String) -> Result<()> {
    tell!("{:>10}  {title}", findings.count)?;
    for finding in &findings.first {
        tell!("            {}", line(finding))?;
    }
    let more = findings.count - findings.first.len() as u64;
    if more > 0 {
        tell!("            … and {more} more")?;
    }
    Ok(())
}

//! `fieldline import`: files in, and back when every row that follows from them can be queried.

use super::instant;
use crate::cli::Import;
use crate::config::Config;
use crate::log::Time;
use crate::pipeline::{Ends, Pipeline};
use anyhow::{Result, bail};
use fieldline_log::{Append, Destination};
use fieldline_producers::import::{ImportOptions, ImportSummary, LivePlan, Progress, Source, import, plan_as_live};
use fieldline_producers::{Publisher, PublisherConfig};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use fieldline_schemas::{Timestamp, Topic};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The exit code of an import that refused lines.
const SOME_REFUSED: u8 = 3;
/// A replay may be repeated, as after a kill: each time lets the clock run on by a second.
const REPEAT_US: i64 = MINUTE_US;
/// How long the log may take to acknowledge the last records.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);

pub fn run(config: &Config, arguments: &Import) -> Result<ExitCode> {
    let sources: Vec<Source> = arguments.files.iter().map(|file| Source::from_argument(file)).collect();
    let until = arguments.until.as_deref().map(|until| instant("--until", until)).transpose()?;
    // A name that is mistyped is told before anything is made or imported.
    sources.iter().try_for_each(Source::check)?;
    let time = if arguments.as_live { Time::Events } else { Time::Clock };
    let started = Instant::now();
    let mut pipeline = Pipeline::start(config, time)?;
    let bar = ProgressBar::new(0);
    let mut show = |progress: &Progress| show(&bar, progress);
    let outcome = if arguments.as_live {
        as_live(&mut pipeline, config, &sources, until, &mut show)
    } else {
        append(&mut pipeline, config, &sources, &mut show)
    };
    bar.finish_and_clear();
    let outcome = outcome.and_then(|(summary, ends)| {
        let waiting = ProgressBar::new_spinner().with_message("waiting until every row can be queried");
        waiting.enable_steady_tick(Duration::from_millis(100));
        pipeline.drain(&ends)?;
        waiting.finish_and_clear();
        Ok(summary)
    });
    // What stopped a stage is the reason for everything else that went wrong.
    let stopped = pipeline.stop();
    let summary = outcome?;
    stopped?;
    report(&summary, started.elapsed(), arguments.json)?;
    Ok(if summary.refused > 0 { ExitCode::from(SOME_REFUSED) } else { ExitCode::SUCCESS })
}

fn append(pipeline: &mut Pipeline, config: &Config, sources: &[Source], show: &mut dyn FnMut(&Progress)) -> Result<(ImportSummary, Ends)> {
    let log = Arc::clone(&pipeline.log);
    let settings = PublisherConfig {
        prefix: config.topics_prefix.clone(),
        partitions: Some(config.topics_partitions),
        schemas: pipeline.schemas.clone(),
        sos: config.sos.clone(),
        ..PublisherConfig::default()
    };
    let summary = import(&mut Publisher::new(log, settings)?, sources, &ImportOptions::default(), show)?;
    Ok((summary, pipeline.event_ends()?))
}

/// Appends every record at its own time, then lets the clock run on.
fn as_live(
    pipeline: &mut Pipeline,
    config: &Config,
    sources: &[Source],
    until: Option<Timestamp>,
    show: &mut dyn FnMut(&Progress),
) -> Result<(ImportSummary, Ends)> {
    let plan = plan_as_live(sources, &ImportOptions::default(), show)?;
    let last = plan.span().map(|(_, last)| last);
    let end = until.into_iter().chain(last).max();
    if let Some((clock, end)) = pipeline.opened_at.zip(end)
        && end + REPEAT_US < clock
    {
        bail!(
            "the log in {} has come to {clock}, the files end at {end}: what lies before can not come live any more. \
             Use a --data-dir of its own, or import without --as-live",
            config.data_dir.display()
        );
    }
    replay(pipeline, config, &plan)?;
    let ends = pipeline.event_ends()?;
    if let Some(end) = end.into_iter().chain(pipeline.opened_at).max() {
        let mut producer = pipeline.log.producer()?;
        pipeline.tick(&mut *producer, last, end)?;
        // The second that holds `end` is over when the next one begins.
        pipeline.tick(&mut *producer, Some(end), Timestamp((end.second() + 1) * SECOND_US))?;
        producer.flush(FLUSH_WAIT_MAX)?;
    }
    Ok((plan.summary, ends))
}

fn replay(pipeline: &mut Pipeline, config: &Config, plan: &LivePlan) -> Result<()> {
    let mut producer = pipeline.log.producer()?;
    let names: Vec<String> = Topic::ALL.iter().map(|topic| topic.full_name(&config.topics_prefix)).collect();
    for record in plan.iter() {
        let append = Append { destination: Destination::ByKey, key: record.key, value: record.payload, append_time: Some(record.at) };
        producer.append(&names[record.topic as usize], append)?;
    }
    producer.flush(FLUSH_WAIT_MAX)?;
    Ok(())
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let template = match progress.bytes_total {
        Some(_) => "{msg:40!} {bar:30} {bytes}/{total_bytes} {elapsed}",
        None => "{msg:40!} {spinner} {bytes} {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(format!("{}: {} events, {} refused", progress.file, progress.events, progress.refused));
    bar.set_length(progress.bytes_total.unwrap_or(progress.bytes_read));
    bar.set_position(progress.bytes_read);
}

fn report(summary: &ImportSummary, elapsed: Duration, json: bool) -> Result<()> {
    if json {
        let by_reason = summary.refused_by_reason.iter().map(|(reason, count)| (reason.symbol(), *count));
        let by_reason: std::collections::BTreeMap<&str, u64> = by_reason.collect();
        let answer = serde_json::json!({
            "files": summary.files, "lines": summary.lines, "events": summary.events, "events_by_kind": summary.events_by_kind,
            "refused": summary.refused, "refused_by_reason": by_reason, "unmapped_keys": summary.unmapped_keys,
            "elapsed_seconds": elapsed.as_secs_f64(),
        });
        tell!("{answer}")?;
        return Ok(());
    }
    for refused in &summary.refused_lines {
        remark!("{refused}");
    }
    let more = summary.refused.saturating_sub(summary.refused_lines.len() as u64);
    if more > 0 {
        remark!("… and {more} more refused lines");
    }
    for (kind, count) in &summary.events_by_kind {
        tell!("{count:>10}  {kind}")?;
    }
    if summary.refused > 0 {
        tell!("{:>10}  lines refused: see the view dead_letters", summary.refused)?;
    }
    if summary.unmapped_keys > 0 {
        tell!(
            "{:>10}  unknown keys: those of events are kept under metadata.unmapped, those of other kinds only counted",
            summary.unmapped_keys
        )?;
    }
    let rate = summary.events as f64 / elapsed.as_secs_f64().max(1e-9);
    tell!("imported and computed in {:.1} s ({rate:.0} events/s); ask with: fieldline sql 'SELECT …'", elapsed.as_secs_f64())?;
    Ok(())
}

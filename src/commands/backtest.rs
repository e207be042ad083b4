//! `fieldline backtest`: history as if it were live, in a log of its own, with pages recorded instead of sent.
//!
//! Everything that is printed is read from the `alerts` of that log, so that two runs over the same records print the same
//! bytes. The folder of the replay is removed afterwards.

use super::{Place, WrongCommand, instant};
use crate::cli::Backtest;
use crate::config::Config;
use crate::log::{self, Opened, Time};
use crate::pipeline::{definition, processors};
use anyhow::{Context, Result, bail};
use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::{Append, Batch, Destination, Log, Producer, TopicPartition, partition_for_key, read_topic};
use fieldline_processors::{Driver, ProcessorConfig};
use fieldline_processors_core::partition::Partition;
use fieldline_producers::import::{ImportOptions, LivePlan, Source, plan_as_live};
use fieldline_schemas::alerts::{Alert, AlertState};
use fieldline_schemas::events::Tick;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);
/// Records that are appended before the processors take them.
const ROUND_RECORDS: usize = 50_000;
const FOLDER: &str = "backtest";

/// What somebody would have been told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Page {
    at: Timestamp,
    alert_id: String,
    flag: &'static str,
    notification: u32,
    step: &'static str,
    severity: &'static str,
    cause: String,
    reasoning: String,
}

/// How alerts of one flag went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    alerts: u32,
    pages: u32,
    /// Closed by events, without a person.
    withdrawn: u32,
    open: u32,
}

/// What a replay brought.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    pages: Vec<Page>,
    tallies: BTreeMap<&'static str, Tally>,
}

/// What is replayed.
enum History<'p> {
    Files { plan: &'p LivePlan, until: Option<Timestamp> },
    Log { log: &'p dyn Log, prefix: &'p str, from: Timestamp, to: Timestamp },
}

/// Replays under the settings `before`, and where `after` differs, under those too.
pub fn run(before: &Config, after: &Config, arguments: &Backtest) -> Result<()> {
    let time = |flag, text: &Option<String>| text.as_deref().map(|text| instant(flag, text)).transpose();
    let (from, to, until) = (time("--from", &arguments.from)?, time("--to", &arguments.to)?, time("--until", &arguments.until)?);
    let (opened, plan);
    let history = match from.zip(to) {
        Some((from, to)) if from >= to => return Err(WrongCommand(format!("--from {from} --to {to}: that is no time at all")).into()),
        Some((from, to)) => {
            super::ensure_data(before, Place::Log)?;
            let Opened { log, .. } = log::open(before, Time::Clock)?;
            opened = log;
            History::Log { log: opened.as_ref(), prefix: &before.topics_prefix, from, to }
        }
        None => {
            let sources: Vec<Source> = arguments.files.iter().map(|file| Source::from_argument(file)).collect();
            sources.iter().try_for_each(Source::check)?;
            let options = ImportOptions { imported: false, sos: before.sos.clone(), ..ImportOptions::default() };
            plan = plan_as_live(&sources, &options, &mut |_| {})?;
            History::Files { plan: &plan, until }
        }
    };
    let differs = before.alerts != after.alerts || before.flags != after.flags || definition(before) != definition(after);
    let first = replay(before, &history)?;
    let second = if differs { Some(replay(after, &history)?) } else { None };
    if let History::Files { plan, .. } = &history
        && plan.summary.refused > 0
    {
        remark!("{} lines were refused; `fieldline import` says which and why", plan.summary.refused);
    }
    let mut text = String::new();
    match (&second, arguments.json) {
        (None, true) => text.push_str(&json(&first)?),
        (Some(second), true) => {
            text.push_str(&format!("{{\"before\":{},\"after\":{}}}\n", json(&first)?.trim_end(), json(second)?.trim_end()))
        }
        (None, false) => one(&first, &mut text),
        (Some(second), false) => both(&first, second, &mut text),
    }
    super::to_stdout(&text)
}

/// The folder of a replay, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn make(config: &Config) -> Result<Self> {
        let path = config.data_dir.join(FOLDER).join(std::process::id().to_string());
        std::fs::create_dir_all(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        // Only where no other backtest has its own in it.
        let _ = self.0.parent().map(std::fs::remove_dir);
    }
}

fn replay(config: &Config, history: &History<'_>) -> Result<Outcome> {
    let folder = Folder::make(config)?;
    let options = EmbeddedOptions { event_time: true, keep_all: true, ..EmbeddedOptions::default() };
    let log: Arc<dyn Log> = EmbeddedLog::open(&folder.0.join("log"), options)?;
    let config = match history {
        // Partitions stay what they were, since records are taken over partition by partition.
        History::Log { log: source, prefix, .. } => {
            let activity = Topic::Activity.full_name(prefix);
            let described = source.describe_topic(&activity)?.with_context(|| format!("topic {activity} does not exist"))?;
            Config { topics_partitions: described.partitions, ..config.clone() }
        }
        History::Files { .. } => config.clone(),
    };
    for spec in log::topics(&config) {
        log.ensure_topic(&spec)?;
    }
    let settings = ProcessorConfig { schemas: Default::default(), ..processors(&config, Time::Events) };
    let mut driver = Driver::with_alerts(settings, config.alerts, Arc::clone(&log))?;
    let mut feed = Feed {
        producer: log.producer()?,
        driver: &mut driver,
        names: Topic::ALL.iter().map(|topic| topic.full_name(&config.topics_prefix)).collect(),
        partitions: config.topics_partitions,
        vouches_for_activity: matches!(history, History::Files { .. }),
        vouched: BTreeMap::new(),
        since_drained: 0,
        last: Timestamp::MIN,
    };
    let (shown_from, end) = match history {
        History::Files { plan, until } => {
            for record in plan.iter() {
                feed.event(record.topic, Destination::ByKey, (record.key, record.payload), record.at)?;
            }
            (Timestamp::MIN, until.unwrap_or(feed.last))
        }
        History::Log { log: source, prefix, from, to } => {
            take_over(*source, prefix, (Partition::replay_from(*from), *to), &mut feed)?;
            (*from, *to)
        }
    };
    feed.drain()?;
    drop(feed);
    if end > Timestamp::MIN {
        driver.advance_to(end)?;
    }
    collect(log.as_ref(), &config, shown_from)
}

/// Appends to the log of the replay, and lets the processors follow.
struct Feed<'d> {
    producer: Box<dyn Producer>,
    driver: &'d mut Driver,
    /// Of the topics, by their numbers.
    names: Vec<String>,
    partitions: i32,
    /// A log has ticks of its own in `activity`; a file has none.
    vouches_for_activity: bool,
    /// Up to when there is a record in a partition.
    vouched: BTreeMap<(Topic, i32), Timestamp>,
    since_drained: usize,
    last: Timestamp,
}

impl Feed<'_> {
    /// Appends a record. Nothing is missing between two of them: a tick vouches for the time before each, or it would be a gap, after
    /// which flags about absence wait.
    fn event(&mut self, topic: Topic, destination: Destination, (key, payload): (&[u8], &[u8]), at: Timestamp) -> Result<()> {
        let partition = match destination {
            Destination::Partition(partition) => partition,
            Destination::ByKey => partition_for_key(key, self.partitions),
        };
        let is_vouched = matches!(topic, Topic::Calls | Topic::Operations) || topic == Topic::Activity && self.vouches_for_activity;
        let codec = Codec::new();
        if is_vouched
            && let Some(since) = self.vouched.insert((topic, partition), at)
            && at > since
        {
            let mut tick = Vec::new();
            codec.encode(&AnyRecord::Tick(Tick { since: Some(since) }), &mut tick);
            self.put(topic, Destination::Partition(partition), (b"", &tick), at)?;
        }
        self.put(topic, destination, (key, payload), at)?;
        // What it says of a technician is to reach that log before whatever happens later.
        let names_technician = |any| matches!(any, AnyRecord::OperationalEvent(event) if event.technician_contact_id.is_some());
        if topic == Topic::Operations && codec.decode(payload).is_ok_and(names_technician) { self.drain() } else { Ok(()) }
    }

    fn put(&mut self, topic: Topic, destination: Destination, (key, value): (&[u8], &[u8]), at: Timestamp) -> Result<()> {
        self.producer.append(&self.names[topic as usize], Append { destination, key, value, append_time: Some(at) })?;
        self.last = self.last.max(at);
        self.since_drained += 1;
        if self.since_drained >= ROUND_RECORDS { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<()> {
        self.since_drained = 0;
        self.producer.flush(FLUSH_WAIT_MAX)?;
        self.driver.drain()?;
        Ok(())
    }
}

/// A record of a log that is replayed.
struct Taken {
    at: Timestamp,
    topic: Topic,
    partition: i32,
    key: Vec<u8>,
    payload: Vec<u8>,
}

/// Every record of events that was appended in the span, at its own time, in that order. The ticks of `activity` come along: they
/// are the time that passed. Held in memory, as a replay of files is. What operational events say of technicians is
/// carried into that log once more, and says nothing new.
fn take_over(source: &dyn Log, prefix: &str, (from, to): (Timestamp, Timestamp), feed: &mut Feed<'_>) -> Result<()> {
    let group = format!("{prefix}backtest-{}", std::process::id());
    let mut taken = Vec::new();
    for topic in [Topic::Activity, Topic::Calls, Topic::Operations] {
        read_topic(source, &group, &topic.full_name(prefix), &mut |batch: &Batch| {
            let TopicPartition { partition, .. } = batch.partition;
            let within = batch.iter().filter(|record| (from..=to).contains(&record.append_time));
            taken.extend(within.map(|record| {
                let (key, payload) = (record.key.to_vec(), record.value.to_vec());
                Taken { at: record.append_time, topic, partition, key, payload }
            }));
        })?;
    }
    taken.sort_by_key(|record| record.at);
    taken.iter().try_for_each(|record| {
        feed.event(record.topic, Destination::Partition(record.partition), (&record.key, &record.payload), record.at)
    })
}

/// What the replay's alerts say.
fn collect(log: &dyn Log, config: &Config, shown_from: Timestamp) -> Result<Outcome> {
    let codec = Codec::new();
    let mut latest: BTreeMap<String, Alert<'static>> = BTreeMap::new();
    let mut outcome = Outcome::default();
    let mut failed = None;
    read_topic(log, "backtest", &Topic::Alerts.full_name(&config.topics_prefix), &mut |batch| {
        for record in batch.iter() {
            let alert = match codec.decode(record.value) {
                Ok(AnyRecord::Alert(alert)) => alert,
                Ok(_) => continue,
                Err(rejection) => {
                    failed = Some(rejection);
                    continue;
                }
            };
            let before = latest.get(&*alert.alert_id);
            if before.is_some_and(|before| before.stamp.version >= alert.stamp.version) {
                continue;
            }
            if alert.notification > before.map_or(0, |before| before.notification) && alert.stamp.as_of >= shown_from {
                outcome.pages.push(page(&alert));
            }
            latest.insert(alert.alert_id.to_string(), alert.into_owned());
        }
    })?;
    if let Some(rejection) = failed {
        bail!("an alert of the replay can not be read: {rejection}");
    }
    outcome.pages.sort();
    for page in &outcome.pages {
        outcome.tallies.entry(page.flag).or_default().pages += 1;
    }
    for alert in latest.values().filter(|alert| alert.stamp.as_of >= shown_from) {
        let tally = outcome.tallies.entry(alert.flag.symbol()).or_default();
        tally.alerts += 1;
        match alert.state {
            AlertState::Resolved => tally.withdrawn += 1,
            _ => tally.open += 1,
        }
    }
    Ok(outcome)
}

fn page(alert: &Alert<'_>) -> Page {
    Page {
        at: alert.stamp.as_of,
        alert_id: alert.alert_id.to_string(),
        flag: alert.flag.symbol(),
        notification: alert.notification,
        step: alert.step.symbol(),
        severity: alert.severity.symbol(),
        cause: alert.cause.to_string(),
        reasoning: alert.reasoning.to_string(),
    }
}

fn json(outcome: &Outcome) -> Result<String> {
    let pages = outcome.pages.iter().map(|page| {
        serde_json::json!({
            "at": page.at.to_string(), "alert_id": page.alert_id, "notification": page.notification, "step": page.step,
            "severity": page.severity, "cause": page.cause, "reasoning": page.reasoning,
        })
    });
    let pages: Vec<_> = pages.collect();
    let tallies = outcome.tallies.iter().map(|(flag, tally)| {
        (*flag, serde_json::json!({ "alerts": tally.alerts, "pages": tally.pages, "withdrawn": tally.withdrawn, "open": tally.open }))
    });
    let tallies: BTreeMap<_, _> = tallies.collect();
    Ok(format!("{}\n", serde_json::to_string(&serde_json::json!({ "pages": pages, "flags": tallies }))?))
}

fn one(outcome: &Outcome, text: &mut String) {
    for page in &outcome.pages {
        let Page { at, alert_id, step, severity, reasoning, .. } = page;
        text.push_str(&format!("{at}  {step:<12} {severity:<9} {alert_id}  {reasoning}\n"));
    }
    text.push_str("\nflag   alerts    pages  withdrawn     open\n");
    for (flag, tally) in &outcome.tallies {
        text.push_str(&format!("{flag:<5} {:>7}  {:>7}  {:>9}  {:>7}\n", tally.alerts, tally.pages, tally.withdrawn, tally.open));
    }
    if outcome.tallies.is_empty() {
        text.push_str("nobody would have been paged\n");
    }
}

/// The same page before and after.
type Sides<'p> = (Option<&'p Page>, Option<&'p Page>);

/// Page by page, those of the same alert and step beside each other.
fn both(before: &Outcome, after: &Outcome, text: &mut String) {
    let mut rows: BTreeMap<(&str, &str, u32), Sides<'_>> = BTreeMap::new();
    let mut counts: BTreeMap<(bool, &str, &str), u32> = BTreeMap::new();
    for (is_after, page) in before.pages.iter().map(|page| (false, page)).chain(after.pages.iter().map(|page| (true, page))) {
        let count = counts.entry((is_after, &page.alert_id, page.step)).or_default();
        *count += 1;
        let row = rows.entry((&page.alert_id, page.step, *count)).or_default();
        if is_after { row.1 = Some(page) } else { row.0 = Some(page) }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|((alert_id, step, count), (a, b))| (a.or(*b).map(|page| page.at), *alert_id, *step, *count));
    text.push_str(&format!("{:<27}  {:<27}  {:<12} alert\n", "before", "after", "step"));
    for ((alert_id, step, _), (a, b)) in rows {
        let at = |page: Option<&Page>| page.map_or("-".to_owned(), |page| page.at.to_string());
        text.push_str(&format!("{:<27}  {:<27}  {step:<12} {alert_id}\n", at(a), at(b)));
    }
    text.push_str("\nflag    alerts before/after   pages before/after   withdrawn before/after   open before/after\n");
    let flags: std::collections::BTreeSet<_> = before.tallies.keys().chain(after.tallies.keys()).collect();
    for flag in flags {
        let (a, b) = (before.tallies.get(flag).copied().unwrap_or_default(), after.tallies.get(flag).copied().unwrap_or_default());
        let pair = |a: u32, b: u32| format!("{a} / {b}");
        text.push_str(&format!(
            "{flag:<6} {:>20} {:>20} {:>24} {:>19}\n",
            pair(a.alerts, b.alerts),
            pair(a.pages, b.pages),
            pair(a.withdrawn, b.withdrawn),
            pair(a.open, b.open)
        ));
    }
}

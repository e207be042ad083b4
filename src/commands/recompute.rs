//! `fieldline recompute`: brings the past to the present definition.
//!
//! ```text
//! processors' commits ─► positions ─► log tables hold them ─► pieces ─► round by round: recompute ─► history ─► rows
//! ```
//! A position is taken only from a commit of the present definition. Before that, processors of the one before could still put
//! out changes of rows that we overrule, and the one that takes over derives them anew without putting them out: they were lost.

use super::{Place, instant};
use crate::cli::Recompute;
use crate::config::Config;
use crate::engine::Database;
use crate::log::Time;
use crate::pipeline::{Ends, Pipeline, definition};
use anyhow::{Context, Result, bail, ensure};
use fieldline_log::{Append, Destination, Log, TopicPartition, partition_for_key};
use fieldline_processors::Note;
use fieldline_processors_core::definition::Definition;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{AnyRecord, Timestamp, Topic, key_of};
use fieldline_sinks::clickhouse::{ClickHouseTarget, Database as Connection, Deadlines};
use fieldline_sinks::recompute::{self, Piece, Scope, Span};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the log may take to acknowledge the requests of a round.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often the processors' commits are looked at, and after how long without what is wanted that is said.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const WARN_EVERY: Duration = Duration::from_secs(10);
/// Counting and grouping every record takes longer than a usual query.
const DEADLINES: Deadlines = Deadlines { connect: Duration::from_secs(5), attempt: Duration::from_secs(600) };

/// Where a partition of `activity` is read up to: the last record, and the clock there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    offset: i64,
    clock: Timestamp,
}

/// What was asked for.
#[derive(Default)]
struct Asked {
    technicians: usize,
    requests: usize,
    records: u64,
    rounds: usize,
}

pub fn run(config: &Config, arguments: &Recompute) -> Result<()> {
    super::ensure_data(config, Place::Log)?;
    let scope = scope(arguments)?;
    let started = Instant::now();
    let mut pipeline = Pipeline::start(config, Time::Clock)?;
    let outcome = ask(&mut pipeline, config, &scope, arguments);
    let stopped = pipeline.stop();
    let (asked, standing) = outcome?;
    stopped?;
    report(&asked, standing, config.definition_number, started.elapsed(), arguments.json)?;
    Ok(())
}

fn scope(arguments: &Recompute) -> Result<Scope> {
    let mut span = Span::ALL;
    if let Some(from) = &arguments.from {
        span.from = instant("--from", from)?.max(span.from);
    }
    if let Some(to) = &arguments.to {
        span.to = instant("--to", to)?.min(span.to);
    }
    if span.from > span.to {
        return Err(super::WrongCommand(format!("--from {} lies after --to {}", span.from, span.to)).into());
    }
    let mut technicians: Vec<TechnicianId> = arguments.technician.iter().copied().map(TechnicianId).collect();
    technicians.sort_unstable();
    technicians.dedup();
    Ok(Scope { technicians, span })
}

/// Asks round by round; how many results stand in the end, where that was waited for.
fn ask(pipeline: &mut Pipeline, config: &Config, scope: &Scope, arguments: &Recompute) -> Result<(Asked, Option<u64>)> {
    // Without sinks in this process the tables are asked where they are; an engine of our own lives as long as we do.
    let reached = if config.kafka.is_some() { Some(Database::reach(config)?) } else { None };
    let target: ClickHouseTarget = reached.as_ref().map_or_else(|| pipeline.target(), |database| Ok(&database.target))?.clone();
    super::migrate(&target)?;
    let waiting = ProgressBar::new_spinner().with_message("waiting until processors and tables have come to the present definition");
    waiting.enable_steady_tick(LOOK_EVERY);
    let positions = positions(pipeline, config)?;
    pipeline.wait_for_records(&ends(config, &positions))?;
    waiting.finish_and_clear();

    let database = Connection::open(&target, DEADLINES)?;
    let pieces = recompute::pieces(&database, scope)?;
    ensure_records(&database, &pieces)?;
    let bar = ProgressBar::new(pieces.iter().map(|piece| piece.records).sum());
    if let Ok(style) = ProgressStyle::with_template("computing again {bar:30} {pos}/{len} records {elapsed}") {
        bar.set_style(style);
    }
    let mut asked =
        Asked { technicians: pieces.chunk_by(|a, b| a.technician_contact_id == b.technician_contact_id).count(), ..Asked::default() };
    for round in recompute::rounds(&pieces) {
        publish(pipeline, config, &round, &positions)?;
        if !arguments.no_wait {
            pipeline.wait_for_history()?;
        }
        asked.requests += round.len();
        asked.records += round.iter().map(|piece| piece.records).sum::<u64>();
        asked.rounds += 1;
        bar.set_position(asked.records);
    }
    bar.finish_and_clear();
    if arguments.no_wait {
        return Ok((asked, None));
    }
    let number = config.definition_number;
    let (standing, older) = recompute::standing(&database, scope, number)?;
    ensure!(
        older == 0,
        "{older} of {standing} rows are of a definition before {number} still: sinks of an older definition computed them. Stop those \
         processes, and repeat the command"
    );
    Ok((asked, Some(standing)))
}

/// The records that results came from must be there, or the results would be withdrawn.
fn ensure_records(database: &Connection, pieces: &[Piece]) -> Result<()> {
    let recompute::Orphans { results, last } = recompute::orphans(database, pieces)?;
    if let Some(last) = last {
        bail!(
            "{results} rows came from records that the log tables do not hold any more (expired, or deleted); the last of them begins \
             {last}. Such rows are frozen: computing again would withdraw them. Recompute what came later, with --from a week after that"
        );
    }
    Ok(())
}

/// How far each partition is processed, by the present definition.
fn positions(pipeline: &mut Pipeline, config: &Config) -> Result<BTreeMap<i32, Position>> {
    let ours = definition(config);
    let group = format!("{}processors", config.topics_prefix);
    let topic = Topic::Activity.full_name(&config.topics_prefix);
    let partitions = pipeline.log.describe_topic(&topic)?.with_context(|| format!("topic {topic} does not exist"))?.partitions;
    let mut positions = BTreeMap::new();
    for partition in 0..partitions {
        let at = TopicPartition { topic: topic.clone(), partition };
        if pipeline.log.watermarks(&at)?.end == 0 {
            continue;
        }
        let mut since = Instant::now();
        loop {
            let (position, behind) = position(&*pipeline.log, &group, &at, &ours)?;
            if let Some(position) = position {
                positions.insert(partition, position);
                break;
            }
            pipeline.check()?;
            if since.elapsed() >= WARN_EVERY {
                since = Instant::now();
                remark!(
                    "waiting: {topic} partition {partition} {behind}, wanted is definition {}; are processors with these settings \
                     running, and those of the definition before stopped?",
                    ours.number
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Ok(positions)
}

/// Where a partition is processed up to; where not by the present definition, what there is instead.
fn position(log: &dyn Log, group: &str, at: &TopicPartition, ours: &Definition) -> Result<(Option<Position>, String)> {
    let Some(committed) = log.committed(group, at)?.filter(|committed| committed.offset > 0) else {
        return Ok((None, "was processed by nobody".to_owned()));
    };
    let place = || format!("{} partition {}", at.topic, at.partition);
    let note: Note = serde_json::from_str(&committed.metadata)
        .with_context(|| format!("reading the note beside the offset that {group} committed in {}", place()))?;
    ensure!(
        note.definition <= ours.number,
        "{} is processed with definition {}, this command was given {}: give it the settings definition.* of the processors; to go back \
         to older settings on purpose, set definition.number to {} or higher, for the processors too",
        place(),
        note.definition,
        ours.number,
        note.definition.saturating_add(1)
    );
    if note.definition < ours.number {
        return Ok((None, format!("was last processed with definition {}", note.definition)));
    }
    ensure!(
        note.definition_hash == ours.hash(),
        "{} is processed with other settings under the same definition number {}: give this command the settings definition.* of the \
         processors",
        place(),
        ours.number
    );
    let position = Position { offset: committed.offset - 1, clock: Timestamp(note.clock_us) };
    Ok((Some(position), String::new()))
}

fn ends(config: &Config, positions: &BTreeMap<i32, Position>) -> Ends {
    let topic = Topic::Activity.full_name(&config.topics_prefix);
    let end =
        |(partition, position): (&i32, &Position)| (TopicPartition { topic: topic.clone(), partition: *partition }, position.offset + 1);
    positions.iter().map(end).collect()
}

fn publish(pipeline: &Pipeline, config: &Config, round: &[Piece], positions: &BTreeMap<i32, Position>) -> Result<()> {
    let activity = Topic::Activity.full_name(&config.topics_prefix);
    let partitions = pipeline.log.describe_topic(&activity)?.with_context(|| format!("topic {activity} does not exist"))?.partitions;
    let topic = Topic::Recompute.full_name(&config.topics_prefix);
    let codec = pipeline.schemas.codec();
    let mut producer = pipeline.log.producer()?;
    let mut bytes = Vec::new();
    for piece in round {
        let partition = partition_for_key(piece.technician_contact_id.to_string().as_bytes(), partitions);
        // Records that lie in no partition of their technician's count nowhere; they are moved, and computed when they arrive.
        let Some(Position { offset, clock }) = positions.get(&partition).copied() else { continue };
        let record = AnyRecord::RecomputeRequest(recompute::request(piece, partition, offset, clock));
        bytes.clear();
        codec.encode(&record, &mut bytes);
        producer.append(&topic, Append { destination: Destination::ByKey, key: &key_of(&record), value: &bytes, append_time: None })?;
    }
    Ok(producer.flush(FLUSH_WAIT_MAX)?)
}

fn report(asked: &Asked, standing: Option<u64>, number: u16, elapsed: Duration, json: bool) -> Result<()> {
    let Asked { technicians, requests, records, rounds } = asked;
    if json {
        let answer = serde_json::json!({
            "technicians": technicians, "requests": requests, "records": records, "rounds": rounds, "definition": number,
            "rows": standing, "elapsed_seconds": elapsed.as_secs_f64(),
        });
        tell!("{answer}")?;
        return Ok(());
    }
    tell!("{technicians:>10}  technicians, {records} records, {requests} requests")?;
    match standing {
        Some(rows) => tell!("{rows:>10}  rows of definition {number}, computed again in {:.1} s", elapsed.as_secs_f64())?,
        None => tell!("            asked for; `fieldline run` computes them to definition {number}")?,
    }
    Ok(())
}

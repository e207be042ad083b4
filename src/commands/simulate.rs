//! `fieldline simulate`: events from a seed, as NDJSON or into the pipeline.

use super::WrongCommand;
use crate::cli::{FaultLevel, Simulate};
use crate::config::Config;
use crate::log::Time;
use crate::pipeline::Pipeline;
use anyhow::{Context, Result};
use chrono::NaiveDate;
use fieldline_log::{Append, Destination, Producer};
use fieldline_producers::lane_of;
use fieldline_producers::simulate::{Body, Emission, Faults, Simulator, SimulatorConfig, to_ndjson};
use fieldline_schemas::SosTypes;
use fieldline_schemas::topics::{Topic, key_in};
use fieldline_schemas::wire::Codec;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

const FLUSH_WAIT_MAX: Duration = Duration::from_secs(120);
const PAUSE_MIN: Duration = Duration::from_millis(5);

pub fn run(config: &Config, arguments: &Simulate) -> Result<()> {
    let simulator = Simulator::new(simulation(arguments)?)?;
    let emissions = simulator.take(arguments.limit.map_or(usize::MAX, |limit| limit as usize));
    if arguments.publish {
        return publish(config, emissions, arguments);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let counts = to_ndjson(emissions, &mut out)?;
    out.flush().context("writing the events")?;
    remark!("{} lines, {} of them damaged on purpose", counts.lines, counts.corrupt_lines);
    Ok(())
}

fn simulation(arguments: &Simulate) -> Result<SimulatorConfig> {
    let first_day = match &arguments.start {
        Some(text) => text.parse().map_err(|_| WrongCommand(format!("--start {text:?}: a date is wanted, as 2026-03-29")))?,
        None => today() - chrono::Days::new(u64::from(arguments.days)),
    };
    let faults = match arguments.faults {
        FaultLevel::None => Faults::none(),
        FaultLevel::Light => Faults::light(),
        FaultLevel::Heavy => Faults::heavy(),
    };
    Ok(SimulatorConfig {
        seed: arguments.seed,
        technicians: arguments.technicians,
        days: arguments.days,
        first_day,
        faults,
        ..SimulatorConfig::default()
    })
}

/// Today's date in UTC.
pub fn today() -> NaiveDate {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    chrono::DateTime::from_timestamp(since.as_secs() as i64, 0).unwrap_or_default().date_naive()
}

/// Appends emissions to the topics that they are for.
pub struct Feeder {
    codec: Codec,
    names: Vec<String>,
    sos: SosTypes,
    payload: Vec<u8>,
}

impl Feeder {
    pub fn new(config: &Config, codec: Codec) -> Self {
        let names = Topic::ALL.iter().map(|topic| topic.full_name(&config.topics_prefix)).collect();
        Self { codec, names, sos: config.sos.clone(), payload: Vec::new() }
    }

    /// With `as_live` at the emission's own time, else at the log's.
    pub fn append(&mut self, producer: &mut dyn Producer, emission: &Emission, as_live: bool) -> Result<()> {
        self.payload.clear();
        let (key, payload) = match &emission.body {
            Body::Record(record) => {
                self.codec.encode(record, &mut self.payload);
                (key_in(emission.topic, record), &self.payload)
            }
            Body::Corrupt { key, payload, .. } => (key.clone(), payload),
        };
        let append_time = as_live.then_some(emission.at);
        let append = Append { destination: Destination::ByKey, key: &key, value: payload, append_time };
        producer.append(&self.names[emission.topic as usize], append)?;
        // As the publisher does: an emergency has a copy in the priority lane.
        if let Body::Record(record) = &emission.body
            && let Some(lane) = lane_of(record, &self.sos)
        {
            let key = key_in(lane, record);
            producer
                .append(&self.names[lane as usize], Append { destination: Destination::ByKey, key: &key, value: payload, append_time })?;
        }
        Ok(())
    }
}

fn publish(config: &Config, emissions: impl Iterator<Item = Emission>, arguments: &Simulate) -> Result<()> {
    let mut pipeline = Pipeline::start(config, Time::Clock)?;
    let started = Instant::now();
    let outcome = feed(&mut pipeline, config, emissions, arguments.rate);
    let elapsed = started.elapsed();
    let stopped = pipeline.stop();
    let records = outcome?;
    stopped?;
    let rate = records as f64 / elapsed.as_secs_f64().max(1e-9);
    if arguments.json {
        tell!("{}", serde_json::json!({ "records": records, "elapsed_seconds": elapsed.as_secs_f64(), "records_per_second": rate }))?;
    } else {
        tell!("{records} records, from the first append to the last row visible: {:.1} s ({rate:.0} records/s)", elapsed.as_secs_f64())?;
    }
    Ok(())
}

fn feed(pipeline: &mut Pipeline, config: &Config, emissions: impl Iterator<Item = Emission>, rate: Option<u32>) -> Result<u64> {
    let mut producer = pipeline.log.producer()?;
    let mut feeder = Feeder::new(config, pipeline.schemas.codec());
    let mut records = 0;
    let started = Instant::now();
    for emission in emissions {
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(records as f64 / f64::from(rate));
            let early = due.saturating_sub(started.elapsed());
            // Sleeping for less costs more than it is worth.
            if early >= PAUSE_MIN {
                producer.acknowledged()?;
                pipeline.check()?;
                std::thread::sleep(early);
            }
        }
        feeder.append(&mut *producer, &emission, false)?;
        records += 1;
    }
    producer.flush(FLUSH_WAIT_MAX)?;
    let ends = pipeline.event_ends()?;
    pipeline.drain(&ends)?;
    Ok(records)
}

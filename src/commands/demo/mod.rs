//! `fieldline demo`: a simulated working day in time-lapse through the whole pipeline, told as it happens.

mod desk;

use super::simulate::{Feeder, today};
use crate::cli::Demo;
use crate::config::Config;
use crate::log::Time;
use crate::pipeline::Pipeline;
use anyhow::{Context, Result, bail};
use desk::Desk;
use fieldline_producers::simulate::{Body, Emission, FaultKind, Faults, Simulator, SimulatorConfig};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::wire::AnyRecord;
use fieldline_sinks::Database as Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The part of the day that is played at an even pace; the night before and what is late comes as fast as it can.
const PLAYED_FROM_US: i64 = 5 * HOUR_US;
const PLAYED_TO_US: i64 = 22 * HOUR_US;
/// After the last day the clock runs on until every row is final: the day, 24 h of an open shift, 72 h of lateness.
const RUN_ON_US: i64 = 100 * HOUR_US;
const EMERGENCY_PER_SHIFT: f64 = 0.02;
const FRAME: Duration = Duration::from_millis(50);
/// A line is told each time that this much of the simulated day has passed.
const TOLD_EVERY_US: i64 = 30 * MINUTE_US;
/// What happened is told one by one up to this often of each kind.
const TOLD_PER_KIND_MAX: u32 = 2;
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);

pub fn run(config: &Config, arguments: &Demo) -> Result<()> {
    let config = Config { data_dir: config.data_dir.join("demo"), clickhouse: None, ..config.clone() };
    crate::engine::library(&config)?;
    clear(&config.data_dir)?;
    let simulator = Simulator::new(SimulatorConfig {
        seed: arguments.seed,
        technicians: arguments.technicians,
        first_day: today() - chrono::Days::new(1),
        days: 1,
        // More emergencies than a day has, so that one is to be seen; the desk clears them, nobody else.
        faults: Faults { emergency_per_shift: EMERGENCY_PER_SHIFT, cleared_per_emergency: 0.0, ..Faults::light() },
        ..SimulatorConfig::default()
    })?;
    remark!(
        "A working day of {} technicians around Amsterdam, in about {} s.\n\
         phones ─► log (8 partitions) ─► processors ─► sinks ─► ClickHouse, all in this one process and its engine.\n",
        arguments.technicians,
        arguments.seconds
    );
    let mut pipeline = Pipeline::start(&config, Time::Events)?;
    let outcome = play(&mut pipeline, &config, simulator, arguments.seconds).and_then(|()| show(&mut pipeline, arguments.json));
    let stopped = pipeline.stop();
    outcome?;
    stopped?;
    if !arguments.json {
        try_next(&config.data_dir)?;
    }
    Ok(())
}

/// Removes the day that was played before.
fn clear(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let is_ours = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?.all(|entry| {
        entry.is_ok_and(|e| {
            matches!(e.file_name().to_str(), Some("log" | "clickhouse" | "clickhouse.log" | "engine.json" | "engine.json.new"))
        })
    });
    if !is_ours {
        bail!("{} holds files that no demo made: name another folder with --data-dir", folder.display());
    }
    if folder.join("log").exists() {
        // Held while it is looked at, so that no running demo loses its folder.
        drop(fieldline_log::embedded::EmbeddedLog::open(&folder.join("log"), Default::default())?);
    }
    std::fs::remove_dir_all(folder).with_context(|| format!("removing the last demo in {}", folder.display()))
}

fn play(pipeline: &mut Pipeline, config: &Config, simulator: Simulator, seconds: u32) -> Result<()> {
    let (midnight, day_end) = (simulator.begins_at(), simulator.days_end_at());
    let (from, to) = (midnight + PLAYED_FROM_US, midnight + PLAYED_TO_US);
    let pace = (to.since(from) as f64) / f64::from(seconds.max(1)) / SECOND_US as f64;
    let mut feeder = Feeder::new(config, pipeline.schemas.codec());
    let mut producer = pipeline.log.producer()?;
    let mut teller = Teller::new(midnight);
    let mut desk = Desk::open(pipeline, &config.topics_prefix)?;
    let mut emissions = simulator.peekable();
    let started = Instant::now();
    let mut clock = from;
    let mut last = None;
    while clock < to && emissions.peek().is_some() {
        while let Some(emission) = emissions.next_if(|e| e.at <= clock) {
            feeder.append(&mut *producer, &emission, true)?;
            teller.hear(&emission);
        }
        pipeline.tick(&mut *producer, last, clock)?;
        desk.look(&mut *producer, clock, &mut |at, text| teller.say(at, &text))?;
        producer.acknowledged()?;
        last = Some(clock);
        teller.tell(clock);
        pipeline.check()?;
        if seconds > 0 {
            std::thread::sleep(FRAME);
        }
        let played = if seconds > 0 {
            started.elapsed().as_secs_f64() * pace * SECOND_US as f64
        } else {
            clock.since(from) as f64 + MINUTE_US as f64
        };
        clock = from + played as i64;
    }
    remark!("\nThe day is over. Phones that had no network upload late, for days; the clock runs on until nothing more can come.");
    let mut end = day_end + RUN_ON_US;
    for emission in emissions {
        end = end.max(emission.at + RUN_ON_US);
        feeder.append(&mut *producer, &emission, true)?;
        teller.hear(&emission);
    }
    producer.flush(FLUSH_WAIT_MAX)?;
    let ends = pipeline.event_ends()?;
    pipeline.tick(&mut *producer, last, end)?;
    pipeline.tick(&mut *producer, Some(end), end + SECOND_US)?;
    producer.flush(FLUSH_WAIT_MAX)?;
    pipeline.drain(&ends)?;
    desk.look(&mut *producer, end + SECOND_US, &mut |_, _| {})?;
    producer.flush(FLUSH_WAIT_MAX)?;
    teller.sum_up(started.elapsed(), desk.sum_up());
    Ok(())
}

/// Says in a line now and then what the day is like.
struct Teller {
    midnight: Timestamp,
    told_at: Timestamp,
    events: u64,
    on_shift: i64,
    jobs: u64,
    faults: BTreeMap<FaultKind, u32>,
}

impl Teller {
    fn new(midnight: Timestamp) -> Self {
        Self { midnight, told_at: Timestamp::MIN, events: 0, on_shift: 0, jobs: 0, faults: BTreeMap::new() }
    }

    fn hear(&mut self, emission: &Emission) {
        self.events += 1;
        if let Body::Record(AnyRecord::TechnicianActivity(activity)) = &emission.body
            && emission.fault != Some(FaultKind::Duplicate)
        {
            match activity.activity_type {
                ActivityType::ShiftStart => self.on_shift += 1,
                ActivityType::ShiftEnd => self.on_shift -= 1,
                ActivityType::WorkCompleted => self.jobs += 1,
                _ => {}
            }
        }
        let Some(fault) = emission.fault else { return };
        let count = self.faults.entry(fault).or_default();
        *count += 1;
        if *count <= TOLD_PER_KIND_MAX
            && let Some(story) = story(fault)
        {
            self.say(emission.at, story);
        }
    }

    fn tell(&mut self, clock: Timestamp) {
        if clock.since(self.told_at.max(self.midnight)) >= TOLD_EVERY_US {
            self.told_at = clock;
            let on_shift = self.on_shift.max(0);
            let bar = "▇".repeat((on_shift / 8) as usize);
            remark!("  {}  {:>6} records, {:>4} jobs done, {on_shift:>4} on shift {bar}", self.clock(clock), self.events, self.jobs);
        }
    }

    /// Tells of one thing that happened at `at`.
    fn say(&self, at: Timestamp, text: &str) {
        remark!("  {}  {text}", self.clock(at));
    }

    fn sum_up(&self, elapsed: Duration, alerts: Option<String>) {
        let faults: u32 = self.faults.values().sum();
        let seconds = elapsed.as_secs_f64();
        remark!(
            "{} records played in {seconds:.0} s, {faults} of them faulty on purpose; every row that follows is in ClickHouse.",
            self.events
        );
        remark!("Alerts: {}.\n", alerts.as_deref().unwrap_or("none"));
    }

    /// Time of the simulated day.
    fn clock(&self, at: Timestamp) -> String {
        let minutes = at.since(self.midnight) / MINUTE_US;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// What a fault is to those who see it; the quiet ones are only counted.
fn story(fault: FaultKind) -> Option<&'static str> {
    Some(match fault {
        FaultKind::OfflineBurst => "~ a phone finds its network again and uploads part of a shift at once",
        FaultKind::Corrupt => "~ a damaged record: it goes to dead_letters, its neighbours are not touched",
        FaultKind::ClockSkew => "~ a device whose clock is wrong today",
        FaultKind::ForgottenShiftEnd => "~ somebody goes home without a shift_end; the log's clock will tell",
        FaultKind::ChangedDuplicate => "~ the same id with other content: the first stands, flagged A27",
        FaultKind::AmendedTime => "~ a correction: the row is computed again",
        FaultKind::Voided => "~ an event is withdrawn",
        FaultKind::OverlappingVisit => "~ two visits at once: A15",
        FaultKind::Rerouted => "~ sent elsewhere while under way",
        _ => return None,
    })
}

/// Closing tables: title, query.
const TABLES: [(&str, &str); 4] = [
    (
        "Where the day went (all shifts, hours that were observed)",
        "SELECT bucket, round(toFloat64(seconds) / 3600, 1) AS hours, bar(toFloat64(seconds), 0, max(toFloat64(seconds)) OVER (), 40) AS share FROM \
         (SELECT arrayJoin([('work', sum(work_seconds)), ('travel', sum(travel_net_seconds)), ('idle', sum(idle_seconds)), ('break', sum(break_seconds)), \
         ('waiting on site', sum(site_wait_seconds)), ('wrap-up on site', sum(site_wrap_seconds)), ('paused', sum(pause_seconds)), \
         ('fuel and inspection', sum(stop_seconds)), ('emergency', sum(emergency_seconds))]) AS pair, pair.1 AS bucket, pair.2 AS seconds FROM shifts) ORDER BY seconds DESC",
    ),
    (
        "Utilisation: (work + travel) / (shift - breaks), technicians per band",
        "SELECT concat(toString(floor(utilisation * 10) * 10), '-', toString(floor(utilisation * 10) * 10 + 10), ' %') AS utilisation_band, count() AS technicians, \
         bar(count(), 0, max(count()) OVER (), 40) AS ` ` FROM shifts WHERE utilisation IS NOT NULL GROUP BY floor(utilisation * 10), utilisation_band ORDER BY floor(utilisation * 10)",
    ),
    (
        "Shifts and visits, and how well they are known",
        "SELECT * FROM (SELECT 'shifts' AS rows, count() AS total, countIf(shift_seconds_quality = 'observed') AS observed, countIf(shift_seconds_quality != 'observed') AS not_observed, \
         countIf(finality = 'final') AS final FROM shifts UNION ALL \
         SELECT 'visits', count(), countIf(on_site_seconds_quality = 'observed'), countIf(on_site_seconds_quality != 'observed'), countIf(finality = 'final') FROM visits) ORDER BY rows",
    ),
    (
        "What was odd: anomaly codes on shifts",
        "SELECT code, count() AS shifts, bar(count(), 0, max(count()) OVER (), 30) AS ` `, transform(code, ['A01','A02','A03','A04','A05','A05i','A05w','A06','A06i','A07','A07w','A08','A09','A10','A11','A12','A13','A13i','A14','A14e','A14i','A15','A16','A17','A18','A19','A21','A22i','A25','A26','A27','A28','A29'], \
         ['shift_start while on shift','shift_end missing','shift_end without start','activity outside any shift','travel while on site','re-routed','travel, work left open','travel_end without start','travel_end just after arrival','arrival without travel','arrived elsewhere','work without arrival','completed without start','pause without work','left without arrival','left while working','break_end without start','break closed by another event','shift_end, visit open','shift_end, work open','shift_end, work suspended','two visits at once','repeated','received 72 h late','device clock ahead','impossible movement','invalid location','vehicle event in an odd state','no visit named','activity after an emergency','conflicting content','implausibly long','context unknown'], '') AS meaning \
         FROM shifts ARRAY JOIN anomalies AS code GROUP BY code ORDER BY shifts DESC, code LIMIT 12",
    ),
];

fn show(pipeline: &mut Pipeline, json: bool) -> Result<()> {
    let connection = Connection::open(pipeline.target()?, Default::default())?;
    let mut answer = serde_json::Map::new();
    for (title, query) in TABLES {
        if json {
            let rows = connection.query_json(query)?.into_iter().map(serde_json::Value::Object).collect();
            answer.insert(title.to_owned(), serde_json::Value::Array(rows));
        } else {
            let table = connection.query(&format!("{query} SETTINGS output_format_pretty_row_numbers = 0"), "PrettyCompactMonoBlock")?;
            tell!("{title}\n{}", String::from_utf8_lossy(&table))?;
        }
    }
    if json {
        tell!("{}", serde_json::Value::Object(answer))?;
    }
    Ok(())
}

fn try_next(folder: &Path) -> Result<()> {
    let program = std::env::args().next().unwrap_or_else(|| "fieldline".into());
    let sql = format!("{program} --data-dir {} sql", folder.display());
    tell!("What to try next:\n")?;
    tell!(
        "  {sql} \"SELECT technician_contact_id, shift_seconds, travel_seconds, jobs, anomalies FROM shifts ORDER BY jobs DESC LIMIT 10\""
    )?;
    tell!(
        "  {sql} \"SELECT visit_id, arrived_at, work_seconds, work_seconds_lo, work_seconds_hi, anomalies FROM visits WHERE work_seconds_quality != 'observed' LIMIT 10\""
    )?;
    tell!("  {sql} \"SELECT reason, detail, topic, partition, offset FROM dead_letters LIMIT 10\"")?;
    tell!("  {program} --data-dir {} alerts list --all", folder.display())?;
    Ok(())
}

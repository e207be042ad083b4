//! What can be typed. What it means is in `commands`.

use crate::commands::alerts::{until, uuid};
use crate::pipeline::Role;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use uuid::Uuid;

/// Field activity, calls and operational events to exact KPIs in ClickHouse.
#[derive(Parser, Debug)]
#[command(name = "fieldline", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  verify: stored results differ from what the log gives; topics check: a topic differs
    2  the command line or a setting is wrong, the command needs Kafka and kafka.brokers is not set, or (sql, verify,
       recompute) there is no data in the folder
    3  import: done, but some lines were refused (each is in dead_letters)
    4  the data folder is in use by another process
    5  failed; the message says what, where and what to do
  130  ended at once by a second signal";

#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Settings file (TOML); `fieldline config` prints a documented sample.
    #[arg(long, global = true, value_name = "FILE", env = "FIELDLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the embedded log and engine [env: FIELDLINE_DATA_DIR] [default: fieldline in the user's data home]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Any setting, by name; may be given several times.
    #[arg(long = "set", global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// Log filter on standard error: error, warn, info, debug or trace [env: FIELDLINE_LOG] [default: warn]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

impl Common {
    /// The same without the thresholds on the command line: what a backtest compares with.
    pub fn without_thresholds(&self) -> Self {
        let is_threshold = |name: &str| ["flags.", "alerts.", "definition."].iter().any(|section| name.starts_with(section));
        Self { set: self.set.iter().filter(|(name, _)| !is_threshold(name)).cloned().collect(), ..self.clone() }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted, as in sinks.linger_ms=200")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Plays a simulated working day through the whole pipeline and shows its KPIs.
    Demo(Demo),
    /// Brings files of events (NDJSON, also gzipped) in; returns when every row that follows from them can be queried.
    Import(Import),
    /// Makes events from a seed: as NDJSON, or published into the pipeline.
    Simulate(Simulate),
    /// Runs processors and sinks until it is stopped (Ctrl-C or SIGTERM).
    Run(Run),
    /// Runs a query; works beside a `run` or `demo` too. Writes only the result to standard output.
    Sql(Sql),
    /// Replays history as if live and tells whom it would have paged; with --set of flags.* or alerts.*, before and after.
    Backtest(Backtest),
    /// Alerts: what is open, and what people do about it. Works beside a `run` too.
    Alerts {
        #[command(subcommand)]
        action: AlertsAction,
    },
    /// Computes every result again from the log tables and reports rows that differ.
    Verify(Json),
    /// Brings the past to the present definition: asks for its rows to be computed again, and waits for them.
    Recompute(Recompute),
    /// Kafka's topics: make them, or say how they differ from what is needed.
    Topics {
        #[command(subcommand)]
        action: TopicsAction,
    },
    /// Makes the tables and views in ClickHouse, or brings them up to date. `run` and the other commands do so too.
    Migrate,
    /// Makes roles on a ClickHouse server (writer, analyst, safety, compliance, recordings, admin), and for each that only reads a
    /// database of the views and columns that it may see. Repeat it after a release that changed views.
    Roles(Roles),
    /// The embedded ClickHouse engine: where it is, or fetch it.
    Engine {
        #[command(subcommand)]
        action: EngineAction,
    },
    /// Prints the documented sample of the settings file.
    Config,
    /// Serves the embedded engine to the process that started it.
    #[command(hide = true)]
    EngineServe {
        /// How far it yields to others.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..20))]
        nice: u8,
    },
}

#[derive(Args, Debug)]
pub struct Json {
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Run {
    /// With Kafka: only these roles; may be given several times or as a list. As many processes as wanted share each role.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE")]
    pub role: Vec<Role>,
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Technicians on the simulated day.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub technicians: u32,
    /// The same seed gives the same day.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds that the day takes to play; 0 plays as fast as possible.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub seconds: u32,
    /// Prints the closing tables as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Import {
    /// Files of one JSON object per line, plain or gzipped; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Replays in the order of received_at, else created_at, that time standing for the append time.
    #[arg(long)]
    pub as_live: bool,
    /// With --as-live: lets the log's clock run on to this time (RFC 3339) at the end.
    #[arg(long, value_name = "TIME", requires = "as_live")]
    pub until: Option<String>,
    /// Prints the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultLevel {
    None,
    Light,
    Heavy,
}

#[derive(Args, Debug)]
pub struct Simulate {
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub technicians: u32,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=400))]
    pub days: u32,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Late, doubled, out of order, skewed, corrupt, forgotten, amended and voided records.
    #[arg(long, value_enum, default_value_t = FaultLevel::Light)]
    pub faults: FaultLevel,
    /// First local day, YYYY-MM-DD. Default: as many days back that the last one is yesterday.
    #[arg(long, value_name = "DATE")]
    pub start: Option<String>,
    /// Stop after this many records.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Publish into the pipeline and wait for the rows, instead of writing NDJSON to standard output.
    #[arg(long)]
    pub publish: bool,
    /// With --publish: this many records per second, instead of as fast as they are taken.
    #[arg(long, requires = "publish", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rate: Option<u32>,
    /// Prints the summary of --publish as JSON.
    #[arg(long, requires = "publish")]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Sql {
    /// One statement; - reads it from standard input.
    pub query: String,
    /// Any ClickHouse output format.
    #[arg(long, default_value = "PrettyCompactMonoBlock")]
    pub format: String,
}

#[derive(Args, Debug)]
pub struct Roles {
    /// Prints the statements for somebody else to run, instead of running them. One holds a new secret key for pseudonyms.
    #[arg(long)]
    pub print: bool,
}

#[derive(Args, Debug)]
pub struct Recompute {
    /// Only shifts and visits that reach beyond this time (RFC 3339). Default: everything.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only shifts and visits that begin before this time (RFC 3339); what begins up to 72 h later may lean on them and is taken along.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only this technician (technician_contact_id); may be given several times.
    #[arg(long, value_name = "UUID")]
    pub technician: Vec<uuid::Uuid>,
    /// Returns when the requests are in the log, instead of when their rows can be queried.
    #[arg(long)]
    pub no_wait: bool,
    /// Prints the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Backtest {
    /// Files of one JSON object per line, plain or gzipped; none: the log itself, between --from and --to.
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    pub files: Vec<PathBuf>,
    /// From this time of the log on (RFC 3339); what came in the 204 hours before is read along, so that it is known.
    #[arg(long, value_name = "TIME", requires = "to")]
    pub from: Option<String>,
    /// Up to this time of the log.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub to: Option<String>,
    /// Of files: lets the clock run on to this time at the end. Default: the last record.
    #[arg(long, value_name = "TIME", requires = "files")]
    pub until: Option<String>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand, Debug)]
pub enum AlertsAction {
    /// Open alerts, the most severe and then the oldest first.
    List {
        /// Resolved ones too.
        #[arg(long)]
        all: bool,
        /// S1, S4, S5, S6, S7, S8, S10, S11, S12, S13 or S14.
        #[arg(long, value_name = "FLAG")]
        flag: Option<String>,
        #[arg(long, value_name = "UUID", value_parser = uuid)]
        technician: Option<Uuid>,
        /// Prints JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Every step of one alert, and every attempt to deliver it.
    Show {
        alert_id: String,
        /// Prints JSON instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Says that a person has taken it: an emergency is not escalated any further.
    Acknowledge(OnAlert),
    /// Closes it; an emergency needs a reason, and its clearance goes into the technician's log.
    Resolve {
        #[command(flatten)]
        on: OnAlert,
        /// false_alarm, assisted, dispatched or test.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Writes a remark beside it.
    Note(OnAlert),
    /// Keeps alerts that fit from being sent for a while; S1 and S6 are sent all the same.
    Silence(SilenceArguments),
    /// Opens an alert about nothing, shows who was told of it and how fast, and resolves it.
    Test {
        /// info, warning, error or critical: routes may ask for a severity.
        #[arg(long, default_value = "warning")]
        severity: String,
    },
}

#[derive(Args, Debug)]
pub struct OnAlert {
    /// As `alerts list` shows it.
    pub alert_id: String,
    /// Contact id of whoever does this.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    pub actor: Option<Uuid>,
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

#[derive(Args, Debug)]
pub struct SilenceArguments {
    /// A time (RFC 3339), or how long from now: 30m, 8h, 2d.
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: String,
    /// Only this flag.
    #[arg(long, value_name = "FLAG")]
    pub flag: Option<String>,
    /// Only this technician.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    pub technician: Option<Uuid>,
    /// Only this team.
    #[arg(long)]
    pub team: Option<String>,
    /// Contact id of whoever does this.
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    pub actor: Option<Uuid>,
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

#[derive(Subcommand, Debug)]
pub enum TopicsAction {
    /// Makes every topic that is absent, with topics.partitions and kafka.replication_factor; changes none.
    Create,
    /// Says how each topic differs from what is needed and what that does to results; exit code 1 if anything does.
    Check(Json),
}

#[derive(Subcommand, Debug)]
pub enum EngineAction {
    /// Fetches the engine into the cache folder, verified by its checksum.
    Install {
        /// Take the library from this file instead of fetching it.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Says which engine would be used.
    Status(Json),
    /// Runs the engine on the data folder until it is stopped, for sinks in other processes and for `sql`.
    Run,
}

//! What the embedded engine costs: start, the smallest query, and inserts of 20 columns in Native blocks over HTTP.
//!
//! `cargo bench -p fieldline-sinks --bench engine_insert`. 2026-11-24, 2 virtual cores of x86-64, other work beside it:
//! start 76 ms, `SELECT 1` 1.0 to 1.4 ms, inserts 0.8 µs of the engine's CPU a row, plain or LZ4, with or without fsync;
//! the client 0.03 µs plain, 0.14 µs LZ4.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where anything fails")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use clickhouse::{Client, Compression};
use fieldline_sinks::engine::{Engine, EngineCommand, EngineConfig, install, serve};

const ROWS_PER_BATCH: u64 = 100_000;
const BATCHES: u32 = 20;
/// 20 columns as a log table has them: ids, times, low-cardinality words, numbers that may be missing, text.
const COLUMNS: &str = "number % 8 AS partition, number AS offset, generateUUIDv4(1) AS id, generateUUIDv4(2) AS technician, \
    generateUUIDv4(3) AS visit, generateUUIDv4(4) AS vehicle, \
    toDateTime64('2026-11-01 00:00:00', 6, 'UTC') + number AS created_at, created_at + 2 AS received_at, created_at + 1 AS recorded_at, \
    toLowCardinality(['travel_start', 'travel_end', 'work_started'][number % 3 + 1]) AS activity_type, \
    toLowCardinality('mobile') AS source, toUInt32(number % 5) AS revision, false AS voided, \
    toNullable(52 + number % 1000 / 1000) AS latitude, toNullable(4 + number % 1000 / 1000) AS longitude, \
    toNullable(toUInt32(number % 50)) AS accuracy_meters, CAST(NULL AS Nullable(String)) AS address, concat('note ', toString(number)) AS notes, \
    '{\"battery\":80}' AS metadata, toInt16(60) AS utc_offset_minutes";

/// User and system time of a process.
fn cpu_time(process_id: u32) -> Duration {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

fn main() {
    const CHILD: &str = "engine-serve";
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return serve().unwrap();
    }
    let library = install::install(None, &mut |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let command = EngineCommand { program, arguments: vec![CHILD.into()], environment: vec![] };
    let started = Instant::now();
    let engine = Engine::start(EngineConfig::new(library, folder.path().to_owned(), command)).unwrap();
    println!("start                     {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run(&engine));
    let started = Instant::now();
    engine.stop();
    println!("stop                      {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
}

async fn run(engine: &Engine) {
    let endpoint = engine.endpoint();
    let client = Client::default().with_url(endpoint.url).with_user(endpoint.user).with_password(endpoint.password);
    let plain = client.clone().with_compression(Compression::None);
    for round in 0..2 {
        let started = Instant::now();
        for _ in 0..1000 {
            plain.query("SELECT 1").fetch_one::<u8>().await.unwrap();
        }
        if round > 0 {
            println!("SELECT 1                  {:8.3} ms", started.elapsed().as_secs_f64());
        }
    }
    let select = |count: u64| format!("SELECT {COLUMNS} FROM numbers({count})");
    let native = plain.query(&select(ROWS_PER_BATCH)).fetch_bytes("Native").unwrap().collect().await.unwrap();
    println!("Native block              {:8.1} bytes a row", native.len() as f64 / ROWS_PER_BATCH as f64);
    for (name, client) in [("none", plain.clone()), ("lz4", client.with_compression(Compression::Lz4))] {
        for fsync in [0, 1] {
            let settings = format!("fsync_after_insert = {fsync}");
            let create = format!(
                "CREATE OR REPLACE TABLE bench ENGINE = ReplacingMergeTree ORDER BY (technician, created_at, partition, offset) SETTINGS {settings} AS {}",
                select(0)
            );
            plain.query(&create).execute().await.unwrap();
            plain.query("SYSTEM STOP MERGES bench").execute().await.unwrap();
            let (started, child, ours) = (Instant::now(), cpu_time(engine.process_id()), cpu_time(std::process::id()));
            for _ in 0..BATCHES {
                insert(&client, &native).await;
            }
            let rows = ROWS_PER_BATCH as f64 * f64::from(BATCHES);
            let per_row = |time: Duration| time.as_secs_f64() * 1e9 / rows;
            println!(
                "insert, compression {name:4}, fsync {fsync}: engine {:5.0} ns CPU/row, client {:4.0} ns CPU/row, {:5.0} ns/row elapsed",
                per_row(cpu_time(engine.process_id()) - child),
                per_row(cpu_time(std::process::id()) - ours),
                per_row(started.elapsed())
            );
        }
    }
}

async fn insert(client: &Client, native: &Bytes) {
    const PIECE_BYTES: usize = 1 << 20;
    let mut insert = client
        .insert_formatted_with("INSERT INTO bench FORMAT Native")
        .with_setting("optimize_on_insert", "0")
        .with_setting("async_insert", "0");
    let mut rest = native.clone();
    while !rest.is_empty() {
        insert.send(rest.split_to(rest.len().min(PIECE_BYTES))).await.unwrap();
    }
    insert.end().await.unwrap();
}

//! The `clickhouse` crate against the embedded engine, in every mode that it has.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};

use super::common::TestEngine;

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Visit {
    id: u64,
    technician: String,
    minutes: Option<f64>,
    codes: Vec<String>,
}

fn visits(count: u64) -> Vec<Visit> {
    (0..count)
        .map(|id| Visit {
            id,
            technician: format!("technician {}", id % 7),
            minutes: (id % 3 > 0).then_some(id as f64 / 4.0),
            codes: (0..id % 3).map(|code| format!("A0{code}")).collect(),
        })
        .collect()
}

async fn make_table(client: &Client, name: &str) {
    let columns = "id UInt64, technician String, minutes Nullable(Float64), codes Array(String)";
    client.query(&format!("CREATE OR REPLACE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY id")).execute().await.unwrap();
}

async fn stored(client: &Client, table: &str) -> Vec<Visit> {
    client.query(&format!("SELECT ?fields FROM {table} ORDER BY id")).fetch_all().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_in_every_mode() {
    let test = TestEngine::start();
    for compression in [Compression::None, Compression::Lz4] {
        for validation in [true, false] {
            let mode = format!("{compression:?}, validation {validation}");
            let client = test.client().with_compression(compression).with_validation(validation);
            make_table(&client, "visits").await;
            let expected = visits(20_000);
            let mut insert = client.insert::<Visit>("visits").await.unwrap();
            for visit in &expected {
                insert.write(visit).await.unwrap();
            }
            insert.end().await.unwrap();
            assert_eq!(stored(&client, "visits").await, expected, "{mode}");

            // The engine's own Native blocks, sent back as they are, cut in odd places.
            let mut native = client.query("SELECT * FROM visits").fetch_bytes("Native").unwrap().collect().await.unwrap();
            make_table(&client, "copies").await;
            let mut insert = client.insert_formatted_with("INSERT INTO copies FORMAT Native");
            while !native.is_empty() {
                let piece = native.split_to(native.len().min(33_333));
                insert.send(piece).await.unwrap();
            }
            insert.end().await.unwrap();
            assert_eq!(stored(&client, "copies").await, expected, "{mode}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_formats_settings_parameters_and_databases() {
    let test = TestEngine::start();
    let client = test.client();
    client.query("CREATE DATABASE field").execute().await.unwrap();
    let field = client.clone().with_database("field");
    make_table(&field, "visits").await;
    let mut insert = field.insert_formatted_with("INSERT INTO visits FORMAT JSONEachRow");
    insert
        .send(Bytes::from_static(b"{\"id\":1,\"technician\":\"it's \\\"x\\\"\",\"codes\":[\"A01\"]}\n{\"id\":2,\"minutes\":1.5}"))
        .await
        .unwrap();
    insert.end().await.unwrap();
    let names: Vec<String> = client.query("SELECT technician FROM field.visits WHERE id = ?").bind(1).fetch_all().await.unwrap();
    assert_eq!(names, ["it's \"x\""]);
    assert!(client.query("SELECT * FROM visits").fetch_bytes("CSV").unwrap().collect().await.is_err(), "the other database's table");

    let nasty = "a'b\\c\n\t☃";
    let echo: (String, u32) =
        client.query("SELECT {text:String}, {number:UInt32}").param("text", nasty).param("number", 7).fetch_one().await.unwrap();
    assert_eq!(echo, (nasty.to_owned(), 7));

    let threads = client.clone().with_setting("max_threads", "3");
    let value = "SELECT toString(getSetting('max_threads'))";
    assert_eq!(threads.query(value).fetch_one::<String>().await.unwrap(), "3");
    assert_ne!(client.query(value).fetch_one::<String>().await.unwrap(), "3", "a setting stays with its request");
    let refused = client.clone().with_setting("no_such_setting", "1").query("SELECT 1").fetch_one::<u8>().await.unwrap_err().to_string();
    assert!(refused.contains("no_such_setting") && refused.contains("UNKNOWN_SETTING"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_results_stream_and_late_errors_arrive() {
    let test = TestEngine::start();
    for validation in [true, false] {
        let client = test.client().with_validation(validation);
        let started = Instant::now();
        let slow = "SELECT number FROM numbers(20) WHERE NOT ignore(sleepEachRow(0.05)) SETTINGS max_block_size = 1";
        let mut rows = client.query(slow).fetch::<u64>().unwrap();
        assert_eq!(rows.next().await.unwrap(), Some(0));
        let (first, mut count) = (started.elapsed(), 1);
        while rows.next().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 20);
        assert!(first < started.elapsed() / 2, "the first row came after {first:?} of {:?}", started.elapsed());

        let many: Vec<u64> = client.query("SELECT number FROM numbers(1000000)").fetch_all().await.unwrap();
        assert!(many.iter().copied().eq(0..1_000_000));
        // Most blocks of it are empty: an empty chunk is not the end.
        let few: Vec<u64> = client.query("SELECT number FROM numbers(3000000) WHERE number % 999999 = 0").fetch_all().await.unwrap();
        assert_eq!(few, [0, 999_999, 1_999_998, 2_999_997]);
        assert!(client.query("SELECT number FROM numbers(9) WHERE number > 9").fetch_all::<u64>().await.unwrap().is_empty());

        let mut failing =
            client.query("SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_threads = 1").fetch::<u8>().unwrap();
        let mut before = 0;
        let error = loop {
            match failing.next().await {
                Ok(Some(_)) => before += 1,
                Ok(None) => panic!("the error got lost after {before} rows"),
                Err(error) => break error.to_string(),
            }
        };
        // Where the network cut the exception's text in two, the client sees that there is one and not what it says.
        let is_told = error.contains("Code: 395") || error.contains("found exception tag in response");
        assert!(before > 0 && is_told, "after {before} rows: {error}");
        assert_eq!(client.query("SELECT 1").fetch_one::<u8>().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_run_side_by_side() {
    let test = TestEngine::start();
    let started = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|number: u64| {
            let client = test.client();
            tokio::spawn(async move { client.query("SELECT toUInt64(?) + sleep(0.4)").bind(number).fetch_one::<u64>().await.unwrap() })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), number as u64);
    }
    assert!(started.elapsed() < Duration::from_millis(8 * 400), "{:?}", started.elapsed());

    let tasks: Vec<_> = (0..100)
        .map(|number: u64| {
            let client = test.client();
            tokio::spawn(async move {
                let query = if number.is_multiple_of(5) { "SELECT toUInt64(nothing + ?)" } else { "SELECT toUInt64(?)" };
                client.query(query).bind(number).fetch_one::<u64>().await.ok()
            })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), (number % 5 > 0).then_some(number as u64), "answers must not mix");
    }
}

//! The only file that names the ClickHouse client: statements, answers as bytes, and inserts of encoded blocks.

use bytes::Bytes;
use clickhouse::error::Error as ClientError;
use hyper_util::client::legacy::{Client as HttpClient, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::io::Write;
use std::time::Duration;

/// An idle connection is closed here before the server (3 s by default) closes it under a request.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// How much of the server's answer goes into an error.
const ANSWER_BYTES_MAX: usize = 600;
/// A block is handed to the connection in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;

/// Where a ClickHouse answers, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct ClickHouseTarget {
    /// `http://host:8123`
    pub url: String,
    pub user: String,
    pub password: String,
    pub database: String,
}

/// The database's name where nothing else is configured.
pub const DATABASE_DEFAULT: &str = "fieldline";

impl std::fmt::Debug for ClickHouseTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} as {}", self.database, self.url, self.user)
    }
}

impl ClickHouseTarget {
    /// A database of the embedded engine.
    pub fn embedded(endpoint: &crate::engine::Endpoint, database: &str) -> Self {
        Self { url: endpoint.url.clone(), user: endpoint.user.clone(), password: endpoint.password.clone(), database: database.to_owned() }
    }
}

/// What came back instead of success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Answer {
    /// The server refused; `code` is ClickHouse's.
    #[error("ClickHouse answered: {text}")]
    Refused { code: Option<u32>, text: String },
    #[error("ClickHouse could not be reached: {0}")]
    Unreachable(String),
    #[error("no answer from ClickHouse within {0:?}")]
    TimedOut(Duration),
    /// The request could not even be made, or the answer not be read: no retry makes that better.
    #[error("request to ClickHouse: {0}")]
    Impossible(String),
    #[error("writing the answer: {0}")]
    Output(String),
    /// As in `fieldline sql … | head`.
    #[error("whoever reads the answer has seen enough")]
    ReaderGone,
}

impl Answer {
    pub fn code(&self) -> Option<u32> {
        if let Self::Refused { code, .. } = self { *code } else { None }
    }
}

/// Deadlines of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To open a connection.
    pub connect: Duration,
    /// From the first byte of a request to the last of its answer.
    pub attempt: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), attempt: Duration::from_secs(60) }
    }
}

/// Connections to one server, for one thread's runtime.
#[derive(Clone)]
pub struct Connection {
    client: clickhouse::Client,
    deadlines: Deadlines,
}

impl Connection {
    pub fn new(target: &ClickHouseTarget, deadlines: Deadlines) -> Self {
        Self { client: client(target, deadlines.connect).with_database(&target.database), deadlines }
    }

    /// A connection that names no database, for making one.
    pub fn without_database(target: &ClickHouseTarget, deadlines: Deadlines) -> Self {
        Self { client: client(target, deadlines.connect), deadlines }
    }

    /// The same with a setting for every request.
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.client = self.client.with_setting(name, value);
        self
    }

    /// Runs a statement that answers nothing.
    pub async fn execute(&self, sql: &str) -> Result<(), Answer> {
        self.within_attempt(async { self.client.query_raw(sql).execute().await.map_err(answer) }).await
    }

    /// Runs a query and hands its answer over piece by piece. `format` counts where the query names none.
    /// The deadline counts between pieces, so that a long answer is no timeout.
    pub async fn fetch(&self, sql: &str, format: &str, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<(), Answer> {
        let mut cursor = self.client.query_raw(sql).fetch_bytes(format).map_err(answer)?;
        while let Some(piece) = self.within_attempt(async { cursor.next().await.map_err(answer) }).await? {
            take(&piece).map_err(|error| match error.kind() {
                std::io::ErrorKind::BrokenPipe => Answer::ReaderGone,
                _ => Answer::Output(error.to_string()),
            })?;
        }
        Ok(())
    }

    /// Inserts one encoded Native block. A retry must send the same bytes.
    pub async fn insert_native(&self, table: &str, block: Bytes) -> Result<(), Answer> {
        self.within_attempt(async {
            let mut insert = self
                .client
                .insert_formatted_with(format!("INSERT INTO {table} FORMAT Native"))
                // Asynchronous inserts acknowledge what may be lost; deduplication by the server was measured to lose
                // a retry; merging on insert would drop rows of a block before they are stored.
                .with_setting("async_insert", "0")
                .with_setting("insert_deduplicate", "0")
                .with_setting("optimize_on_insert", "0")
                // One block is one part per month; the import of years brings many months at once.
                .with_setting("max_partitions_per_insert_block", "0")
                .with_setting("max_insert_block_size", "10000000")
                .with_setting("min_insert_block_size_rows", "0")
                .with_setting("min_insert_block_size_bytes", "0");
            let mut rest = block;
            while !rest.is_empty() {
                let piece = rest.split_to(rest.len().min(PIECE_BYTES));
                insert.send(piece).await.map_err(answer)?;
                fieldline_log::crash::point("sinks-inserting");
            }
            insert.end().await.map_err(answer)
        })
        .await
    }

    async fn within_attempt<T>(&self, work: impl Future<Output = Result<T, Answer>>) -> Result<T, Answer> {
        tokio::time::timeout(self.deadlines.attempt, work).await.unwrap_or(Err(Answer::TimedOut(self.deadlines.attempt)))
    }
}

fn client(target: &ClickHouseTarget, connect: Duration) -> clickhouse::Client {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect));
    connector.set_nodelay(true);
    let http = HttpClient::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX).build(connector);
    clickhouse::Client::with_http_client(http).with_url(&target.url).with_user(&target.user).with_password(&target.password)
}

fn answer(error: ClientError) -> Answer {
    match error {
        ClientError::BadResponse(text) => Answer::Refused { code: code_of(&text), text: shortened(&text) },
        ClientError::Network(source) => Answer::Unreachable(chain(&*source)),
        ClientError::TimedOut => Answer::Unreachable("the connection timed out".to_owned()),
        other => Answer::Impossible(other.to_string()),
    }
}

/// `Code: 60. DB::Exception: …`
fn code_of(text: &str) -> Option<u32> {
    let digits = text.split_once("Code: ")?.1;
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    let end = (0..=ANSWER_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The same for code that is not asynchronous: the command line, `verify`, the history worker.
pub struct Database {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl Database {
    pub fn open(target: &ClickHouseTarget, deadlines: Deadlines) -> Result<Self, Answer> {
        Ok(Self { runtime: runtime()?, connection: Connection::new(target, deadlines) })
    }

    /// The same with a setting for every query.
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.connection = self.connection.with_setting(name, value);
        self
    }

    pub fn execute(&self, sql: &str) -> Result<(), Answer> {
        self.runtime.block_on(self.connection.execute(sql))
    }

    /// The whole answer, in `format` unless the query names one.
    pub fn query(&self, sql: &str, format: &str) -> Result<Vec<u8>, Answer> {
        let mut bytes = Vec::new();
        self.query_to(sql, format, &mut bytes)?;
        Ok(bytes)
    }

    /// The rows as JSON objects; 64-bit numbers and decimals as text, so that nothing is rounded.
    pub fn query_json(&self, sql: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Answer> {
        let quoted = self.connection.clone().with_setting("output_format_json_quote_64bit_integers", "1");
        let quoted = quoted.with_setting("output_format_json_quote_decimals", "1");
        let mut bytes = Vec::new();
        self.runtime.block_on(quoted.fetch(sql, "JSONEachRow", |piece| bytes.write_all(piece)))?;
        let rows = serde_json::Deserializer::from_slice(&bytes).into_iter().collect::<Result<_, _>>();
        rows.map_err(|error| Answer::Impossible(format!("the answer is not JSON: {error}")))
    }

    /// The answer as it comes in.
    pub fn query_to(&self, sql: &str, format: &str, out: &mut dyn Write) -> Result<(), Answer> {
        self.runtime.block_on(self.connection.fetch(sql, format, |piece| out.write_all(piece)))
    }

    /// Inserts one encoded Native block, once.
    pub fn insert_native(&self, table: &str, block: Bytes) -> Result<(), Answer> {
        self.runtime.block_on(self.connection.insert_native(table, block))
    }
}

/// A runtime that lives on the calling thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Answer> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Answer::Impossible(format!("starting a runtime: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_taken_from_the_servers_text() {
        for (text, code) in
            [("Code: 60. DB::Exception: Unknown table (UNKNOWN_TABLE)", Some(60)), ("Code: 241", Some(241)), ("404 Not Found", None)]
        {
            assert_eq!(code_of(text), code, "{text}");
        }
    }

    #[test]
    fn long_answers_are_cut_between_characters() {
        let cut = shortened(&"é".repeat(ANSWER_BYTES_MAX));
        assert!(cut.len() <= ANSWER_BYTES_MAX + '…'.len_utf8() && cut.ends_with("é…"));
    }

    #[test]
    fn the_password_is_not_shown() {
        let target = ClickHouseTarget { url: "http://h".into(), user: "u".into(), password: "secret".into(), database: "d".into() };
        assert!(!format!("{target:?}").contains("secret"));
    }
}

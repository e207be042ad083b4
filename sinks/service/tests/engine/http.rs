//! The HTTP interface byte by byte, as curl and other languages' clients use it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use fieldline_sinks::engine::Endpoint;

use super::common::TestEngine;

#[derive(Debug)]
struct Answer {
    status: u16,
    code: Option<String>,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends raw bytes as a whole request, then reads to the end.
fn exchange(endpoint: &Endpoint, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(endpoint.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    read_answer(stream)
}

fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let cut = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {bytes:?}"));
    let head = String::from_utf8(bytes[..cut].to_vec()).unwrap().to_ascii_lowercase();
    let mut body = bytes[cut + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    let code = head.lines().find_map(|line| line.strip_prefix("x-clickhouse-exception-code: ")).map(str::to_owned);
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), code, head, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

fn head(endpoint: &Endpoint, method: &str, path: &str, headers: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n{headers}",
        endpoint.user, endpoint.password
    )
}

fn post_with(endpoint: &Endpoint, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut request = head(endpoint, "POST", path, &format!("{headers}Content-Length: {}\r\n\r\n", body.len())).into_bytes();
    request.extend_from_slice(body);
    exchange(endpoint, &request)
}

fn post(endpoint: &Endpoint, path: &str, body: &str) -> Answer {
    post_with(endpoint, path, "", body.as_bytes())
}

fn get(endpoint: &Endpoint, path: &str) -> Answer {
    exchange(endpoint, format!("{}\r\n", head(endpoint, "GET", path, "")).as_bytes())
}

fn check(answer: &Answer, status: u16, code: Option<&str>, text: &str) {
    assert_eq!((answer.status, answer.code.as_deref()), (status, code), "{}", answer.text());
    if code.is_some() {
        assert!(answer.text().contains(text), "{}", answer.text());
    } else {
        assert_eq!(answer.text(), text);
    }
}

#[test]
fn only_the_token_opens_it() {
    let test = TestEngine::start();
    let right = test.engine.endpoint();
    let mut wrong = right.clone();
    wrong.password.replace_range(0..1, if wrong.password.starts_with('0') { "1" } else { "0" });
    check(&post(&wrong, "/", "SELECT 1"), 403, Some("516"), "AUTHENTICATION_FAILED");
    let mut other_user = right.clone();
    other_user.user = "admin".into();
    check(&post(&other_user, "/", "SELECT 1"), 403, Some("516"), "AUTHENTICATION_FAILED");
    let bare = |path: &str, headers: &str| {
        exchange(&right, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes())
    };
    check(&bare("/?query=SELECT+1", ""), 403, Some("516"), "AUTHENTICATION_FAILED");
    check(&bare("/ping", ""), 200, None, "Ok.\n");
    check(&bare(&format!("/?query=SELECT+1&password={}", right.password), ""), 200, None, "1\n");
    // A stranger's long body is not read to its end, and does no harm.
    check(&post_with(&wrong, "/?query=INSERT+INTO+t+FORMAT+CSV", "", &vec![b'1'; 200_000]), 403, Some("516"), "AUTHENTICATION_FAILED");
    check(&post(&right, "/", "SELECT 1"), 200, None, "1\n");
}

#[test]
fn statements_come_from_everywhere() {
    let test = TestEngine::start();
    let endpoint = &test.engine.endpoint();
    let table = "CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a";
    check(&post(endpoint, "/", table), 200, None, "");
    for (path, body) in [
        ("/", "INSERT INTO t FORMAT CSV\n1,\"FORMAT x\"\n2,b\n"),
        ("/?query=INSERT+INTO+t+FORMAT+JSONEachRow", "{\"a\":3,\"b\":\"c\"}"),
        ("/?query=INSERT+INTO+t", "FORMAT TSV\n4\td\n"),
        ("/?query=INSERT+INTO+t+(a,b)+VALUES", "(5,'e'),(6,'f')"),
        ("/", "INSERT INTO t VALUES (7, 'g')"),
        ("/", "INSERT INTO t SELECT 8, 'h'"),
        ("/?async_insert=0&optimize_on_insert=0&query=INSERT+INTO+t+SETTINGS+max_insert_threads=1+FORMAT+CSV", "9,i"),
    ] {
        let answer = post(endpoint, path, body);
        check(&answer, 200, None, "");
        assert!(answer.head.contains("x-clickhouse-summary"), "{}", answer.head);
    }
    check(
        &post(endpoint, "/", "SELECT a, b FROM t ORDER BY a FORMAT CSV"),
        200,
        None,
        "1,\"FORMAT x\"\n2,\"b\"\n3,\"c\"\n4,\"d\"\n5,\"e\"\n6,\"f\"\n7,\"g\"\n8,\"h\"\n9,\"i\"\n",
    );
    check(&post(endpoint, "/?default_format=JSONEachRow&query=SELECT", "max(a) AS a FROM t"), 200, None, "{\"a\":9}\n");
    check(&get(endpoint, "/?query=SELECT+{x:UInt8}%2B1&param_x=4"), 200, None, "5\n");
    check(&get(endpoint, "/?query=SELECT+1+FORMAT+TSVWithNames"), 200, None, "1\n1\n");
    let json = get(endpoint, "/?query=SELECT+count()+AS+n+FROM+t&default_format=JSON");
    assert!(json.head.contains("application/json") && json.text().contains("\"n\": 9"), "{json:?}");
    // As on a server, a GET only reads.
    check(&get(endpoint, "/?query=DROP+TABLE+t"), 403, Some("164"), "READONLY");
    check(&post(endpoint, "/", ""), 400, Some("62"), "Empty query");
}

#[test]
fn bodies_come_packed() {
    use flate2::{Compression, write::GzEncoder};
    let test = TestEngine::start();
    let endpoint = &test.engine.endpoint();
    check(&post(endpoint, "/", "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a"), 200, None, "");
    let rows: String = (0..300_000).map(|row| format!("{row}\n")).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(rows.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let insert = "/?query=INSERT+INTO+t+FORMAT+CSV";
    check(&post_with(endpoint, insert, "Content-Encoding: gzip\r\n", &packed), 200, None, "");
    check(&post(endpoint, "/", "SELECT count(), sum(a) FROM t"), 200, None, "300000\t44999850000\n");
    check(&post_with(endpoint, insert, "Content-Encoding: gzip\r\n", &packed[..packed.len() / 2]), 400, Some("32"), "ends too early");
    check(&post_with(endpoint, insert, "Content-Encoding: br\r\n", &packed), 501, Some("48"), "gzip and lz4");
    check(&post_with(endpoint, &format!("{insert}&decompress=1"), "", rows.as_bytes()), 400, Some("271"), "CANNOT_DECOMPRESS");
    // What the engine packs, it reads.
    let blocks = post(endpoint, "/?compress=1&default_format=CSV", "SELECT a + 1000000 FROM t ORDER BY a").body;
    check(&post_with(endpoint, &format!("{insert}&decompress=1"), "", &blocks), 200, None, "");
    check(&post(endpoint, "/", "SELECT count(), min(a), max(a) FROM t"), 200, None, "600000\t0\t1299999\n");
}

#[test]
fn a_failure_is_told_and_stays_alone() {
    let test = TestEngine::start();
    let endpoint = &test.engine.endpoint();
    for (path, body, status, code, text) in [
        ("/", "SELEC 1", 400, "62", "SYNTAX_ERROR"),
        ("/", "SELECT * FROM nowhere", 404, "60", "UNKNOWN_TABLE"),
        ("/", "SELECT no_column", 404, "47", "UNKNOWN_IDENTIFIER"),
        ("/?no_such_setting=1", "SELECT 1", 404, "115", "no_such_setting"),
        ("/?database=nowhere", "SELECT 1", 404, "81", "UNKNOWN_DATABASE"),
        ("/", "SELECT 1 FORMAT Nonsense", 404, "73", "UNKNOWN_FORMAT"),
        ("/?role=admin", "SELECT 1", 501, "48", "no roles"),
        ("/elsewhere", "SELECT 1", 501, "48", "/elsewhere"),
        ("/?query=INSERT+INTO+nowhere+FORMAT+CSV", "1", 404, "60", "UNKNOWN_TABLE"),
        ("/", "SELECT sum(number) FROM numbers(10000000000) SETTINGS max_execution_time = 0.2", 408, "159", "TIMEOUT_EXCEEDED"),
    ] {
        check(&post(endpoint, path, body), status, Some(code), text);
        check(&post(endpoint, "/", "SELECT 42"), 200, None, "42\n");
    }
    // What a statement sets stays with its request.
    check(&post(endpoint, "/", "SET max_threads = 5"), 200, None, "");
    check(&post(endpoint, "/", "CREATE TEMPORARY TABLE mine (a UInt8)"), 200, None, "");
    for _ in 0..3 {
        assert_ne!(post(endpoint, "/", "SELECT getSetting('max_threads')").text(), "5\n");
        check(&post(endpoint, "/", "SELECT * FROM mine"), 404, Some("60"), "UNKNOWN_TABLE");
    }
    let long = vec![b' '; (64 << 20) + 10];
    check(&post_with(endpoint, "/", "", &long), 413, Some("229"), "longer than");
}

#[test]
fn a_broken_insert_leaves_nothing() {
    let test = TestEngine::start();
    let endpoint = &test.engine.endpoint();
    check(&post(endpoint, "/", "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a"), 200, None, "");
    let insert = "/?query=INSERT+INTO+t+FORMAT+CSV";
    let rows = "1\n".repeat(1000);
    let count = || post(endpoint, "/", "SELECT count() FROM t").text().to_owned();

    // The connection ends in the middle of a body of known and of unknown length.
    let known = format!("{}Content-Length: 1000000\r\n\r\n{rows}", head(endpoint, "POST", insert, ""));
    let chunked = format!("{}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{rows}\r\n", head(endpoint, "POST", insert, ""), rows.len());
    for request in [known, chunked] {
        let mut stream = TcpStream::connect(endpoint.url.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        drop(stream);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(count(), "0\n");
    }
    // A bad row at the end.
    check(&post(endpoint, insert, &format!("{rows}nonsense\n")), 400, Some("117"), "INCORRECT_DATA");
    assert_eq!(count(), "0\n");
    // An insert that fails at once reads on, so that its sender gets to the answer.
    let long = vec![b'1'; 30_000_000];
    check(&post_with(endpoint, "/?query=INSERT+INTO+nowhere+FORMAT+CSV", "", &long), 404, Some("60"), "UNKNOWN_TABLE");
    check(&post(endpoint, insert, &rows), 200, None, "");
    assert_eq!(count(), "1000\n");
}

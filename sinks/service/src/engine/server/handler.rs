//! From an HTTP request to a statement of the engine and back.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, State};
use axum::http::{Method, Response, header};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::ffi::{Connection, Exception};
use super::answer::{self, Part};
use super::blocks;
use super::body::{self, Incoming, STRANGER_DRAIN_BYTES_MAX};
use super::pool::Pool;
use super::request::{Fields, Request, credentials, fields};
use super::statement::Statement;

/// How much of a body is looked at to find where an insert's data begins.
const HEAD_BYTES: usize = 64 * 1024;
/// Longest statement, inline VALUES included.
const STATEMENT_BYTES_MAX: usize = 64 << 20;
/// Bytes handed to an insert at once.
const APPEND_BYTES: usize = 256 * 1024;
/// Parts of an answer between the engine and the network.
const PARTS_MAX: usize = 4;
/// How long a client may leave an answer unread.
const UNREAD_MAX: Duration = Duration::from_secs(300);
/// Pause before and behind a late exception.
const LATE_EXCEPTION_PAUSE: Duration = Duration::from_millis(100);
/// Longest form with parameters.
const FORM_BYTES_MAX: usize = 16 << 20;

/// What every request needs.
pub(super) struct Service {
    pool: Arc<Pool>,
    user: String,
    password: String,
}

impl Service {
    pub fn new(pool: Arc<Pool>, user: &str, password: &str) -> Self {
        Self { pool, user: user.to_owned(), password: password.to_owned() }
    }

    /// Any user name will do that is ours, `default` or empty; the token is the secret.
    fn admits(&self, credentials: Option<(String, String)>) -> bool {
        credentials
            .is_some_and(|(user, password)| (user.is_empty() || user == "default" || user == self.user) && same(&password, &self.password))
    }
}

/// Compares without telling by its duration where the first difference lies.
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}

/// The HTTP interface.
pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)).with_state(service)
}

async fn handle(State(service): State<Arc<Service>>, request: axum::extract::Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/ping" || (head.method == Method::GET && head.uri.path() == "/" && head.uri.query().is_none()) {
        return answer::plain("Ok.\n");
    }
    let fields = fields(&head.uri);
    if !service.admits(credentials(&head.headers, &fields)) {
        tokio::spawn(body::drain(body, STRANGER_DRAIN_BYTES_MAX));
        return answer::error(&Exception::new(
            516,
            "AUTHENTICATION_FAILED",
            "authentication failed: the engine wants the user and password of its endpoint",
        ));
    }
    if head.uri.path() != "/" || (head.method != Method::GET && head.method != Method::POST) {
        tokio::spawn(body::drain(body, STRANGER_DRAIN_BYTES_MAX));
        return answer::error(&Exception::new(
            48,
            "NOT_IMPLEMENTED",
            format!("the embedded engine has no {} {}", head.method, head.uri.path()),
        ));
    }
    let is_form = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"multipart/form-data"));
    let (fields, body) = if is_form {
        match form(axum::extract::Request::from_parts(head.clone(), body), fields).await {
            Ok(fields) => (fields, Body::empty()),
            Err(exception) => return answer::error(&exception),
        }
    } else {
        (fields, body)
    };
    let incoming = Incoming::new(body);
    let request = match Request::new(&head.method, &head.headers, fields) {
        Ok(request) => request,
        Err(exception) => return answer::error(&exception),
    };
    let (parts_sender, parts) = mpsc::channel(PARTS_MAX);
    let query_id = request.query_id.clone();
    tokio::spawn(async move {
        let begun = Arc::new(AtomicBool::new(false));
        let reply = Reply { parts: parts_sender.clone(), begun: Arc::clone(&begun) };
        let session = request.session.clone();
        let result = service.pool.run(session, move |connection| execute(connection, &request, incoming, &reply)).await;
        if let Err(exception) = result {
            fail(&parts_sender, exception, begun.load(Ordering::Relaxed)).await;
        }
    });
    answer::from_parts(parts, &query_id).await
}

/// Tells the client, if it is still there. Clients look for the text of a late exception at the end of one read of
/// theirs, so it goes out alone, with a pause before and behind.
async fn fail(parts: &mpsc::Sender<Part>, exception: Exception, late: bool) {
    if !late {
        let _ = parts.send(Part::Failed(exception)).await;
        return;
    }
    tokio::time::sleep(LATE_EXCEPTION_PAUSE).await;
    let _ = parts.send(Part::Failed(exception)).await;
    tokio::time::sleep(LATE_EXCEPTION_PAUSE).await;
    let _ = parts.send(Part::Cut).await;
}

/// Adds a form's fields to those of the URL.
async fn form(request: axum::extract::Request, mut fields: Fields) -> Result<Fields, Exception> {
    let broken = |error: &dyn std::fmt::Display| Exception::new(36, "BAD_ARGUMENTS", format!("reading the form: {error}"));
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
    let mut bytes = 0;
    while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.text().await.map_err(|error| broken(&error))?;
        bytes += value.len();
        if bytes > FORM_BYTES_MAX {
            return Err(Exception::new(229, "QUERY_IS_TOO_LARGE", format!("the form is longer than {FORM_BYTES_MAX} bytes")));
        }
        fields.insert(name, value);
    }
    Ok(fields)
}

/// The way back from the request's thread.
struct Reply {
    parts: mpsc::Sender<Part>,
    /// Whether the answer's head is out.
    begun: Arc<AtomicBool>,
}

impl Reply {
    /// Sends a part; false where nobody reads any more.
    fn send(&self, part: Part) -> bool {
        self.begun.store(true, Ordering::Relaxed);
        tokio::runtime::Handle::current().block_on(self.parts.send_timeout(part, UNREAD_MAX)).is_ok()
    }
}

/// Runs a request on its connection, in its blocking thread.
fn execute(connection: &mut Connection, request: &Request, incoming: Incoming, reply: &Reply) -> Result<(), Exception> {
    let mut body = body::unpacked(incoming, &request.packing)?;
    let mut text = request.query.clone().into_bytes();
    if let Statement::Insert { sql, format, data_at } = Statement::of(&text)
        && data_at == text.len()
    {
        return insert(connection, &sql, &format, &[], body, reply);
    }
    let mut head = Vec::new();
    read_up_to(&mut body, HEAD_BYTES, &mut head)?;
    if !text.is_empty() && !head.is_empty() {
        text.push(b'\n');
    }
    text.append(&mut head);
    let statement = Statement::of(&text);
    if let Statement::Insert { sql, format, data_at } = &statement {
        return insert(connection, sql, format, &text[*data_at..], body, reply);
    }
    let room = (STATEMENT_BYTES_MAX + 1).saturating_sub(text.len());
    read_up_to(&mut body, room, &mut text)?;
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(Exception::new(229, "QUERY_IS_TOO_LARGE", format!("the statement is longer than {STATEMENT_BYTES_MAX} bytes")));
    }
    if !statement.keeps_session() {
        connection.retire();
    }
    query(connection, request, &text, &statement, reply)
}

fn read_up_to(body: &mut dyn Read, bytes_max: usize, into: &mut Vec<u8>) -> Result<(), Exception> {
    body.take(bytes_max as u64).read_to_end(into).map(|_| ()).map_err(|error| body::exception(&error))
}

fn insert(
    connection: &mut Connection,
    sql: &[u8],
    format: &str,
    first: &[u8],
    mut body: Box<dyn Read>,
    reply: &Reply,
) -> Result<(), Exception> {
    let mut insert = connection.insert(sql, format)?;
    if !first.is_empty() {
        insert.append(first)?;
    }
    let mut piece = Vec::with_capacity(APPEND_BYTES);
    loop {
        piece.clear();
        // Leaving here with an error drops the insert, which cancels it.
        read_up_to(&mut body, APPEND_BYTES, &mut piece)?;
        if piece.is_empty() {
            break;
        }
        insert.append(&piece)?;
    }
    let output = insert.finish()?;
    reply.send(Part::Whole { format: format.to_owned(), summary: output.summary(), bytes: Bytes::new() });
    Ok(())
}

fn query(connection: &mut Connection, request: &Request, text: &[u8], statement: &Statement, reply: &Reply) -> Result<(), Exception> {
    let format = match statement {
        Statement::Empty => return Err(Exception::new(62, "SYNTAX_ERROR", "Syntax error: Empty query")),
        Statement::Other { format: Some(format), .. } => format,
        Statement::Other { .. } | Statement::Insert { .. } => &request.default_format,
    };
    if statement.is_select()
        && !request.compress
        && let Some(repeated) = Repeated::of(format)
    {
        return stream(connection, request, text, format, repeated, reply);
    }
    let output = connection.query(text, format, &request.parameters)?;
    let summary = output.summary();
    let bytes = if request.compress { Bytes::from(blocks::pack(output.as_ref())) } else { Bytes::from_owner(output) };
    reply.send(Part::Whole { format: format.clone(), summary, bytes });
    Ok(())
}

/// What a format puts before each chunk of a stream; formats that are not here are answered whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeated {
    Nothing,
    /// Count of columns, names and types, each with its length: RowBinaryWithNamesAndTypes.
    NamesAndTypes,
}

impl Repeated {
    fn of(format: &str) -> Option<Self> {
        const HEADERLESS: [&str; 9] =
            ["rowbinary", "native", "tabseparated", "tsv", "tsvraw", "tabseparatedraw", "csv", "jsoneachrow", "jsoncompacteachrow"];
        let format = format.to_ascii_lowercase();
        if HEADERLESS.contains(&format.as_str()) {
            Some(Self::Nothing)
        } else if format == "rowbinarywithnamesandtypes" {
            Some(Self::NamesAndTypes)
        } else {
            None
        }
    }

    /// Bytes of it at the beginning of a chunk.
    fn length(self, chunk: &[u8]) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::NamesAndTypes => {
                let (columns, mut at) = variable_size(chunk)?;
                for _ in 0..columns.checked_mul(2)? {
                    let (bytes, width) = variable_size(chunk.get(at..)?)?;
                    at = at.checked_add(width)?.checked_add(bytes)?;
                }
                (at <= chunk.len()).then_some(at)
            }
        }
    }
}

/// A size in 7 bits a byte, and how many bytes it took.
fn variable_size(bytes: &[u8]) -> Option<(usize, usize)> {
    const BYTES_MAX: usize = 9;
    let mut size = 0;
    for (at, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((size, at + 1));
        }
    }
    None
}

fn stream(
    connection: &mut Connection,
    request: &Request,
    text: &[u8],
    format: &str,
    repeated: Repeated,
    reply: &Reply,
) -> Result<(), Exception> {
    let mut begun = false;
    let mut broken = false;
    connection.query_in_chunks(text, format, &request.parameters, |chunk| {
        let mut bytes = Bytes::from_owner(chunk);
        if begun {
            match repeated.length(&bytes) {
                Some(length) => bytes = bytes.slice(length..),
                None => {
                    broken = true;
                    return false;
                }
            }
        } else {
            begun = true;
            if !reply.send(Part::Begin { format: format.to_owned() }) {
                return false;
            }
        }
        bytes.is_empty() || reply.send(Part::Bytes(bytes))
    })?;
    if broken {
        return Err(Exception::new(49, "LOGICAL_ERROR", format!("a chunk of the result does not begin as {format} does")));
    }
    if !begun {
        // No rows: the whole answer is the format's frame, which a stream without chunks does not give.
        let output = connection.query(text, format, &request.parameters)?;
        reply.send(Part::Whole { format: format.to_owned(), summary: output.summary(), bytes: Bytes::from_owner(output) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Repeated, same, variable_size};

    #[test]
    fn a_header_of_names_and_types_is_measured() {
        let header = b"\x02\x01a\x02bc\x05UInt8\x06String";
        let mut chunk = header.to_vec();
        chunk.extend_from_slice(b"rows");
        assert_eq!(Repeated::NamesAndTypes.length(&chunk), Some(header.len()));
        for cut in 0..header.len() {
            assert_eq!(Repeated::NamesAndTypes.length(&header[..cut]), None, "cut at {cut}");
        }
        assert_eq!(Repeated::NamesAndTypes.length(&[0xff; 20]), None);
        assert_eq!(variable_size(&[0x80, 0x01]), Some((128, 2)));
    }

    #[test]
    fn only_the_same_token_is_the_same() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "abcd") && !same("", "a"));
    }
}

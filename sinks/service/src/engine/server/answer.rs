//! Answers as ClickHouse frames them: an error is a status, its code in a header and its text; an error after the
//! first bytes is a marked block at the end of the body.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

use super::super::ffi::Exception;

const CODE: HeaderName = HeaderName::from_static("x-clickhouse-exception-code");
const TAG: HeaderName = HeaderName::from_static("x-clickhouse-exception-tag");
const FORMAT: HeaderName = HeaderName::from_static("x-clickhouse-format");
const QUERY_ID: HeaderName = HeaderName::from_static("x-clickhouse-query-id");
const SUMMARY: HeaderName = HeaderName::from_static("x-clickhouse-summary");
const TIMEZONE: HeaderName = HeaderName::from_static("x-clickhouse-timezone");
/// Length of the tag that marks an exception inside a body.
const TAG_LENGTH: usize = 16;

/// A piece of an answer, from the request's thread.
pub(super) enum Part {
    /// The first part of an answer that streams.
    Begin {
        format: String,
    },
    Bytes(Bytes),
    /// The only part of an answer that is known whole.
    Whole {
        format: String,
        summary: String,
        bytes: Bytes,
    },
    /// The last part; in a stream one before the last.
    Failed(Exception),
    /// Ends a stream without the end of its body, so that a client that misses the exception's text fails all the same.
    Cut,
}

/// Status for an exception, as a server maps its codes.
pub(super) fn status(code: u32) -> StatusCode {
    match code {
        159 | 160 => StatusCode::REQUEST_TIMEOUT,
        194 => StatusCode::UNAUTHORIZED,
        164 | 192 | 193 | 291 | 392 | 492 | 497 | 511 | 516 => StatusCode::FORBIDDEN,
        // Tables, columns, functions, types, formats, settings, databases, engines that are not there.
        16 | 46 | 47 | 50 | 56 | 60 | 73 | 81 | 115 | 336 => StatusCode::NOT_FOUND,
        // What cannot be parsed or does not fit.
        6 | 26 | 27 | 32 | 36 | 38 | 40 | 41 | 42 | 43 | 44 | 53 | 62 | 69 | 70 | 72 | 117 | 130 | 131 | 271 | 386 | 456 | 457 | 467 => {
            StatusCode::BAD_REQUEST
        }
        48 => StatusCode::NOT_IMPLEMENTED,
        202 | 209 => StatusCode::SERVICE_UNAVAILABLE,
        229 => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a request that failed before its first byte.
pub(super) fn error(exception: &Exception) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{}\n", exception.0.trim_end())));
    *response.status_mut() = status(exception.code());
    response.headers_mut().insert(CODE, HeaderValue::from(exception.code()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// An answer of plain text.
pub(super) fn plain(text: &'static str) -> Response<Body> {
    Response::new(Body::from(text))
}

fn begun(format: &str, query_id: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    headers.insert(QUERY_ID, value(query_id));
    headers.insert(FORMAT, value(format));
    headers.insert(TIMEZONE, HeaderValue::from_static("UTC"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    response
}

fn content_type(format: &str) -> &'static str {
    let format = format.to_ascii_lowercase();
    match format.as_str() {
        "jsoneachrow" | "jsonlines" | "ndjson" => "application/x-ndjson; charset=UTF-8",
        "rowbinary" | "rowbinarywithnames" | "rowbinarywithnamesandtypes" | "native" | "parquet" | "arrow" | "arrowstream" => {
            "application/octet-stream"
        }
        _ if format.starts_with("json") => "application/json; charset=UTF-8",
        _ if format.starts_with("csv") => "text/csv; charset=UTF-8",
        _ if format.starts_with("tabseparated") || format.starts_with("tsv") => "text/tab-separated-values; charset=UTF-8",
        _ => "text/plain; charset=UTF-8",
    }
}

/// Makes the HTTP answer as soon as the first part tells which kind it is.
pub(super) async fn from_parts(mut parts: mpsc::Receiver<Part>, query_id: &str) -> Response<Body> {
    match parts.recv().await {
        Some(Part::Whole { format, summary, bytes }) => {
            let mut response = begun(&format, query_id, Body::from(bytes));
            if let Ok(summary) = HeaderValue::from_str(&summary) {
                response.headers_mut().insert(SUMMARY, summary);
            }
            response
        }
        Some(Part::Begin { format }) => {
            let tag: String = uuid::Uuid::new_v4().simple().to_string().chars().take(TAG_LENGTH).collect();
            let tag_value = HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static(""));
            let mut response = begun(&format, query_id, Body::from_stream(Rest { parts, tag }));
            response.headers_mut().insert(TAG, tag_value);
            response
        }
        Some(Part::Failed(exception)) => error(&exception),
        Some(Part::Bytes(_) | Part::Cut) | None => error(&Exception::new(49, "LOGICAL_ERROR", "the request ended without an answer")),
    }
}

/// The rest of a streaming answer.
struct Rest {
    parts: mpsc::Receiver<Part>,
    tag: String,
}

impl Stream for Rest {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.parts.poll_recv(context).map(|part| match part? {
            Part::Bytes(bytes) | Part::Whole { bytes, .. } => Some(Ok(bytes)),
            Part::Begin { .. } => Some(Ok(Bytes::new())),
            Part::Failed(exception) => Some(Ok(trailer(&exception, &self.tag))),
            Part::Cut => Some(Err(io::Error::other("the statement failed"))),
        })
    }
}

/// The block that tells a client that a body which began well has failed.
fn trailer(exception: &Exception, tag: &str) -> Bytes {
    let text = format!("{}\n", exception.0.trim_end());
    Bytes::from(format!("\r\n__exception__\r\n{tag}\r\n{text}{} {tag}\r\n__exception__\r\n", text.len()))
}

#[cfg(test)]
mod tests {
    use super::{Exception, error, trailer};

    #[test]
    fn an_exception_is_a_status_a_code_and_its_text() {
        let response = error(&Exception("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)".into()));
        assert_eq!((response.status().as_u16(), response.headers()["x-clickhouse-exception-code"].to_str().unwrap()), (404, "60"));
        let unexplained = error(&Exception("something".into()));
        assert_eq!((unexplained.status().as_u16(), unexplained.headers()["x-clickhouse-exception-code"].to_str().unwrap()), (500, "1001"));
    }

    #[test]
    fn a_late_exception_tells_its_length() {
        let exception = Exception::new(241, "MEMORY_LIMIT_EXCEEDED", "too much");
        assert_eq!(
            trailer(&exception, "tag"),
            "\r\n__exception__\r\ntag\r\nCode: 241. DB::Exception: too much. (MEMORY_LIMIT_EXCEEDED)\n60 tag\r\n__exception__\r\n"
        );
    }
}

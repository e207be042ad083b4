//! What a request says: from its URL, its headers and, for forms, its body. Decided before anything runs.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine as _;

use super::super::ffi::Exception;
use super::body::Packing;
use super::pool::Session;

/// Longest time a statement may run where the request sets none, in seconds.
const MAX_EXECUTION_SECONDS: &str = "3600";
/// Format where neither request nor statement names one, as on a server.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// Names in the URL that are no settings and are read or have no meaning here.
const NOT_SETTINGS: [&str; 22] = [
    "query",
    "database",
    "default_format",
    "compress",
    "decompress",
    "user",
    "password",
    "query_id",
    "quota_key",
    // Sessions: nothing outlives a request here.
    "session_id",
    "session_timeout",
    "session_check",
    "close_session",
    // How a server would frame its answer.
    "buffer_size",
    "wait_end_of_query",
    "enable_http_compression",
    "http_zlib_compression_level",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
    "client_protocol_version",
    "stacktrace",
];

/// A request, understood.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Statement or its beginning; the rest is in the body.
    pub query: String,
    pub default_format: String,
    /// Answer in compressed blocks.
    pub compress: bool,
    pub packing: Packing,
    pub session: Session,
    /// `{name:Type}` values.
    pub parameters: Vec<(String, String)>,
    pub query_id: String,
}

/// Names and values of a URL or a form; the last of a name counts.
pub(super) type Fields = BTreeMap<String, String>;

/// The fields of the URL.
pub(super) fn fields(uri: &Uri) -> Fields {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// User and password, from wherever ClickHouse's clients put them.
pub(super) fn credentials(headers: &HeaderMap, fields: &Fields) -> Option<(String, String)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(key) = header("x-clickhouse-key") {
        return Some((header("x-clickhouse-user").unwrap_or_default(), key));
    }
    if let Some(basic) = header(header::AUTHORIZATION.as_str()).as_deref().and_then(|value| value.strip_prefix("Basic ")) {
        let text = base64::engine::general_purpose::STANDARD.decode(basic.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
        return text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()));
    }
    fields.get("password").map(|password| (fields.get("user").cloned().unwrap_or_default(), password.clone()))
}

impl Request {
    pub fn new(method: &Method, headers: &HeaderMap, mut fields: Fields) -> Result<Self, Exception> {
        let header =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty()).map(str::to_owned);
        if fields.contains_key("role") {
            return Err(Exception::new(48, "NOT_IMPLEMENTED", "the embedded engine has no roles"));
        }
        let is_one = |value: Option<&String>| value.is_some_and(|value| value == "1" || value == "true");
        let database = fields.get("database").filter(|name| !name.is_empty()).cloned().or_else(|| header("x-clickhouse-database"));
        let format = fields.get("default_format").filter(|name| !name.is_empty()).cloned().or_else(|| header("x-clickhouse-format"));
        let mut request = Self {
            query: fields.remove("query").unwrap_or_default(),
            default_format: format.unwrap_or_else(|| DEFAULT_FORMAT.into()),
            compress: is_one(fields.get("compress")),
            packing: Packing { encoding: header(header::CONTENT_ENCODING.as_str()), blocks: is_one(fields.get("decompress")) },
            session: Session { database: database.filter(|name| name != "default"), settings: Vec::new() },
            parameters: Vec::new(),
            query_id: fields
                .get("query_id")
                .filter(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_graphic()))
                .cloned()
                .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        };
        for (name, value) in fields {
            if let Some(name) = name.strip_prefix("param_") {
                request.parameters.push((name.to_owned(), value));
            } else if !NOT_SETTINGS.contains(&name.as_str()) {
                request.session.settings.push((name, value));
            }
        }
        let settings = &mut request.session.settings;
        if !settings.iter().any(|(name, _)| name == "max_execution_time") {
            settings.push(("max_execution_time".into(), MAX_EXECUTION_SECONDS.into()));
        }
        if method == Method::GET {
            // As on a server: a GET changes nothing. Last, because it forbids to change settings.
            settings.retain(|(name, _)| name != "readonly");
            settings.push(("readonly".into(), "2".into()));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Method, Uri};

    use super::{Request, credentials, fields};

    fn parse(uri: &str) -> Request {
        Request::new(&Method::POST, &HeaderMap::new(), fields(&uri.parse::<Uri>().unwrap())).unwrap()
    }

    #[test]
    fn the_url_is_sorted_into_settings_parameters_and_the_rest() {
        let request =
            parse("/?query=SELECT+1&database=d&default_format=JSON&param_x=a%20b&max_threads=2&decompress=1&session_id=s&query_id=q");
        assert_eq!((request.query.as_str(), request.default_format.as_str(), request.query_id.as_str()), ("SELECT 1", "JSON", "q"));
        assert_eq!(request.session.database.as_deref(), Some("d"));
        assert_eq!(request.parameters, [("x".into(), "a b".into())]);
        assert_eq!(request.session.settings, [("max_threads".into(), "2".into()), ("max_execution_time".into(), "3600".into())]);
        assert!(request.packing.blocks && !request.compress);
    }

    #[test]
    fn a_get_reads_only() {
        let uri: Uri = "/?readonly=0&max_execution_time=5".parse().unwrap();
        let request = Request::new(&Method::GET, &HeaderMap::new(), fields(&uri)).unwrap();
        assert_eq!(request.session.settings, [("max_execution_time".into(), "5".into()), ("readonly".into(), "2".into())]);
    }

    #[test]
    fn roles_are_refused() {
        let uri: Uri = "/?role=admin".parse().unwrap();
        assert_eq!(Request::new(&Method::POST, &HeaderMap::new(), fields(&uri)).unwrap_err().code(), 48);
    }

    #[test]
    fn credentials_come_three_ways() {
        let with = |name: &'static str, value: &str| HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_str(value).unwrap())]);
        let none = &fields(&Uri::from_static("/"));
        assert_eq!(credentials(&with("x-clickhouse-key", "k"), none), Some((String::new(), "k".into())));
        assert_eq!(credentials(&with("authorization", "Basic dTpwOnE="), none), Some(("u".into(), "p:q".into())));
        assert_eq!(credentials(&with("authorization", "Basic !"), none), None);
        assert_eq!(credentials(&HeaderMap::new(), &fields(&Uri::from_static("/?user=u&password=p"))), Some(("u".into(), "p".into())));
        assert_eq!(credentials(&HeaderMap::new(), none), None);
    }
}

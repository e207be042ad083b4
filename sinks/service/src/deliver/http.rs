//! One request and its answer, within the deadlines. Redirects are not followed: an alert goes to no address that nobody
//! has configured.

use super::config::{Deadlines, Endpoint};
use super::policy::{Outcome, retry_after};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, request};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// An idle connection is closed here before most servers close it under a request.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// What is read of an answer; its text is never kept, since it may repeat the alert.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How an attempt ended, for the policy and for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub outcome: Outcome,
    pub status: Option<i32>,
    /// Never with a person's data, an address or a secret.
    pub detail: String,
}

impl Sent {
    pub fn taken(status: Option<i32>) -> Self {
        Self { outcome: Outcome::Taken, status, detail: String::new() }
    }
    pub fn permanent(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Permanent, status: None, detail: detail.into() }
    }
    pub fn passing(detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Passing, status: None, detail: detail.into() }
    }
    pub fn timed_out(after: Duration) -> Self {
        Self { outcome: Outcome::TimedOut, status: None, detail: format!("no answer within {after:?}") }
    }
}

/// Connections to one server.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    deadlines: Deadlines,
}

impl HttpClient {
    /// The text says what is wrong with the authorities' file.
    pub fn new(endpoint: &Endpoint, deadlines: Deadlines) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match &endpoint.ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unreadable = |error: &dyn std::fmt::Display| format!("reading the certificates of {}: {error}", path.display());
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                    let added = certificate.map(|certificate| roots.add(certificate));
                    added.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
                }
                if roots.is_empty() {
                    return Err(unreadable(&"it holds none"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| format!("preparing TLS: {error}"))?.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(deadlines.connect));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_MAX).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { client, deadlines })
    }

    /// Posts a JSON body.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: String) -> Sent {
        self.exchange(Request::builder().method(Method::POST).uri(url).header(CONTENT_TYPE, "application/json"), headers, body).await
    }

    /// Asks for a page; what it says is of no interest.
    pub async fn get(&self, url: &str, headers: &[(&'static str, String)]) -> Sent {
        self.exchange(Request::builder().method(Method::GET).uri(url), headers, String::new()).await
    }

    async fn exchange(&self, request: request::Builder, headers: &[(&'static str, String)], body: String) -> Sent {
        let mut request = request.header(USER_AGENT, concat!("fieldline/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            // An alert's id may hold any text, a header may not.
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else {
                return Sent::permanent(format!("the value of {name} can not stand in a header"));
            };
            request = request.header(HeaderName::from_static(name), value);
        }
        let Ok(request) = request.body(Full::new(Bytes::from(body))) else { return Sent::permanent("its url is none") };
        let talk = async {
            let response = match self.client.request(request).await {
                Ok(response) => response,
                Err(error) => return Sent::passing(chain(&error)),
            };
            let status = response.status().as_u16();
            let asked = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?, DateTime::<Utc>::from(SystemTime::now())));
            // The whole answer is wanted: one that breaks off may come from a proxy that has lost its server.
            let mut body = response.into_body();
            let mut taken = 0;
            while taken < ANSWER_BYTES_MAX {
                match body.frame().await {
                    None => break,
                    Some(Ok(frame)) => taken += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(error)) => return Sent { status: Some(status.into()), ..Sent::passing(chain(&error)) },
                }
            }
            let detail = match status {
                200..=299 => String::new(),
                300..=399 => format!("it answers {status} and points elsewhere; name the address that it points to"),
                410 => "it answers 410: this address is given up".to_owned(),
                _ => format!("it answers {status}"),
            };
            Sent { outcome: Outcome::Status { status, retry_after: asked }, status: Some(status.into()), detail }
        };
        tokio::time::timeout(self.deadlines.attempt, talk).await.unwrap_or_else(|_| Sent::timed_out(self.deadlines.attempt))
    }
}

/// The errors' own texts name neither address nor content.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

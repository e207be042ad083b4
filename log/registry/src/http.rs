//! One request and its answer, within the deadlines.

use crate::{RegistryError, RegistryTarget};
use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// No schema and no error is as long.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// What came back.
pub(crate) struct Reply {
    pub status: u16,
    pub body: Bytes,
}

/// Sends one request over a connection of its own: there are few, and far apart. Blocks; not to be called from
/// asynchronous code.
pub(crate) fn exchange(
    target: &RegistryTarget,
    method: Method,
    path: &str,
    body: Option<String>,
    doing: &dyn Fn() -> String,
) -> Result<Reply, RegistryError> {
    let unreachable = |reason: String| RegistryError::Unreachable { doing: doing(), reason };
    let mut request = Request::builder().method(method).uri(format!("{}{path}", target.url)).header(ACCEPT, MEDIA_TYPE);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, MEDIA_TYPE);
    }
    if let Some((user, password)) = &target.login {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        // Base64 is always a header's value.
        if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {login}")) {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default()))).map_err(|error| unreachable(error.to_string()))?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| RegistryError::Start { reason: error.to_string() })?;
    let deadlines = target.deadlines;
    let outcome = runtime.block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(deadlines.connect));
        connector.set_nodelay(true);
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let talk = async {
            let response = client.request(request).await.map_err(|error| unreachable(chain(&error)))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
                true => RegistryError::Malformed { doing: doing(), what: "it is longer than 1 MiB" },
                false => unreachable(chain(&*error)),
            })?;
            Ok(Reply { status, body: body.to_bytes() })
        };
        let timed_out = RegistryError::TimedOut { doing: doing(), after: deadlines.request };
        tokio::time::timeout(deadlines.request, talk).await.unwrap_or(Err(timed_out))
    });
    // The name's resolution, which nothing can interrupt, is not waited for.
    runtime.shutdown_background();
    outcome
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

//! The HTTP interface of a running pipeline: alerts are listed and acted on, behind a token.
//!
//! | request | what |
//! |---|---|
//! | `GET /v1/alerts?all=&flag=&technician_contact_id=&limit=` | open alerts (with `all=true` resolved ones too) |
//! | `GET /v1/alerts/{alert_id}` | every revision of one |
//! | `POST /v1/alerts/{alert_id}/acknowledge`, `/resolve`, `/note` | body: `reason`, `actor_contact_id`, `note` |
//! | `POST /v1/silences` | body: `until`, and what must fit |
//! | `POST /v1/alerts/test` | body: `severity`; tries the way to the receivers |
//!
//! What is done about an alert that the tables do not show is answered 404, after a while, and is in the log all the same. A process
//! without the role sinks cannot know, and answers 202.
//!
//! Every request carries `Authorization: Bearer <token>`. An answer that is no success has `{"error": "…"}`.

mod local;

use crate::desk::{Desk, Remark, Silencing, Unfit, Wanted, quoted};
use anyhow::{Context, Result};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fieldline_schemas::events::{ActionKind, Severity};
use fieldline_sinks::ClickHouseTarget;
use fieldline_sinks::clickhouse::Database;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use local::{Local, LocalFile, call};

/// No action is as long.
const BODY_BYTES_MAX: usize = 128 << 10;

/// What the interface works with.
pub struct Api {
    pub desk: Desk,
    /// `None` in a process without sinks: it can act, and not list.
    pub target: Option<ClickHouseTarget>,
    pub token: String,
}

/// Body of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// info, warning, error or critical; warning where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// Serves until the process ends; returns the address, whose port is chosen where `listen` says 0.
pub fn serve(listen: SocketAddr, api: Arc<Api>) -> Result<SocketAddr> {
    let doing = || format!("listening on {listen} for actions on alerts (api.listen)");
    let listener = std::net::TcpListener::bind(listen).with_context(doing)?;
    listener.set_nonblocking(true).with_context(doing)?;
    let address = listener.local_addr().with_context(doing)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().enable_time().build().with_context(doing)?;
    let work = move || {
        let outcome = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router(api)).await
        });
        if let Err(error) = outcome {
            tracing::error!(%error, "nobody can act on alerts over HTTP any more");
        }
    };
    std::thread::Builder::new().name("api".into()).spawn(work).with_context(doing)?;
    Ok(address)
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/alerts", get(list))
        .route("/v1/alerts/test", post(test))
        .route("/v1/alerts/{alert_id}", get(show))
        .route("/v1/alerts/{alert_id}/{action}", post(act))
        .route("/v1/silences", post(silence))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(in_json))
        .layer(from_fn_with_state(Arc::clone(&api), admit))
        .with_state(api)
}

/// Lets in whoever has the token.
async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if is_same(sent.as_bytes(), api.token.as_bytes()) {
        return next.run(request).await;
    }
    let mut response = refusal(StatusCode::UNAUTHORIZED, "Authorization: Bearer with the token of api.token is wanted");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

/// In a time that does not tell how much of it is right.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

/// What the framework refuses by itself, in text (a body that is no JSON, an unknown path), in the form of all other refusals.
async fn in_json(response: Response) -> Response {
    let status = response.status();
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), BODY_BYTES_MAX).await.unwrap_or_default();
    match String::from_utf8_lossy(&text).trim() {
        "" => refusal(status, status.canonical_reason().unwrap_or("refused")),
        text => refusal(status, text),
    }
}

/// Runs what blocks, and tells how it ended.
async fn answer(status: StatusCode, work: impl FnOnce() -> Result<serde_json::Value> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(body)) => (status, Json(body)).into_response(),
        Ok(Err(error)) if error.is::<Unfit>() => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        Ok(Err(error)) if error.is::<Unknown>() || error.is::<Absent>() => refusal(StatusCode::NOT_FOUND, &error.to_string()),
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "a request about alerts failed");
            refusal(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}"))
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the request was not finished"),
    }
}

fn rows(api: &Api, query: &str) -> Result<serde_json::Value> {
    let target = api.target.as_ref().context("no sinks run in this process, so it can not list alerts; ask one with the role sinks")?;
    let rows = Database::open(target, Default::default())?.query_json(query)?;
    Ok(serde_json::Value::Array(rows.into_iter().map(serde_json::Value::Object).collect()))
}

async fn list(State(api): State<Arc<Api>>, Query(wanted): Query<Wanted>) -> Response {
    answer(StatusCode::OK, move || rows(&api, &wanted.query()?)).await
}

async fn show(State(api): State<Arc<Api>>, Path(alert_id): Path<String>) -> Response {
    let query = format!("SELECT * FROM alerts_history WHERE alert_id = {} ORDER BY version", quoted(&alert_id));
    let steps = move || match rows(&api, &query)? {
        serde_json::Value::Array(steps) if steps.is_empty() => Err(Absent(alert_id).into()),
        steps => Ok(steps),
    };
    answer(StatusCode::OK, steps).await
}

async fn act(State(api): State<Arc<Api>>, Path((alert_id, action)): Path<(String, String)>, Json(remark): Json<Remark>) -> Response {
    let Some(action) = ActionKind::from_symbol(&action) else {
        return refusal(StatusCode::NOT_FOUND, "acknowledge, resolve and note are what can be done with an alert");
    };
    let act = move || {
        // First of all it is written: an acknowledgement must not be lost because tables are behind.
        let id = api.desk.act(&alert_id, action, remark)?;
        if is_unknown(&api, &alert_id) {
            return Err(Unknown(alert_id).into());
        }
        Ok(serde_json::json!({ "id": id.to_string() }))
    };
    answer(StatusCode::ACCEPTED, act).await
}

/// As far as the tables know nobody has opened that alert.
#[derive(Debug, thiserror::Error)]
#[error("no alert {0:?} is in the tables; the action is in the log, and counts if there is one all the same")]
struct Unknown(String);

/// What is asked for is not there.
#[derive(Debug, thiserror::Error)]
#[error("no alert {0:?} is in the tables")]
pub struct Absent(pub String);

/// The tables follow an alert within about two seconds.
const KNOWN_WAIT_MAX: Duration = Duration::from_secs(8);
const KNOWN_LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether the tables answer, and do not show the alert.
fn is_unknown(api: &Api, alert_id: &str) -> bool {
    let query = format!("SELECT 1 FROM alert_results WHERE alert_id = {} LIMIT 1", quoted(alert_id));
    let began = Instant::now();
    while let Some(true) = api.target.is_some().then(|| rows(api, &query).is_ok_and(|rows| rows.as_array().is_some_and(Vec::is_empty))) {
        if began.elapsed() >= KNOWN_WAIT_MAX {
            return true;
        }
        std::thread::sleep(KNOWN_LOOK_EVERY);
    }
    false
}

async fn silence(State(api): State<Arc<Api>>, Json(silencing): Json<Silencing>) -> Response {
    answer(StatusCode::ACCEPTED, move || Ok(serde_json::json!({ "id": api.desk.silence(silencing)?.to_string() }))).await
}

async fn test(State(api): State<Arc<Api>>, Json(test): Json<Test>) -> Response {
    answer(StatusCode::ACCEPTED, move || Ok(serde_json::json!({ "alert_id": api.desk.test(severity(test.severity.as_deref())?)? }))).await
}

/// The severity of a test.
pub fn severity(text: Option<&str>) -> Result<Severity, Unfit> {
    let text = text.unwrap_or("warning");
    Severity::from_symbol(text).ok_or_else(|| Unfit(format!("severity {text:?}: info, warning, error or critical is wanted")))
}

//! What an operator sees from outside: `/metrics` for Prometheus, `/healthz` and `/readyz` with reasons.

mod metrics;

use crate::pipeline::Watched;
use anyhow::{Context, Result};
use axum::http::{StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 by this machine's clock, to tell how old records are.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Serves until the process ends; returns the address, whose port is chosen where `listen` says 0.
pub fn serve(listen: SocketAddr, watched: Arc<Watched>) -> Result<SocketAddr> {
    let doing = || format!("listening on {listen} for metrics (observe.listen)");
    let listener = std::net::TcpListener::bind(listen).with_context(doing)?;
    listener.set_nonblocking(true).with_context(doing)?;
    let address = listener.local_addr().with_context(doing)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().with_context(doing)?;
    let work = move || {
        let outcome = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router(watched)).await
        });
        if let Err(error) = outcome {
            tracing::error!(%error, "nobody can read the metrics any more");
        }
    };
    std::thread::Builder::new().name("observe".into()).spawn(work).with_context(doing)?;
    Ok(address)
}

fn router(watched: Arc<Watched>) -> Router {
    let (for_metrics, for_health, for_readiness) = (Arc::clone(&watched), Arc::clone(&watched), watched);
    Router::new()
        .route(
            "/metrics",
            get(move || async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&for_metrics)) }),
        )
        .route("/healthz", get(move || async move { answer(for_health.down()) }))
        .route("/readyz", get(move || async move { answer(for_readiness.problems()) }))
}

/// 200 where there is no problem, else 503, with the reasons.
fn answer(problems: Vec<String>) -> (StatusCode, Json<serde_json::Value>) {
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ok": problems.is_empty(), "reasons": problems })))
}

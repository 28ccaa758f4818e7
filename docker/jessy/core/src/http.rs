//! The HTTP interface.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span, debug, error, info, warn};

use crate::{
    SERVICE,
    config::Secret,
    counters::{Counters, Snapshot},
    db, log,
    metrics::Metrics,
    notes, spans,
};

const BODY_MAX: usize = 64 * 1024;
const SLOW_MAX: f64 = 10.0;

pub struct App {
    pub version: &'static str,
    pub instance: HeaderValue,
    pub connections: db::Connections,
    pub token: Secret,
    pub counters: Counters,
    pub metrics: Metrics,
    /// Without it, /metrics is not found.
    pub shows_metrics: bool,
    /// Set once the service is asked to stop: every answer then closes its connection.
    pub stopping: AtomicBool,
}

pub type Shared = Arc<App>;

pub fn router(app: Shared) -> Router {
    let mut router = Router::new();
    if app.shows_metrics {
        router = router.route("/metrics", get(render_metrics));
    }
    router
        .route("/health", get(health))
        .route("/counters", get(counters))
        .route("/slow", get(slow))
        .route("/notes", get(notes::list).post(notes::create))
        .route("/notes/{id}", get(notes::show))
        .fallback(async || Failure::not_found("no such path"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

async fn health(State(app): State<Shared>) -> Response {
    let database = app.connections.ping().await;
    if let Err(reason) = &database {
        warn!(reason, "the database does not answer");
    }
    let (status, word, check) = match database {
        Ok(()) => (StatusCode::OK, "healthy", "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "no answer"),
    };
    let body = json!({
        "status": word,
        "service": SERVICE,
        "version": app.version,
        "timestamp": log::timestamp(),
        "checks": {"database": check},
    });
    (status, Json(body)).into_response()
}

async fn render_metrics(State(app): State<Shared>) -> Result<impl IntoResponse, Failure> {
    app.metrics.connections.set(i64::try_from(app.connections.size()).unwrap_or(i64::MAX));
    let text = app.metrics.render().map_err(|error| Failure::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn counters(State(app): State<Shared>) -> Json<Snapshot> {
    Json(app.counters.snapshot())
}

#[derive(Deserialize)]
struct Slow {
    seconds: f64,
}

/// Takes as long as asked, at most ten seconds: shows that a request in flight
/// survives a stop.
async fn slow(Query(slow): Query<Slow>) -> Result<Json<Value>, Failure> {
    if !(0.0..=SLOW_MAX).contains(&slow.seconds) {
        return Err(Failure::bad_request(format!("seconds has to be from 0 to {SLOW_MAX}")));
    }
    tokio::time::sleep(Duration::from_secs_f64(slow.seconds)).await;
    Ok(Json(json!({"slept": slow.seconds})))
}

/// Counts and logs each request; the health checks' own only at debug level.
async fn observe(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unknown", MatchedPath::as_str).to_owned();
    let aside = matches!(route.as_str(), "/health" | "/metrics");
    let parent = spans::incoming(request.headers());
    // What asks for health or numbers, every few seconds, begins no trace.
    let span = if aside && !spans::is_valid(&parent) {
        Span::none()
    } else {
        spans::server(method.as_str(), &route, &parent)
    };
    let mut response = next.run(request).instrument(span.clone()).await;
    if app.stopping.load(Ordering::Relaxed) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.observe(method.as_str(), &route, status, took);
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    spans::answered(&span, status);
    let trace_id = spans::trace_id(&span, &parent);
    if aside {
        debug!(%method, route, status, milliseconds, trace_id, "request");
    } else {
        info!(%method, route, status, milliseconds, trace_id, "request");
    }
    response.headers_mut().insert("x-instance", app.instance.clone());
    response
}

/// What a client is told; the reason of a failure inside stays in the log.
pub struct Failure {
    status: StatusCode,
    message: String,
    /// Nothing was done: the same request may be sent again.
    untouched: bool,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), untouched: false }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn unauthorized() -> Self {
        let message = "a valid token is needed: Authorization: Bearer TOKEN";
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// There is no connection to the database.
    pub fn connection(reason: String) -> Self {
        error!(reason, "no connection to the database");
        let message = "the database cannot be reached";
        Self { untouched: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// A query failed; a server that is stopped says so and undoes it.
    pub fn query(error: &tokio_postgres::Error) -> Self {
        error!(reason = db::describe(error), "a query failed");
        let message = "the database did not answer as expected";
        let untouched = db::is_stopping(error);
        Self { untouched, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    pub fn internal(reason: String) -> Self {
        error!(reason, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.message}));
        if self.untouched {
            return (self.status, [(header::RETRY_AFTER, "1")], body).into_response();
        }
        (self.status, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_did_nothing_may_be_sent_again() {
        let failures = [
            (Failure::connection("a reason".into()), 503, true),
            (Failure::unauthorized(), 401, false),
            (Failure::internal("a reason".into()), 500, false),
        ];
        for (failure, status, untouched) in failures {
            let response = failure.into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), untouched);
        }
    }
}

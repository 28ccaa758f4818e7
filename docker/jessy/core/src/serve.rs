//! `jessy serve`: answers until asked to stop, then finishes what it began.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::HeaderValue;
use tokio::{net::TcpListener, sync::oneshot, time};
use tracing::{info, warn};

use crate::{
    config::Config,
    counters::Counters,
    db,
    http::{self, App},
    log,
    metrics::Metrics,
    shutdown,
};

/// How long it still answers after it was asked to stop. Longer than a client keeps a connection
/// that nothing uses, so that none sends a request on one that is just being closed.
const LINGER: Duration = Duration::from_millis(1500);

pub async fn run(config: Config, version: &'static str) -> Result<(), String> {
    let counters = Counters::open(&config.mmap_dir)?;
    counters.started();
    let app = Arc::new(App {
        version,
        instance: instance(),
        connections: db::Connections::new(&config.database)?,
        token: config.api_token.ok_or("API_TOKEN is missing")?,
        counters,
        metrics: Metrics::new(version).map_err(|error| error.to_string())?,
        shows_metrics: config.metrics,
        stopping: AtomicBool::new(false),
    });
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    info!(address = %config.listen, "listening");

    let (stopping, stopped) = oneshot::channel();
    let serving = app.clone();
    let server =
        axum::serve(listener, http::router(app.clone())).with_graceful_shutdown(async move {
            let signal = shutdown::requested().await;
            info!(signal, "shutting down: connections close after their next answer");
            serving.stopping.store(true, Ordering::Relaxed);
            time::sleep(LINGER).await;
            info!("no new connections, requests in flight finish");
            let _ = stopping.send(());
        });
    let too_long = async {
        // Without a signal the sender is never used, and this never ends.
        match stopped.await {
            Ok(()) => time::sleep(config.drain).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = server => result.map_err(|error| format!("the server failed: {error}"))?,
        () = too_long => {
            let seconds = config.drain.as_secs();
            return Err(format!("requests in flight did not finish within {seconds} s"));
        }
    }
    if let Err(error) = app.counters.flush() {
        warn!(%error, "the counters were not written to disk");
    }
    info!("stopped");
    Ok(())
}

/// The name that is shown in every answer.
fn instance() -> HeaderValue {
    HeaderValue::from_str(&log::hostname()).unwrap_or(HeaderValue::from_static("unknown"))
}

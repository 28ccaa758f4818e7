//! SIGTERM (what Docker sends) and SIGINT (what a terminal sends) mean: stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ends when the process is asked to stop; gives the signal's name.
pub async fn requested() -> &'static str {
    // Only an invalid signal number makes this fail, and these two are valid.
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

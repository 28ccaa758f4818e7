//! Jessy's core: keeps notes in Postgres, counts them in a memory-mapped file
//! and tells how it is.
//!
//! `jessy [serve]` answers on port 8080, `jessy migrate` brings the schema up
//! to date, `jessy healthcheck` asks a running service whether it is healthy.

mod config;
mod counters;
mod db;
mod healthcheck;
mod http;
mod log;
mod metrics;
mod migrate;
mod notes;
mod redact;
mod serve;
mod shutdown;
mod spans;

use std::{env, process::ExitCode};

use config::{Config, Environment};

/// The service's name in health answers, logs and metrics.
pub const SERVICE: &str = "jessy-core";

const USAGE: &str = "usage: jessy [serve | migrate | healthcheck | version]";

/// Runs the command named by the arguments; `version` is what health answers show.
pub fn run(version: &'static str) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let command: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command[..] {
        [] | ["serve"] => start(version, Config::for_serve, serve::run),
        ["migrate"] => start(version, Config::for_migrate, migrate::run),
        ["healthcheck"] => healthcheck::run(),
        ["version"] => {
            println!("{version}");
            ExitCode::SUCCESS
        }
        _ => {
            log::write_start_error(version, USAGE);
            ExitCode::from(2)
        }
    }
}

/// Reads the configuration, switches logging on and runs `command` to its end.
/// Every problem of the configuration is named, each in its own line on stderr.
fn start<F>(
    version: &'static str,
    read: fn(&Environment) -> Result<Config, Vec<config::Problem>>,
    command: impl FnOnce(Config, &'static str) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), String>>,
{
    let config = match read(&Environment::of_process()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems {
                log::write_start_error(version, &problem.to_string());
            }
            return ExitCode::FAILURE;
        }
    };
    // Dropped last: what is left of the spans goes out when everything has ended.
    let _sender = match log::start(version, &config) {
        Ok(sender) => sender,
        Err(problem) => {
            log::write_start_error(version, &problem);
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command(config, version)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

//! Connections to Postgres.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::NoTls;

use crate::config::Database;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const POOL_SIZE: usize = 8;
/// Health answers have to come within a second, whatever the database does.
const PING_TIMEOUT: Duration = Duration::from_millis(700);

pub fn settings(database: &Database) -> tokio_postgres::Config {
    let mut settings = tokio_postgres::Config::new();
    settings
        .host(&database.host)
        .port(database.port)
        .user(&database.user)
        .dbname(&database.name)
        .password(database.password.expose())
        .application_name(crate::SERVICE)
        .connect_timeout(CONNECT_TIMEOUT);
    settings
}

pub fn pool(database: &Database) -> Result<Pool, String> {
    let mut settings = settings(database);
    settings.options("-c statement_timeout=5s");
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Verified };
    Pool::builder(Manager::from_config(settings, NoTls, recycling))
        .max_size(POOL_SIZE)
        .timeouts(Timeouts {
            wait: Some(CONNECT_TIMEOUT),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        })
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| format!("the connection pool cannot be made: {error}"))
}

/// Whether the database answers a query now; the reason is for the log.
pub async fn ping(pool: &Pool) -> Result<(), String> {
    let query = async {
        let client = pool.get().await.map_err(|error| describe_pool(&error))?;
        client.simple_query("SELECT 1").await.map_err(|error| describe(&error))?;
        Ok(())
    };
    tokio::time::timeout(PING_TIMEOUT, query)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", PING_TIMEOUT.as_millis())))
}

/// Whether the server ended the query because it stops or starts (class 57P), which undoes it.
pub fn is_stopping(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("57P"))
}

/// The server's own words and code where it gave any, else the error and its causes.
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    with_causes(error)
}

pub fn describe_pool(error: &deadpool_postgres::PoolError) -> String {
    match error {
        deadpool_postgres::PoolError::Backend(error) => describe(error),
        other => with_causes(other),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

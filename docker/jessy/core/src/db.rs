//! Connections to Postgres.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::NoTls;

use crate::config::Database;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const POOL_SIZE: usize = 8;
const PAUSE: Duration = Duration::from_millis(200);
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

fn pool(database: &Database) -> Result<Pool, String> {
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

/// The connections of the pool, and a pause after one that could not be had: a database that starts
/// has no time for those who knock on its door.
pub struct Connections {
    pool: Pool,
    closed: Mutex<Option<(Instant, String)>>,
}

impl Connections {
    pub fn new(database: &Database) -> Result<Self, String> {
        Ok(Self { pool: pool(database)?, closed: Mutex::new(None) })
    }

    /// A connection, or the reason why there is none.
    pub async fn get(&self) -> Result<Object, String> {
        if let Some(reason) = self.refusal() {
            return Err(reason);
        }
        let found = self.pool.get().await.map_err(|error| describe_pool(&error));
        if let Err(reason) = &found {
            let until = Instant::now() + PAUSE;
            *self.closed.lock().expect("nothing panics with it") = Some((until, reason.clone()));
        }
        found
    }

    /// Whether the database answers a query now; the reason is for the log.
    pub async fn ping(&self) -> Result<(), String> {
        let query = async {
            let client = self.pool.get().await.map_err(|error| describe_pool(&error))?;
            client.simple_query("SELECT 1").await.map_err(|error| describe(&error))?;
            Ok(())
        };
        tokio::time::timeout(PING_TIMEOUT, query)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", PING_TIMEOUT.as_millis())))
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.pool.status().size
    }

    fn refusal(&self) -> Option<String> {
        let closed = self.closed.lock().expect("nothing panics with it");
        closed.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, why)| why.clone())
    }
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

fn describe_pool(error: &deadpool_postgres::PoolError) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[tokio::test]
    async fn a_database_that_refused_is_left_alone_for_a_moment() {
        let database = Database {
            host: "127.0.0.1".into(),
            port: 1,
            user: "u".into(),
            name: "n".into(),
            password: Secret::new("not-a-real-one"),
            wait: Duration::ZERO,
        };
        let connections = Connections::new(&database).unwrap();
        assert!(connections.refusal().is_none());
        let reason = connections.get().await.err().unwrap();
        assert_eq!(connections.refusal(), Some(reason.clone()));
        assert_eq!(connections.get().await.err(), Some(reason));
        tokio::time::sleep(PAUSE).await;
        assert!(connections.refusal().is_none());
    }
}

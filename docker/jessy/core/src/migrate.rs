//! `jessy migrate`: brings the schema to what this program was built with.
//!
//! The scripts are compiled in. One session at a time migrates a database
//! (advisory lock), each script runs in a transaction of its own together with
//! its row in `schema_migrations`, and what was applied is never run again.

use std::{collections::HashMap, time::Instant};

use sha2::{Digest as _, Sha256};
use tokio::time::{Duration, sleep};
use tokio_postgres::{Client, NoTls, error::SqlState};
use tracing::{error, info, warn};

use crate::{
    config::{Config, Database},
    db,
    redact::hex,
    shutdown,
};

pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Any number does, as long as nothing else in the database takes the same.
const LOCK: i64 = 0x6a65_7373_795f_6d67;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version    bigint      PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

pub async fn run(config: Config, _version: &'static str) -> Result<(), String> {
    tokio::select! {
        result = migrate(&config.database) => result,
        signal = shutdown::requested() => {
            Err(format!("stopped by {signal}; a script that was running is rolled back"))
        }
    }
}

async fn migrate(database: &Database) -> Result<(), String> {
    let mut client = connect(database).await?;
    lock(&client, database.wait).await?;
    client
        .batch_execute(TABLE)
        .await
        .map_err(|error| format!("schema_migrations cannot be made: {}", db::describe(&error)))?;
    let applied = applied(&client).await?;
    let mut count = 0u64;
    for migration in MIGRATIONS {
        match applied.get(&migration.version) {
            Some(known) if *known == checksum(migration.sql) => {}
            Some(_) => {
                return Err(format!(
                    "migration {} differs from what this database was given: \
                     put the old script back and write the change as a new one",
                    migration.name
                ));
            }
            None => {
                apply(&mut client, migration).await?;
                count += 1;
            }
        }
    }
    let newest = MIGRATIONS.last().map_or(0, |migration| migration.version);
    let ahead = applied.keys().max().copied().unwrap_or(0);
    if ahead > newest {
        warn!(schema = ahead, known = newest, "the database is newer than this program");
    }
    info!(applied = count, schema = newest.max(ahead), "the schema is up to date");
    Ok(())
}

/// Waits for the database as long as the configuration allows; a refused login
/// is final at once.
async fn connect(database: &Database) -> Result<Client, String> {
    let deadline = Instant::now() + database.wait;
    let place = format!("{}:{}", database.host, database.port);
    let mut waiting = false;
    loop {
        let error = match db::settings(database).connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        error!("the connection broke: {}", db::describe(&error));
                    }
                });
                return Ok(client);
            }
            Err(error) => error,
        };
        let reason = db::describe(&error);
        // A server that starts or stops (class 57) is worth waiting for, another refusal is not.
        let refused = error.code().is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW);
        if refused {
            return Err(format!("the database at {place} refused the login: {reason}"));
        }
        if Instant::now() >= deadline {
            let seconds = database.wait.as_secs();
            return Err(format!(
                "the database at {place} did not answer within {seconds} s: {reason}"
            ));
        }
        if !waiting {
            info!(reason, "waiting for the database at {place}");
            waiting = true;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn lock(client: &Client, wait: Duration) -> Result<(), String> {
    let limit = format!("SET lock_timeout = {}", wait.as_millis());
    let locked = async {
        client.batch_execute(&limit).await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await
    };
    locked.await.map(|_| ()).map_err(|error| {
        let reason = db::describe(&error);
        format!("another migration of this database did not end: {reason}")
    })
}

async fn applied(client: &Client) -> Result<HashMap<i64, String>, String> {
    let rows = client
        .query("SELECT version, checksum FROM schema_migrations", &[])
        .await
        .map_err(|error| format!("schema_migrations cannot be read: {}", db::describe(&error)))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn apply(client: &mut Client, migration: &Migration) -> Result<(), String> {
    let started = Instant::now();
    let script = async {
        let transaction = client.transaction().await?;
        transaction.batch_execute(migration.sql).await?;
        transaction
            .execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                &[&migration.version, &migration.name, &checksum(migration.sql)],
            )
            .await?;
        transaction.commit().await
    };
    script.await.map_err(|error| {
        format!("migration {} failed and was rolled back: {}", migration.name, db::describe(&error))
    })?;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    info!(migration = migration.name, milliseconds, "applied migration {}", migration.name);
    Ok(())
}

fn checksum(sql: &str) -> String {
    hex(&Sha256::digest(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_are_compiled_in_and_numbered_without_gaps() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let expected: Vec<i64> = (1..).take(MIGRATIONS.len()).collect();
        assert_eq!(versions, expected);
        assert!(MIGRATIONS[0].sql.contains("CREATE TABLE notes"));
    }
}

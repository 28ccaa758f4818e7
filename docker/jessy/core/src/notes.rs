//! Notes: the part that reads and writes Postgres.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio_postgres::Row;
use tracing::Instrument as _;

use crate::{
    config::Secret,
    http::{Failure, Shared},
    spans,
};

const TEXT_MAX: usize = 2000;
const LIST_DEFAULT: i64 = 50;
const LIST_MAX: i64 = 500;
/// A request that comes again under the key of an earlier one is the same request.
const KEY: &str = "idempotency-key";
const KEY_MAX: usize = 200;

#[derive(Serialize)]
pub struct Note {
    id: i64,
    text: String,
    created_at: DateTime<Utc>,
}

impl From<&Row> for Note {
    fn from(row: &Row) -> Self {
        Self { id: row.get("id"), text: row.get("text"), created_at: row.get("created_at") }
    }
}

#[derive(Deserialize)]
pub struct NewNote {
    text: String,
}

#[derive(Deserialize)]
pub struct Page {
    limit: Option<i64>,
}

pub async fn create(
    State(state): State<Shared>,
    headers: HeaderMap,
    body: Result<Json<NewNote>, JsonRejection>,
) -> Result<(StatusCode, Json<Note>), Failure> {
    require_token(&headers, &state.token)?;
    let Json(note) = body.map_err(|error| Failure::bad_request(error.body_text()))?;
    let length = note.text.chars().count();
    if !(1..=TEXT_MAX).contains(&length) {
        let found = format!("text has to have 1 to {TEXT_MAX} characters, found {length}");
        return Err(Failure::bad_request(found));
    }
    let key = request_key(&headers)?;
    let client = state.connections.get().await.map_err(Failure::connection)?;
    // A row that was there before has the transaction that touched it as its xmax.
    let statement = "INSERT INTO notes (text, request_key) VALUES ($1, $2) \
                     ON CONFLICT (request_key) DO UPDATE SET request_key = EXCLUDED.request_key \
                     RETURNING id, text, created_at, xmax = 0 AS new";
    let row = client
        .query_one(statement, &[&note.text, &key])
        .instrument(spans::query("INSERT notes", statement))
        .await
        .map_err(|error| Failure::query(&error))?;
    let note = Note::from(&row);
    if row.get("new") {
        state.counters.note_written(note.id);
        state.metrics.notes.inc();
    }
    Ok((StatusCode::CREATED, Json(note)))
}

/// The newest notes first.
pub async fn list(
    State(state): State<Shared>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Note>>, Failure> {
    let limit = page.limit.unwrap_or(LIST_DEFAULT).clamp(1, LIST_MAX);
    let client = state.connections.get().await.map_err(Failure::connection)?;
    let statement = "SELECT id, text, created_at FROM notes ORDER BY id DESC LIMIT $1";
    let rows = client
        .query(statement, &[&limit])
        .instrument(spans::query("SELECT notes", statement))
        .await
        .map_err(|error| Failure::query(&error))?;
    Ok(Json(rows.iter().map(Note::from).collect()))
}

pub async fn show(State(state): State<Shared>, Path(id): Path<i64>) -> Result<Json<Note>, Failure> {
    let client = state.connections.get().await.map_err(Failure::connection)?;
    let statement = "SELECT id, text, created_at FROM notes WHERE id = $1";
    let row = client
        .query_opt(statement, &[&id])
        .instrument(spans::query("SELECT notes", statement))
        .await
        .map_err(|error| Failure::query(&error))?;
    row.map(|row| Json(Note::from(&row))).ok_or_else(|| Failure::not_found(format!("no note {id}")))
}

fn require_token(headers: &HeaderMap, token: &Secret) -> Result<(), Failure> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if bool::from(given.ct_eq(token.expose().as_bytes())) {
        Ok(())
    } else {
        Err(Failure::unauthorized())
    }
}

fn request_key(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=KEY_MAX).contains(&key.len()) => Ok(Some(key)),
        _ => {
            Err(Failure::bad_request(format!("{KEY} has to have 1 to {KEY_MAX} ASCII characters")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_may_be_left_out() {
        let mut headers = HeaderMap::new();
        assert_eq!(request_key(&headers).ok(), Some(None));
        headers.insert(KEY, "k".parse().unwrap());
        assert_eq!(request_key(&headers).ok(), Some(Some("k")));
        for wrong in [String::new(), "k".repeat(KEY_MAX + 1)] {
            headers.insert(KEY, wrong.parse().unwrap());
            assert!(request_key(&headers).is_err());
        }
    }

    #[test]
    fn only_the_whole_token_is_accepted() {
        let token = Secret::new("sentinel-of-the-interface");
        let mut headers = HeaderMap::new();
        assert!(require_token(&headers, &token).is_err());
        for (given, accepted) in [
            ("Bearer sentinel-of-the-interface", true),
            ("Bearer sentinel-of-the-interfac", false),
            ("Bearer ", false),
            ("sentinel-of-the-interface", false),
        ] {
            headers.insert(header::AUTHORIZATION, given.parse().unwrap());
            assert_eq!(require_token(&headers, &token).is_ok(), accepted, "{given}");
        }
    }
}

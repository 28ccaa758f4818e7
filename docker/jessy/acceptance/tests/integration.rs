//! What the services do together, with a database of their own: `cargo test --test integration`.
//! No test relies on another; they share one database, as users do.

mod stack;

use std::{collections::BTreeSet, thread};

use serde_json::{Value, json};
use stack::{Service, get, post, write_note};

#[test]
fn the_services_are_healthy_and_say_who_they_are() {
    for (service, path, name) in
        [(Service::Core, "/health", "jessy-core"), (Service::Api, "/api/health", "jessy-api")]
    {
        let answer = get(service, path);
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["service"], name);
        assert!(!answer.instance.is_empty(), "no X-Instance");
    }
    assert_eq!(get(Service::Core, "/health").json()["checks"]["database"], "ok");
}

#[test]
fn a_note_goes_through_the_api_and_the_core_into_the_database_and_back() {
    let text = "ümläute, \"quotes\" and a line\nbreak";
    let id = write_note(text);
    let note = get(Service::Core, &format!("/notes/{id}"));
    assert_eq!(note.status, 200);
    assert_eq!(note.json()["text"], text);
    let listed = get(Service::Api, "/api/notes?limit=500").json();
    assert!(listed.as_array().unwrap().contains(&note.json()));
}

#[test]
fn the_newest_notes_come_first_and_no_more_than_asked_for() {
    for number in 0..3 {
        write_note(&format!("note {number}"));
    }
    let list = get(Service::Api, "/api/notes?limit=2").json();
    let ids: Vec<u64> =
        list.as_array().unwrap().iter().map(|n| n["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0] > ids[1], "{ids:?}");
    // A limit beyond the bounds is the bound; one that is no number is refused.
    assert_eq!(get(Service::Api, "/api/notes?limit=0").json().as_array().unwrap().len(), 1);
    assert_eq!(get(Service::Api, "/api/notes?limit=501").status, 200);
    assert_eq!(get(Service::Api, "/api/notes?limit=many").status, 400);
}

#[test]
fn a_text_has_its_limits() {
    for (length, status) in [(0, 400), (1, 201), (2000, 201), (2001, 400)] {
        let answer = post(Service::Api, "/api/notes", &[], &json!({"text": "é".repeat(length)}));
        assert_eq!(answer.status, status, "{length} characters: {}", answer.text);
    }
    for body in [json!({}), json!([]), json!({"text": 7})] {
        let answer = post(Service::Api, "/api/notes", &[], &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
    let large = post(Service::Core, "/notes", &[], &json!({"text": "x".repeat(100_000)}));
    assert!([401, 413].contains(&large.status), "{}", large.status);
}

#[test]
fn the_core_writes_for_the_api_alone() {
    let note = json!({"text": "without a token"});
    for headers in [&[][..], &[("authorization", "Bearer not-the-right-one")]] {
        let answer = post(Service::Core, "/notes", headers, &note);
        assert_eq!(answer.status, 401);
        assert!(answer.json()["error"].as_str().unwrap().contains("token"));
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for (service, path) in [
        (Service::Api, "/api/no-such-path"),
        (Service::Core, "/notes/999999999"),
        (Service::Core, "/no-such-path"),
    ] {
        assert_eq!(get(service, path).status, 404, "{path}");
    }
}

#[test]
fn many_write_at_once_and_nothing_is_lost() {
    let ids: BTreeSet<u64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                scope.spawn(move || -> Vec<u64> {
                    (0..5).map(|turn| write_note(&format!("{writer}.{turn}"))).collect()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 40, "every answer names a note of its own");
    let kept = get(Service::Api, "/api/notes?limit=500").json();
    let kept: BTreeSet<u64> =
        kept.as_array().unwrap().iter().map(|note| note["id"].as_u64().unwrap()).collect();
    assert!(ids.is_subset(&kept));
}

#[test]
fn a_request_that_comes_again_makes_no_second_note() {
    let key = format!("again-{}", write_note("makes the key unique"));
    let send = |text: &str| {
        let headers = [("idempotency-key", key.as_str())];
        post(Service::Api, "/api/notes", &headers, &json!({"text": text})).json()
    };
    let (first, second) = (send("first"), send("second"));
    assert_eq!(first["id"], second["id"]);
    assert_eq!(second["text"], "first");
}

#[test]
fn the_api_reaches_the_core_and_shows_what_it_says() {
    let answer = get(Service::Api, "/api/core");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["service"], "jessy-core");
    assert_eq!(answer.json()["version"], get(Service::Core, "/health").json()["version"]);
}

#[test]
fn a_slow_answer_comes_and_a_wrong_one_is_refused() {
    for (service, prefix) in [(Service::Core, ""), (Service::Api, "/api")] {
        assert_eq!(get(service, &format!("{prefix}/slow?seconds=0.1")).status, 200);
        assert_eq!(get(service, &format!("{prefix}/slow?seconds=11")).status, 400);
    }
}

#[test]
fn both_services_count_their_requests() {
    write_note("counted");
    for (service, path, name) in [
        (Service::Core, "/metrics", "jessy_core_http_requests_total"),
        (Service::Api, "/api/metrics", "jessy_api_http_requests_total"),
    ] {
        let text = get(service, path).text;
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
    }
}

#[test]
fn the_counters_are_the_same_for_both() {
    write_note("counted by both");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (core, api) =
        (get(Service::Core, "/counters").json(), get(Service::Api, "/api/counters").json());
    assert!(keys(&core).iter().all(|key| api.get(key).is_some()), "{core} {api}");
    assert!(api["notes_written"].as_u64().unwrap() >= 1);
}

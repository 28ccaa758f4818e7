//! Load on the whole stack: `load SECONDS CLIENTS`. Each client writes a note, then reads the
//! newest ten, and begins again. One JSON object tells what came of it: per request the second of
//! its end and its milliseconds, which instances answered, and how many requests failed.

use std::{
    collections::BTreeMap,
    env, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use ureq::Agent;

/// A connection stays with one instance, so each client takes a new one after this many rounds.
const ROUNDS_OF_A_CONNECTION: usize = 5;

#[derive(Default)]
struct Seen {
    requests: Vec<(f64, f64)>,
    instances: BTreeMap<String, u64>,
    failed: u64,
}

fn client(url: &str, started: Instant, until: Instant) -> Seen {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        for _ in 0..ROUNDS_OF_A_CONNECTION {
            for write in [true, false] {
                let begun = Instant::now();
                let answer = if write {
                    let post = agent.post(format!("{url}/api/notes"));
                    post.header("content-type", "application/json").send(r#"{"text":"load"}"#)
                } else {
                    agent.get(format!("{url}/api/notes?limit=10")).call()
                };
                let took = begun.elapsed().as_secs_f64() * 1000.0;
                seen.requests.push((started.elapsed().as_secs_f64(), took));
                match answer {
                    Ok(mut answer) if answer.status().is_success() => {
                        if let Some(name) = answer.headers().get("x-instance") {
                            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                            *seen.instances.entry(name).or_default() += 1;
                        }
                        let _ = answer.body_mut().read_to_vec();
                    }
                    _ => seen.failed += 1,
                }
            }
        }
    }
    seen
}

fn main() {
    let numbers: Vec<u64> =
        env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let [seconds, clients] = numbers[..] else { panic!("load SECONDS CLIENTS") };
    let url = env::var("API_URL").unwrap_or_else(|_| "http://jessy-api:3000".into());
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let all: Vec<Seen> = thread::scope(|scope| {
        let running: Vec<_> =
            (0..clients).map(|_| scope.spawn(|| client(&url, started, until))).collect();
        running.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut instances: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in all.iter().flat_map(|seen| &seen.instances) {
        *instances.entry(name).or_default() += count;
    }
    let requests: Vec<(f64, f64)> = all.iter().flat_map(|seen| seen.requests.clone()).collect();
    let failed: u64 = all.iter().map(|seen| seen.failed).sum();
    let ended = begun + started.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"begun": begun, "ended": ended, "clients": clients, "failed": failed,
               "instances": instances, "requests": requests})
    );
}

//! The features, step by step, against the running stack: `cargo test --test cucumber`.

mod stack;

use std::collections::BTreeMap;

use cucumber::{World, WriterExt as _, given, then, when, writer};
use futures::executor::block_on;
use serde_json::json;
use stack::{Answer, Mapped, Service, get, post, write_note};

const DIMENSIONS: [(&str, usize); 4] =
    [("starts", 8), ("notes_written", 16), ("newest_note", 24), ("api_starts", 32)];

#[derive(Debug, Default, World)]
struct Traveller {
    dimension: String,
    seen: Vec<u64>,
    before: BTreeMap<String, u64>,
    note: u64,
    found: String,
    status: u16,
    ids: Vec<u64>,
}

fn read(layer: &str, dimension: &str) -> u64 {
    let service = match layer {
        "file" => {
            let place = DIMENSIONS.iter().find(|(name, _)| *name == dimension);
            return Mapped::read().number(place.expect("a dimension of the file").1);
        }
        "core" => get(Service::Core, "/counters"),
        "api" => get(Service::Api, "/api/counters"),
        other => panic!("there is no layer {other}"),
    };
    service.json()[dimension].as_u64().unwrap_or_else(|| panic!("{layer}: {}", service.text))
}

fn everything() -> BTreeMap<String, u64> {
    DIMENSIONS.iter().map(|(name, _)| ((*name).to_owned(), read("api", name))).collect()
}

#[given("a stack that is up and healthy")]
fn up(_: &mut Traveller) {
    for (service, path) in [(Service::Core, "/health"), (Service::Api, "/api/health")] {
        let answer = get(service, path);
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("healthy")));
    }
}

#[given(expr = "a note {string} was written")]
#[when(expr = "a note {string} is written")]
fn written(world: &mut Traveller, text: String) {
    world.note = write_note(&text);
}

#[given("I know where every dimension stands")]
fn known(world: &mut Traveller) {
    world.before = everything();
}

#[when(expr = "I go to the dimension {string} on the layer {string}")]
fn go(world: &mut Traveller, dimension: String, layer: String) {
    world.seen = vec![read(&layer, &dimension)];
    world.dimension = dimension;
}

#[when(expr = "I go up to the layer {string}")]
fn go_up(world: &mut Traveller, layer: String) {
    world.seen.push(read(&layer, &world.dimension));
}

#[when(expr = "I follow the dimension {string} to its note")]
fn follow(world: &mut Traveller, dimension: String) {
    let answer = get(Service::Core, &format!("/notes/{}", read("api", &dimension)));
    world.found = answer.json()["text"].as_str().unwrap().to_owned();
}

#[when("a note without text is written")]
fn refused(world: &mut Traveller) {
    world.status = post(Service::Api, "/api/notes", &[], &json!({"text": ""})).status;
}

#[when(expr = "a note {string} is written twice under the same key")]
fn twice(world: &mut Traveller, text: String) {
    let key = format!("twice-{:?}", world.before);
    let send =
        || post(Service::Api, "/api/notes", &[("idempotency-key", &key)], &json!({"text": text}));
    let answers: [Answer; 2] = [send(), send()];
    world.ids = answers.iter().map(|answer| answer.json()["id"].as_u64().unwrap()).collect();
}

#[when("I go past the last dimension")]
fn past(_: &mut Traveller) {}

#[then(expr = "the file begins with {string}")]
fn begins(_: &mut Traveller, magic: String) {
    assert_eq!(&Mapped::read().bytes[..8], magic.as_bytes());
}

#[then(expr = "it is {int} bytes long")]
fn length(_: &mut Traveller, bytes: usize) {
    assert_eq!(Mapped::read().bytes.len(), bytes);
}

#[then(regex = r"^it belongs to user (\d+) with mode (\d+)$")]
fn owned(_: &mut Traveller, uid: u32, mode: String) {
    let file = Mapped::read();
    assert_eq!((file.uid, format!("{:04o}", file.mode)), (uid, mode));
}

#[then("every layer showed the same number")]
fn same(world: &mut Traveller) {
    assert_eq!(world.seen, vec![world.seen[0]; 3], "file, core, api");
}

#[then(expr = "it is the number at byte {int} of the file")]
fn at_byte(world: &mut Traveller, offset: usize) {
    assert_eq!(Mapped::read().number(offset), world.seen[0]);
}

#[then(expr = "the dimension {string} moved by {int}")]
fn moved(world: &mut Traveller, dimension: String, steps: u64) {
    assert_eq!(read("api", &dimension), world.before[&dimension] + steps);
}

#[then(expr = "the dimension {string} points to this note")]
fn points(world: &mut Traveller, dimension: String) {
    assert_eq!(read("api", &dimension), world.note);
}

#[then(expr = "the dimension {string} did not move")]
fn stood(world: &mut Traveller, dimension: String) {
    moved(world, dimension, 0);
}

#[then("no dimension moved")]
fn nothing_moved(world: &mut Traveller) {
    assert_eq!(everything(), world.before);
}

#[then(expr = "the dimension {string} is at least {int}")]
fn at_least(_: &mut Traveller, dimension: String, least: u64) {
    assert!(read("core", &dimension) >= least);
}

#[then(expr = "I find the text {string}")]
fn find(world: &mut Traveller, text: String) {
    assert_eq!(world.found, text);
}

#[then(expr = "it is refused with status {int}")]
fn refused_with(world: &mut Traveller, status: u16) {
    assert_eq!(world.status, status);
}

#[then("both answers name the same note")]
fn one_note(world: &mut Traveller) {
    assert_eq!(world.ids[0], world.ids[1]);
}

#[then("every byte there is zero")]
fn nothing_beyond(_: &mut Traveller) {
    assert!(Mapped::read().bytes[40..].iter().all(|byte| *byte == 0));
}

fn main() {
    let features = concat!(env!("CARGO_MANIFEST_DIR"), "/features");
    // One scenario after the other: they count in the same file.
    let run = Traveller::cucumber()
        .max_concurrent_scenarios(1)
        .fail_on_skipped()
        .with_writer(writer::Normalize::new(writer::Basic::stdout().summarized()))
        .run_and_exit(features);
    block_on(run);
}

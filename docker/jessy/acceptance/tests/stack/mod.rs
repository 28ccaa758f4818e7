//! The running stack: its interfaces by HTTP, and the core's mapped file as it lies on the volume.
#![allow(dead_code)] // each test program uses its part of this module

use std::{env, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use serde_json::Value;
use ureq::Agent;

/// An interface of the stack. `API_URL` and `CORE_URL` say where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Api,
    Core,
}

pub struct Answer {
    pub status: u16,
    pub instance: String,
    pub text: String,
}

impl Answer {
    /// The body as JSON; anything else fails the test, and shows what came.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| {
            panic!("status {}, no JSON: {error}: {}", self.status, self.text)
        })
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

fn url(service: Service, path: &str) -> String {
    let (key, default) = match service {
        Service::Api => ("API_URL", "http://jessy-api:3000"),
        Service::Core => ("CORE_URL", "http://jessy-core:8080"),
    };
    format!("{}{path}", env::var(key).unwrap_or_else(|_| default.into()))
}

fn answer(url: &str, result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = result.unwrap_or_else(|error| panic!("{url}: {error}"));
    let instance = response.headers().get("x-instance").map_or("", |name| name.to_str().unwrap());
    Answer {
        status: response.status().as_u16(),
        instance: instance.to_owned(),
        text: response.body_mut().read_to_string().unwrap(),
    }
}

pub fn get(service: Service, path: &str) -> Answer {
    let url = url(service, path);
    answer(&url, agent().get(&url).call())
}

/// Sends JSON with the headers given; nothing is added but its content type.
pub fn post(service: Service, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let url = url(service, path);
    let mut request = agent().post(&url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(&url, request.send(body.to_string()))
}

/// A new note through the API; its id.
pub fn write_note(text: &str) -> u64 {
    let answer = post(Service::Api, "/api/notes", &[], &serde_json::json!({"text": text}));
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_u64().unwrap()
}

/// The mapped file: its bytes, who owns it, and its mode.
pub struct Mapped {
    pub bytes: Vec<u8>,
    pub uid: u32,
    pub mode: u32,
}

impl Mapped {
    pub fn read() -> Self {
        let directory = env::var("MMAP_DIR").unwrap_or_else(|_| "/data/mmap".into());
        let path = PathBuf::from(directory).join("counters.bin");
        let about =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { bytes: fs::read(&path).unwrap(), uid: about.uid(), mode: about.mode() & 0o7777 }
    }

    /// The number at a place, as the layout of the file has it: little-endian, 8 bytes.
    pub fn number(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.bytes[offset..offset + 8].try_into().unwrap())
    }
}

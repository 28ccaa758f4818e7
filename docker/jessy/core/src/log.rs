//! Logs: one JSON object a line with timestamp, level, service, version and
//! message, the known secrets masked.

use std::{
    fs,
    io::{self, Write},
    panic,
};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, filter::Targets, layer::Context, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{SERVICE, config::Config, redact::Redactor, spans::Sender};

/// Sends every event of the process, panics too, to stdout, and its spans to where the
/// configuration says.
pub fn start(version: &'static str, config: &Config) -> Result<Option<Sender>, String> {
    let sender = config
        .traces
        .as_deref()
        .map(|endpoint| Sender::to(endpoint, version, &hostname()))
        .transpose()?;
    let redactor = Redactor::new(config.secrets());
    let filter = config.log.parse::<Targets>();
    let invalid = filter.is_err();
    let filter = filter.unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    tracing_subscriber::registry()
        .with(JsonLayer { version, redactor }.with_filter(filter))
        .with(sender.as_ref().map(Sender::layer))
        .init();
    panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    if invalid {
        tracing::warn!(
            "RUST_LOG is not valid, info is used: expected like info or warn,jessy_core=debug"
        );
    }
    Ok(sender)
}

/// The container's name for itself.
pub fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// A reason not to start at all, on stderr, before logging is set up.
pub fn write_start_error(version: &str, message: &str) {
    let mut line = head(version, "error");
    line.insert("message".into(), message.into());
    let _ = writeln!(io::stderr(), "{}", Value::Object(line));
}

/// An RFC 3339 time in UTC.
pub fn timestamp() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn head(version: &str, level: &str) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("timestamp".into(), timestamp().into());
    line.insert("level".into(), level.into());
    line.insert("service".into(), SERVICE.into());
    line.insert("version".into(), version.into());
    line
}

struct JsonLayer {
    version: &'static str,
    redactor: Redactor,
}

impl<S: Subscriber> Layer<S> for JsonLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = event.metadata().level().as_str().to_lowercase();
        let mut line = head(self.version, &level);
        line.insert("target".into(), event.metadata().target().into());
        event.record(&mut Fields(&mut line));
        let text = self.redactor.text(Value::Object(line).to_string());
        // Where nobody reads the log there is nobody to tell.
        let _ = writeln!(io::stdout().lock(), "{text}");
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

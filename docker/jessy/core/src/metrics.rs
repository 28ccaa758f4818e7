//! Metrics in Prometheus' text format.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    pub notes: IntCounter,
    pub connections: IntGauge,
}

impl Metrics {
    pub fn new(version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("jessy_core_http_requests_total", "Requests answered."),
            &["method", "route", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new("jessy_core_http_request_duration_seconds", "Time to answer."),
            &["route"],
        )?;
        let notes = IntCounter::new("jessy_core_notes_written_total", "Notes written.")?;
        let connections =
            IntGauge::new("jessy_core_database_connections", "Connections to the database.")?;
        let build = IntGaugeVec::new(
            Opts::new("jessy_core_build_info", "The running version, always 1."),
            &["version"],
        )?;
        build.with_label_values(&[version]).set(1);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(notes.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(build))?;
        Ok(Self { registry, requests, durations, notes, connections })
    }

    /// `route` is the pattern, never the path: paths would be labels without end.
    pub fn observe(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.durations.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

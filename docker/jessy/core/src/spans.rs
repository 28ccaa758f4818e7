//! Spans of requests, by OTLP over HTTP to a store where one is named.
//!
//! A request that comes with a `traceparent` keeps its trace in every case: its log line names it.
//! Without a store no span is made and no connection opened. With one, spans wait in a queue of a
//! fixed size for a thread of their own: a store that is away costs those spans and nothing else.

use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{TraceContextExt as _, TraceId, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Span, field::Empty, info_span};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::SERVICE;

const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the end of the program may take for the spans that still wait.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Sends what it is given until it is dropped; at the end, for a second at most.
pub struct Sender(SdkTracerProvider);

impl Sender {
    /// To an endpoint such as `http://jaeger:4318`.
    pub fn to(endpoint: &str, version: &'static str, instance: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND_TIMEOUT)
            .build()
            .map_err(|error| format!("spans cannot be sent: {error}"))?;
        let resource = Resource::builder_empty()
            .with_service_name(SERVICE)
            .with_attribute(KeyValue::new("service.version", version))
            .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
            .build();
        Ok(Self(
            SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                // Whoever began a trace says whether it is kept.
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
                .with_resource(resource)
                .build(),
        ))
    }

    /// What hands over the spans of this program, and none of its libraries.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        OpenTelemetryLayer::new(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO))
            .with_filter(tracing_subscriber::filter::filter_fn(|metadata| metadata.is_span()))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_WORDS) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

/// The trace that a request says it belongs to.
pub fn incoming(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// Whether a request says that it belongs to a trace.
pub fn is_valid(parent: &Context) -> bool {
    parent.span().span_context().is_valid()
}

/// The span of a request, in the client's trace where it named one.
pub fn server(method: &str, route: &str, parent: &Context) -> Span {
    let span = info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    // Refused only where nobody takes spans.
    let _ = span.set_parent(parent.clone());
    span
}

/// Says how a request ended.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a query; `statement` holds placeholders and no values.
pub fn query(operation: &str, statement: &str) -> Span {
    info_span!(
        "query",
        otel.name = operation,
        otel.kind = "client",
        db.system.name = "postgresql",
        db.query.text = statement,
    )
}

/// The trace of a span, or else of what it would belong to: for the log.
pub fn trace_id(span: &Span, parent: &Context) -> Option<String> {
    [span.context(), parent.clone()]
        .iter()
        .map(|context| context.span().span_context().trace_id())
        .find(|id| *id != TraceId::INVALID)
        .map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::mpsc,
        thread,
        time::Instant,
    };

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &str) -> HeaderMap {
        HeaderMap::from_iter([("traceparent".parse().unwrap(), parent.parse().unwrap())])
    }

    /// Reads one request as a collector does; its head and its body.
    fn read(mut stream: TcpStream) -> (String, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        loop {
            let count = stream.read(&mut part).unwrap();
            bytes.extend_from_slice(&part[..count]);
            let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").map(|length| length.parse::<usize>().unwrap())
            });
            if bytes.len() - at - 4 == length.unwrap() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                return (head, bytes.split_off(at + 4));
            }
        }
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    fn ask(endpoint: &str) -> Sender {
        let sender = Sender::to(endpoint, "v1", "here").unwrap();
        let subscriber = tracing_subscriber::registry().with(sender.layer());
        tracing::subscriber::with_default(subscriber, || {
            let parent = incoming(&headers(PARENT));
            let span = server("GET", "/notes", &parent);
            span.in_scope(|| query("SELECT notes", "SELECT $1").in_scope(|| ()));
            answered(&span, 503);
            assert_eq!(trace_id(&span, &parent).as_deref(), Some(TRACE));
        });
        sender
    }

    #[test]
    fn spans_of_a_request_and_its_query_go_to_the_store() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (send, sent) = mpsc::channel();
        thread::spawn(move || send.send(read(listener.accept().unwrap().0)).unwrap());
        drop(ask(&endpoint));
        let (head, body) = sent.recv().unwrap();
        assert!(head.starts_with("POST /v1/traces "), "{head}");
        for part in ["GET /notes", "SELECT notes", "SELECT $1", "jessy-core", "v1", "postgresql"] {
            assert!(contains(&body, part.as_bytes()), "{part}");
        }
        let trace = TraceId::from_hex(TRACE).unwrap().to_bytes();
        assert_eq!(body.windows(16).filter(|window| *window == trace).count(), 2);
        assert!(contains(&body, &0xb7ad_6b71_6920_3331u64.to_be_bytes()));
    }

    #[test]
    fn a_store_that_hangs_holds_up_no_request_and_no_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sender = ask(&format!("http://{}", listener.local_addr().unwrap()));
        let ended = Instant::now();
        drop(sender);
        assert!(ended.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn without_a_store_a_trace_is_kept_for_the_log() {
        let parent = incoming(&headers(PARENT));
        let span = server("GET", "/notes", &parent);
        assert_eq!(trace_id(&span, &parent).as_deref(), Some(TRACE));
        for none in [HeaderMap::new(), headers("00-not-a-trace")] {
            let parent = incoming(&none);
            assert!(!is_valid(&parent));
            assert_eq!(trace_id(&server("GET", "/notes", &parent), &parent), None);
        }
    }
}

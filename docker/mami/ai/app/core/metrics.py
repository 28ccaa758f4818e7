"""What Prometheus reads at /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("mami_http_requests_total", "Requests answered.", ["method", "route", "status"])
ERRORS = Counter(
    "mami_http_errors_total", "Requests answered with a status of 500 or more.", ["method", "route"]
)
LATENCY = Histogram(
    "mami_http_request_duration_seconds",
    "Time until a request was answered.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
MODELS = Counter("mami_model_requests_total", "Calls of language models.", ["provider", "outcome"])
IMAGES = Counter("mami_image_jobs_total", "Image jobs by what became of them.", ["outcome"])
LOG_SENT = Counter("mami_log_lines_sent_total", "Log lines that Elasticsearch stored.")
LOG_DROPPED = Counter("mami_log_lines_dropped_total", "Log lines that were lost.", ["sink"])
LOG_WAITING = Gauge("mami_log_lines_waiting", "Log lines that wait for Elasticsearch.")
INFO = Gauge("mami_build_info", "Always 1; the labels say what runs.", ["version", "mode"])

"""Log lines reach Elasticsearch, and no line ever waits for it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from app.config import Settings
from app.core import metrics
from app.core.log_store import StoreHandler
from conftest import Server


def dropped() -> float:
    """How many lines were lost."""
    return metrics.LOG_DROPPED.labels("elasticsearch")._value.get()  # noqa: SLF001


def record(text: str) -> logging.LogRecord:
    """A record of the log."""
    return logging.LogRecord("app", logging.INFO, "", 0, text, None, None)


def test_lines_arrive_with_their_template(
    server: Callable[[], Server], given: Callable[..., Settings]
) -> None:
    """By the bulk interface, into the index of the day; old indices are deleted."""
    store = server()
    store.body = [{"index": "mami-logs-2001.01.01"}, {"index": "mami-logs-2999.01.01"}]  # type: ignore[assignment]
    handler = StoreHandler(given(ELASTICSEARCH_URL=store.url, ELASTICSEARCH_PASSWORD="p"))
    handler.emit(record("{}"))
    for _ in range(60):
        if any(path == "/_bulk" for path, _, _ in store.asked):
            break
        time.sleep(0.1)
    handler.close()
    paths = [path for path, _, _ in store.asked]
    assert paths[0] == "/_index_template/mami-logs"
    assert "/mami-logs-2001.01.01" in paths and "/mami-logs-2999.01.01" not in paths
    bulk = next(body for path, _, body in store.asked if path == "/_bulk").decode().splitlines()
    assert json.loads(bulk[0])["create"]["_index"].startswith("mami-logs-2")
    assert store.asked[0][1]["Authorization"].startswith("Basic ")


def test_a_store_that_is_away_costs_no_time(given: Callable[..., Settings]) -> None:
    """A thousand lines in no time; what does not fit is counted."""
    handler = StoreHandler(given(ELASTICSEARCH_URL="http://127.0.0.1:1", LOG_QUEUE=100))
    before = dropped()
    started = time.monotonic()
    for number in range(1000):
        handler.emit(record(str(number)))
    assert time.monotonic() - started < 0.5
    assert dropped() - before >= 300
    handler.close()
    assert dropped() - before == 1000, "in the end every line is counted"


def test_lines_arrive_when_the_store_comes_back(
    server: Callable[[], Server], given: Callable[..., Settings]
) -> None:
    """They wait."""
    store = server()
    store.status = 503
    handler = StoreHandler(given(ELASTICSEARCH_URL=store.url))
    handler.emit(record("waiting"))
    time.sleep(1.5)
    store.status, store.body = 200, {"items": [{"create": {"status": 201}}]}
    handler.prepared = datetime.now(UTC).date()
    for _ in range(60):
        if any(path == "/_bulk" and b"waiting" in body for path, _, body in store.asked):
            break
        time.sleep(0.1)
    handler.close()
    assert any(path == "/_bulk" and b"waiting" in body for path, _, body in store.asked)


def test_what_the_store_took_without_an_answer_is_sent_again_under_the_same_id(
    server: Callable[[], Server], given: Callable[..., Settings]
) -> None:
    """It says that it has the line already, which is no loss."""
    store = server()
    store.status = 503
    handler = StoreHandler(given(ELASTICSEARCH_URL=store.url))
    handler.prepared = datetime.now(UTC).date()
    before = dropped()
    handler.emit(record("once"))
    deadline = time.monotonic() + 30

    def sent() -> list[str]:
        return [
            body.decode().splitlines()[0]
            for path, _, body in store.asked
            if path == "/_bulk" and b"once" in body
        ]

    while not sent() and time.monotonic() < deadline:
        time.sleep(0.1)
    store.body = {"items": [{"create": {"status": 409}}]}
    store.status = 200
    while len(sent()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    handler.close()
    assert len(set(sent())) == 1
    assert json.loads(sent()[0])["create"]["_id"]
    assert dropped() == before

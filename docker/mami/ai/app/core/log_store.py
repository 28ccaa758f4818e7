"""Sends log lines to Elasticsearch, by a thread of its own.

Indices are one a day, ``mami-logs-YYYY.MM.DD``, with a template that makes service, level and
request id exact words; those older than LOG_RETENTION_DAYS are deleted.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import sys
import threading
import time
import uuid
from datetime import UTC, date, datetime, timedelta

import httpx

from app.config import Settings
from app.core import metrics

PREFIX = "mami-logs-"
BATCH, PAUSE, LONGEST_PAUSE, LAST = 500, 1.0, 30.0, 2.0  # lines, seconds
TEMPLATE = {
    "index_patterns": [f"{PREFIX}*"],
    "template": {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "2s"},
        "mappings": {
            "properties": {
                "timestamp": {"type": "date"},
                "message": {"type": "text"},
                "exception": {"type": "text"},
                **{
                    name: {"type": "keyword"}
                    for name in (
                        "level",
                        "service",
                        "version",
                        "logger",
                        "request_id",
                        "method",
                        "path",
                        "model",
                    )
                },
                "status": {"type": "integer"},
                "seconds": {"type": "float"},
            },
            "dynamic_templates": [
                {
                    "text": {
                        "match_mapping_type": "string",
                        "mapping": {"type": "keyword", "ignore_above": 1024},
                    }
                }
            ],
        },
    },
}


class StoreHandler(logging.Handler):
    """Puts lines into the queue of the sending thread, and never waits."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.lines: queue.Queue[str] = queue.Queue(settings.LOG_QUEUE)
        self.retention = settings.LOG_RETENTION_DAYS
        password = settings.ELASTICSEARCH_PASSWORD.get_secret_value()
        self.client = httpx.Client(
            base_url=settings.ELASTICSEARCH_URL,
            auth=(settings.ELASTICSEARCH_USERNAME, password) if password else None,
            timeout=httpx.Timeout(10, connect=2),
        )
        self.ended = threading.Event()
        self.prepared = date.min  # the day of the last template and clean-up
        self.told = False
        metrics.LOG_WAITING.set_function(self.lines.qsize)
        self.thread = threading.Thread(target=self.run, name="log-store", daemon=True)
        self.thread.start()
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; a full queue costs this line."""
        try:
            self.lines.put_nowait(self.format(record))
        except queue.Full:
            metrics.LOG_DROPPED.labels("elasticsearch").inc()
        except Exception:  # noqa: BLE001 - a line that cannot be written must not end a request
            metrics.LOG_DROPPED.labels("elasticsearch").inc()

    def run(self) -> None:
        """Send what comes, until the end."""
        batch: list[str] = []
        pause = PAUSE
        while not (self.ended.is_set() and not batch and self.lines.empty()):
            batch = batch or self.collect()
            if not batch:
                continue
            try:
                self.send(batch)
            except Exception as error:  # noqa: BLE001 - the thread outlives whatever it is answered
                self.tell(error)
                if self.ended.wait(pause):
                    break
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                batch, pause, self.told = [], PAUSE, False
        metrics.LOG_DROPPED.labels("elasticsearch").inc(len(batch) + self.lines.qsize())

    def collect(self) -> list[str]:
        """The lines of the next second, or as many as go at once, each as an entry of `send`.

        An entry has an id: where the store took it and the answer came too late, it is not stored again.
        """
        batch: list[str] = []
        deadline = time.monotonic() + PAUSE
        while len(batch) < BATCH and (left := deadline - time.monotonic()) > 0:
            try:
                # Short, so that the end is seen.
                line = self.lines.get(timeout=min(left, 0.2))
                where = {"_index": f"{PREFIX}{datetime.now(UTC):%Y.%m.%d}", "_id": uuid.uuid4().hex}
                batch.append(f"{json.dumps({'create': where})}\n{line}\n")
            except queue.Empty:
                if self.ended.is_set():
                    break
        return batch

    def send(self, batch: list[str]) -> None:
        """Store entries; an HTTP error where the store did not take them."""
        if self.prepared != datetime.now(UTC).date():
            self.prepare()
        body = "".join(batch)
        answer = self.client.post(
            "/_bulk", content=body.encode(), headers={"Content-Type": "application/x-ndjson"}
        )
        answer.raise_for_status()
        refused = sum(
            1
            for item in answer.json()["items"]
            if item["create"]["status"] >= httpx.codes.BAD_REQUEST
            and item["create"]["status"] != httpx.codes.CONFLICT
        )
        metrics.LOG_SENT.inc(len(batch) - refused)
        metrics.LOG_DROPPED.labels("elasticsearch").inc(refused)

    def prepare(self) -> None:
        """Give the indices their template, and delete the old ones."""
        self.client.put("/_index_template/mami-logs", json=TEMPLATE).raise_for_status()
        listed = self.client.get(
            f"/_cat/indices/{PREFIX}*", params={"h": "index", "format": "json"}
        )
        listed.raise_for_status()
        oldest = f"{PREFIX}{datetime.now(UTC) - timedelta(days=self.retention):%Y.%m.%d}"
        for name in sorted(item["index"] for item in listed.json()):
            if name < oldest:
                self.client.delete(f"/{name}")
        self.prepared = datetime.now(UTC).date()

    def tell(self, error: Exception) -> None:
        """Say once on stdout that the store is away: the log itself cannot."""
        if not self.told:
            self.told = True
            entry = {
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": "warning",
                "logger": __name__,
                "message": f"Elasticsearch does not take the log ({type(error).__name__}); its lines wait",
            }
            sys.stdout.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        self.ended.set()
        if self.thread is not threading.current_thread():
            self.thread.join(LAST)
        super().close()

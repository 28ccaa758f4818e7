"""The log: one JSON object a line, on stdout, in a file, and in Elasticsearch.

`get_logger` is the only way to a logger. No request waits for the log: what goes to Elasticsearch
passes a queue with an end, and a line that finds it full is counted and dropped.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from app import VERSION
from app.config import Settings, settings
from app.core import metrics

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

ROOT = "app"
OTHERS = ("uvicorn", "alembic", "celery")  # libraries whose lines belong to the log too
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
FILE_BYTES, FILES = 10 * 1024 * 1024, 3
MASK = "[hidden]"


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, without the secrets of the settings."""

    def __init__(self, service: str, secrets: list[str]) -> None:
        super().__init__()
        self.service = service
        # As they stand in the text, and as JSON writes them; a short one would hide half the text.
        long = [text for text in secrets if len(text) >= 6]  # noqa: PLR2004
        self.secrets = [
            form for text in long for form in dict.fromkeys((text, json.dumps(text)[1:-1]))
        ]

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        entry: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "service": self.service,
            "version": VERSION,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            entry["request_id"] = request_id.get()
        # Plain values: a log store takes one kind of value for each name.
        entry |= {
            key: value if isinstance(value, str | int | float) else str(value)
            for key, value in vars(record).items()
            if key not in STANDARD
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        line = json.dumps(entry, default=str, ensure_ascii=False)
        for secret in self.secrets:
            line = line.replace(secret, MASK)
        return line


class FileHandler(RotatingFileHandler):
    """A file that several containers may write to; a full disk costs lines, not requests."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Whether the file is full; opens it anew where another process moved it away."""
        try:
            moved = (
                self.stream is None
                or os.fstat(self.stream.fileno()).st_ino != Path(self.baseFilename).stat().st_ino
            )
        except OSError:
            moved = True
        if moved:
            if self.stream:
                self.stream.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Count the line that was lost."""
        del record
        metrics.LOG_DROPPED.labels("file").inc()


def get_logger(name: str) -> logging.Logger:
    """The logger of a module: ``get_logger(__name__)``."""
    return logging.getLogger(name if name.split(".")[0] == ROOT else f"{ROOT}.{name}")


def configure(given: Settings = settings, service: str = "mami-ai") -> None:
    """Send the lines of this process to where the settings say."""
    from app.core.log_store import StoreHandler  # noqa: PLC0415 - it needs this module

    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    trouble = ""
    if given.LOG_DIR:
        try:
            given.LOG_DIR.mkdir(parents=True, exist_ok=True)
            path = given.LOG_DIR / f"{service}.log"
            handlers.append(FileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES))
        except OSError as error:
            trouble = f"no log file in {given.LOG_DIR}: {error.strerror}"
    if given.ELASTICSEARCH_URL:
        handlers.append(StoreHandler(given))
    formatter = JsonFormatter(service, given.secret_values())
    for handler in handlers:
        handler.setFormatter(formatter)
    for name in (ROOT, *OTHERS):
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(given.LOG_LEVEL)
        logger.propagate = False
    # Every request has a line of our own.
    logging.getLogger("uvicorn.access").disabled = True
    if trouble:
        get_logger(__name__).warning(trouble)

"""Whether the servers that only the inventory names answer: asked before anything is replaced."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from app.config import Settings

PARTS = ("NEO4J_URL", "QDRANT_URL")
PORTS = {"http": 80, "https": 443}
NEO4J_PORT = 7687
PATIENCE = 5.0  # seconds until a connection counts as refused


class Unreachable(Exception):
    """Servers do not answer; the text has a line for each, with its variable and the reason."""


def check(given: Settings) -> None:
    """Connect to every server of the Atlas memory that is set. Raises `Unreachable`."""
    failed = []
    for name in PARTS:
        url = urlsplit(getattr(given, name))
        if not url.hostname:
            continue
        port = url.port or PORTS.get(url.scheme, NEO4J_PORT)
        try:
            socket.create_connection((url.hostname, port), timeout=PATIENCE).close()
        except OSError as error:
            why = error.strerror or str(error)
            failed.append(
                f"{name}: no connection to {url.hostname} at port {port}: {why}. "
                "Start that server, correct the address, or leave it empty"
            )
    if failed:
        raise Unreachable("\n".join(failed))

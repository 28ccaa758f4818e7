"""What the agent does all the time: routes follow containers, and the maintenance page is there."""

from __future__ import annotations

import http.server
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import MaestroError
from . import edge
from .engine import PROJECT, Engine

RETRY_AFTER = 30  # seconds a client is asked to wait under maintenance
QUIET = 30.0  # seconds without an event after which the routes are looked at anyway
PAUSE = 1.0  # seconds between two tries to reach the Engine
# What can change who answers: a container that starts has a new address.
FILTERS = {
    "type": ["container"],
    "label": [PROJECT],
    "event": ["start", "die", "destroy", "health_status", "pause", "unpause"],
}
PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Under maintenance</title>
<style>body{font:1.1rem/1.5 sans-serif;margin:20vh auto;max-width:32rem;padding:1rem}</style>
<h1>Under maintenance</h1>
<p>We are working on this service. Please try again in a moment.</p>
</html>
"""


def main(root: Path = Path("/opt/maestro")) -> None:
    """Watch until the service is stopped."""
    page = _Server(_page_address(), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    while True:
        try:
            follow(root, Engine())
        except MaestroError as problem:
            print(problem, file=sys.stderr, flush=True)  # noqa: T201 -- for the journal
            time.sleep(PAUSE)


def follow(root: Path, engine: Engine) -> None:
    """Bring the routes up to date, now and after each event, until the Engine is quiet."""
    began = time.time()
    edge.sync(root)
    for _ in engine.events(FILTERS, since=began, quiet=QUIET):
        edge.sync(root)


class Page(http.server.BaseHTTPRequestHandler):
    """Answers everything with 503 and the page."""

    protocol_version = "HTTP/1.1"
    server_version = "maintenance"
    sys_version = ""

    def answer(self) -> None:
        """One answer; a body that comes with the request is not read."""
        self.close_connection = True
        self.send_response(503)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Retry-After", str(RETRY_AFTER))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """The edge has a log of its own."""


class _Server(http.server.ThreadingHTTPServer):
    """Takes as many connections at once as the edge may open."""

    request_queue_size = 512


def _page_address() -> tuple[str, int]:
    found = urlsplit(edge.PAGE)
    return str(found.hostname), int(found.port or 80)

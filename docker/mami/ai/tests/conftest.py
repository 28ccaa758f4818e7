"""Settings of a test: a directory of its own, and servers at 127.0.0.1."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from app.config import Settings

Handler = Callable[[str, dict[str, str], Any], "tuple[int, Any]"]


class Server:
    """An HTTP server that answers what the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status, self.body, self.delay = 200, {}, 0.0
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.path, dict(self.headers), raw))
                time.sleep(outer.delay)
                data = json.dumps(outer.body).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it: its port refuses from now on."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Callable[[], Server]]:
    """Makes servers."""
    made: list[Server] = []

    def make() -> Server:
        made.append(Server())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a directory of the test's own; no Redis unless the test names one."""

    def make(**values: Any) -> Settings:
        start = {"DATA_DIR": tmp_path / "data", "DATABASE_URL": f"sqlite:///{tmp_path}/data/app.db"}
        return Settings(**{**start, "REDIS_URL": "redis://127.0.0.1:1", **values})

    return make

"""The agent: its page over HTTP, and that each event brings the routes up to date."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import real_servers
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import edge, engine, watch


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_page(method: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), watch.Page)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
        connection.request(method, "/any?x=1", body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        body = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"].startswith("text/html")
    assert ("Under maintenance" in body) == (method != "HEAD")
    assert "Python" not in str(answer.headers)


def test_each_event_brings_the_routes_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    asked: list[str] = []
    monkeypatch.setattr(edge, "sync", seen.append)

    def events(request: Asked) -> Answer:
        asked.append(request.path)
        return Answer(200, b'{"status":"start"}\n{"status":"die"}\n')

    with real_servers.unix_server(tmp_path / "e.sock", events) as server:
        watch.follow(tmp_path, engine.Engine(server.address))
    assert seen == [tmp_path] * 3
    assert "since=" in asked[0]
    (filters,) = parse_qs(urlsplit(asked[0]).query)["filters"]
    assert json.loads(filters) == watch.FILTERS


def test_an_engine_that_is_quiet_or_away(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "quiet.sock"
    with socket.socket(socket.AF_UNIX) as quiet:
        quiet.bind(str(path))
        quiet.listen()
        assert list(engine.Engine(str(path)).events({}, since=0, quiet=0.1)) == []
    with pytest.raises(MaestroError, match="no Docker Engine answers"):
        list(engine.Engine(str(path)).events({}, since=0, quiet=0.1))

"""The agent: its page over HTTP, and that each event brings the routes up to date."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import real_servers
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import edge, engine, watch


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

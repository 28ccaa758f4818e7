"""When the agent restarts the edge, and when it leaves it alone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import Fake
from real_servers import Answer, Asked

from maestro.host import edge, edge_health, edge_proxy, engine


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)
    answers = Fake()
    with real_servers.unix_server(tmp_path / "e.sock", answers) as server:
        monkeypatch.setattr(edge_health, "Engine", lambda: engine.Engine(server.address))
        yield answers


def one(name: str, state: str = "running") -> dict[str, Any]:
    return {
        "Id": name,
        "Names": ["/maestro-edge"],
        "State": state,
        "Labels": {edge_proxy.LABEL: "x"},
        "HostConfig": {"NetworkMode": "host"},
        "Mounts": [{"Source": str(edge.DIRECTORY), "Destination": str(edge.DIRECTORY)}],
    }


@pytest.mark.parametrize(
    ("there", "restarted"),
    [
        ([("a", "running")], True),
        ([("a", "exited")], False),  # somebody stopped it, or the Engine starts it
        ([("a", "paused")], False),
        ([("a", "running"), ("b", "running")], False),  # one takes over
        ([], False),
    ],
)
def test_which_edge_is_restarted(fake: Fake, there: list[tuple[str, str]], restarted: bool) -> None:
    fake.say("GET /containers/json", [one(*item) for item in there])
    fake.answers["POST /containers/a/restart"] = Answer(204)
    assert edge_health.restarted("no answer") == restarted
    orders = [item for item in fake.requests if item.startswith("POST")]
    assert orders == (["POST /containers/a/restart?t=5"] if restarted else [])


def test_an_exchange_is_not_disturbed(fake: Fake) -> None:
    fake.say("GET /containers/json", [one("a")])
    found: list[bool] = []
    with edge.locked():
        thread = threading.Thread(target=lambda: found.append(edge_health.restarted("x")))
        thread.start()
        thread.join(10)
    assert found == [False]


def looks(monkeypatch: pytest.MonkeyPatch, *answers: str) -> tuple[list[float], list[str]]:
    """The pauses after looks with these answers, and why the edge was restarted."""
    restarts: list[str] = []
    given = iter(answers)
    monkeypatch.setattr(edge, "installed", lambda: True)
    monkeypatch.setattr(edge_health, "trouble", lambda: next(given))

    def restart(why: str) -> bool:
        restarts.append(why)
        return True

    look = edge_health.Look(restart)
    return [look.once() for _ in answers], restarts


def test_only_looks_in_a_row_count(monkeypatch: pytest.MonkeyPatch) -> None:
    every, pause = edge_health.EVERY, edge_health.PAUSE
    assert looks(monkeypatch, "x", "x", "", "x", "x") == ([every] * 5, [])
    assert looks(monkeypatch, "x", "x", "y", "x") == ([every, every, pause, every], ["y"])


def test_what_an_edge_in_trouble_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)
    monkeypatch.setattr(edge_health, "TIMEOUT", 0.3)
    status = {"/ping": 200, "/": 404}

    def api(asked: Asked) -> Answer:
        return Answer(status[asked.path], b"")

    with real_servers.http_server(api) as server, socket.socket() as frozen:
        port = int(server.address.rpartition(":")[2])
        (tmp_path / "edge.json").write_text(json.dumps({"api_port": port}))
        monkeypatch.setattr(edge_health, "WEB", port)
        assert edge_health.trouble() == "", "any answer is one"
        status["/ping"] = 503
        assert "503" in edge_health.trouble()
        status["/ping"] = 200
        # The kernel takes the connection, and nobody answers.
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        monkeypatch.setattr(edge_health, "WEB", frozen.getsockname()[1])
        assert "no answer" in edge_health.trouble()

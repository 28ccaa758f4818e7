"""Smoke checks against real servers on loopback."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import engine, secrets, smoke
from maestro.host import labels as labels_of
from maestro.host.layout import Layout
from maestro.stack.smoke import kinds

HEALTHY = json.dumps({"status": "healthy", "parts": {"db": True}}).encode()


def reply(asked: Asked) -> Answer | bytes:
    """One path for each way a service can answer."""
    answers: dict[str, Answer | bytes] = {
        "/": Answer(200, b"hello from the shop"),
        "/health": Answer(200, HEALTHY),
        "/list": Answer(200, b"[1]"),
        "/broken": Answer(500, b"no database"),
        "/moved": Answer(302, b"", {"Location": "/health"}),
        "/binary": Answer(200, b"\xff\xfe ok"),
        "/garbage": b"SSH-2.0-x\r\n",
        "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf",
        "/nothing": b"",
        "/leak": Answer(500, b"the token is swordfish-12"),
    }
    if asked.path == "/host":
        return Answer(200, asked.headers["host"].encode() + asked.headers.get("x-a", "").encode())
    return answers.get(asked.path, Answer(404, b"nothing here"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with real_servers.http_server(reply) as server:
        yield int(server.address.rpartition(":")[2])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "PAUSE", 0.01)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def failure(layout: Layout, *checks: dict[str, Any], attempts: int = 1) -> str:
    with pytest.raises(MaestroError) as caught:
        smoke.check(layout, "r1", checks, attempts)
    assert caught.value.where == "stack shop"
    assert "x-maestro.smoke" in caught.value.fix
    return caught.value.what


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"path": "/"},
        {"path": "/", "contains": "from the shop"},
        {"path": "/health", "json": {"status": "healthy"}},
        {"path": "/health", "json": {"parts": {"db": True}}},
        {"path": "/missing", "status": 404, "contains": "nothing here"},
        {"path": "/broken", "status": 500},
        {"path": "/moved", "json": {"status": "healthy"}},
        {"path": "/moved", "status": 302},
        {"path": "/binary", "contains": "ok"},
        {"path": "/host", "headers": {"Host": "shop.test", "X-A": "b"}, "contains": "shop.testb"},
    ],
)
def test_an_http_check_that_passes(layout: Layout, port: int, spec: dict[str, Any]) -> None:
    check = {"name": "it answers", "http": {"port": str(port), **spec}}
    assert smoke.check(layout, "r1", [check], 1) == ["it answers"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"path": "/broken"}, "/broken: status 500, expected 200: no database"),
        ({"path": "/missing"}, "/missing: status 404, expected 200: nothing here"),
        ({"path": "/", "status": 404}, "/: status 200, expected 404: hello"),
        ({"path": "/", "contains": "bye"}, "does not contain 'bye': hello from the shop"),
        ({"path": "/", "json": {"a": 1}}, "/: the answer is not JSON: hello from"),
        ({"path": "/list", "json": {"a": 1}}, "/list: a is None, expected 1"),
        ({"path": "/health", "json": {"status": "x"}}, "status is 'healthy', expected 'x'"),
        ({"path": "/health", "json": {"gone": 1}}, "gone is None, expected 1"),
        ({"path": "/garbage"}, "/garbage: SSH-2.0-x"),
        ({"path": "/half"}, "/half: IncompleteRead"),
        ({"path": "/nothing"}, "/nothing: Remote end closed connection"),
        ({"path": "/a b"}, "/a b: URL can't contain control characters"),
        ({"scheme": "https"}, "WRONG_VERSION_NUMBER"),
    ],
)
def test_an_http_check_that_fails(
    layout: Layout, port: int, spec: dict[str, Any], said: str
) -> None:
    text = failure(layout, {"name": "it answers", "http": {"port": port, **spec}})
    first, second = text.splitlines()
    assert first == "1 of 1 smoke checks failed:"
    assert second.lower().startswith(f"    it answers: {spec.get('scheme', 'http')}://127.0.0.1:")
    assert said.lower() in second.lower()


def test_tcp(layout: Layout, port: int) -> None:
    assert smoke.check(layout, "r1", [{"tcp": {"port": port}}], 1) == [f'tcp {{"port": {port}}}']
    closed = closed_port()
    for kind in ("tcp", "http"):
        text = failure(layout, {kind: {"port": closed}})
        assert f"127.0.0.1:{closed}" in text
        assert "Connection refused" in text


def test_a_server_that_is_silent(layout: Layout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        assert "timed out" in failure(layout, {"http": {"port": port}, "timeout": 0.1})
        assert time.monotonic() - start < 3
        # A connection alone is what a tcp check asks for.
        assert smoke.check(layout, "r1", [{"tcp": {"port": port}}], 1)


def test_all_that_fail_are_named(layout: Layout, port: int) -> None:
    text = failure(
        layout,
        {"name": "one", "http": {"port": port, "path": "/broken"}},
        {"name": "two", "http": {"port": port}},
        {"name": "three", "tcp": {"port": closed_port()}},
    )
    assert text.startswith("2 of 3 smoke checks failed:")
    assert "one: " in text
    assert "three: " in text
    assert "two: " not in text


@pytest.mark.parametrize(("own", "tries"), [({}, 3), ({"attempts": 2}, 2), ({"attempts": 5}, 5)])
def test_a_check_is_tried_again(layout: Layout, own: dict[str, int], tries: int) -> None:
    with real_servers.http_server(reply) as server:
        port = int(server.address.rpartition(":")[2])
        failure(layout, {"http": {"port": port, "path": "/broken"}, **own}, attempts=3)
        assert len(server.asked) == tries


def test_a_service_may_need_a_moment(layout: Layout) -> None:
    seen: list[int] = []

    def slow(_: Asked) -> Answer:
        seen.append(1)
        return Answer(200 if len(seen) == 3 else 503)

    with real_servers.http_server(slow) as server:
        check = {"name": "x", "http": {"port": int(server.address.rpartition(":")[2])}}
        assert smoke.check(layout, "r1", [check]) == ["x"]
    assert len(seen) == 3


def test_no_secret_is_shown(layout: Layout, port: int) -> None:
    wanted = {"name": "token", "version": "r1", "uid": 0}
    secrets.write(layout, [wanted], {"token": "swordfish-12"})
    text = failure(layout, {"http": {"port": port, "path": "/leak"}})
    assert "the token is" in text
    assert "swordfish" not in text


# A service's own address


@pytest.fixture
def engine_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """An Engine on a socket of its own that knows these containers."""
    containers: list[dict[str, Any]] = []

    def answer(asked: Asked) -> Answer:
        found = containers if asked.path.startswith("/containers") else []
        return Answer(200, json.dumps(found).encode())

    with real_servers.unix_server(tmp_path / "e.sock", answer) as server:
        monkeypatch.setattr(smoke, "Engine", lambda: engine.Engine(server.address))
        yield containers


def container(service: str, address: str, oneoff: str = "False") -> dict[str, Any]:
    labels = {labels_of.SERVICE: service, labels_of.ONE_OFF: oneoff}
    networks = {"a": {"IPAddress": ""}, "b": {"IPAddress": address}}
    return {
        "Id": f"{service}-{address}-{oneoff}",
        "Labels": labels,
        "NetworkSettings": {"Networks": networks},
    }


def test_a_service_is_asked_at_its_own_address(
    layout: Layout, port: int, engine_says: list[dict[str, Any]]
) -> None:
    engine_says += [
        container("db", "127.0.0.3"),
        container("web", "127.0.0.2", oneoff="True"),
        container("web", ""),
        container("web", "127.0.0.1"),
    ]
    check = {"name": "x", "http": {"service": "web", "port": port, "path": "/health"}}
    assert smoke.check(layout, "r1", [check], 1) == ["x"]


def test_a_service_that_runs_nowhere(layout: Layout, engine_says: list[dict[str, Any]]) -> None:
    for kind in ("tcp", "http"):
        text = failure(layout, {kind: {"service": "web", "port": 80}})
        assert "service web has no running container with an address" in text


def test_every_kind_of_the_schema_is_carried_out() -> None:
    assert set(kinds()) == set(smoke.RUN)

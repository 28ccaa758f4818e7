"""The Engine's client over a real Unix socket: requests, errors, log frames; and who uses it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import NAME, Fake, detail, frame, summary
from real_servers import Answer

from maestro.errors import MaestroError
from maestro.host import containers, images, release, state
from maestro.host.engine import Engine
from maestro.host.layout import Layout, write_atomically
from maestro.host.registry import Login


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def client(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An Engine; every module that makes one of its own gets this one too."""
    with real_servers.unix_server(tmp_path / "engine.sock", fake) as server:
        for module in (images, release):
            monkeypatch.setattr(module, "Engine", lambda: Engine(server.address))
        yield Engine(server.address)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


# Requests


def test_questions(client: Engine, fake: Fake) -> None:
    fake.say("GET /info", {"ServerVersion": "26.1.5"})
    fake.say("GET /containers/json", [{"Id": "1"}])
    fake.say("GET /containers/1/json", {"Id": "1"})
    assert client.info() == {"ServerVersion": "26.1.5"}
    assert client.containers() == [{"Id": "1"}]
    assert client.containers("a=b") == [{"Id": "1"}]
    assert client.inspect("1") == {"Id": "1"}
    assert fake.requests[:2] == ["GET /info", "GET /containers/json?all=1"]
    assert "filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D" in fake.requests[2]


def test_images_have_their_whole_names(client: Engine, fake: Fake) -> None:
    fake.say(
        "GET /images/json",
        [{"RepoDigests": [NAME, "redis@sha256:b"]}, {"RepoDigests": None}, {"RepoTags": []}],
    )
    assert client.repo_digests() == {NAME, "docker.io/library/redis@sha256:b"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500, b'{"message": "disk is gone"}'), "/info: disk is gone"),
        (Answer(500, b"plain words "), "/info: plain words"),
        (Answer(503, b""), "/info: the Engine answered 503"),
        (Answer(404, b"{}"), "/info: the Engine answered 404"),
    ],
)
def test_an_engine_that_refuses(client: Engine, fake: Fake, answer: Answer, said: str) -> None:
    fake.answers["GET /info"] = answer
    with pytest.raises(MaestroError) as caught:
        client.info()
    assert str(caught.value) == said


def test_no_engine_at_all(tmp_path: Path) -> None:
    path = str(tmp_path / "none.sock")
    with pytest.raises(MaestroError) as caught:
        Engine(path).info()
    assert caught.value.what.startswith("no Docker Engine answers: ")
    assert caught.value.where == path
    assert "maestro.stacks.provision" in caught.value.fix


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
def test_something_that_is_no_engine(client: Engine, fake: Fake, answer: bytes) -> None:
    fake.answers["GET /info"] = answer
    with pytest.raises(MaestroError, match="no Docker Engine answers"):
        client.info()


def test_an_engine_that_hangs(client: Engine, fake: Fake) -> None:
    fake.answers["GET /info"] = lambda _: Answer(200, b"" if time.sleep(0.3) else b"{}")
    with pytest.raises(MaestroError, match="no Docker Engine answers: timed out"):
        client.request("GET", "/info", timeout=0.05)


# Pulling


@pytest.mark.parametrize("auth", [None, {"username": "u", "password": "p"}])
def test_a_pull_is_by_digest_and_the_login_a_header(
    client: Engine, fake: Fake, auth: dict[str, str] | None
) -> None:
    fake.answers["POST /images/create"] = Answer(200, b'{"status":"Pulling"}\n{"status":"ok"}\n')
    client.pull(NAME, auth)
    (asked,) = fake.asked
    assert asked.path == f"/images/create?fromImage=r.test%2Fweb&tag=sha256%3A{'a' * 64}"
    sent = asked.headers.get("x-registry-auth", "")
    assert (json.loads(base64.urlsafe_b64decode(sent)) if sent else None) == auth


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200, b'{"status":"Pulling"}\n{"errorDetail":{},"error":"no space"}\n'), "no space"),
        (Answer(404, b'{"message":"manifest unknown"}'), "manifest unknown"),
        (Answer(500, b""), "the Engine answered 500"),
    ],
)
def test_a_pull_that_fails(client: Engine, fake: Fake, answer: Answer, said: str) -> None:
    fake.answers["POST /images/create"] = answer
    with pytest.raises(MaestroError) as caught:
        client.pull(NAME)
    assert caught.value.what == f"the image cannot be pulled: {said}"
    assert caught.value.where == NAME


def test_only_missing_images_are_pulled_and_the_login_stays_home(
    client: Engine, fake: Fake
) -> None:
    own, other = "r.test/web@sha256:b", "docker.io/library/redis@sha256:c"
    fake.say("GET /images/json", [{"RepoDigests": [NAME]}])
    fake.answers["POST /images/create"] = Answer(200, b"{}")
    pulled = images.pull([own, NAME, other, own], Login("r.test", "u", "p"))
    assert pulled == sorted([own, other])
    sent = {item.path.partition("?")[2]: item.headers for item in fake.asked[1:]}
    assert {path: "x-registry-auth" in headers for path, headers in sent.items()} == {
        "fromImage=r.test%2Fweb&tag=sha256%3Ab": True,
        "fromImage=docker.io%2Flibrary%2Fredis&tag=sha256%3Ac": False,
    }
    assert images.pull([NAME], None) == []


# Logs and orders


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (frame(1, b"one\n") + frame(2, b"two\n"), "one\ntwo\n"),
        (frame(1, b"") + frame(0, b"zero"), "zero"),
        (frame(1, b"whole") + frame(1, b"cut off")[:10], "wholecu"),
        (frame(1, b"whole") + b"\1\0", "whole"),
        (frame(1, "é".encode()[:1]) + frame(1, "é".encode()[1:]), "é"),
        (frame(1, b"\xff"), "\ufffd"),
        (b"a terminal's text\r\n", "a terminal's text\r\n"),
        (b"\3\0\0\0 no frame", "\3\0\0\0 no frame"),
        (b"", ""),
    ],
)
def test_log_frames_are_joined(client: Engine, fake: Fake, body: bytes, text: str) -> None:
    fake.answers["GET /containers/1/logs"] = Answer(200, body)
    assert client.logs("1", 7) == text
    assert fake.requests == ["GET /containers/1/logs?stdout=1&stderr=1&tail=7"]


def test_no_logs_are_no_failure(client: Engine) -> None:
    assert client.logs("gone") == ""


@pytest.mark.parametrize(("grace", "query"), [(None, ""), (3, "?t=3")])
def test_a_container_is_stopped_before_it_is_removed(
    client: Engine, fake: Fake, grace: int | None, query: str
) -> None:
    client.remove("1", grace)
    assert fake.requests == [
        "GET /containers/1/json",
        f"POST /containers/1/stop{query}",
        "DELETE /containers/1?v=0&force=1",
    ]


def test_a_paused_container_goes_on_before_it_is_stopped(client: Engine, fake: Fake) -> None:
    fake.say("GET /containers/web/json", detail(Status="paused"))
    client.remove("web")
    assert fake.requests[1:] == [
        "POST /containers/web/unpause",
        "POST /containers/web/stop",
        "DELETE /containers/web?v=0&force=1",
    ]


def test_images_of_dropped_releases_go_and_those_of_kept_ones_stay(
    client: Engine, fake: Fake, layout: Layout
) -> None:
    for number in (1, 2, 3):
        name = f"r{number}"
        write_atomically(layout.compose_file(name), "", 0o644)
        services = {
            "web": {"image": f"r.test/web@sha256:{number}"},
            "db": {"image": "r.test/db@sha256:d"},
        }
        release.commit(layout, name, {"services": services})
        release.prune(layout, keep=2)
    assert fake.requests == ["DELETE /images/r.test/web@sha256:1"]


def test_an_engine_that_is_gone_keeps_no_release_out(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(release, "Engine", lambda: Engine(str(tmp_path / "none.sock")))
    for name in ("r1", "r2"):
        write_atomically(layout.compose_file(name), "", 0o644)
        release.commit(layout, name, {"services": {"web": {"image": name}}})
        release.prune(layout, keep=1)
    assert layout.current_id() == "r2"


# State: what containers and ports say


def test_a_container_that_goes_while_it_is_read_is_left_out(client: Engine, fake: Fake) -> None:
    """Another run may replace one between the listing and the look at it."""
    listing = [summary("gone"), summary()]
    fake.say("GET /containers/gone/json", {"message": "No such container: gone"}, 404)
    fake.say("GET /containers/web/json", detail())
    assert [found["id"] for found in state.facts_of(client, listing)] == ["web"]
    fake.say("GET /containers/gone/json", {"message": "broken"}, 500)
    with pytest.raises(MaestroError, match="broken"):
        state.facts_of(client, listing)


@pytest.mark.parametrize(
    ("changes", "health"), [({}, "none"), ({"Health": {"Status": "starting"}}, "starting")]
)
def test_what_the_state_tells_of_a_container(
    client: Engine, fake: Fake, changes: dict[str, Any], health: str
) -> None:
    fake.say("GET /containers/json", [summary(), summary("migrate", oneoff="True")])
    fake.say("GET /containers/web/json", detail(**changes))
    (found,) = containers.of_stack(client, "shop")
    found["Mounts"] = [{"Type": "volume", "Name": "f" * 64, "Destination": "/data", "RW": True}]
    assert state.facts_of(client, [found])[0] == {
        "id": "web",
        "name": "shop-web-1",
        "service": "web",
        "image": NAME,
        "hash": "h1",
        "status": "running",
        "health": health,
        "started": "2026-01-01T00:00:00Z",
        "shares": {},
        "exit_code": 0,
        "restarts": 0,
        "holds": [
            {"kind": "name", "name": "shop-web-1", "writes": True},
            {"kind": "volume", "name": "f" * 64, "writes": True},
        ],
        "nameless": {"/data": "f" * 64},
        "networks": [],
    }

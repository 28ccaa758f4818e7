"""The exchange of the edge's own container, against an Engine that says what a test says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import Fake, frame
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import edge, edge_proxy, engine
from maestro.host import labels as labels_of

IMAGE = "r.test/edge:1"
WISH = edge_proxy.Wish(IMAGE, 65532, 60, "entryPoints: {}\n", "tls: {}\n", {"https_port": 443})
START = "2099-01-01T00:00:00.5Z"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """An Engine with the image, and a Traefik's API that follows everything."""
    answers = Fake()
    answers.say(f"GET /images/{IMAGE}/json", {"Id": "sha256:1"})
    answers.say("GET /containers/json", [])
    answers.say("POST /containers/create", {"Id": "new"}, status=201)
    for order in ("start", "rename"):
        answers.answers[f"POST /containers/new/{order}"] = Answer(204)
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)
    monkeypatch.setattr(edge_proxy, "START", 2.0)
    (tmp_path / "dynamic").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))

    def api(_: Asked) -> Answer:
        return Answer(200, json.dumps({"startDate": START}).encode())

    with (
        real_servers.unix_server(tmp_path / "e.sock", answers) as server,
        real_servers.http_server(api) as traefik,
    ):
        port = int(traefik.address.rpartition(":")[2])
        (tmp_path / "edge.json").write_text(json.dumps({"api_port": port}))
        monkeypatch.setattr(edge_proxy, "Engine", lambda: engine.Engine(server.address))
        yield answers


def there(fake: Fake, name: str, label: str, state: str = "running") -> dict[str, Any]:
    item = {
        "Id": name,
        "Names": ["/maestro-edge-1f"],
        "State": state,
        # The edge's image may have been built by Compose.
        "Labels": {edge_proxy.LABEL: label, labels_of.PROJECT: "images"},
        "HostConfig": {"NetworkMode": "host"},
        "Mounts": [{"Source": str(edge.DIRECTORY), "Destination": str(edge.DIRECTORY)}],
    }
    for order in ("kill", "stop"):
        fake.answers[f"POST /containers/{name}/{order}"] = Answer(204)
    fake.answers[f"DELETE /containers/{name}"] = Answer(204)
    return item


def label_of(monkeypatch: pytest.MonkeyPatch) -> str:
    """The label the wanted edge has, as it is handed to the Engine."""
    seen: list[dict[str, Any]] = []

    def create(_: engine.Engine, name: str, definition: dict[str, Any]) -> str:
        seen.append(definition)
        return "new"

    with monkeypatch.context() as patch:
        patch.setattr(engine.Engine, "create", create)
        edge_proxy.ensure(WISH)
    return str(seen[0]["Labels"][edge_proxy.LABEL])


def test_a_host_without_an_edge_gets_one(fake: Fake) -> None:
    assert edge_proxy.ensure(WISH)
    orders = [item.partition("?")[0] for item in fake.requests if item.startswith("POST")]
    assert orders == [
        "POST /containers/create",
        "POST /containers/new/start",
        "POST /containers/new/rename",
    ]
    rights = edge_proxy._definition(WISH)["HostConfig"]
    assert rights["ReadonlyRootfs"]
    assert rights["CapDrop"] == ["ALL"]
    assert rights["Memory"] == rights["MemorySwap"] == 1 << 30
    assert rights["Ulimits"] == [{"Name": "nofile", "Soft": 5461, "Hard": 5461}]
    assert edge_proxy._definition(WISH)["Env"] == [f"GOMEMLIMIT={3 << 28}"]
    assert "docker.sock" not in json.dumps(rights)


def test_with_user_namespaces_it_has_those_of_the_host(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Engine refuses the host's network to what has users of its own."""
    before = label_of(monkeypatch)
    options = {"SecurityOptions": ["name=userns"], "DockerRootDir": "/var/lib/docker/1.1"}
    fake.say("GET /info", options)
    after = label_of(monkeypatch)
    assert before != after, "it is made anew when the Engine is switched"
    fake.say("GET /containers/json", [there(fake, "old", after)])
    assert not edge_proxy.ensure(WISH)
    for remapped in (False, True):
        found = edge_proxy._definition(WISH, remapped=remapped)["HostConfig"]
        assert found.get("UsernsMode") == ("host" if remapped else None)


def test_the_wanted_edge_is_left_alone(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    label = label_of(monkeypatch)
    fake.say("GET /containers/json", [there(fake, "old", label)])
    fake.asked.clear()
    assert not edge_proxy.ensure(WISH)
    assert not edge_proxy.ensure(WISH, check=True)
    assert {item.method for item in fake.asked} == {"GET"}


STRANGERS: list[dict[str, Any]] = [
    {"Labels": {edge_proxy.LABEL: "x", "com.docker.compose.container-number": "1"}},
    {"Names": ["/shop-web-1"]},
    {"Names": ["/maestro-edge-of-mine"]},
    {"HostConfig": {"NetworkMode": "shop_default"}},
    {"Mounts": [{"Source": "/srv", "Destination": "/etc/maestro/edge"}]},
    {"Mounts": []},
]


@pytest.mark.parametrize("changes", STRANGERS)
def test_a_strangers_label_makes_no_edge(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    label = label_of(monkeypatch)
    ours = there(fake, "old", label)
    for stranger in (label, "x"):
        other = {**there(fake, "stranger", stranger), **changes}
        fake.say("GET /containers/json", [other, ours])
        fake.asked.clear()
        assert not edge_proxy.ensure(WISH)
        assert {item.method for item in fake.asked} == {"GET"}
        # And where there is no edge, it is none.
        fake.say("GET /containers/json", [other])
        fake.asked.clear()
        assert edge_proxy.ensure(WISH)
        assert "POST /containers/new/start" in fake.requests
        assert "stranger" not in " ".join(fake.requests)


def test_another_image_is_another_edge(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    label = label_of(monkeypatch)
    fake.say(f"GET /images/{IMAGE}/json", {"Id": "sha256:2"})
    fake.say("GET /containers/json", [there(fake, "old", label)])
    fake.asked.clear()
    assert edge_proxy.ensure(WISH, check=True)
    assert {item.method for item in fake.asked} == {"GET"}
    assert edge_proxy.ensure(WISH)
    orders = [item for item in fake.requests if not item.startswith("GET")]
    started = orders.index("POST /containers/new/start")
    ended = orders.index("POST /containers/old/kill?signal=SIGTERM")
    assert started < ended < orders.index("POST /containers/old/stop?t=70")


def test_what_an_interrupted_exchange_left_goes(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = label_of(monkeypatch)
    fake.answers["POST /containers/good/rename"] = Answer(204)
    fake.say(
        "GET /containers/json",
        [there(fake, "good", label), there(fake, "old", "x"), there(fake, "dead", label, "exited")],
    )
    fake.asked.clear()
    assert edge_proxy.ensure(WISH)
    gone = {item for item in fake.requests if item.startswith("DELETE")}
    assert gone == {"DELETE /containers/old?v=0&force=1", "DELETE /containers/dead?v=0&force=1"}
    assert "POST /containers/create" not in " ".join(fake.requests)


def test_one_that_ends_is_shown_and_the_old_one_stays(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.say("GET /containers/json", [there(fake, "old", "x")])
    there(fake, "new", "y")
    fake.say("GET /containers/new/json", {"State": {"Status": "exited", "ExitCode": 3}})
    fake.answers["GET /containers/new/logs"] = Answer(200, frame(2, b"address already in use"))
    monkeypatch.setattr(edge_proxy, "_follows", lambda _: False)
    with pytest.raises(MaestroError) as caught:
        edge_proxy.ensure(WISH)
    assert "it ended with exit code 3\naddress already in use" in caught.value.what
    assert "DELETE /containers/new?v=0&force=1" in fake.requests
    assert not [item for item in fake.requests if "/old" in item]


def test_one_that_is_too_slow(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    there(fake, "new", "y")
    fake.say("GET /containers/new/json", {"State": {"Status": "running", "ExitCode": 0}})
    monkeypatch.setattr(edge_proxy, "START", 0.1)
    monkeypatch.setattr(edge_proxy, "_follows", lambda _: False)
    with pytest.raises(MaestroError, match="has not loaded the routes within 0 s"):
        edge_proxy.ensure(WISH)


def test_it_follows_when_the_new_one_says_so(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert edge_proxy._follows(0)
    # An API that is there, but is the old one's.
    assert not edge_proxy._follows(edge_proxy._seconds("2199-01-01T00:00:00Z"))
    monkeypatch.setattr(edge, "settings", lambda: {"api_port": 9})
    assert not edge_proxy._follows(0)
    assert edge_proxy._seconds("soon") == 0


def test_its_files_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path / "edge")
    planned = edge_proxy.configure(WISH, check=True)
    assert not (tmp_path / "edge").exists()
    done = edge_proxy.configure(WISH)
    assert [item["after_header"] for item in done] == [item["after_header"] for item in planned]
    assert [item["after_header"].removeprefix(f"{tmp_path}/edge/") for item in planned] == [
        "api-token",
        "dynamic/edge-api.yml",
        "traefik.yml",
        "dynamic/edge.yml",
        "edge.json",
    ]
    assert (tmp_path / "edge/api-token").read_text().strip() not in str(done), "shown by --diff"
    assert (tmp_path / "edge/traefik.yml").read_text() == WISH.static
    assert edge.settings() == WISH.settings
    assert edge_proxy.configure(WISH) == []
    (tmp_path / "edge/edge.json").chmod(0o600)
    assert len(edge_proxy.configure(WISH)) == 1
    assert (tmp_path / "edge/edge.json").stat().st_mode & 0o777 == 0o644
    (changed,) = edge_proxy.configure(dataclasses.replace(WISH, static="log: {}\n"))
    assert (changed["before"], changed["after"]) == (WISH.static, "log: {}\n")


def test_another_certificate_is_another_file_for_the_edge_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)
    edge_proxy.configure(WISH)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/edge.crt").write_text("new")
    (changed,) = edge_proxy.configure(WISH)
    assert changed["after_header"] == f"{tmp_path}/dynamic/edge.yml"


def test_an_image_that_cannot_be_pulled(fake: Fake, tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho no such host >&2\nexit 1\n")
    program.chmod(0o755)
    fake.answers.pop(f"GET /images/{IMAGE}/json")
    with pytest.raises(MaestroError) as caught:
        edge_proxy.ensure(WISH)
    assert caught.value.what == "the edge's image cannot be pulled: no such host"
    assert caught.value.where == IMAGE
    assert edge_proxy.ensure(WISH, check=True)


def test_connections_are_held_back_and_let_through_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    program = tmp_path / "iptables"
    program.write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with edge_proxy._held_back(True):
        (first,) = log.read_text().splitlines()
        assert first.startswith("-w 5 -I INPUT -p tcp --syn -m multiport --dports 80,443 -m time")
    assert log.read_text().splitlines()[1] == first.replace("-I INPUT", "-D INPUT")
    with edge_proxy._held_back(False):
        pass
    assert len(log.read_text().splitlines()) == 2

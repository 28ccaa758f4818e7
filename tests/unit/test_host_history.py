"""What a host tells of its releases and of what was changed by hand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from fake_engine import NAME, Fake, detail, summary

from maestro.errors import MaestroError
from maestro.host import drift, history, holds, overview, secrets
from maestro.host.engine import Engine
from maestro.host.layout import Layout, point, write_atomically

UID = os.getuid()


@pytest.fixture
def fake() -> Fake:
    found = Fake()
    found.say("GET /containers/json", [])
    found.say("GET /images/json", [{"RepoDigests": [NAME]}])
    return found


@pytest.fixture
def engine(tmp_path: Path, fake: Fake) -> Iterator[Engine]:
    with real_servers.unix_server(tmp_path / "engine.sock", fake) as server:
        yield Engine(server.address)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A stack with two releases, of which the second serves."""
    found = Layout(tmp_path / "maestro", "shop")
    for name, previous in (("r1", ""), ("r2", "r1")):
        manifest = {
            "id": name,
            "version": f"v-{name}",
            "previous": previous,
            "services": {"web": {"image": NAME, "hash": "h1", "replicas": 1}},
            "migrations": {},
            "secrets": {"token": name},
            "configs": {"settings": hashlib.sha256(b"blue").hexdigest()[:16]},
        }
        write_atomically(found.compose_file(name), f"# {name}\n", 0o644)
        write_atomically(found.release(name) / "release.json", json.dumps(manifest), 0o644)
        secrets.write(found, [{"name": "token", "version": name, "uid": UID}], {"token": name})
    digest = hashlib.sha256(b"blue").hexdigest()[:16]
    write_atomically(found.configs / "settings" / digest, "blue", 0o644)
    point(found.current, found.release("r2"))
    return found


def test_a_bare_host(tmp_path: Path, engine: Engine) -> None:
    found = history.read(Layout(tmp_path, "shop"), engine=engine)
    assert (found["release"], found["target"], found["releases"]) == ({}, {}, {})
    assert (found["compose"], found["target_compose"]) == ("", "")


def test_what_serves_and_what_came_before(layout: Layout, engine: Engine) -> None:
    found = history.read(layout, values={"token": "r2"}, engine=engine)
    assert (found["release"]["id"], found["target"]["id"]) == ("r2", "r1")
    assert (found["compose"], found["target_compose"]) == ("# r2\n", "# r1\n")
    assert found["releases"]["r1"]["images"] == [NAME]
    assert found["releases"]["r1"]["whole"] is True
    assert found["versions"] == {"token": {"r1": [str(UID)], "r2": [str(UID)]}}
    assert found["secrets"] == {"token": "r2"}
    assert found["images"] == [NAME]


def test_links_of_what_releases_mount_are_followed(
    tmp_path: Path, layout: Layout, engine: Engine
) -> None:
    """Another stack's container shows the path behind a link, see `kept_data.View.kept`."""
    link = tmp_path / "link"
    link.symlink_to("data")
    file = layout.release("r1") / "release.json"
    manifest = json.loads(file.read_text())
    held = [holds.Hold(holds.PATH, str(link)), holds.Hold(holds.VOLUME, "link")]
    manifest["services"]["web"]["holds"] = holds.dump(held)
    file.write_text(json.dumps(manifest))
    assert history.read(layout, engine=engine)["paths"] == {str(link): str(tmp_path / "data")}


@pytest.mark.parametrize(("to", "target"), [("r2", "r2"), ("r0", "")])
def test_a_release_that_is_asked_for(layout: Layout, engine: Engine, to: str, target: str) -> None:
    assert history.read(layout, to, engine=engine)["target"].get("id", "") == target


def test_a_damaged_old_release_cannot_be_gone_back_to(layout: Layout, engine: Engine) -> None:
    (layout.release("r1") / "release.json").write_text("{")
    found = history.read(layout, engine=engine)
    assert (found["target"], set(found["releases"])) == ({}, {"r2"})


def test_a_release_without_its_file_is_not_whole(layout: Layout, engine: Engine) -> None:
    layout.compose_file("r1").unlink()
    found = history.read(layout, engine=engine)
    assert found["releases"]["r1"]["whole"] is False
    assert (found["compose"], found["target_compose"]) == ("# r2\n", "")


def container(fake: Fake, **changes: Any) -> None:
    """A container as the Engine tells of it, and its image."""
    told = detail()
    told["Config"]["Env"] = ["PATH=/bin", "GREETING=hello"]
    told["Image"] = "sha256:i"
    told["HostConfig"] = {
        "Memory": 1 << 20,
        "NanoCpus": 500_000_000,
        "RestartPolicy": {"Name": "always"},
    }
    told["Mounts"] = [
        {"Type": "volume", "Name": "data", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": False},
        {"Type": "volume", "Name": "0a" * 32, "Destination": "/cache", "RW": True},
    ]
    told.update(changes)
    fake.say("GET /containers/json", [summary()])
    fake.say("GET /containers/web/json", told)
    fake.say("GET /images/sha256:i/json", {"Config": {"Env": ["PATH=/bin"]}})


def test_how_a_container_is(layout: Layout, engine: Engine, fake: Fake) -> None:
    container(fake)
    (found,) = overview.read(layout, engine)["containers"]
    assert found["facts"] == {
        "image": NAME,
        "env": {"GREETING": drift.digest("hello")},
        "mounts": {"/data": "volume:data:rw", "/srv": "bind:/srv:ro"},
        "memory": 1 << 20,
        "cpus": 500_000_000,
        "restart": "always",
    }
    assert "hello" not in json.dumps(found)


def test_an_image_that_is_gone_brought_nothing(layout: Layout, engine: Engine, fake: Fake) -> None:
    container(fake, Image="sha256:gone", Mounts=None)
    (found,) = overview.read(layout, engine)["containers"]
    assert set(found["facts"]["env"]) == {"PATH", "GREETING"}
    assert found["facts"]["mounts"] == {}


def test_configuration_files_that_were_edited(layout: Layout, engine: Engine) -> None:
    assert overview.read(layout, engine)["edited_configs"] == []
    (file,) = (layout.configs / "settings").iterdir()
    file.write_text("red")
    assert overview.read(layout, engine)["edited_configs"] == ["settings"]
    file.unlink()
    assert overview.read(layout, engine)["edited_configs"] == ["settings"]


def test_a_reader_without_a_file_gets_the_value_of_another(layout: Layout) -> None:
    wanted = {"name": "token", "version": "r1", "uid": UID}
    secrets.complete(layout, [wanted])
    other = layout.secrets / "token" / "r1" / "0"
    (layout.secrets / "token" / "r1" / str(UID)).rename(other.with_name("4242"))
    secrets.complete(layout, [wanted])
    assert (layout.secrets / "token" / "r1" / str(UID)).read_text() == "r1"
    with pytest.raises(MaestroError, match="version r9 of the secret token"):
        secrets.complete(layout, [{**wanted, "version": "r9"}])

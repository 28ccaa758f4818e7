"""What the logs of a stack are asked for with, and that no secret is in the answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import real_servers
from fake_engine import Fake, summary

from maestro.errors import MaestroError
from maestro.host import compose, logs, secrets
from maestro.host.engine import Engine
from maestro.host.layout import Layout

SECRET = "swordfish-12/é"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "maestro", "shop")
    secrets.write(found, [{"name": "key", "version": "r1", "uid": 0}], {"key": SECRET})
    return found


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """An Engine with the services web and db, and a docker that writes what it was asked."""
    answers = Fake()
    answers.say("GET /containers/json", [summary("web"), summary("db")])
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin/docker"
    encoded = base64.b64encode(SECRET.encode()).decode()
    docker.write_text(
        "#!/bin/sh\n[ \"$7\" != --since=never ] || { echo 'invalid time' >&2; exit 1; }\n"
        f"echo \"$*\"; echo 'web-1  | {SECRET}'; echo 'db-1  | {encoded} password=hunter2' >&2\n"
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(compose, "PLUGINS", ())
    with real_servers.unix_server(tmp_path / "engine.sock", answers) as server:
        monkeypatch.setattr(logs, "Engine", lambda: Engine(server.address))
        yield answers


@pytest.mark.parametrize(
    ("services", "since", "tail", "asked"),
    [
        ([], "", "100", "--tail=100"),
        (["web"], "10m", "all", "--tail=all --since=10m web"),
    ],
)
def test_the_lines_come_without_a_secret(
    layout: Layout, services: list[str], since: str, tail: str, asked: str
) -> None:
    assert logs.read(layout, services, since, tail).splitlines() == [
        f"compose --project-name shop logs --no-color {asked}",
        "web-1  | ***",
        "db-1  | *** password=***",
    ]


@pytest.mark.parametrize(
    ("services", "since", "tail", "words"),
    [
        (["wep", "web", "d"], "", "1", "no container of d, wep .*choose from db, web"),
        ([], "", "-1", "'-1' is not a number of lines"),
        ([], "never", "1", "the logs cannot be read: .*invalid time"),
    ],
)
def test_what_is_wrong_is_named(
    layout: Layout, services: list[str], since: str, tail: str, words: str
) -> None:
    with pytest.raises(MaestroError, match="(?s)" + words):
        logs.read(layout, services, since, tail)


def test_a_stack_that_is_not_there_is_named(layout: Layout, fake: Fake) -> None:
    fake.say("GET /containers/json", [])
    with pytest.raises(MaestroError, match="no container on this host"):
        logs.read(layout, [], "", "1")

"""A command in a container: what is run, what is shown of it, and where it is refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from maestro.cli import execute
from maestro.errors import MaestroError
from maestro.host import command, identity, journal
from maestro.host.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A host with a container of `web`, and a `docker` that says what it was asked."""
    found = Layout(tmp_path, "shop")
    secret = found.secrets / "token/v1/0"
    secret.parent.mkdir(parents=True)
    secret.write_text("sentinel-31415926")
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        '#!/bin/sh\necho "$@"\necho sentinel-31415926 >&2\n'
        'case "$*" in *fails*) exit 3;; *long*) exec sleep 9;; esac\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    monkeypatch.setattr(command, "Engine", lambda: None)
    there = {"web": [{"Id": "old", "State": "exited"}, {"Id": "c1", "State": "running"}]}
    monkeypatch.setattr(command, "of_service", lambda _e, _s, name: there.get(name, []))
    monkeypatch.setattr(identity, "read", lambda: None)
    return found


@pytest.mark.parametrize(("word", "code", "result"), [("ls", 0, "done"), ("fails", 3, "failed")])
def test_a_command_runs_in_a_running_container(
    layout: Layout, word: str, code: int, result: str
) -> None:
    found = command.run(layout, "web", [word, "a b", "sentinel-31415926"], 5, "ada")
    assert found == command.Ended(code, f"exec c1 {word} a b ***\n***\n")
    (event,) = journal.read(layout, 9)
    assert (event["what"], event["result"], event["by"]) == ("command in web", result, "ada")
    assert event["message"] == f"{word} 'a b' ***"


def test_a_command_that_takes_too_long(layout: Layout) -> None:
    with pytest.raises(MaestroError, match="did not end within 1 s"):
        command.run(layout, "web", ["long"], 1, "ada")
    assert journal.read(layout, 9)[0]["result"] == "failed"


def test_a_service_without_a_container(layout: Layout) -> None:
    with pytest.raises(MaestroError, match="no container of the service 'db' is running"):
        command.run(layout, "db", ["ls"], 5, "ada")


def test_where_changes_need_an_approval(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = identity.Identity.of(
        {"host": "a", "environment": "production", "approval": True, "signers": []}
    )
    monkeypatch.setattr(identity, "read", lambda: asking)
    with pytest.raises(MaestroError, match="asks for an approval"):
        command.run(layout, "web", ["ls"], 5, "ada")
    assert journal.read(layout, 9) == []


def test_the_words_of_the_playbook() -> None:
    given: dict[str, Any] = {
        "limit": "staging-1",
        "inventory": ["hosts.yml"],
        "extra_vars": ["stack=shop"],
        "service": "db",
        "command": ["sh", "-c", "echo $HOME; ls"],
    }
    _, *words, said = execute.arguments(argparse.Namespace(**given))
    expected = "maestro.stacks.exec -i hosts.yml -l staging-1 -e stack=shop -e"
    assert words == expected.split()
    assert json.loads(said) == {"service": "db", "command": "sh -c 'echo $HOME; ls'"}
    with pytest.raises(MaestroError, match="no hosts were named"):
        execute.arguments(argparse.Namespace(**{**given, "limit": ""}))

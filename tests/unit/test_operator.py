"""Who gave the command."""

from __future__ import annotations

import getpass
import os

import pytest

from maestro.play import operator
from maestro.play.operator import named, who


@pytest.mark.parametrize(
    ("environment", "git", "key", "name"),
    [
        ({}, "ada@example.org\n", "ada@laptop", "ada@example.org"),
        ({}, "", "ada@laptop", "ada@laptop"),
        ({}, "", "", ""),
        ({"CI": "true"}, "ci@example.org", "runner", ""),
        ({"CI": "true", "GITHUB_ACTOR": "ada"}, "ci@example.org", "", "ada"),
        ({"CI": "true", "GITHUB_ACTOR": "bot", "GITHUB_TRIGGERING_ACTOR": "ada"}, "", "", "ada"),
        ({"GITLAB_USER_LOGIN": "ada"}, "ci@example.org", "", "ada"),
        ({"MAESTRO_OPERATOR": "Ada L.", "GITHUB_ACTOR": "bot"}, "", "", "Ada L."),
        ({"MAESTRO_OPERATOR": "a\n\x1b[31mb"}, "", "", "a [31mb"),
        ({"MAESTRO_OPERATOR": "a" * 300}, "", "", "a" * 100),
    ],
)
def test_the_surest_name_counts(environment: dict[str, str], git: str, key: str, name: str) -> None:
    assert named(environment, lambda: git, lambda: key) == name


def test_without_a_person_it_is_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    for name in (*operator.ACTORS, "MAESTRO_OPERATOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "jo")
    assert who() == f"jo@{os.uname().nodename}"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who() == f"{os.getuid()}@{os.uname().nodename}"


def test_the_account_is_always_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_OPERATOR", "ada")
    assert who().startswith("ada (")
    assert "@" in who()

"""Accounts of a host with the uid of a service that reads secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.host import accounts as of_host
from maestro.plan import accounts

PASSWD = """root:x:0:0:root:/root:/bin/bash
www-data:x:33:33::/var/www:/usr/sbin/nologin
ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash
twin:x:33:33::/home/twin:/bin/zsh
damaged line
"""


def test_the_accounts_of_a_host(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(PASSWD)
    assert of_host.read(tmp_path / "passwd") == {
        "33": {"name": "twin", "login": True},
        "1000": {"name": "ann", "login": True},
    }
    assert of_host.read(tmp_path / "none") == {}


FILES: list[dict[str, Any]] = [
    {"name": "key", "uid": 1000, "version": "1"},
    {"name": "token", "uid": 1000, "version": "1"},
    {"name": "mail", "uid": 33, "version": "1"},
    {"name": "other", "uid": 10001, "version": "1"},
    {"name": "roots", "uid": 0, "version": "1"},
]
STATE = {
    "accounts": {
        "1000": {"name": "ann", "login": True},
        "33": {"name": "www-data", "login": False},
    }
}


@pytest.mark.parametrize(
    ("environment", "allowed", "refused"),
    [
        ("production", [], True),
        ("production", ["bob"], True),
        ("production", ["ann"], False),
        ("staging", [], False),
    ],
)
def test_who_could_read_the_same(environment: str, allowed: list[str], refused: bool) -> None:
    found = accounts.shared(FILES, STATE)
    problems = accounts.problems("h1", environment, found, allowed)
    assert len(problems) == refused
    if refused:
        assert "the account ann of the host has the uid 1000, which reads key, token" in str(
            problems[0]
        )
        assert "deploy_allowed_accounts: [ann]" in problems[0].fix
    told = accounts.warnings(found)
    assert ["ann" in text for text in told] == [True, False]
    assert "www-data" in told[1]
    assert accounts.shared(FILES, {}) == []


@pytest.mark.parametrize(
    ("given", "found"),
    [([], set()), ("", set()), ("a, b", {"a", "b"}), (["a"], {"a"}), (None, set())],
)
def test_allowed_accounts_as_they_are_given(given: Any, found: set[str]) -> None:
    assert accounts.names(given) == found

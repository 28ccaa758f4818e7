"""daemon.json: what stands there, what the role decides, what the operator wants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.machine import docker_daemon

DEFAULTS = {"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}}


def merge(present: object, options: dict[str, Any]) -> dict[str, Any]:
    text = present if isinstance(present, str) else json.dumps(present)
    return docker_daemon.merge(text, DEFAULTS, options)


@pytest.mark.parametrize(
    ("present", "options", "expected"),
    [
        ("", {}, DEFAULTS),
        (" \n", {}, DEFAULTS),
        # A key nobody here knows of is kept, one the role decides is decided.
        ({"data-root": "/srv"}, {}, {"data-root": "/srv", **DEFAULTS}),
        ({"log-driver": "syslog", "log-opts": {"tag": "x"}}, {}, DEFAULTS),
        # The options win, key by key.
        ("", {"log-opts": {"max-size": "5m"}},
         {"log-driver": "json-file", "log-opts": {"max-size": "5m", "max-file": "3"}}),
        ("", {"dns": ["192.0.2.1"]}, {"dns": ["192.0.2.1"], **DEFAULTS}),
        # null removes, at any depth, what the file or the role has.
        ({"data-root": "/srv"}, {"data-root": None}, DEFAULTS),
        ("", {"log-opts": {"max-file": None}},
         {"log-driver": "json-file", "log-opts": {"max-size": "10m"}}),
        # A key this project does not know is left to the Engine's own validation.
        ("", {"brand-new": [1]}, {"brand-new": [1], **DEFAULTS}),
    ],
)  # fmt: skip
def test_merge(present: object, options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge(present, options) == expected


@pytest.mark.parametrize(
    ("present", "said", "options", "found"),
    [
        ({}, None, {}, None),
        ({}, "default", {}, "default"),
        ({"userns-remap": "own"}, "default", {}, "default"),
        # What the role decides is off when it says so; the options win.
        ({"userns-remap": "default"}, None, {}, None),
        ({}, None, {"userns-remap": "own"}, "own"),
        ({}, "default", {"userns-remap": None}, None),
    ],
)
def test_a_key_that_the_role_says_nothing_for_is_removed(
    present: dict[str, Any], said: str | None, options: dict[str, Any], found: str | None
) -> None:
    merged = docker_daemon.merge(json.dumps(present), {"userns-remap": said}, options)
    assert merged.get("userns-remap") == found
    assert ("userns-remap" in merged) == (found is not None)


def test_merging_again_changes_nothing() -> None:
    options = {"data-root": "/srv", "log-opts": {"max-size": "1m"}}
    once = merge({"debug": True}, options)
    assert merge(once, options) == once


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "/etc/docker/daemon.json, line 1, column 2: this is not JSON"),
        ('{"a": 1,}', "this is not JSON"),
        ("[]", "this is not a JSON object"),
    ],
)
def test_a_file_that_does_not_parse_is_never_overwritten(text: str, words: str) -> None:
    with pytest.raises(MaestroError, match="not changed") as caught:
        merge(text, {})
    assert words in str(caught.value)
    assert words in docker_daemon.problems(text, {})[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"live-restore": "yes"}, "live-restore: is text, and the Engine wants true or false"),
        ({"mtu": "1400"}, "mtu: is text, and the Engine wants a number"),
        ({"mtu": True}, "mtu: is true or false, and the Engine wants a number"),
        ({"dns": "192.0.2.1"}, "dns: is text, and the Engine wants a list of text"),
        ({"dns": [1]}, "dns: is a list, and the Engine wants a list of text"),
        ({"bip": 1}, "bip: is a number, and the Engine wants text"),
        ({"runtimes": []}, "runtimes: is a list, and the Engine wants a mapping"),
        (
            {"log-opts": {"max-file": 3}},
            "log-opts: is a mapping, and the Engine wants a mapping of",
        ),
        ({"default-address-pools": ["x"]}, "the Engine wants a list of mappings"),
        (["live-restore"], "docker_engine_daemon_options: is a list and not a mapping"),
        ("", "docker_engine_daemon_options: is text and not a mapping"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(options: Any, words: str) -> None:
    (found,) = docker_daemon.problems("", options)
    assert words in found
    with pytest.raises(MaestroError):
        docker_daemon.merge("", DEFAULTS, options)


def test_all_problems_are_said_at_once() -> None:
    assert len(docker_daemon.problems("{", {"mtu": "x", "dns": 1})) == 3


def test_good_values_of_every_kind() -> None:
    good = {"debug": False, "mtu": 1400, "bip": "10.0.0.1/24", "dns": ["192.0.2.1"],
            "runtimes": {}, "log-opts": {"max-size": None}, "default-address-pools": [{}],
            "labels": None}  # fmt: skip
    assert docker_daemon.problems("{}", good) == []

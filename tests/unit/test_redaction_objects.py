"""Values are walked: mappings, lists, pairs of name and value, environments, argument lists."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import pytest

from maestro.redaction import Redactor

KNOWN = "kn0wn-thing-xyz"
REDACTOR = Redactor([KNOWN, "987654321"])


class Point(NamedTuple):
    x: object
    y: object


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": KNOWN}, {"a": "***"}),
        ({KNOWN: 1}, {"***": 1}),
        ([KNOWN, ["x", KNOWN]], ["***", ["x", "***"]]),
        ((KNOWN, 1), ("***", 1)),
        ({KNOWN}, {"***"}),
        (Point(KNOWN, 2), Point("***", 2)),
        (b"x " + KNOWN.encode(), b"x ***"),
        (987654321, "***"),
        ({"n": 987654321}, {"n": "***"}),
        ({"password": "x y", "user": "bob"}, {"password": "***", "user": "bob"}),
        ({"password": 1234}, {"password": "***"}),
        ({"db": {"api_key": "k"}}, {"db": {"api_key": "***"}}),
        ({"passwords": ["a", "b"]}, {"passwords": ["***", "***"]}),
        ({"name": "DB_PASSWORD", "value": "x"}, {"name": "DB_PASSWORD", "value": "***"}),
        ({"Name": "DB_HOST", "Value": "x"}, {"Name": "DB_HOST", "Value": "x"}),
        (["DB_PASSWORD=x", "LANG=C"], ["DB_PASSWORD=***", "LANG=C"]),
        (["mysql", "-px", "-h", "db"], ["mysql", "-p***", "-h", "db"]),
        (["/usr/bin/redis-cli", "-a", "x"], ["/usr/bin/redis-cli", "-a", "***"]),
        (["docker", "login", "-u", "b", "-p", "x"], ["docker", "login", "-u", "b", "-p", "***"]),
        (["app", "--password", "x", "run"], ["app", "--password", "***", "run"]),
        (["app", "--password=x"], ["app", "--password=***"]),
        (["curl", "-u", "b:x"], ["curl", "-u", "b:***"]),
        ({"Authorization": "Bearer x"}, {"Authorization": "Bearer ***"}),
        ({"kind": "Secret", "data": {"a": "YQ=="}}, {"kind": "Secret", "data": {"a": "***"}}),
        ({"auths": {"r": {"auth": "dTpwYXNz"}}}, {"auths": {"r": {"auth": "***"}}}),
        ({"url": "http://u:pw1@h/"}, {"url": "http://u:***@h/"}),
    ],
)
@pytest.mark.requirement("T7.4")
def test_secrets_in_values_are_masked(value: object, expected: object) -> None:
    redacted = REDACTOR.obj(value)
    assert redacted == expected
    assert type(redacted) is type(expected)
    assert REDACTOR.obj(redacted) == redacted


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        1.5,
        "text",
        b"bytes",
        [],
        {},
        {"password": None, "token": "", "secret": True},
        {"password_file": "/run/secrets/x", "max_tokens": 5},
        {"password": "{{ vault_password }}"},
        {"secrets": ["db_password", "api_key"]},
        ["docker", "run", "-p", "8080:80", "nginx"],
        ["mkdir", "-p", "/opt/x"],
        OrderedDict(a=1, b=[1, 2, ("x", "y")]),
        {"changed": False, "rc": 0, "stdout_lines": ["a", "b"]},
    ],
)
def test_harmless_values_come_back_as_they_are(value: object) -> None:
    assert REDACTOR.obj(value) is value


def test_a_value_that_holds_itself_is_cut_off() -> None:
    loop: list[object] = [KNOWN]
    loop.append(loop)
    assert KNOWN not in str(REDACTOR.obj(loop))


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError(KNOWN)


def test_what_cannot_be_read_is_withheld() -> None:
    assert "withheld" in str(REDACTOR.obj(_Broken()))
    assert "withheld" in REDACTOR.text(_Broken())  # type: ignore[arg-type]


def test_a_failure_inside_withholds_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from maestro.redaction import redactor

    def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(redactor, "find_unknown", broken)
    assert KNOWN not in REDACTOR.text(f"x {KNOWN} y")
    assert KNOWN.encode() not in b"".join(REDACTOR.stream([b"x " + KNOWN.encode()]))

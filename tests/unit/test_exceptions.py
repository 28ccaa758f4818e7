"""Exceptions of an environment: by name, with a reason, seen wherever one looks."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
import stack_models as models

from maestro.cli import maestro
from maestro.errors import MaestroError
from maestro.plan import deploy, describe
from maestro.plan.rollout import Decision
from maestro.plan.wanted import Inputs
from maestro.stack import exceptions, policy

SOCKET = {"rule": "engine-socket", "reason": "it shows the containers"}


def decide(*allow: dict[str, str], **service: Any) -> Decision:
    model = models.shop()
    mount = {"type": "bind", "source": "/var/run/docker.sock", "target": "/run/docker.sock"}
    model["services"]["web"] |= {"volumes": [mount], **service}
    state = {**models.bare(), "model": model, "resolved": models.images(model)}
    asked = {**models.REQUEST, "allow": list(allow)}
    return deploy.decide(Inputs(asked, {"a": state}, "a", "/opt/maestro", run=models.run()))


@pytest.mark.parametrize(
    "entry", [SOCKET, {**SOCKET, "stack": "shop"}, {**SOCKET, "stack": "shop", "service": "web"}]
)
def test_an_environment_allows_it_by_name(entry: dict[str, str]) -> None:
    decision = decide(entry)
    told = describe.describe(decision.plans, "x", (), [])
    assert "    exception services.web.volumes[0]: found /var/run/docker.sock" in told
    assert "allowed as engine-socket in staging: it shows the containers" in told
    work = decision.hosts["a"]
    assert work["claim"]["purpose"] == "deploy of v1, allowed: engine-socket"
    (recorded,) = work["manifest"]["exceptions"]
    assert recorded in told
    assert decision.digest != decide({**entry, "reason": "another"}).digest


@pytest.mark.parametrize(
    "entry",
    [
        {**SOCKET, "stack": "other"},
        {**SOCKET, "service": "db"},
        {**SOCKET, "rule": "host-path"},
    ],
)
def test_what_it_allows_is_nothing_else(entry: dict[str, str]) -> None:
    with pytest.raises(MaestroError, match="controls the host"):
        decide(entry)


def test_without_one_nothing_is_said_of_any() -> None:
    work = decide(volumes=[]).hosts["a"]
    assert work["claim"]["purpose"] == "deploy of v1"
    assert "exceptions" not in work["manifest"]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("all", "deploy_allow: is not a list"),
        ([["moving-tag"]], r"deploy_allow\[0\]: is no exception"),
        ([{"rule": "moving-tag"}], "is no exception"),
        ([{"rule": "moving-tag", "reason": " "}], "is no exception"),
        ([{"rule": "moving-tag", "reason": 1}], "is no exception"),
        ([{**SOCKET, "host": "a"}], "is no exception"),
        ([SOCKET, {"rule": "all", "reason": "x"}], r"deploy_allow\[1\]: unknown rule 'all'"),
        ([{"rule": "label", "reason": "x"}], "unknown rule 'label'"),
    ],
)
def test_what_is_no_exception(said: Any, what: str) -> None:
    with pytest.raises(MaestroError, match=what):
        exceptions.checked(said, policy.rules())


def test_what_is_one() -> None:
    assert exceptions.checked([SOCKET], policy.rules()) == [SOCKET]
    assert exceptions.checked([], policy.rules()) == []


@pytest.mark.parametrize(
    ("given", "typed", "allowed"),
    [
        ({"yes": True, "exceptions": True}, "", True),
        ({"yes": True, "exceptions": False}, "allow", False),
        ({"yes": False, "exceptions": False}, "allow", True),
        ({"yes": False, "exceptions": False}, "yes", False),
    ],
)
def test_an_approval_is_asked_for_them(
    given: dict[str, bool], typed: str, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)
    asked = argparse.Namespace(**given)
    document = decide(SOCKET).document
    assert document
    if allowed:
        maestro._exceptions(document, asked)
    else:
        with pytest.raises(MaestroError, match="exceptions are not approved"):
            maestro._exceptions(document, asked)
    # A plan without exceptions asks for nothing.
    plain = decide(volumes=[]).document
    assert plain
    maestro._exceptions(plain, argparse.Namespace(yes=True, exceptions=False))

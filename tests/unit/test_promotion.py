"""A promotion: exactly what another environment runs and has verified, or nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import stack_models as models
from unit.test_plan_document import (
    Given,
    given,
    service,
    set_check,
    set_config,
    set_digest,
    set_environment,
    set_limit,
    set_migration,
    set_route,
)

from maestro.errors import MaestroError
from maestro.plan import deploy, promotion
from maestro.plan.promotion import Asked
from maestro.plan.rollout import Decision
from maestro.plan.wanted import Inputs
from maestro.records import VerifiedFacts

NOW = "2026-11-20T12:00:00Z"
ASKED = Asked("shop", "staging", NOW)


def decide(given: Given, environment: str = "staging", **request: Any) -> Decision:
    """A deploy of what is given to hosts that run nothing."""
    images = models.images(given["model"])
    if given["tag"]:
        images["registry.test:5000/shop-web:v1"]["digest"] = f"sha256:{given['tag'] * 64}"
    states = {
        name: {**models.bare(), "model": given["model"], "resolved": images}
        for name in given["hosts"]
    }
    asked = {**given["request"], "environment": environment, **request}
    return deploy.decide(Inputs(asked, states, "a", "/opt/maestro", run=models.run()))


def facts(**changes: Any) -> VerifiedFacts:
    """What a host of staging answers, after a deploy of what `given` says."""
    work: Any = decide(given()).hosts["a"]
    manifest = work["manifest"]
    keys = ("environment", "version", "images", "made_of")
    found = {key: manifest[key] for key in keys}
    rest = {"release": manifest["id"], "at": "2026-11-20T10:00:00Z", "problems": []}
    return copy.deepcopy({**found, **rest, **changes})  # type: ignore[return-value]


def promoted(differs: tuple[str, ...] = ()) -> Any:
    asked = Asked("shop", "staging", NOW, differs=differs)
    return promotion.choose(asked, {"s1": facts(), "s2": facts()})


def test_the_same_is_promoted_and_says_where_it_is_from() -> None:
    decision = decide(given(), "production", promoted=promoted())
    found = promoted()
    work: Any = decision.hosts["a"]
    assert work["manifest"]["promoted"].startswith("staging 2026")
    assert f"promoted from staging: release {found['release'][:8]}" in "\n".join(
        decision.plans[0].warnings
    )
    assert not [line for line in decision.plans[0].warnings if "other than" in line]
    assert work["manifest"]["made_of"] == found["made_of"]


def test_a_digest_is_the_verified_one_whatever_its_tag_names_now() -> None:
    after = given()
    set_digest(after)
    work: Any = decide(after, "production", promoted=promoted()).hosts["a"]
    image = "registry.test:5000/shop-web:v1"
    assert work["manifest"]["images"][image]["digest"] == models.digest(image)
    assert work["manifest"]["services"]["web"]["digest"] == models.digest(image)


def test_the_same_image_in_another_registry() -> None:
    known = {"other.test/shop-web:v1": {"digest": "sha256:new", "user": "", "size": 1}}
    request: Any = {"promoted": promoted()}
    found, problems = promotion.pinned(known, request)  # type: ignore[arg-type]
    digest = models.digest("registry.test:5000/shop-web:v1")
    assert found["other.test/shop-web:v1"]["digest"] == digest
    assert not problems
    found, problems = promotion.pinned({"other.test/new:1": known.popitem()[1]}, request)  # type: ignore[dict-item]
    assert "other.test/new:1: staging runs no such image" in str(problems[0])


def set_command(given: Given) -> None:
    service(given)["command"] = ["another"]


def set_health(given: Given) -> None:
    service(given)["healthcheck"] = {"test": ["CMD", "true"]}


def set_service(given: Given) -> None:
    given["model"]["services"]["more"] = models.service("shop-web:v1")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (set_config, "config settings"),
        (set_check, "x-maestro.smoke"),
        (set_migration, "x-maestro.migrations"),
        (set_command, "service web: command"),
        (set_health, "service web: healthcheck"),
        (set_service, "service more"),
    ],
)
def test_what_was_not_verified_is_refused_by_name(
    change: Callable[[Given], None], what: str
) -> None:
    after = given()
    change(after)
    with pytest.raises(MaestroError, match=rf"a: {what}: this is not what staging runs"):
        decide(after, "production", promoted=promoted())
    if what != "service more":
        decision = decide(after, "production", promoted=promoted((what,)))
        assert f"other than in staging: {what}" in decision.plans[0].warnings


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (set_environment, "service web: environment"),
        (set_limit, "service web: deploy.resources"),
        (set_route, "service web: ports, x-maestro.routes"),
    ],
)
def test_what_may_differ_is_named_in_the_plan(change: Callable[[Given], None], what: str) -> None:
    after = given()
    change(after)
    decision = decide(after, "production", promoted=promoted())
    assert f"other than in staging: {what}" in decision.plans[0].warnings


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"release": ""}, "staging runs no release of shop"),
        ({"environment": "production"}, "is of production, and not of staging"),
        ({"problems": ["web is not healthy"]}, "s1: web is not healthy"),
        ({"made_of": {}}, "an older version of Maestro"),
        ({"at": ""}, "nothing says that its release was verified"),
        ({"at": "2026-11-13T11:59:00Z"}, "more than 168 hours ago"),
        ({"version": "v9"}, "runs v9, and v1 was asked for"),
    ],
)
def test_what_staging_does_not_run_or_has_not_verified(changes: dict[str, Any], why: str) -> None:
    asked = Asked("shop", "staging", NOW, version="v1")
    with pytest.raises(MaestroError, match=why):
        promotion.choose(asked, {"s1": facts(**changes)})
    assert promotion.choose(asked, {"s1": facts()})["version"] == "v1"


def test_hosts_that_do_not_run_the_same() -> None:
    other = facts()
    image = "registry.test:5000/shop-web:v1"
    other["images"][image]["digest"] = "sha256:other"
    with pytest.raises(MaestroError, match="do not run the same: s1 and s2"):
        promotion.choose(ASKED, {"s1": facts(), "s2": other})
    config = facts()
    config["made_of"]["config settings"] = ["other"]
    with pytest.raises(MaestroError, match="do not run the same"):
        promotion.choose(ASKED, {"s1": facts(), "s2": config})
    values = facts()
    values["made_of"]["service web: environment"] = "other"
    assert promotion.choose(ASKED, {"s1": facts(), "s2": values})

"""What a release records and no container shows: a change of it alone is a release, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import stack_models as models

from maestro.plan import deploy, describe, settings
from maestro.plan import wanted as plan_wanted

Change = Callable[[dict[str, Any]], Any]
ANSWERS = models.EXTENSION["smoke"][0]


def recorded(model: dict[str, Any]) -> dict[str, Any]:
    """A host that runs a model, with its manifest as it lies there."""
    state = models.running(model)
    state["release"] |= {"smoke": model["x-maestro"].get("smoke") or []}
    state["release"] = json.loads(json.dumps(state["release"]))
    return state


def smoke(*checks: dict[str, Any]) -> Change:
    return lambda model: model["x-maestro"].update(smoke=list(checks))


def web(**keys: Any) -> Change:
    return lambda model: model["services"]["web"].update(keys)


CASES: dict[str, tuple[Change, list[str]]] = {
    "nothing": (lambda _: None, []),
    "another path of a check": (
        smoke({"name": "answers", "http": {"port": "8000", "path": "/healthz"}}),
        ["check answers (changed)"],
    ),
    "a further check, without a name": (
        smoke(
            ANSWERS,
            {
                "http": {
                    "service": "web",
                    "port": 80,
                    "path": "/a?k=hush",
                    "headers": {"X-Key": "hush"},
                }
            },
        ),
        ["check http web:80/a (new)"],
    ),
    "no check any more": (smoke(), ["check answers (removed)"]),
    "the key is gone": (lambda m: m["x-maestro"].pop("smoke"), ["check answers (removed)"]),
    "a check's patience": (smoke({**ANSWERS, "attempts": 30}), ["check answers (changed)"]),
    "rules of rollback": (
        web(
            deploy={
                "resources": {"limits": {"memory": "67108864"}},
                "placement": {},
                "rollback_config": {"delay": "5s"},
            }
        ),
        ["web: rules of update and rollback (changed)"],
    ),
    "a service that is a job now": (
        lambda m: m["x-maestro"].update(jobs=[{"service": "web"}]),
        ["web: rules of the job (changed)"],
    ),
    "data that may go": (
        lambda m: m["x-maestro"].update(throw_away={"web": ["/scratch"]}),
        ["web: throw_away (changed)"],
    ),
    "what is waited for": (
        web(depends_on={"db": {"condition": "service_started", "required": True}}),
        ["web: depends_on (changed)"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_that_no_container_shows_is_recorded(name: str) -> None:
    change, wanted = CASES[name]
    state, model = recorded(models.shop()), models.shop()
    change(model)
    found = settings.changes(state, models.rendered(model), model["x-maestro"])
    assert [item.shown for item in found] == wanted
    state |= {"model": model, "resolved": models.images(model)}
    decision = deploy.decide(
        plan_wanted.Inputs(models.REQUEST, {"a": state}, "a", "/opt/maestro", run=models.run())
    )
    plan = decision.plans[0]
    assert plan.changes is bool(wanted)
    assert decision.hosts["a"]["levels"] == [], "no container is replaced for it"
    assert decision.hosts["a"]["smoke"] == (model["x-maestro"].get("smoke") or [])
    shown = describe.describe(decision.plans, decision.digest)
    assert all(f"record    {line}" in shown for line in wanted)
    assert "hush" not in shown


def test_what_an_older_manifest_does_not_record_has_not_changed() -> None:
    model = models.shop()
    state = models.running(model)
    for facts in state["release"]["services"].values():
        facts.pop("exchange")
    assert settings.changes(state, models.rendered(model), model["x-maestro"]) == []


def test_on_a_bare_host_nothing_has_changed() -> None:
    model = models.shop()
    assert settings.changes(models.bare(), models.rendered(model), model["x-maestro"]) == []

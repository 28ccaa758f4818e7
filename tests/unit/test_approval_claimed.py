"""An approval that is claimed on a command line, and what a command line may not switch off."""

from __future__ import annotations

import re
from typing import Any

import pytest
from unit.local_play import ROOT

from maestro.errors import MaestroError
from maestro.play import approval, controller, entry

HASH = "0123456789ab"
_INTERNAL = re.compile(r"\b__[a-z][a-z0-9_]*\b")


def internal() -> list[str]:
    """Every internal variable that a role or a playbook of this project has."""
    found: set[str] = set()
    for pattern in ("roles/*/*/*.yml", "playbooks/*.yml", "*.yml", "roles/*/templates/**/*.j2"):
        for path in ROOT.glob(pattern):
            found.update(_INTERNAL.findall(path.read_text(encoding="utf-8")))
    return sorted(found)


def test_no_internal_variable_can_be_set_from_outside() -> None:
    names = internal()
    assert {"__deploy_plan_only", "__deploy_plan", "__deploy_state", "__deploy_lease"} <= {*names}
    known = entry.Known(ROOT)
    for name in names:
        for value in ("true", True, {}, ""):
            (problem,) = entry.problems({name: value}, known, list)
            assert problem.where == f"-e {name}"
            assert "cannot be set from outside" in problem.what
            # A playbook of somebody else's that uses our roles is told so by the roles.
            assert approval.from_outside({name: value})


@pytest.mark.parametrize("name", approval.SWITCHES)
@pytest.mark.parametrize("value", [False, "false", "no", "0", "", None, [], "{{ false }}", 0])
def test_a_guard_cannot_be_switched_off(name: str, value: Any) -> None:
    (problem,) = approval.from_outside({name: value})
    assert problem.where == f"-e {name}"
    assert "switched off" in problem.what


@pytest.mark.parametrize("name", approval.SWITCHES)
def test_a_guard_can_be_switched_on(name: str) -> None:
    assert not approval.from_outside({name: "true"})
    assert not approval.from_outside({name: True})


@pytest.mark.parametrize("name", approval.FACTS)
def test_no_run_says_what_environment_a_host_is_of(name: str) -> None:
    (problem,) = approval.from_outside({name: "staging"})
    assert "group_vars" in problem.fix


def test_a_play_of_somebody_else_has_the_same_guard() -> None:
    with pytest.raises(MaestroError, match="cannot be set from outside"):
        controller.guard_play({}, {"hostvars": {}}, {"__deploy_plan_only": True}, check_mode=False)


NOBODY = [
    "",
    " ",
    "\t",
    "\u00a0",
    "\u200b",
    "-",
    "''",
    None,
    True,
    False,
    7,
    [],
    {},
    "None",
    "a\nb",
]


@pytest.mark.parametrize("by", NOBODY)
def test_nobody_is_no_name(by: Any) -> None:
    with pytest.raises(MaestroError, match="production needs an approval") as caught:
        approval.check_claim("production", "web-1", by, HASH)
    assert "maestro.stacks.plan -l web-1" in caught.value.fix


@pytest.mark.parametrize("plan", ["", " ", "x", HASH[:-1], HASH.upper(), f"{HASH}\n", None, True])
def test_an_approval_names_a_plan(plan: Any) -> None:
    with pytest.raises(MaestroError, match="none was named by its hash") as caught:
        approval.check_claim("production", "web-1", "jo", plan)
    assert "-e approved_by=jo -e approved_plan=HASH" in caught.value.fix


def test_a_name_and_a_hash_are_an_approval() -> None:
    approval.check_claim("production", "web-1", " Jo Doe ", HASH)
    assert approval.name_of(" Jo Doe ") == "Jo Doe"

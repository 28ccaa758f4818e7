"""Every Molecule scenario, whole: prepare, check, converge, idempotence, verify, clean-up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from e2e import lab
from lanes import DEPLOYS, SCENARIOS

# The commitments that a scenario proves.
PROVES: dict[str, tuple[str, ...]] = {
    "default": ("C8",),
    "docker_engine": ("C2", "M9", "C8"),
}
# In long runs alone. An upgrade fails in a short run in e2e/test_deploy.py (a new version keeps the
# rest) and e2e/test_rollback.py (the release before is kept).
LONG = ("upgrade",)


def scenario(name: str) -> object:
    """The parameter of one scenario, with the marker of what it proves."""
    ids = PROVES.get(name)
    marks = [pytest.mark.requirement(*ids)] if ids else []
    return pytest.param(name, marks=[*marks, *([pytest.mark.long] if name in LONG else [])])


def molecule(*words: str) -> None:
    """Run Molecule itself."""
    path = f"{lab.PROJECT}/.venv/bin:{os.environ['PATH']}"
    lab.run(".venv/bin/molecule", *words, env={"PATH": path}).ok()


@pytest.fixture(scope="module")
def deploy_host(lab_made: None) -> Iterator[None]:
    """The host of the scenarios that deploy: bare for the first, and gone after the last."""
    molecule("destroy", "--scenario-name", DEPLOYS[0])
    yield
    molecule("destroy", "--scenario-name", DEPLOYS[0])
    # What Molecule keeps of a scenario holds its secrets.
    for name in DEPLOYS:
        molecule("reset", "--scenario-name", name)


@pytest.mark.parametrize("name", [scenario(name) for name in SCENARIOS])
def test_scenario(name: str, lab_made: None, request: pytest.FixtureRequest) -> None:
    options, environ = [], {"NO_COLOR": "1"}
    if name in DEPLOYS:
        # Those of this run; a scenario that is run alone builds them.
        request.getfixturevalue("counter_images")
        environ["COUNTER_IMAGES"] = "built"
        request.getfixturevalue("deploy_host")
        options = ["DESTROY=never"]
    lab.run("make", "molecule", f"SCENARIO={name}", *options, env=environ).ok()


def test_the_commitments_named_here_belong_to_scenarios_that_exist() -> None:
    assert {*PROVES, *LONG} <= set(SCENARIOS)
    assert SCENARIOS

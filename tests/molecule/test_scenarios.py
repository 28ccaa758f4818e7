"""Every Molecule scenario, whole: prepare, check, converge, idempotence, verify, clean-up."""

from __future__ import annotations

import pytest
from e2e import lab
from lanes import SCENARIOS

# The commitments that a scenario proves.
PROVES: dict[str, tuple[str, ...]] = {
    "default": ("C8",),
    "docker_engine": ("C2", "M9", "C8"),
}


def scenario(name: str) -> object:
    """The parameter of one scenario, with the marker of what it proves."""
    ids = PROVES.get(name)
    return pytest.param(name, marks=[pytest.mark.requirement(*ids)] if ids else [])


@pytest.mark.parametrize("name", [scenario(name) for name in SCENARIOS])
def test_scenario(name: str, lab_made: None, request: pytest.FixtureRequest) -> None:
    environ = {"NO_COLOR": "1"}
    if (lab.PROJECT / "molecule" / name / "prepare.yml").exists():
        # Those of this run; a scenario that is run alone builds them.
        request.getfixturevalue("counter_images")
        environ["COUNTER_IMAGES"] = "built"
    lab.run("make", "molecule", f"SCENARIO={name}", env=environ).ok()


def test_the_commitments_named_here_belong_to_scenarios_that_exist() -> None:
    assert set(PROVES) <= set(SCENARIOS)
    assert SCENARIOS

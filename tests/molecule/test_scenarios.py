"""Every Molecule scenario, whole: prepare, check, converge, idempotence, verify, clean-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
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
def test_scenario(name: str) -> None:
    molecule = Path(sys.executable).parent / "molecule"
    environ = os.environ | {"PATH": f"{molecule.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        [molecule, "test", "--scenario-name", name],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # The end of a long log says why; what is before it stands in the report of the task.
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def test_the_commitments_named_here_belong_to_scenarios_that_exist() -> None:
    assert set(PROVES) <= set(SCENARIOS)
    assert SCENARIOS

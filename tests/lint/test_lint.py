"""Every linter, as a test: the whole run has one verdict."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from e2e import lab

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "kind", ["python", "types", "yaml", "shell", "docker", "workflows", "ansible"]
)
def test_lint(kind: str) -> None:
    # Without what measures the tests: it would take half as long again.
    done = subprocess.run(
        ["make", f"lint-{kind}"],
        cwd=ROOT,
        env=lab.surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_linter_is_listed_here_and_in_make_lint() -> None:
    """A linter added to the Makefile is run by the tests too."""
    lines = (ROOT / "make/lint.mk").read_text().splitlines()
    line = next(line for line in lines if line.startswith("lint: "))
    listed = {word.removeprefix("lint-") for word in line.split("##")[0].split()[1:]}
    marks = {mark.name: mark for mark in test_lint.pytestmark}
    assert listed == set(marks["parametrize"].args[1])

"""The demo deploys the stacks it is told, and refuses a name before it makes anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TELL = '#!/bin/sh\necho "${0##*/} $*"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose commands only tell how they are called."""
    (tmp_path / "scripts").mkdir()
    demo = tmp_path / "scripts/demo"
    demo.write_bytes((ROOT / "scripts/demo").read_bytes())
    demo.chmod(0o755)
    for name in (".venv/bin/maestro", ".venv/bin/ansible-playbook", "bin/make"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TELL)
        path.chmod(0o755)
    for stack in ("one", "two"):
        (tmp_path / "docker" / stack).mkdir(parents=True)
        (tmp_path / "docker" / stack / "compose.yaml").touch()
    return tmp_path


def demo(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout}/bin:{os.environ['PATH']}"
    return subprocess.run(
        [checkout / "scripts/demo"],
        env={"PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_stack_is_built_and_deployed_in_its_order(checkout: Path) -> None:
    done = demo(checkout, STACKS="one two", VERSION="v7")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("make")] == [
        "make lab",
        "make images STACK=one VERSION=v7 OVERWRITE=yes",
        "make images STACK=two VERSION=v7 OVERWRITE=yes",
    ]
    plays = [line.removeprefix("ansible-playbook ") for line in lines if "playbook" in line]
    assert plays == [
        "playbooks/provision.yml -l staging",
        "deploy.yml -l staging -e stack=one -e version=v7",
        "deploy.yml -l staging -e stack=two -e version=v7",
        "playbooks/status.yml -l staging -e stack=one",
        "playbooks/status.yml -l staging -e stack=two",
    ]
    secrets = [line for line in lines if line.startswith("maestro secrets init")]
    assert len(secrets) == 4


@pytest.mark.parametrize("variables", [{"STACKS": "one three"}, {"STACK": "three"}])
def test_a_stack_that_is_not_there_is_refused_first(
    checkout: Path, variables: dict[str, str]
) -> None:
    done = demo(checkout, **variables)
    assert done.returncode == 2
    assert "there is no stack three: docker/three has no Compose file" in done.stderr
    assert done.stdout == ""

"""A bare clone and python3 become the toolkit's environment."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def make(project: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run make as in a shell of its own, outside of this environment."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *words],
        cwd=project,
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def bare(project_copy: Path) -> Path:
    """A copy without an environment."""
    (project_copy / ".venv").unlink()
    return project_copy


def test_a_bare_clone_gets_the_locked_toolkit_and_nothing_is_done_twice(bare: Path) -> None:
    done = make(bare, "venv", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    compiled = "lib/python3*/site-packages/ansible/cli/__pycache__/playbook.*.pyc"
    assert list((bare / ".venv").glob(compiled)), "each command would compile Ansible anew"
    versions = subprocess.run(
        [bare / ".venv/bin/pip", "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    locked = re.findall(
        r"^([\w.-]+==\S+) \\$", (bare / "requirements.lock").read_text(), re.MULTILINE
    )
    assert "ansible-core==2.19.14" in locked
    assert {line.lower() for line in locked} <= {line.lower() for line in versions}
    listed = subprocess.run(
        [
            bare / ".venv/bin/maestro",
            "secrets",
            "list",
            "--environment",
            "x",
            "--source",
            "environment",
        ],
        cwd=bare,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert listed.stdout == "no secrets\n"
    began = time.monotonic()
    assert make(bare, "venv").returncode == 0
    assert time.monotonic() - began < 1


def test_what_does_not_match_its_hash_is_not_installed(bare: Path) -> None:
    lock = bare / "requirements-bootstrap.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text()))
    done = make(bare, "venv")
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert not (bare / ".venv/.runtime").exists()


def test_a_python_that_is_not_there_is_named(bare: Path) -> None:
    done = make(bare, "venv", PYTHON="python3.1")
    assert done.returncode != 0
    assert "python3 is not here" in done.stderr


def test_an_environment_of_another_checkout_is_left_alone(project_copy: Path) -> None:
    other = (project_copy / ".venv").resolve()
    before = (other / ".runtime").stat().st_mtime_ns
    os.utime(project_copy / "pyproject.toml")
    assert make(project_copy, "venv").returncode == 0
    assert (other / ".runtime").stat().st_mtime_ns == before

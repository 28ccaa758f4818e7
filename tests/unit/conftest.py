"""What unit tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).parents[2]

# The same inputs in every run of the tests; `make fuzz` takes the other profile.
settings.register_profile(
    "tests",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "fuzz",
    settings.get_profile("tests"),
    max_examples=1000,
    derandomize=False,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
    print_blob=True,
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def collections() -> None:
    """Find the collections as Ansible's commands do, before anything imports one of them."""
    init_plugin_loader()


@pytest.fixture(autouse=True)
def unmeasured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test starts out of the coverage, which doubles its time, without ``measured``."""
    if "measured" not in request.fixturenames:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def copy_project() -> Callable[[Path], Path]:
    """Put the project at a path, as git would give it, with the toolkit of this checkout."""

    def copy(project: Path) -> Path:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            source, target = ROOT / name, project / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        (project / ".venv").symlink_to(Path(sys.executable).parents[1])
        return project

    return copy


@pytest.fixture
def project_copy(tmp_path: Path, copy_project: Callable[[Path], Path]) -> Path:
    """A copy of the project for one test."""
    return copy_project(tmp_path / "maestro")

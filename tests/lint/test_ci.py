"""`make ci`, as a developer runs it: in a clone, with a few of the tests, for all take long."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from e2e import lab

ROOT = Path(__file__).parents[2]
pytestmark = [
    # It makes a clone ready and runs every linter in it: minutes.
    pytest.mark.long,
    pytest.mark.requirement("D43"),
]
FEW = [
    "FULL=",
    "TESTS=tests/lint tests/unit/test_jessy_sources.py",
    "PYTEST_OPTIONS=--cov-fail-under=0",
]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What a command said in a directory, without what measures the tests."""
    return subprocess.run(
        words, cwd=cwd, env=lab.surroundings(), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed here."""
    path = tmp_path_factory.mktemp("ci") / "maestro"
    done = run("git", "clone", "--quiet", str(ROOT), str(path), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return path


def test_ci_passes_and_changes_no_file(clone: Path) -> None:
    done = run("make", "ci", *FEW, cwd=clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout.splitlines()[-1]
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""


def test_ci_fails_on_what_is_not_formatted_and_mends_nothing(clone: Path) -> None:
    sources = {
        "src/maestro/bad.py": '"""Bad."""\n\nx  =  1\n',
        "docker/jessy/core/src/bad.rs": "fn  main( ) {}\n",
    }
    for name, text in sources.items():
        (clone / name).write_text(text)
    with (clone / "docker/jessy/core/src/lib.rs").open("a") as file:
        file.write("mod bad;\n")
    done = run("make", "ci", *FEW, cwd=clone)
    assert done.returncode
    assert "test_lint[python]" in done.stdout
    assert "test_jessy_sources.py" in done.stdout
    assert {name: (clone / name).read_text() for name in sources} == sources

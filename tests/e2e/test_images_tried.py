"""What CI does with images before and after it pushes them: stages `try-images`, `push`.

The images are built for minutes, so this is part of the long runs alone.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from developing import docker
from e2e import lab

pytestmark = pytest.mark.long

MAMI = lab.PROJECT / "docker/mami"
REGISTRY, TRIED = "registry.test:5000", "tried"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


GIVEN = {"STACK": "mami", "REGISTRY": REGISTRY, "VERSION": TRIED}
TAGS = """
import json, pathlib, sys, urllib.request
file = pathlib.Path.home() / ".docker/config.json"
login = json.loads(file.read_text())["auths"]["REGISTRY"]["auth"]
asked = f"https://REGISTRY/v2/{sys.argv[1]}/tags/list"
request = urllib.request.Request(asked, headers={"Authorization": f"Basic {login}"})
print(urllib.request.urlopen(request).read().decode())
""".replace("REGISTRY", REGISTRY)


def built(*services: str, **sources: str) -> None:
    """Images of the stack, on this machine's own Engine."""
    words = ("docker/mami/testing", "--progress", "plain", "build", *services)
    lab.run("scripts/stack", *words, env={**GIVEN, **sources}, timeout=3600).ok()


@pytest.fixture(scope="module")
def images(lab_made: None) -> None:
    """What CI has built by then."""
    built("api", "ui")


def tried(**variables: str) -> lab.Run:
    """The stage."""
    return lab.run(".ci/run", "try-images", env={**GIVEN, **variables}, timeout=3600)


@pytest.mark.requirement("G13.2", "G13.4", "M3")
@pytest.mark.usefixtures("images")
def test_images_that_work_pass() -> None:
    run = tried().ok()
    order = ("npm ci, npm ls, npm run build", "pip check", "can be imported", "page answer")
    places = [run.out.index(word) for word in order]
    assert places == sorted(places)
    assert "No broken requirements found" in run.out
    workflow = yaml.safe_load((lab.PROJECT / ".github/workflows/docker-build.yml").read_text())
    job = workflow["jobs"]["images"]
    assert "mami" in job["strategy"]["matrix"]["stack"]
    steps = [step.get("run") for step in job["steps"]]
    assert steps.index(".ci/run try-images") < steps.index(".ci/run push")
    assert docker("ps", "-aq", "--filter", "label=com.docker.compose.project=mami-try") == ""


def module_that_lacks(ai: Path) -> None:
    file = ai / "app/llm/chain.py"
    file.write_text(file.read_text() + "import nothing_here\n")


def another_version(ui: Path) -> None:
    file = ui / "package.json"
    file.write_text(file.read_text().replace('"zustand": "5.0.9"', '"zustand": "5.0.8"'))


def package_that_lacks(ui: Path) -> None:
    file = ui / "package.json"
    script = '"postinstall": "rm -rf node_modules/zustand", "dev"'
    file.write_text(file.read_text().replace('"dev"', script, 1))


def wrong_type(ui: Path) -> None:
    (ui / "src/wrong.ts").write_text('export const answer: number = "42";\n')


def conflict(ai: Path) -> None:
    with (ai / "requirements.txt").open("a") as file:
        file.write("starlette==0.20.0\n")


@pytest.mark.requirement("G13.4")
@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("part", "seed", "words"),
    [
        ("ui", another_version, ("npm ci", "zustand@5.0.8")),
        ("ui", package_that_lacks, ("missing: zustand@5.0.9",)),
        ("ui", wrong_type, ("src/wrong.ts", "not assignable")),
        ("ai", conflict, ("starlette==0.20.0", "fastapi")),
    ],
)
def test_what_does_not_fit_together_fails(
    tmp_path: Path, part: str, seed: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    copy = tmp_path / part
    shutil.copytree(MAMI / part, copy, ignore=shutil.ignore_patterns("node_modules"))
    seed(copy)
    tried(**{f"MAMI_{part.upper()}": str(copy)}).failed(*words)


@pytest.mark.requirement("G13.2", "G13.4")
@pytest.mark.usefixtures("images")
def test_a_module_that_cannot_be_imported_fails(tmp_path: Path) -> None:
    copy = tmp_path / "ai"
    shutil.copytree(MAMI / "ai", copy)
    module_that_lacks(copy)
    built("api", MAMI_AI=str(copy))
    try:
        tried().failed("nothing_here")
    finally:
        built("api")


@pytest.mark.requirement("G13.3")
@pytest.mark.usefixtures("lab_made")
def test_images_are_pushed_under_their_commit() -> None:
    for stage in ("build", "push"):
        given = {**GIVEN, "VERSION": COMMIT, "BUILD_HOST": "registry"}
        lab.run(".ci/run", stage, env=given, timeout=3600).ok()
    for name in ("mami-ai", "mami-ui"):
        listed = json.loads(lab.ssh("registry", f"python3 -c {shlex.quote(TAGS)} {name}"))
        assert COMMIT in listed["tags"]

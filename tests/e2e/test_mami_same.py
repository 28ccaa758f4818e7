"""Mami runs for a developer as it runs on a host: one file, the same images, the same checks.

The Compose file as it stands is brought up on this machine's own Engine by `docker compose`, with
the images of the release that a host of the lab runs. It is part of the long runs alone.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from developing import docker
from e2e import lab
from mami_stack import FIRST, REGISTRY, SERVICES, VOLUMES, facts, script

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

MAMI = lab.PROJECT / "docker/mami"
# How often health is asked: engines before 25 know no start_interval.
OFTEN = "services:\n" + "".join(
    f"  {name}: {{healthcheck: {{start_interval: !reset null, interval: 5s}}}}\n"
    for name in sorted(SERVICES)
)
Script = Callable[[str, str], str]


def load(images: list[str]) -> None:
    """Bring images of the lab's registry to this machine's Engine."""
    names = " ".join(images)
    pull = f"for n in {names}; do docker pull -q $n >&2; done; docker save {names}"
    with subprocess.Popen(
        ["ssh", "-F", ".lab/ssh_config", "registry", pull],
        cwd=lab.PROJECT,
        stdout=subprocess.PIPE,
    ) as sent:
        subprocess.run(["docker", "load", "--quiet"], stdin=sent.stdout, check=True)
    assert sent.returncode == 0


class Developer:
    """A copy of the stack that `docker compose up` runs."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def compose(self, *words: str) -> lab.Run:
        """A command of Compose there."""
        return lab.run("scripts/stack", str(self.home), *words, timeout=1800)

    def image(self, service: str) -> str:
        """The id of the image that a service runs."""
        name = self.compose("ps", "--quiet", service).ok().out.split()[-1]
        return docker("inspect", "--format", "{{.Image}}", name).strip()

    def script(self, service: str, text: str) -> str:
        """What a shell script writes in the container of a service."""
        return self.compose("exec", "-T", service, "sh", "-ec", text).ok().out


@pytest.fixture
def developer(tmp_path: Path) -> Iterator[Developer]:
    """The stack, up; with all it had removed afterwards, and the images that were loaded."""
    there = set(VOLUMES) & set(docker("volume", "ls", "--quiet").split())
    assert not there, f"somebody develops Mami here: {there}; try: docker volume rm NAME"
    found = Developer(tmp_path / "mami")
    kept_out = shutil.ignore_patterns(".env", ".secrets", "data", "logs", "node_modules")
    shutil.copytree(MAMI, found.home, ignore=kept_out)
    lab.run(str(found.home / "development/setup")).ok()
    path = found.home / ".env"
    # What is for development alone is left out: the file is the one that a host gets.
    (found.home / "often.yaml").write_text(OFTEN)
    given = {"COMPOSE_FILE": "compose.yaml:often.yaml", "VERSION": FIRST, "REGISTRY": REGISTRY}
    kept = [one for one in path.read_text().splitlines() if one.partition("=")[0] not in given]
    path.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in given.items()), ""]))
    images = sorted(set(found.compose("config", "--images").ok().out.split()))
    images = [name for name in images if name.startswith(REGISTRY)]
    had = set(docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split())
    load(images)
    try:
        found.compose("up", "--detach", "--no-build", "--wait").ok()
        yield found
    finally:
        found.compose("down", "--volumes", "--remove-orphans")
        docker("image", "rm", *(set(images) - had), check=False)


def smoke(run: Script) -> list[str]:
    """The checks of the file's own `x-maestro.smoke`; what the edge is asked, its service is."""
    said = yaml.safe_load((MAMI / "compose.yaml").read_text())["x-maestro"]
    passed = []
    for check in said["smoke"]:
        if "command" in check:
            run(check["command"]["service"], shlex.join(check["command"]["argv"]))
        else:
            http = check["http"]
            route = next(
                one for one in said["routes"] if http["path"].startswith(one.get("path", "/"))
            )
            service, port = http.get("service", route["service"]), http.get("port", route["port"])
            answer: dict[str, Any] = json.loads(
                run(service, f"curl -fsS http://127.0.0.1:{port}{http['path']}").splitlines()[-1]
            )
            wanted = {
                key: FIRST if key == "version" else value for key, value in http["json"].items()
            }
            assert {key: answer[key] for key in wanted} == wanted, check["name"]
        passed.append(check["name"])
    return passed


@pytest.mark.requirement("M2")
def test_a_developer_and_a_host_run_the_same_images_and_pass_the_same_checks(
    developer: Developer,
) -> None:
    for service in sorted(SERVICES):
        assert developer.image(service) == facts(service)["Image"], service
    assert smoke(developer.script) == smoke(script)

"""Stacks of the usual public shapes, as they are: what is refused passes with the lines it prints.

Only the plan is made, on a host as it reads the files; other images stand for those of the stacks.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import stack_models as models
import yaml
from direct import REGISTRY, ROOT, Direct
from e2e import lab

from maestro import records
from maestro.errors import MaestroError
from maestro.plan import deploy
from maestro.plan.rollout import Decision
from maestro.plan.wanted import Inputs
from maestro.play import controller, host_variables
from maestro.stack import files

SHAPES = lab.PROJECT / "tests/shapes"
# What is refused of each, as it stands in a message.
REFUSED: dict[str, list[str]] = {
    "plain": [],
    "reload": [],
    "proxy": ["found nginx: a tag that can move", "taken by the edge of this host"],
    "metrics": [
        ".env: the value of ADMIN_PASSWORD looks like a secret",
        "services.prometheus.volumes[0]: found ./prometheus: a mount",
        "services.grafana.volumes[0]: found ./grafana/datasource.yml: a mount",
        "services.grafana.volumes[1]: found ./grafana/data: a mount",
        "found grafana/grafana:latest: a tag that can move",
        "found privileged: true",
        "found /dev/kmsg: a device",
        "found /: the whole host",
        "found /var/run: a container with the Engine's socket",
        "found /sys: it belongs to the host",
        "found /var/lib/docker/: the volumes of all stacks",
    ],
    "queue": [
        "worker.env: the value of AMQP_URL looks like a secret",
        "found ~/.docker-conf/rabbitmq/data: a host has no home directory of yours",
    ],
    "labels": [
        "found /var/run/docker.sock: a container with the Engine's socket",
        "found example.test/backend: a tag that can move",
        "port 80/tcp of service frontend is taken by the edge",
        "port 443/tcp of service frontend is taken by the edge",
    ],
}

# What passes, and the plan tells of it.
TOLD = {
    "reload": [
        "services.backend.volumes[1]: ./backend/package.json is source code",
        "services.frontend.volumes[0]: ./frontend is source code",
    ],
}


def plan(direct: Direct, home: Path, name: str) -> Decision:
    """The plan of a stack with images that stand for its own."""
    variables = {"REGISTRY": REGISTRY}
    settings: Any = {"version": "v1", "variables": variables, "profiles_said": []}
    _, read = host_variables.read(home, name, "staging", settings)
    request: Any = {
        "stack": name,
        "environment": "staging",
        "version": "v1",
        "variables": variables,
        "approved_by": "",
        "git_commit": "",
        "dry": True,
        **read,
    }
    request["variables"] = host_variables.filled(request)
    direct.values = dict.fromkeys(read["secret_names"], "a value")
    state = direct.step(
        "state", request=request, resolve=False, wait=0, payload=direct.payload(request)
    )
    state["resolved"] = models.images(state["model"], user="")
    states = controller.whole({direct.host: state}, records.State)
    asked = cast(records.DeployRequest, request)
    return deploy.decide(Inputs(asked, states, direct.host, ROOT, run=controller.this_run()))


@pytest.mark.parametrize("name", REFUSED)
def test_a_public_shape_passes_with_the_lines_that_are_printed(
    direct: Direct, tmp_path: Path, name: str
) -> None:
    home = tmp_path / name
    shutil.copytree(SHAPES / name, home)
    if (home / "env").exists():
        (home / "env").rename(home / ".env")  # which git ignores
    if REFUSED[name]:
        with pytest.raises(MaestroError) as caught:
            plan(direct, tmp_path, name)
        said, _, lines = str(caught.value).partition("the lines to write:\n")
        missing = [text for text in REFUSED[name] if text not in said]
        assert (missing, said.count("\n  ->")) == ([], len(REFUSED[name]))
        own, _, development = re.sub(
            r"^# (in |which).*\n", "", lines, flags=re.MULTILINE
        ).partition("# compose.development.yaml")
        (home / "compose.staging.yaml").write_text(own)
        if development:
            (home / "compose.development.yaml").write_text(development.partition("\n")[2])
            # It is one that Compose takes beside the file.
            files.load(tmp_path, name, "development", {"REGISTRY": REGISTRY}, version="v1")
    (planned,) = plan(direct, tmp_path, name).plans
    assert planned.changes
    told = "\n".join(planned.warnings)
    assert [text for text in TOLD.get(name, []) if text not in told] == []
    # What `docker compose up` reads stays as it is.
    base = next(path for path in (SHAPES / name).glob("*compose.y*ml"))
    assert yaml.safe_load((home / base.name).read_text()) == yaml.safe_load(base.read_text())

"""What Compose reads, we write, and Compose reads again, is one and the same."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import compose_keys
import pytest
import stack_models as models
from direct import Direct
from e2e import lab

from maestro.release import compose_quirks


def config(host: str, text: str) -> dict[str, Any]:
    command = "cd /tmp; docker compose -p shop -f - --profile '*' config --format json"
    done = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", *lab.SHARED, host, command],
        cwd=lab.PROJECT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.both_composes
def test_every_key_of_the_specification_survives(direct: Direct) -> None:
    """In each of its forms; the file of a release says what the stack's file said."""
    version = lab.ssh(direct.host, "docker compose version --short").strip().lstrip("v")
    newer = tuple(map(int, version.split(".")[:2])) >= (2, 36)
    first = config(direct.host, json.dumps(compose_keys.stack(newer=newer)))
    assert len(first["services"]) > 200
    profiles = frozenset(p for s in first["services"].values() for p in s.get("profiles", []))
    release = models.rendered(first, extension={}, secrets={}, profiles=profiles)
    second = config(direct.host, release.text)
    for name, service in second["services"].items():
        compose_quirks.mend(service)
        read = {key: value for key, value in service.items() if value is not None}
        assert read == release.compose["services"][name], name
    for key in ("networks", "volumes"):
        assert second[key] == release.compose[key]
    left = {name for name, service in first["services"].items() if service.get("scale") != 0}
    assert set(second["services"]) == left

"""What a developer is told when a stack does not come up, on this machine's own Engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from developing import docker
from e2e import lab

NAME = "maestro-tried-up"
COMPOSE = f"""\
name: {NAME}
services:
  good:
    image: debian:trixie-slim
    command: [sleep, infinity]
    init: true
    network_mode: none
  wrong:
    image: debian:trixie-slim
    command: [sh, -c, "echo 'LIMIT: should be a number' >&2; exit 1"]
    network_mode: none
"""


@pytest.fixture
def home(tmp_path: Path, lab_made: None) -> Iterator[Path]:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    yield tmp_path
    names = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={NAME}").split()
    if names:
        docker("rm", "--force", *names)


def test_what_a_service_said_before_it_failed_is_shown(home: Path) -> None:
    run = lab.run("scripts/up", str(home))
    run.failed("up: wrong failed; its last lines:", "LIMIT: should be a number")
    assert "good failed" not in run.out


@pytest.mark.parametrize("value", ["abc", "0", "65536", "80 80", "-1"])
def test_a_port_that_is_none_is_named(home: Path, value: str) -> None:
    (home / ".env").write_text(f"A_PORT=8080\nB_PORT='8081' # as a number\nUI_PORT={value}\n")
    lab.run("scripts/stack", str(home), "config").failed(
        "/.env: UI_PORT has to be a port: a number from 1 to 65535"
    )
    (home / ".env").write_text("A_PORT=8080\nB_PORT='8081' # as a number\nUI_PORT=\n")
    lab.run("scripts/stack", str(home), "config").ok()

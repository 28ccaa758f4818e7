"""The stack that watches the others, on one host of the lab.

While a test is written, MAESTRO_TEST_HOST names another host that is ready, of the inventory in
MAESTRO_TEST_INVENTORY.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from e2e import lab

HOST = os.environ.get("MAESTRO_TEST_HOST", "production-1").split(",")[0]
OURS = "MAESTRO_TEST_HOST" not in os.environ
INVENTORY = os.environ.get("MAESTRO_TEST_INVENTORY", ".cache/dev/hosts.yml")
WHERE = {} if OURS else {"ANSIBLE_INVENTORY": INVENTORY}
STACK, JESSY = "observability", "jessy"
VERSION = "watching-test-1"
# Where alerts go: the container of a test in the stack's network.
RECEIVER = "http://receiver:9999/alerts"
T = TypeVar("T")


def play(playbook: str, *words: str, stack: str = STACK) -> lab.Run:
    """A playbook for a stack on the host."""
    return lab.playbook(playbook, "-l", HOST, "-e", f"stack={stack}", *words, env=WHERE)


def deploy(*words: str, stack: str = STACK, version: str = VERSION) -> lab.Run:
    """A deploy."""
    return play("deploy.yml", "-e", f"version={version}", *words, stack=stack)


def copy(home: Path) -> Path:
    """The stack's directory, below ``home``, to be changed."""
    shutil.copytree(lab.PROJECT / "docker" / STACK, home / STACK)
    return home / STACK


def get(port: int, path: str) -> Any:
    """What a program of the stack answers on the host: JSON."""
    return json.loads(lab.ssh(HOST, f"curl -fsS {shlex.quote(f'http://127.0.0.1:{port}{path}')}"))


def query(expression: str) -> list[dict[str, Any]]:
    """The series of a query of Prometheus."""
    answer = get(9090, f"/api/v1/query?query={quote(expression)}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def value(expression: str) -> float:
    """The value of the only series of a query."""
    (series,) = query(expression)
    return float(series["value"][1])


def inside(service: str, command: str, *, check: bool = True) -> str:
    """What a command writes in the container of a service."""
    container = lab.containers(HOST, STACK)[service]
    return lab.ssh(HOST, f"docker exec {container} {command}", check=check)


def until(look: Callable[[], T], seconds: float = 180) -> T:
    """The first answer of ``look`` that says something; fails where there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(2)


def panels(name: str) -> list[str]:
    """The queries of a dashboard."""
    path = lab.PROJECT / f"docker/{STACK}/config/grafana/dashboards/{name}.json"
    board = json.loads(path.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def remove(stack: str) -> None:
    """Take a stack away, with all its data."""
    label = f"label=com.docker.compose.project={stack}"
    volumes = lab.ssh(HOST, f"docker volume ls -q --filter {label}").split()
    play("playbooks/remove.yml", "-e", f"volumes={','.join(volumes)}", stack=stack).ok()


@pytest.fixture(scope="session")
def watching(request: pytest.FixtureRequest) -> Iterator[None]:
    """The stack, built and deployed."""
    if OURS:
        request.getfixturevalue("production_hosts")
        words = ("--environment", "production", "--stack", STACK)
        lab.run(".venv/bin/maestro", "secrets", "init", *words).ok()
        store = f"printf %s {RECEIVER} | .venv/bin/maestro secrets set alert_webhook_url"
        lab.run("bash", "-c", f"{store} {shlex.join(words)}").ok()
    lab.run("make", "images", f"STACK={STACK}", f"VERSION={VERSION}", timeout=3600).ok()
    deploy().ok()
    yield
    if OURS:
        remove(STACK)


@pytest.fixture(scope="module")
def watched(watching: None) -> Iterator[None]:
    """Jessy, deployed on the same host, with some requests to its name."""
    words = ("--environment", "production", "--stack", JESSY)
    if OURS:
        lab.run(".venv/bin/maestro", "secrets", "init", *words).ok()
    lab.run("make", "images", f"STACK={JESSY}", f"VERSION={VERSION}", timeout=3600).ok()
    deploy(stack=JESSY).ok()
    ask = "curl -sk -o /dev/null https://127.0.0.1/api/health https://127.0.0.1/api/nothing"
    lab.ssh(HOST, f"for n in $(seq 20); do {ask}; done")
    yield
    if OURS:
        remove(JESSY)

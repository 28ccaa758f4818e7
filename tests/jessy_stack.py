"""Jessy as production runs it, on the lab's build host: its images, and a stack of its own.

The images are built once for all files of tests; each file has its stack, with secrets of this run.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e import lab

HOST = "registry"
# The same in every process of a run: names of tests hold it.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(3)
VERSION = f"images-{RUN[:6]}"
REGISTRY = "registry.test:5000"
CORE = f"{REGISTRY}/jessy-core:{VERSION}"
API = f"{REGISTRY}/jessy-api:{VERSION}"
POSTGRES = f"{REGISTRY}/postgres:17-4"
COMPOSE = lab.PROJECT / "docker/jessy/compose.yaml"
SECONDS = 10**9  # nanoseconds in one, as Docker counts


def shell(command: str, *, check: bool = True, stdin: bytes = b"") -> str:
    """What a command on the build host wrote, stderr included."""
    done = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", HOST, f"exec 2>&1; {command}"],
        cwd=lab.PROJECT,
        input=stdin,
        stdout=subprocess.PIPE,
        check=False,
        timeout=600,
    )
    out = done.stdout.decode(errors="replace")
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{out}"
    return out


def ended(command: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of a command that may fail."""
    started = time.monotonic()
    out = shell(f"({command}); rc=$?; echo; echo rc=$rc", check=False)
    text, _, code = out.rpartition("rc=")
    return int(code), text, time.monotonic() - started


@dataclass
class Stack:
    """The running stack: where it stands and which secrets it was given."""

    directory: str
    secrets: dict[str, str]

    def compose(self, *words: str) -> str:
        # At debug, where most is said that could hold a secret.
        environment = f"VERSION={VERSION} REGISTRY={REGISTRY} RUST_LOG=debug"
        return shell(f"cd {self.directory} && {environment} docker compose {shlex.join(words)}")

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(shell(f"docker inspect {self.container(service)}"))[0]
        return found

    def address(self, service: str) -> str:
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        return str(networks["jessy-network"]["IPAddress"])

    def url(self, service: str) -> str:
        port = 3000 if service == "jessy-api" else 8080
        return f"http://{self.address(service)}:{port}"


@pytest.fixture(scope="session")
def built_jessy(demo: lab.Run) -> Iterator[lab.Run]:
    """`make images` with a version nobody built before."""
    yield lab.run("make", "images", f"VERSION={VERSION}").ok()
    shell(f"docker image rm {CORE} {API}", check=False)


@contextlib.contextmanager
def prepared() -> Iterator[Stack]:
    """A directory with the Compose file and secrets, and nothing of Jessy before and after."""
    # Where a restart of the host leaves it.
    directory = shell("mktemp -d -p /var/tmp").strip()
    values = {
        # With what JSON, URLs and shells would write in another way.
        "db_password": f"Db+{secrets.token_hex(8)}/&\"'",
        "api_token": f"Token-{secrets.token_hex(12)}",
    }
    stack = Stack(directory, values)
    shell(
        f"cat >{directory}/compose.yaml && mkdir {directory}/.secrets", stdin=COMPOSE.read_bytes()
    )
    for name, value in values.items():
        # Compose does not change the owner; Maestro does, see the tests of the deploy.
        path = f"{directory}/.secrets/{name}"
        shell(f"cat >{path} && chmod 444 {path}", stdin=value.encode())
    try:
        # What an earlier session left.
        stack.compose("down", "--volumes", "--timeout", "1")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "1")
        shell(f"rm -rf {directory}", check=False)


def config(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shell(f"docker image inspect {image}"))[0]
    return found


def get(url: str, *options: str) -> tuple[int, str]:
    """Status and body of a request made on the build host."""
    words = shlex.join(["curl", "-sS", "-w", "\n%{http_code}", *options, url])
    body, _, status = shell(words).rpartition("\n")
    return int(status), body

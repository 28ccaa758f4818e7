"""The stack relay on the lab's hosts: a web service behind the edge, and a worker."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lanes
import pytest
from counter import registry_password, write_secret
from e2e import lab

STACK = "relay"
VERSIONS = (
    *("v1", "v2", "unhealthy-1", "badsmoke-1", "crash-1"),
    "sick-production-1",
)


@dataclass
class Relay:
    """Drives the stack: deploys, rollbacks, rotations, jobs."""

    secrets: Path
    key: str
    stacks: str = "tests/stacks"
    environment: str = lanes.STAGING
    jobs: dict[str, int] = field(default_factory=dict)

    def arguments(self, *extra: str, **variables: str) -> list[str]:
        """What is said on the command line; ``variables`` are the stack's."""
        said: dict[str, Any] = {
            "maestro_stacks_dir": self.stacks,
            "maestro_stack_variables": {STACK: variables},
            "maestro_secrets": {"source": "directory", "path": str(self.secrets)},
        }
        if self.environment == lanes.PRODUCTION:
            said["approved_by"] = "tests"
        return ["-e", f"stack={STACK}", "-e", json.dumps(said), *extra]

    def play(self, name: str, *extra: str, limit: str = "", **variables: str) -> lab.Run:
        """Run a playbook for the stack, on all hosts of its environment unless it is told."""
        return lab.playbook(
            name, "-l", limit or self.environment, *self.arguments(*extra, **variables)
        )

    def deploy(self, version: str = "", *extra: str, limit: str = "", **variables: str) -> lab.Run:
        """Run deploy.yml; without a version, for the one that runs."""
        said = ("-e", f"version={version}") if version else ()
        return self.play("deploy.yml", *said, *extra, limit=limit, **variables)

    def new_key(self) -> None:
        """Another value for the secret, in the place it is read from."""
        self.key = f"sentinel-{secrets.token_hex(16)}"
        for environment in ("staging", "production"):
            write_secret(self.secrets / environment / STACK / "relay_key", self.key)

    def redis(self, host: str, *words: str) -> str:
        """Ask the stack's Redis on a host."""
        found = (
            f"$(docker ps -q --filter label=com.docker.compose.project={STACK} "
            "--filter label=com.docker.compose.service=redis)"
        )
        return lab.ssh(host, f"docker exec {found} redis-cli {' '.join(words)}").strip()

    def give_jobs(self, host: str, count: int) -> None:
        """Put jobs into a host's queue; each has a name of its own."""
        first = self.jobs.get(host, 0)
        names = [f"job-{number}" for number in range(first, first + count)]
        self.redis(host, "RPUSH", "jobs", *names)
        self.jobs[host] = first + count

    def lost_jobs(self, host: str, limit: float = 120) -> int:
        """How many of a host's jobs were taken and never done; waits until none is left."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            done = int(self.redis(host, "SCARD", "done"))
            if done == self.jobs.get(host, 0):
                return 0
            if self.redis(host, "LLEN", "jobs") == "0":
                time.sleep(2)
                return self.jobs.get(host, 0) - int(self.redis(host, "SCARD", "done"))
            time.sleep(1)
        raise AssertionError(f"{host}: jobs are still waiting after {limit:.0f} s")


def edges(*hosts: str) -> list[str]:
    """The edges of hosts as this machine reaches them: NAME,HTTP URL,HTTPS URL."""
    settings = lab.settings()
    return [
        f"{host},http://127.0.0.1:{ports['http']},https://localhost:{ports['https']}"
        for host in hosts
        for ports in [settings["ports"][host]]
    ]


# What an earlier session left: containers, networks, data, releases, routes.
REMOVE = (
    "command -v docker >/dev/null || exit 0; "
    f"docker ps -aq --filter label=com.docker.compose.project={STACK} | xargs -r docker rm -f; "
    f"docker network ls -q --filter label=com.docker.compose.project={STACK} | "
    "xargs -r docker network rm; "
    f"docker volume ls -q --filter label=com.docker.compose.project={STACK} | "
    f"xargs -r docker volume rm; rm -rf /opt/maestro/{STACK}; "
    f"rm -f /etc/maestro/edge/dynamic/stack-{STACK}.yml"
)


def build(versions: tuple[str, ...] = VERSIONS[1:]) -> None:
    """Build versions in one go on the lab's builder: they differ in their last layer only."""
    lab.run(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        f"tar -C tests/stacks -c {STACK} | ssh -F .lab/ssh_config registry '"
        'set -e; home=$(mktemp -d); trap "rm -rf $home" EXIT; tar -x -C $home; '
        f"cd $home/{STACK}; "
        "export REGISTRY=registry.test:5000 BUILDX_NO_DEFAULT_ATTESTATIONS=1; "
        f"for VERSION in {' '.join(versions)}; do export VERSION; "
        "docker compose --progress quiet build --push web; done'",
    ).ok()


@pytest.fixture(scope="session")
def relay_images(
    demo: lab.Run,
    compose_release: str,
    once: Callable[[str], contextlib.AbstractContextManager[bool]],
) -> None:
    """The stack's images in the lab's registry, built once for all processes."""
    with once("relay-images") as first:
        if first:
            lab.run(
                *("make", "images", "VERSION=v1", f"STACK={STACK}", "STACKS_DIR=tests/stacks")
            ).ok()
            build()


def prepared(environment: str, home: Path) -> Relay:
    """The stack with secrets of its own, on no host of an environment yet."""
    found = Relay(home, "", environment=environment)
    found.new_key()
    for name in (lanes.STAGING, lanes.PRODUCTION):
        write_secret(home / name / "common" / "registry_password", registry_password())
    for host in lab.ENVIRONMENTS[environment]:
        lab.ssh(host, REMOVE)
    return found


@pytest.fixture(scope="session")
def relay(relay_images: None, tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """The stack with its images built; on no staging host yet."""
    return prepared(lanes.STAGING, tmp_path_factory.mktemp("relay-secrets"))


@pytest.fixture(scope="session")
def relay_in_production(
    production_hosts: None, relay_images: None, tmp_path_factory: pytest.TempPathFactory
) -> Relay:
    """The same for the production hosts."""
    with lanes.in_turn(lanes.PRODUCTION):
        return prepared(lanes.PRODUCTION, tmp_path_factory.mktemp("relay-secrets"))


@pytest.fixture(scope="session")
def relaying(relay: Relay) -> Relay:
    """The stack in version v1 on both staging hosts."""
    relay.deploy("v1").ok()
    return relay

"""The second stack that the tests deploy, and what they deploy it with."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lanes
import pytest
from e2e import lab

VERSIONS = ("v1", "v2", "v3", "v4", "unhealthy-1", "crash-1", "badsmoke-1", "badmigration-1")


@pytest.fixture(scope="session")
def demo_again(demo: lab.Run) -> lab.Run:
    """`make demo` where everything is as it should be."""
    return lab.run("make", "demo", timeout=900).ok()


@dataclass
class Counter:
    """The second stack: known to no role and no playbook, deployed by its files and variables.

    Drives it on the hosts of one environment.
    """

    secrets: Path
    token: str
    environment: str = lanes.STAGING
    only: str = ""  # one of its hosts, where one is enough

    def on(self, host: str) -> Counter:
        """The same for one host."""
        return replace(self, only=host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the environment."""
        return (self.only,) if self.only else lab.ENVIRONMENTS[self.environment]

    @property
    def token_file(self) -> Path:
        """Where its secret stands."""
        return self.secrets / self.environment / "counter" / "app_token"

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other lanes away from the hosts; a test of production has the fixture instead."""
        ours = self.environment == lanes.PRODUCTION
        return lanes.in_turn(lanes.PRODUCTION) if ours else contextlib.nullcontext()

    def variables(self, port: str = "8000") -> dict[str, Any]:
        """What differs from the project's own settings."""
        found: dict[str, Any] = {
            "maestro_stacks_dir": "tests/stacks",
            "maestro_stack_variables": {"counter": {"WEB_PORT": port}},
            "maestro_secrets": {"source": "directory", "path": str(self.secrets)},
        }
        if self.environment == lanes.PRODUCTION:
            found |= {"approved_by": "tests", "maestro_waves": ["100%"]}
        return found

    def arguments(self, *extra: str, port: str = "8000") -> list[str]:
        """What is said on the command line to deploy it."""
        return ["-e", "stack=counter", "-e", json.dumps(self.variables(port)), *extra]

    def deploy(self, *extra: str, limit: str = "", port: str = "8000") -> lab.Run:
        """Run deploy.yml for it."""
        return self.play("deploy.yml", *self.arguments(*extra, port=port), limit=limit)

    def play(self, name: str, *words: str, limit: str = "") -> lab.Run:
        """Run a playbook on the environment's hosts."""
        return lab.playbook(name, "-l", limit or self.only or self.environment, *words)

    def serve(self, *versions: str) -> None:
        """Let the last of these versions serve on every host, over the one before it."""
        serving = [self.served(host) for host in self.hosts]
        if all(found[-len(versions) :] == list(versions) for found in serving):
            return
        there = len(versions) > 1 and all(found[-1:] == [versions[0]] for found in serving)
        for version in versions[1:] if there else versions:
            self.deploy("-e", f"version={version}").ok()

    def served(self, host: str) -> list[str]:
        """The version before, if there was one, and the version that serves."""
        if "release.json" not in lab.ssh(host, "ls /opt/maestro/counter/current/", check=False):
            return []
        current = lab.manifest(host, "counter")
        found = [current["version"]]
        if current["previous"]:
            path = f"/opt/maestro/counter/releases/{current['previous']}/release.json"
            with contextlib.suppress(ValueError):
                found.insert(0, json.loads(lab.ssh(host, f"cat {path}", check=False))["version"])
        return found

    def answer(self, host: str, path: str = "/", *options: str) -> dict[str, Any]:
        """What its web service answers through the port the host publishes."""
        words = " ".join(f"'{option}'" for option in options)
        said = lab.ssh(host, f"curl -sS {words} http://127.0.0.1:8000{path}")
        answer: dict[str, Any] = json.loads(said)
        return answer


@pytest.fixture(scope="session")
def counters() -> dict[str, Counter]:
    """The stack in each environment, once it is prepared there."""
    return {}


@pytest.fixture(scope="module")
def counter(request: pytest.FixtureRequest, counters: dict[str, Counter]) -> Counter:
    """The second stack for the environment of the test's lane, ready to be deployed."""
    environment = lanes.environment(request.path)
    if environment not in counters:
        counters[environment] = prepared(environment, request)
    return counters[environment]


@pytest.fixture(scope="session")
def counter_images(
    lab_made: None, once: Callable[[str], contextlib.AbstractContextManager[bool]]
) -> None:
    """Its images in the lab's registry, built once for all processes."""
    with once("counter-images") as first:
        if first:
            lab.run("make", "images", "VERSION=v1", "STACK=counter", "STACKS_DIR=tests/stacks").ok()
            build_variants()


def prepared(environment: str, request: pytest.FixtureRequest) -> Counter:
    """The stack's images in the lab's registry, secrets of its own, hosts that never had it."""
    request.getfixturevalue("production_hosts" if environment == lanes.PRODUCTION else "demo")
    request.getfixturevalue("compose_release")
    home = request.getfixturevalue("tmp_path_factory").mktemp("secrets")
    found = Counter(home, f"sentinel-{secrets.token_hex(16)}", environment)
    write_secret(found.token_file, found.token)
    write_secret(home / environment / "common" / "registry_password", registry_password())
    request.getfixturevalue("counter_images")
    with found.alone():
        for host in found.hosts:
            lab.ssh(host, REMOVE)
    return found


# What an earlier session left: containers, networks, data, releases.
REMOVE = (
    "command -v docker >/dev/null || exit 0; "
    "docker ps -aq --filter label=com.docker.compose.project=counter | xargs -r docker rm -f; "
    "docker network ls -q --filter label=com.docker.compose.project=counter | "
    "xargs -r docker network rm; "
    "docker volume ls -q --filter label=com.docker.compose.project=counter | "
    "xargs -r docker volume rm; rm -rf /opt/maestro/counter"
)


def build_variants() -> None:
    """Build the versions that misbehave, in one go: they differ in their last layer only."""
    lab.run(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        "tar -C tests/stacks -c counter | ssh -F .lab/ssh_config registry '"
        "set -e; rm -rf /tmp/variants; mkdir /tmp/variants; tar -x -C /tmp/variants; "
        "cd /tmp/variants/counter; "
        "export REGISTRY=registry.test:5000 BUILDX_NO_DEFAULT_ATTESTATIONS=1; "
        f"for VERSION in {' '.join(VERSIONS[1:])}; do export VERSION; "
        "docker compose --progress quiet build --push web; done; rm -rf /tmp/variants'",
    ).ok()


def write_secret(path: Path, value: str) -> None:
    """Write one secret of the directory source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value)
    path.chmod(0o600)


def registry_password() -> str:
    """The lab registry's password, as the demo made it."""
    return (lab.PROJECT / ".lab" / "registry_password").read_text().strip()


@pytest.fixture(scope="module")
def deployed(counter: Counter) -> Counter:
    """The second stack in version v1 on every host."""
    with counter.alone():
        counter.serve("v1")
    return counter

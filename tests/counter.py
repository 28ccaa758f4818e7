"""The second stack that the tests deploy, and what they deploy it with."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import lab

VERSIONS = ("v1", "v2", "v3", "v4", "unhealthy-1", "crash-1", "badsmoke-1", "badmigration-1")


@pytest.fixture(scope="session")
def demo_again(demo: lab.Run) -> lab.Run:
    """`make demo` where everything is as it should be."""
    return lab.run("make", "demo", timeout=900).ok()


@dataclass
class Counter:
    """The second stack: known to no role and no playbook, deployed by its files and variables."""

    secrets: Path
    token: str

    def arguments(self, *extra: str, port: str = "8000") -> list[str]:
        """What is said on the command line to deploy it."""
        variables = {
            "maestro_stacks_dir": "tests/stacks",
            "maestro_stack_variables": {"counter": {"WEB_PORT": port}},
            "maestro_secrets": {"source": "directory", "path": str(self.secrets)},
        }
        return ["-e", "stack=counter", "-e", json.dumps(variables), *extra]

    def deploy(self, *extra: str, limit: str = "staging", port: str = "8000") -> lab.Run:
        """Run deploy.yml for it."""
        return lab.playbook("deploy.yml", "-l", limit, *self.arguments(*extra, port=port))

    def answer(self, host: str, path: str = "/", *options: str) -> dict:
        """What its web service answers through the port the host publishes."""
        words = " ".join(f"'{option}'" for option in options)
        return json.loads(lab.ssh(host, f"curl -sS {words} http://127.0.0.1:8000{path}"))


@pytest.fixture(scope="session")
def counter(compose_release: str, tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """The second stack with its images built and its secrets in a directory of files."""
    home = tmp_path_factory.mktemp("secrets")
    token = f"sentinel-{secrets.token_hex(16)}"
    found = Counter(home, token)
    for environment in ("staging", "production"):
        write_secret(home / environment / "counter" / "app_token", token)
        write_secret(home / environment / "common" / "registry_password", registry_password())
    lab.run("make", "images", "VERSION=v1", "STACK=counter", "STACKS_DIR=tests/stacks").ok()
    build_variants()
    for host in (*lab.STAGING, *lab.PRODUCTION):
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


@pytest.fixture(scope="session")
def deployed(counter: Counter) -> Counter:
    """The second stack in version v1 on both staging hosts."""
    counter.deploy("-e", "version=v1").ok()
    return counter

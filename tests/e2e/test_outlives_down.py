"""What lies on named volumes outlives `down`: rows of Jessy's database, Redis keys, samples.

Services of the real stacks under a project of its own, on this machine's own Engine.
"""

from __future__ import annotations

import json
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import developing
import pytest
from developing import docker
from e2e import lab

pytestmark = [pytest.mark.long, pytest.mark.requirement("R7.2")]

SERVICES = {"jessy": ("db",), "mami": ("redis", "prometheus")}
RESET = "!reset"
PSQL = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
# The password comes from the file of the container: it stands in no argument.
REDIS = 'REDISCLI_AUTH="$(cat /run/secrets/redis_password)" redis-cli "$@"'


class Stack:
    """Some services of a stack, with names that nobody else has."""

    def __init__(self, name: str, parent: Path) -> None:
        self.home, self.services = parent / name, SERVICES[name]
        self.project = f"{name}-outlives"
        ignored = shutil.ignore_patterns(".env", ".secrets", "data", "logs", "node_modules")
        shutil.copytree(lab.PROJECT / "docker" / name, self.home, ignore=ignored)
        lab.run(str(self.home / "development/setup")).ok()
        plain = lab.run("scripts/stack", str(self.home), "-f", "compose.yaml", "config", "--format",
                        "json").ok().out  # fmt: skip
        model: dict[str, Any] = json.loads(plain[plain.index("{") :])
        own = {
            kind: {key: {"name": f"{self.project}-{key}"} for key in model[kind]}
            for kind in ("networks", "volumes")
        }
        # An engine before 25 knows no start_interval; JSON is YAML, but for this word.
        often = {one: {"healthcheck": {"interval": "1s", "start_interval": RESET}}
                 for one in self.services}  # fmt: skip
        text = json.dumps({**own, "services": often})
        (self.home / "own.yaml").write_text(text.replace(json.dumps(RESET), f"{RESET} null"))

    def compose(self, *words: str) -> str:
        """What a command of Compose wrote."""
        files = ("-f", "compose.yaml", "-f", "own.yaml")
        argv = ("scripts/stack", str(self.home), "--project-name", self.project, *files, *words)
        return lab.run(*argv, timeout=1800).ok().out

    def up(self) -> None:
        self.compose("up", "--detach", "--wait", *self.services)

    def down(self) -> None:
        """As a user stops it; no container is there afterwards."""
        self.compose("down", "--remove-orphans")
        label = f"label=com.docker.compose.project={self.project}"
        assert docker("ps", "--all", "--quiet", "--filter", label) == ""


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path, lab_made: None) -> Iterator[Stack]:
    found = Stack(request.param, tmp_path)
    try:
        found.compose("down", "--volumes", "--remove-orphans")
        found.up()
        yield found
    finally:
        found.compose("down", "--volumes", "--remove-orphans")


@pytest.mark.parametrize("stack", ["jessy"], indirect=True)
def test_a_row_outlives_down(stack: Stack) -> None:
    text = developing.mark()
    stack.compose(*PSQL, f"CREATE TABLE kept AS SELECT '{text}'::text AS said")
    stack.down()
    stack.up()
    assert stack.compose(*PSQL, "SELECT said FROM kept").strip().endswith(text)


def samples(stack: Stack, query: str) -> list[dict[str, Any]]:
    """The series that Prometheus answers a query with."""
    url = f"http://127.0.0.1:9090/api/v1/query?query={urllib.parse.quote(query)}"
    out = stack.compose("exec", "-T", "prometheus", "curl", "-fsS", url)
    found: list[dict[str, Any]] = json.loads(out[out.index("{") :])["data"]["result"]
    return found


@pytest.mark.parametrize("stack", ["mami"], indirect=True)
def test_a_key_and_a_sample_outlive_down(stack: Stack) -> None:
    value = developing.mark()
    redis = ("exec", "-T", "redis", "sh", "-c", REDIS, "redis")
    assert "yes" in stack.compose(*redis, "CONFIG", "GET", "appendonly")
    stack.compose(*redis, "SET", "kept", value)
    own = 'process_start_time_seconds{job="prometheus"}'
    developing.eventually(lambda: bool(samples(stack, own)))
    started = samples(stack, own)[0]["value"][1]
    stack.down()
    stack.up()
    assert stack.compose(*redis, "GET", "kept").strip().endswith(value)
    # When it started is another second now; only the sample from before says the earlier one.
    before = [{second for _, second in one["values"]} for one in samples(stack, f"{own}[1h]")]
    assert any(started in seconds for seconds in before)

"""Jessy as production runs it while something goes wrong: slow, frozen, killed, too large, broken.

One stack for the module, on the host that builds; each test leaves it healthy.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import time
from collections.abc import Iterator
from typing import Any

import jessy_stack
import pytest
from e2e import lab
from engine_events import events
from jessy_stack import REGISTRY, VERSION, Stack, ended, get, shell

STAY = ("db", "jessy-core", "jessy-api")
HEALTHY = "health_status: healthy"


class Changed:
    """The stack with another file over its own; commands of Compose that may fail."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def up(
        self, services: dict[str, Any], *names: str, wait: bool = True
    ) -> tuple[int, str, float]:
        """`up --wait` with other settings of some services."""
        path = f"{self.stack.directory}/changed.json"
        shell(f"cat >{path}", stdin=json.dumps({"services": services}).encode())
        waiting = ("--wait", "--wait-timeout", "180") if wait else ()
        words = shlex.join(["up", "--detach", *waiting, *names])
        files = "-f compose.yaml -f changed.json"
        variables = f"VERSION={VERSION} REGISTRY={REGISTRY} RUST_LOG=debug"
        compose = f"docker compose {files} {words}"
        return ended(f"cd {self.stack.directory} && {variables} {compose}")

    def ok(self, services: dict[str, Any], *names: str) -> float:
        """The same where it has to succeed; its seconds."""
        code, out, seconds = self.up(services, *names)
        assert code == 0, out
        return seconds


@pytest.fixture(scope="module")
def stack(built_jessy: lab.Run) -> Iterator[Stack]:
    with jessy_stack.prepared() as stack:
        yield stack


@pytest.fixture(scope="module")
def changed(stack: Stack) -> Changed:
    return Changed(stack)


@pytest.fixture(scope="module")
def healthy(stack: Stack, changed: Changed) -> Stack:
    """The stack as it is, but with health checks every second."""
    changed.ok(QUICK)
    return stack


QUICK = {
    name: {"healthcheck": {"interval": "1s", "timeout": "2s", "retries": 3}}
    for name in ("jessy-core", "jessy-api")
}


def state(stack: Stack, service: str) -> dict[str, Any]:
    found = stack.inspect(service)
    return {**found["State"], "RestartCount": found["RestartCount"]}


def wait(container: str, status: str, seconds: int) -> float:
    """How many seconds it took until a container was healthy or unhealthy; asked where it runs."""
    started = time.monotonic()
    asked = f"docker inspect -f '{{{{.State.Health.Status}}}}' {container}"
    again = f"test $({asked}) = {status} && exit; sleep 0.1"
    shell(f"for i in $(seq {seconds * 10}); do {again}; done; docker inspect {container}; exit 1")
    return time.monotonic() - started


@pytest.mark.requirement("R5.2")
def test_a_service_is_ready_when_its_health_check_passes(stack: Stack, changed: Changed) -> None:
    """First never; then after 8 seconds, as nothing asks before."""
    never = {"test": ["CMD", "/app/jessy", "no-such-command"], "interval": "1s", "retries": 1}
    with events() as happened:
        code, out, _ = changed.up({"jessy-core": {"healthcheck": {**never, "start_period": "0s"}}})
    assert code != 0
    assert "jessy-core" in out
    assert "unhealthy" in out
    assert ("jessy-core", "start") in happened.seconds()
    assert ("jessy-api", "start") not in happened.seconds()
    late = {"interval": "8s", "start_interval": "8s"}
    with events() as happened:
        assert changed.ok({"jessy-core": {"healthcheck": late}}) >= 8
    seconds = happened.seconds()
    begun, passed = seconds["jessy-core", "start"], seconds["jessy-core", HEALTHY]
    assert passed - begun >= 8
    assert passed < seconds["jessy-api", "start"]


@pytest.mark.requirement("R7.1", "T9.5")
def test_what_stays_is_healthy_and_its_data_lies_on_volumes(healthy: Stack) -> None:
    model = json.loads(healthy.compose("config", "--format", "json"))
    # One that ends is no service whose health can be asked.
    ends = {name for name, one in model["services"].items() if one.get("restart") == "no"}
    assert set(model["services"]) - ends == set(STAY)
    for service in STAY:
        assert not model["services"][service]["healthcheck"].get("disable")
        assert state(healthy, service)["Health"]["Status"] == "healthy"
    declared = {one["name"] for one in model["volumes"].values()}
    assert declared <= set(shell("docker volume ls -q").split())
    data = "/var/lib/postgresql/data"
    (mount,) = [one for one in healthy.inspect("db")["Mounts"] if one["Destination"] == data]
    assert (mount["Type"], mount["Name"]) == ("volume", model["volumes"]["db_data"]["name"])


@pytest.mark.requirement("R5.4")
def test_one_command_shows_the_logs_of_all_services(healthy: Stack) -> None:
    text = healthy.compose("logs", "--no-color", "--timestamps", "--since", "5m")
    # Which clears each line before it writes it, also where nobody looks.
    text = text.replace("\x1b[2K", "")
    pattern = r"(?m)^([\w-]+?)-\d+ +\| \d{4}-\d\d-\d\dT[\d:.]+Z \S"
    services = healthy.compose("config", "--services").split()
    assert set(re.findall(pattern, text)) == set(services)


@pytest.mark.requirement("T1.1")
def test_a_frozen_service_is_unhealthy_until_it_goes_on(healthy: Stack) -> None:
    """The core's process gets no time any more, so its listener answers nobody."""
    container = healthy.container("jessy-core")
    pid = shell(f"docker top {container} -eo pid,comm | awk '$2 == \"jessy\" {{print $1}}'").strip()
    with events("jessy-core") as happened:
        shell(f"kill -STOP {pid}")
        try:
            # Not at once: three checks in a row fail, each with the seconds it may take.
            happened.until(lambda: "health_status: unhealthy" in happened.actions())
            assert happened.actions().count("exec_start") >= 3
            assert get(f"{healthy.url('jessy-api')}/api/notes")[0] in (502, 504)
            assert state(healthy, "jessy-api")["Health"]["Status"] == "healthy"
            happened.settle()
        finally:
            shell(f"kill -CONT {pid}")
        before = len(happened.seen)
        happened.until(lambda: HEALTHY in happened.actions()[before:])
    # A check that began before may still fail, and the next two are its two intervals.
    since = happened.actions()[before:]
    assert since[: since.index(HEALTHY)].count("exec_start") <= 2 + 1
    assert get(f"{healthy.url('jessy-api')}/api/notes")[0] == 200
    assert state(healthy, "jessy-core")["RestartCount"] == 0


@pytest.mark.requirement("R5.3")
def test_what_crashes_starts_again_after_growing_pauses(healthy: Stack, changed: Changed) -> None:
    container = healthy.container("jessy-api")
    before = state(healthy, "jessy-api")
    shell(f"kill -9 {before['Pid']}")
    shell(f"until test $(docker inspect -f '{{{{.RestartCount}}}}' {container}) = 1; do sleep 0.1; "
          "done")  # fmt: skip
    wait(container, "healthy", 20)
    after = state(healthy, "jessy-api")
    assert after["RestartCount"] == before["RestartCount"] + 1
    assert after["Pid"] != before["Pid"]
    # One that ends at each start: the Engine waits twice as long each time.
    crash = {**QUICK["jessy-api"], "command": ["/app/jessy-api", "no-such-command"]}
    with events("jessy-api") as happened:
        code, out, _ = changed.up({"jessy-api": crash}, "jessy-api", wait=False)
        assert code == 0, out
        happened.until(lambda: happened.actions().count("start") > 8, 300)
    changed.ok(QUICK)
    first = happened.actions().index("create")
    died = [second for _, event, second in happened.seen[first:] if event.startswith("die")]
    began = [second for _, event, second in happened.seen[first:] if event == "start"][1:]
    pauses = [start - end for end, start in zip(died, began, strict=False)]
    assert len(pauses) >= 7
    # Twice as long each time, and on top of it what a busy machine takes to start a container.
    expected = [0.1 * 2**number for number in range(len(pauses))]
    assert all(0 <= pause - least < 30 for pause, least in zip(pauses, expected, strict=True))


@pytest.mark.requirement("T8.3")
def test_a_service_that_takes_too_much_memory_is_alone_in_that(
    healthy: Stack, changed: Changed
) -> None:
    """The API without collection of garbage: each request takes memory, and none comes back."""
    limits = {"deploy": {"resources": {"limits": {"memory": "24M"}}}}
    changed.ok({**QUICK, "jessy-api": {**QUICK["jessy-api"], **limits, "environment": GREEDY}})
    others = {name: healthy.container(name) for name in ("db", "jessy-core")}
    container, url = healthy.container("jessy-api"), healthy.url("jessy-api")
    greedy = f"while :; do curl -s '{url}/api/counters?n=[1-200]' -o /dev/null; done"

    def killed() -> bool:
        """The kernel ended it for its memory, and the Engine started it again."""
        found = happened.actions()
        return "oom" in found and "start" in found[found.index("die 137") :]

    # How it died is in its state until it runs again, which is soon: the Engine's events keep it.
    with events("jessy-api") as happened, loading(greedy):
        happened.until(lambda: "die 137" in happened.actions() and killed(), 300)
    assert "kill" not in happened.actions()  # nobody else ended it
    assert state(healthy, "jessy-api")["RestartCount"] >= 1
    wait(container, "healthy", 60)
    for name, before in others.items():
        assert healthy.container(name) == before
        found = state(healthy, name)
        assert (found["Health"]["Status"], found["RestartCount"]) == ("healthy", 0)
    changed.ok(QUICK)


@contextlib.contextmanager
def loading(command: str) -> Iterator[None]:
    """A command runs on the build host, again and again, while the block runs."""
    group = shell(f"setsid timeout 400 bash -c {shlex.quote(command)} >/dev/null 2>&1 & echo $!")
    try:
        yield
    finally:
        shell(f"kill -- -{group.strip()}", check=False)


GREEDY = {"GOGC": "off", "GOMEMLIMIT": "off"}


@pytest.mark.requirement("T8.3")
def test_a_service_gets_the_processor_it_may_have(healthy: Stack) -> None:
    """Two processes of the database that compute without end share its one core."""
    container = healthy.container("db")
    spin = "while : spinning; do :; done"
    for _ in range(2):
        shell(f"docker exec -d {container} timeout 120 bash -c {shlex.quote(spin)}")
    spinning = (
        f"docker top {container} -eo pid,args | awk '/bash -c while : spinning/ {{print $1}}'"
    )
    try:
        assert len(shell(spinning).split()) >= 2
        stats = f"docker stats --no-stream --format '{{{{.CPUPerc}}}}' {container}"
        assert 0 < float(shell(stats).strip(" %\n")) <= 110
    finally:
        shell(f"kill $({spinning})", check=False)
    assert healthy.inspect("db")["HostConfig"]["NanoCpus"] == jessy_stack.SECONDS


@pytest.mark.requirement("T5.4")
def test_a_broken_migration_keeps_the_core_from_starting(healthy: Stack, changed: Changed) -> None:
    """The newest one is forgotten, and its column stands in its own way."""
    files = sorted(path.stem for path in (lab.PROJECT / "docker/jessy/core/migrations").iterdir())
    psql = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
    applied = "SELECT name FROM schema_migrations ORDER BY version"
    assert healthy.compose(*psql, applied).split() == files
    healthy.compose("rm", "--stop", "--force", "jessy-api", "jessy-core", "migrate")
    healthy.compose(*psql, f"DELETE FROM schema_migrations WHERE name = '{files[-1]}'")
    with events() as happened:
        code, out, _ = changed.up(QUICK)
    assert code != 0, out
    assert f"migration {files[-1]} failed" in healthy.compose("logs", "--no-color", "migrate")
    assert {one[0] for one in happened.seen if one[1] == "start"} == {"migrate"}
    healthy.compose(*psql, "ALTER TABLE notes DROP COLUMN request_key")
    changed.ok(QUICK)
    assert healthy.compose(*psql, applied).split() == files


@pytest.mark.long
@pytest.mark.requirement("T1.5")
def test_what_was_stopped_stays_stopped_when_the_engine_starts_again(healthy: Stack) -> None:
    for service in STAY:
        policy = healthy.inspect(service)["HostConfig"]["RestartPolicy"]["Name"]
        assert policy == "unless-stopped", service
    stopped = healthy.container("jessy-core")
    shell(f"docker stop {stopped}; systemctl restart docker; docker version")
    wait(healthy.container("db"), "healthy", 60)
    assert state(healthy, "jessy-core")["Status"] == "exited"
    assert state(healthy, "jessy-api")["Running"]
    shell(f"docker start {stopped}")
    wait(stopped, "healthy", 30)

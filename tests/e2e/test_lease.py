"""One deploy per stack and host at a time, and none that vanished keeps others out."""

from __future__ import annotations

import tempfile
import time

import pytest
from counter import Counter
from e2e import lab
from e2e.whole import look, until_whole

pytestmark = pytest.mark.usefixtures("production")

ROLL = "Replace changed services and wait until they are healthy"
FETCH = "Take the lease and fetch the release"
LIMIT = 15  # seconds without a beat after which a lease has expired
# What going back takes on a busy machine.
SLACK = 45


def play(stack: Counter, version: str, *extra: str) -> lab.Playing:
    """Begin a deploy to all hosts."""
    options = ("-e", f"version={version}", "-e", f"deploy_lease_limit={LIMIT}", *extra)
    return lab.Playing("deploy.yml", "-l", stack.environment, *stack.arguments(*options))


@pytest.fixture
def serves(deployed: Counter) -> Counter:
    """The stack in one version on both hosts, whatever a test before left."""
    seen = [look(host) for host in deployed.hosts]
    if any(host.wrong for host in seen) or len({host.version for host in seen}) > 1:
        play(deployed, "v1", "-e", f"wait={LIMIT + SLACK}").end().ok()
    return deployed


@pytest.fixture
def others(serves: Counter) -> list[str]:
    """Two versions that do not serve."""
    serving = look(serves.hosts[0]).version
    return [version for version in ("v1", "v2", "v3") if version != serving]


def serve_wholly(stack: Counter, version: str) -> None:
    """This version serves on both hosts, and nothing else is left there."""
    seen = [look(host) for host in stack.hosts]
    assert [host.version for host in seen] == [version, version]
    assert [host.wrong for host in seen] == [[], []]


def test_of_two_deploys_the_second_leaves_with_the_owners_name(
    serves: Counter, others: list[str]
) -> None:
    new, newer = others
    first = play(serves, new, "-e", "deploy_lease_limit=60").until(ROLL)
    with first.suspended():
        second = play(serves, newer)
        looking = play(serves, newer, "--check")
        run = second.end().failed(
            "counter is being changed by", f"deploy of {new}", "-e wait=SECONDS"
        )
        assert run.changed(*serves.hosts) == [0, 0]
        looking.end().ok()
    first.end().ok()
    serve_wholly(serves, new)


def test_the_second_of_two_deploys_can_wait(serves: Counter, others: list[str]) -> None:
    new, newer = others
    first = play(serves, new).until(ROLL)
    second = play(serves, newer, "-e", "wait=120")
    first.end().ok()
    second.end().ok()
    serve_wholly(serves, newer)


def test_hosts_whose_deploy_is_killed_go_back_by_themselves(
    serves: Counter, others: list[str]
) -> None:
    new, _ = others
    before = [look(host) for host in serves.hosts]
    first = play(serves, new).until(ROLL)
    time.sleep(1)
    first.kill()
    struck = time.monotonic()
    assert any(look(host).wrong for host in serves.hosts), "it was killed too late to tell"
    seen = [until_whole(host, LIMIT + SLACK) for host in serves.hosts]
    assert [host.wrong for host in seen] == [[], []]
    assert [host.release for host in seen] == [host.release for host in before]
    assert time.monotonic() - struck < LIMIT + SLACK
    serves.deploy("-e", f"version={new}").ok()
    assert [look(host).version for host in serves.hosts] == [new, new]


def test_a_dead_owners_lease_is_taken_over(serves: Counter, others: list[str]) -> None:
    new, newer = others
    first = play(serves, new).until(FETCH)
    for host in serves.hosts:
        lease = "/opt/maestro/counter/lease.json"
        lab.ssh(host, f"for i in $(seq 300); do test -e {lease} && exit; sleep 0.1; done; exit 1")
    first.kill()
    # Somebody else cannot know that it is dead, and waits; its owner does not.
    words = ["-l", serves.environment, *serves.arguments("-e", f"version={newer}")]
    # A short path: sockets of SSH are below it.
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        somebody = {"ANSIBLE_HOME": home}
        lab.playbook("deploy.yml", *words, env=somebody).failed("is being changed by")
    serves.deploy("-e", f"version={newer}").ok()
    serve_wholly(serves, newer)

"""One deploy per stack and host at a time, and none that vanished keeps others out."""

from __future__ import annotations

import time

import pytest
from counter import Counter
from e2e import lab
from e2e.whole import look, until_whole

pytestmark = pytest.mark.usefixtures("production")

ROLL = "Exchange the services that changed and wait until they are healthy"
FETCH = "Pull the images by digest"
LIMIT = 15  # seconds without a beat after which a lease has expired
# What going back takes on a busy machine.
SLACK = 45


def play(stack: Counter, version: str, *extra: str) -> lab.Playing:
    """Begin a deploy to all hosts."""
    options = ("-e", f"version={version}", "-e", f"deploy_lease_limit={LIMIT}", *extra)
    return lab.Playing("deploy.yml", "-l", stack.environment, *stack.arguments(*options))


@pytest.fixture
def serves_v1(deployed: Counter) -> Counter:
    """The stack in v1 on both hosts, whatever a test before left."""
    play(deployed, "v1", "-e", f"wait={LIMIT + SLACK}").end().ok()
    return deployed


def test_of_two_deploys_the_second_leaves_with_the_owners_name(serves_v1: Counter) -> None:
    first = play(serves_v1, "v2", "-e", "deploy_lease_limit=60").until(ROLL)
    with first.suspended():
        second = play(serves_v1, "v3")
        looking = play(serves_v1, "v3", "--check")
        run = second.end().failed("counter is being changed by", "deploy of v2", "-e wait=SECONDS")
        assert run.changed(*serves_v1.hosts) == [0, 0]
        looking.end().ok()
    first.end().ok()
    assert [look(host).version for host in serves_v1.hosts] == ["v2", "v2"]
    assert [look(host).wrong for host in serves_v1.hosts] == [[], []]


def test_the_second_of_two_deploys_can_wait(serves_v1: Counter) -> None:
    first = play(serves_v1, "v2").until(ROLL)
    second = play(serves_v1, "v3", "-e", "wait=120")
    first.end().ok()
    second.end().ok()
    assert [look(host).version for host in serves_v1.hosts] == ["v3", "v3"]
    assert [look(host).wrong for host in serves_v1.hosts] == [[], []]


def test_hosts_whose_deploy_is_killed_go_back_by_themselves(serves_v1: Counter) -> None:
    before = [look(host) for host in serves_v1.hosts]
    first = play(serves_v1, "v2").until(ROLL)
    time.sleep(1)
    first.kill()
    struck = time.monotonic()
    assert any(look(host).wrong for host in serves_v1.hosts), "it was killed too late to tell"
    seen = [until_whole(host, LIMIT + SLACK) for host in serves_v1.hosts]
    assert [host.wrong for host in seen] == [[], []]
    assert [host.release for host in seen] == [host.release for host in before]
    assert time.monotonic() - struck < LIMIT + SLACK
    serves_v1.deploy("-e", "version=v2").ok()
    assert [look(host).version for host in serves_v1.hosts] == ["v2", "v2"]


def test_a_dead_owners_lease_is_taken_over(serves_v1: Counter) -> None:
    play(serves_v1, "v2").until(FETCH).kill()
    serves_v1.deploy("-e", "version=v3").failed("is being changed by")
    started = time.monotonic()
    play(serves_v1, "v3", "-e", f"wait={LIMIT + SLACK}").end().ok()
    assert time.monotonic() - started < LIMIT + SLACK
    assert [look(host).version for host in serves_v1.hosts] == ["v3", "v3"]
    assert [look(host).wrong for host in serves_v1.hosts] == [[], []]

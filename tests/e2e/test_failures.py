"""A release that fails: its host and all others serve the old one, and no secret shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from counter import Counter
from e2e import lab

pytestmark = pytest.mark.usefixtures("production")


@pytest.fixture
def serves_v1(deployed: Counter) -> Iterator[Counter]:
    """The stack in v1; afterwards v1 serves everywhere and nothing of the failed one is left."""
    deployed.serve("v1")
    before = [lab.manifest(host, "counter") for host in deployed.hosts]
    redis = [lab.containers(host, "counter")["redis"] for host in deployed.hosts]
    yield deployed
    for number, host in enumerate(deployed.hosts):
        assert lab.manifest(host, "counter") == before[number]
        assert deployed.answer(host)["version"] == "v1"
        assert lab.containers(host, "counter")["redis"] == redis[number]
        releases = lab.ssh(
            host,
            "for r in /opt/maestro/counter/releases/*; do test -e $r/release.json || echo $r; done",
        )
        assert releases == "", "a failed release stayed behind"


@pytest.fixture(scope="module", autouse=True)
def settled(deployed: Counter) -> Iterator[None]:
    """After all the failures a deploy has nothing to do."""
    yield
    with deployed.alone():
        assert deployed.deploy().ok().changed(*deployed.hosts) == [0, 0]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("unhealthy-1", ["service web: is unhealthy", "last lines of web", "starting with token"]),
        ("crash-1", ["service web: ", "last lines of web", "starting with token"]),
        ("badsmoke-1", ["1 of 3 smoke checks failed", "the counter answers", "'nonsense'"]),
        (
            "badmigration-1",
            [
                "the migration migrate failed with exit code 3",
                "cannot alter",
                "no service was replaced",
            ],
        ),
    ],
)
@pytest.mark.requirement("T3.2", "C7")
def test_a_broken_version_is_put_back(serves_v1: Counter, version: str, words: list[str]) -> None:
    host = serves_v1.hosts[0]
    before = lab.containers(host, "counter")
    run = serves_v1.deploy("-e", f"version={version}", "-vvv", "--diff", limit=host)
    run.failed(*words, "is running")
    if "no service was replaced" in words:
        assert lab.containers(host, "counter") == before
    assert serves_v1.token not in run.out
    assert "***" in run.out or "[redacted" in run.out.lower()


def test_one_failing_host_keeps_the_others_on_the_old_release(serves_v1: Counter) -> None:
    one, other = serves_v1.hosts
    before = lab.containers(one, "counter")
    lab.ssh(other, "iptables -I OUTPUT -p tcp --dport 5000 -j REJECT")
    try:
        # No other test deploys this one, so the host has to ask for its image.
        run = serves_v1.deploy("-e", "version=v4").failed(other, "cannot be pulled")
        assert run.out.count("cannot be pulled") == 1, "an error is said once"
        assert "held back" not in run.out, "the other host did nothing wrong"
    finally:
        lab.ssh(other, "iptables -D OUTPUT -p tcp --dport 5000 -j REJECT")
    assert lab.containers(one, "counter") == before

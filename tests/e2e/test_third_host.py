"""Three hosts, the third fails its gate: all three end on the old release."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from e2e import lab
from relay import REMOVE, Relay

THIRD = "production-1"
HOSTS = (*lab.STAGING, THIRD)
# Two levels below the checkout, as every inventory: variables are found from there.
INVENTORY = lab.PROJECT / ".cache" / "three_hosts" / "hosts.yml"


@pytest.fixture
def three(relay: Relay) -> Iterator[Relay]:
    """The stack in v1 on three hosts of one environment; the third has it no more afterwards."""
    known = yaml.safe_load((lab.PROJECT / "inventories/staging/hosts.yml").read_text())
    ways = known["staging"]["hosts"]
    ways[THIRD] = dict(ways["staging-1"])
    INVENTORY.parent.mkdir(parents=True, exist_ok=True)
    INVENTORY.write_text(yaml.safe_dump(known))
    lab.ssh(THIRD, REMOVE)
    lab.playbook("-i", str(INVENTORY), "playbooks/provision.yml", "-l", THIRD).ok()
    play(relay, "v1").ok()
    yield relay
    remove(relay)


def play(relay: Relay, version: str) -> lab.Run:
    """Deploy a version to all three."""
    return relay.deploy(version, "-i", str(INVENTORY))


def remove(relay: Relay) -> None:
    """Take the stack off the third host and the other two back to v1."""
    lab.ssh(THIRD, REMOVE)
    relay.deploy("v1").ok()


def containers(host: str) -> set[str]:
    """The stack's containers on a host."""
    listed = "docker ps -aq --no-trunc --filter label=com.docker.compose.project=relay"
    return set(lab.ssh(host, listed).split())


@pytest.mark.long
@pytest.mark.usefixtures("production")
@pytest.mark.requirement("T3.2")
def test_all_go_back_when_the_third_fails_its_gate(three: Relay) -> None:
    before = {host: lab.manifest(host, "relay")["id"] for host in HOSTS}
    run = play(three, f"sick-{THIRD}").failed(THIRD, "service web: ", "is unhealthy")
    assert "last lines of web" in run.out
    assert "the health check will not pass" in run.out, "the container's own words"
    assert run.recap[THIRD]["failed"] == 1
    for host in HOSTS:
        assert lab.manifest(host, "relay")["id"] == before[host]
        assert f"release {before[host]} is running" in run.out
        for container in containers(host):
            state = lab.inspect(host, container)
            assert state["State"]["Health"]["Status"] == "healthy"
            assert "sick" not in json.dumps(state["Config"]["Env"])
        answered = lab.ssh(
            host, "curl -fsS -o /dev/null -D - -H 'Host: relay.test' http://127.0.0.1/health"
        )
        assert "x-version: v1" in answered.lower()
    assert play(three, "").ok().changed(*HOSTS) == [0, 0, 0]

"""Going back by hand: the whole release, from what the hosts keep, with the registry off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from counter import Counter, write_secret
from e2e import lab

pytestmark = pytest.mark.usefixtures("production")

PLAYBOOK = "playbooks/rollback.yml"


def rollback(stack: Counter, *extra: str) -> lab.Run:
    """Run rollback.yml for the stack, with no way to its files, its secrets or a registry."""
    without = {
        **stack.variables(),
        "maestro_stacks_dir": "/nonexistent",
        "maestro_secrets": {"source": "directory", "path": "/nonexistent"},
    }
    return stack.play(PLAYBOOK, "-e", "stack=counter", "-e", json.dumps(without), *extra)


@contextmanager
def without_registry(hosts: Iterable[str]) -> Iterator[None]:
    """No host reaches the registry meanwhile."""
    for host in hosts:
        lab.ssh(host, "cp /etc/hosts /etc/hosts.before; sed 's/.* registry.test/192.0.2.1 "
                      "registry.test/' /etc/hosts.before >/etc/hosts")  # fmt: skip
    try:
        yield
    finally:
        for host in hosts:
            lab.ssh(host, "cat /etc/hosts.before >/etc/hosts; rm /etc/hosts.before")


@pytest.fixture
def second(deployed: Counter) -> Counter:
    """Version v2 over v1."""
    deployed.serve("v1", "v2")
    return deployed


def releases(host: str) -> list[str]:
    return lab.ssh(host, "ls /opt/maestro/counter/releases").split()


@pytest.mark.usefixtures("measured")
def test_the_release_before_comes_back(second: Counter) -> None:
    before = {host: lab.containers(host, "counter") for host in second.hosts}
    serving = {host: lab.manifest(host, "counter") for host in second.hosts}
    kept = {host: releases(host) for host in second.hosts}
    with without_registry(second.hosts):
        run = rollback(second).ok()
        assert "v2 -> v1" in run.out
        for host in second.hosts:
            after = lab.containers(host, "counter")
            assert after["redis"] == before[host]["redis"]
            assert after["web"] != before[host]["web"]
            assert second.answer(host)["version"] == "v1"
            now = lab.manifest(host, "counter")
            assert now["id"] == serving[host]["previous"]
            running = lab.inspect(host, after["web"])["Config"]["Image"]
            assert running == now["services"]["web"]["image"]
            assert releases(host) == kept[host], "both releases stay"
        to = next(iter({lab.manifest(host, "counter")["id"] for host in second.hosts}))
        footprints = [lab.footprint(host, "counter") for host in second.hosts]
        again = rollback(second, "-e", f"to={to}").ok()
        assert again.changed(*second.hosts) == [0, 0]
        assert [lab.footprint(host, "counter") for host in second.hosts] == footprints
    kept_version = second.deploy().ok()
    assert kept_version.changed(*second.hosts) == [0, 0], "a deploy keeps what was gone back to"


def test_check_shows_the_way_back_and_changes_nothing(second: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in second.hosts]
    run = rollback(second, "--check", "--diff").ok()
    assert run.changed(*second.hosts) == [1, 1]
    assert re.search(r"back to\s+release \d{8}T", run.out)
    assert re.search(r"replace\s+web\s+image v2", run.out)
    assert [lab.footprint(host, "counter") for host in second.hosts] == before


def test_a_rollback_that_fails_leaves_what_served(second: Counter) -> None:
    """The old release's own smoke check fails now: the bad release is better than none."""
    one = second.hosts[0]
    before = {host: lab.manifest(host, "counter")["id"] for host in second.hosts}
    target = lab.manifest(one, "counter")["previous"]
    spoil = (
        "import json,pathlib,sys; p=pathlib.Path(sys.argv[1]); d=json.loads(p.read_text()); "
        "d['smoke'][0]['http']['path']='/token'; p.write_text(json.dumps(d))"
    )
    path = f"/opt/maestro/counter/releases/{target}/release.json"
    lab.ssh(one, f'cp {path} {path}.before; python3 -c "{spoil}" {path}')
    try:
        run = rollback(second).failed(one, "the counter answers")
        assert f"release {before[one]} is running" in run.out
        for host in second.hosts:
            assert lab.manifest(host, "counter")["id"] == before[host]
            assert second.answer(host)["version"] == "v2"
            assert target in releases(host), "the release can still be gone back to"
    finally:
        lab.ssh(one, f"mv {path}.before {path}")


def test_an_image_that_is_gone_keeps_all_hosts_from_going_back(second: Counter) -> None:
    one, two = second.hosts
    target = lab.manifest(two, "counter")["previous"]
    path = f"/opt/maestro/counter/releases/{target}/release.json"
    image = json.loads(lab.ssh(two, f"cat {path}"))["services"]["web"]["image"]
    before = [lab.footprint(one, "counter")]
    lab.ssh(two, f"docker image rm {image}")
    rollback(second).failed(two, "no longer on the host", image)
    assert [lab.footprint(one, "counter")] == before
    # A deploy brings the image back.
    second.deploy("-e", "version=v1").ok()


def test_the_status_tells_what_was_changed_by_hand(deployed: Counter) -> None:
    one, two = deployed.hosts
    words = ["-e", "stack=counter"]
    clean = deployed.play("playbooks/status.yml", *words).ok()
    assert len(re.findall(r" yes$", clean.out, re.MULTILINE)) == 4
    web = lab.containers(one, "counter")["web"]
    lab.ssh(one, f"docker update --memory 96m --memory-swap 96m {web}")
    redis = lab.containers(two, "counter")["redis"]
    lab.ssh(two, f"docker stop -t 1 {redis}; docker run -d --name stray "
            "--label com.docker.compose.project=counter --label com.docker.compose.service=stray "
            f"$(docker inspect -f {{{{.Image}}}} {redis}) sleep 99")  # fmt: skip
    try:
        run = deployed.play("playbooks/status.yml", *words).ok()
        assert run.changed(*deployed.hosts) == [0, 0]
        assert re.search(rf"{one} +web .*no: memory limit 96 MiB instead of 64 MiB", run.out)
        assert re.search(rf"{two} +redis .*no: stopped", run.out)
        assert re.search(rf"{two} +stray .*no: orphan", run.out)
    finally:
        lab.ssh(one, f"docker update --memory 64m --memory-swap 128m {web}")
        lab.ssh(two, f"docker rm -f stray; docker start {redis}")


# What follows needs one host.


def test_a_release_is_asked_for_by_its_id(deployed: Counter) -> None:
    second = deployed.on(deployed.hosts[0])
    second.serve("v1", "v2")
    one = second.only
    newest = lab.manifest(one, "counter")["id"]
    rollback(second).ok()
    forward = rollback(second, "-e", f"to={newest}").ok()
    assert "v1 -> v2" in forward.out
    assert second.answer(one)["version"] == "v2"
    refused = rollback(second, "-e", "to=nonsense").failed("release nonsense is not there")
    assert "this host can roll back to:" in refused.out
    assert second.answer(one)["version"] == "v2"


def test_a_value_comes_back_with_its_release(deployed: Counter) -> None:
    one = deployed.on(deployed.hosts[0])
    token = deployed.token_file
    write_secret(token, "the-second-value-of-this-test")
    try:
        one.deploy().ok()
        rollback(one).ok()
        same = one.answer(one.only, "/token", "-H", f"X-Token: {deployed.token}")
        assert same == {"same": True}
    finally:
        write_secret(token, deployed.token)
        one.deploy("-e", "version=v1").ok()


@pytest.mark.usefixtures("measured")
def test_history_and_removal_of_a_stack(deployed: Counter) -> None:
    one = deployed.on(deployed.hosts[0])
    host = one.only
    words = ["-l", host, "-e", "stack=counter"]
    run = lab.playbook("playbooks/remove.yml", *words, env=lab.APPROVED)
    run.failed("production needs an approval")
    before = lab.footprint(host, "counter")
    plan = one.play("playbooks/remove.yml", *one.arguments("--check")).ok()
    assert plan.changed(host) == [0]
    assert re.search(r"keep +volume counter_redis-data \(.*-e volumes=counter_redis-data", plan.out)
    assert lab.footprint(host, "counter") == before
    other = ["-e", "approved_plan=000000000000"]
    one.play("playbooks/remove.yml", *one.arguments(*other)).failed("the approval is for plan")
    assert lab.footprint(host, "counter") == before
    assert one.play("playbooks/remove.yml", *one.arguments()).ok().changed(host) == [1]
    assert lab.containers(host, "counter") == {}
    assert "counter_redis-data" in lab.ssh(host, "docker volume ls -q")
    assert one.play("playbooks/remove.yml", *one.arguments()).ok().changed(host) == [0]
    shown = lab.playbook("playbooks/history.yml", *words, "-e", "last=9").ok()
    assert shown.changed(host) == [0]
    assert re.search(r"counter +removal +refused .*\n +production needs an approval", shown.out)
    assert re.search(r"counter +removal +refused .*\n +-e approved_plan: ", shown.out)
    assert re.search(r"counter +removal +done +\S+( \(\S+\))? +tests +[0-9a-f]{12}", shown.out)
    assert deployed.token not in shown.out

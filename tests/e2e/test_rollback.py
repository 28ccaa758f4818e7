"""Going back by hand: the whole release, from what the hosts keep, with the registry off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from counter import Counter, write_secret
from e2e import lab

PLAYBOOK = "playbooks/rollback.yml"


def rollback(stack: Counter, *extra: str, limit: str = "staging") -> lab.Run:
    """Run rollback.yml for the stack, with no way to its files, its secrets or a registry."""
    words = ["-e", "stack=counter", "-e", "maestro_stacks_dir=/nonexistent"]
    sources = json.dumps({"maestro_secrets": {"source": "directory", "path": "/nonexistent"}})
    return lab.playbook(PLAYBOOK, "-l", limit, *words, "-e", sources, *extra)


@contextmanager
def without_registry() -> Iterator[None]:
    """No host reaches the registry meanwhile."""
    for host in lab.STAGING:
        lab.ssh(host, "cp /etc/hosts /etc/hosts.before; sed 's/.* registry.test/192.0.2.1 "
                      "registry.test/' /etc/hosts.before >/etc/hosts")  # fmt: skip
    try:
        yield
    finally:
        for host in lab.STAGING:
            lab.ssh(host, "cat /etc/hosts.before >/etc/hosts; rm /etc/hosts.before")


@pytest.fixture
def second(deployed: Counter) -> Iterator[Counter]:
    """Version v2 over v1, and v1 again afterwards."""
    deployed.deploy("-e", "version=v1").ok()
    deployed.deploy("-e", "version=v2").ok()
    yield deployed
    deployed.deploy("-e", "version=v1").ok()


def releases(host: str) -> list[str]:
    return lab.ssh(host, "ls /opt/maestro/counter/releases").split()


def test_the_release_before_comes_back(second: Counter) -> None:
    before = {host: lab.containers(host, "counter") for host in lab.STAGING}
    serving = {host: lab.manifest(host, "counter") for host in lab.STAGING}
    kept = {host: releases(host) for host in lab.STAGING}
    with without_registry():
        run = rollback(second).ok()
        assert "v2 -> v1" in run.out
        for host in lab.STAGING:
            after = lab.containers(host, "counter")
            assert after["redis"] == before[host]["redis"]
            assert after["web"] != before[host]["web"]
            assert second.answer(host)["version"] == "v1"
            now = lab.manifest(host, "counter")
            assert now["id"] == serving[host]["previous"]
            running = lab.inspect(host, after["web"])["Config"]["Image"]
            assert running == now["services"]["web"]["image"]
            assert releases(host) == kept[host], "both releases stay"
        to = next(iter({lab.manifest(host, "counter")["id"] for host in lab.STAGING}))
        footprints = [lab.footprint(host, "counter") for host in lab.STAGING]
        again = rollback(second, "-e", f"to={to}").ok()
        assert again.changed(*lab.STAGING) == [0, 0]
        assert [lab.footprint(host, "counter") for host in lab.STAGING] == footprints
    kept_version = second.deploy().ok()
    assert kept_version.changed(*lab.STAGING) == [0, 0], "a deploy keeps what was gone back to"


def test_a_release_is_asked_for_by_its_id(second: Counter) -> None:
    newest = lab.manifest("staging-1", "counter")["id"]
    rollback(second).ok()
    forward = rollback(second, "-e", f"to={newest}").ok()
    assert "v1 -> v2" in forward.out
    assert [second.answer(host)["version"] for host in lab.STAGING] == ["v2", "v2"]
    refused = rollback(second, "-e", "to=nonsense").failed("release nonsense is not there")
    assert "this host can go back to:" in refused.out
    assert second.answer("staging-1")["version"] == "v2"


def test_check_shows_the_way_back_and_changes_nothing(second: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in lab.STAGING]
    run = rollback(second, "--check", "--diff").ok()
    assert run.changed(*lab.STAGING) == [1, 1]
    assert re.search(r"back to\s+release \d{8}T", run.out)
    assert re.search(r"replace\s+web\s+image v2", run.out)
    assert [lab.footprint(host, "counter") for host in lab.STAGING] == before


def test_a_rollback_that_fails_leaves_what_served(second: Counter) -> None:
    """The old release's own smoke check fails now: the bad release is better than none."""
    before = {host: lab.manifest(host, "counter")["id"] for host in lab.STAGING}
    target = lab.manifest("staging-1", "counter")["previous"]
    spoil = (
        "import json,pathlib,sys; p=pathlib.Path(sys.argv[1]); d=json.loads(p.read_text()); "
        "d['smoke'][0]['http']['path']='/token'; p.write_text(json.dumps(d))"
    )
    path = f"/opt/maestro/counter/releases/{target}/release.json"
    lab.ssh("staging-1", f'cp {path} {path}.before; python3 -c "{spoil}" {path}')
    try:
        run = rollback(second).failed("staging-1", "the counter answers")
        assert f"release {before['staging-1']} serves" in run.out
        for host in lab.STAGING:
            assert lab.manifest(host, "counter")["id"] == before[host]
            assert second.answer(host)["version"] == "v2"
            assert target in releases(host), "the release can still be gone back to"
    finally:
        lab.ssh("staging-1", f"mv {path}.before {path}")


def test_a_value_comes_back_with_its_release(deployed: Counter) -> None:
    token = deployed.secrets / "staging" / "counter" / "app_token"
    write_secret(token, "the-second-value-of-this-test")
    try:
        deployed.deploy().ok()
        rollback(deployed).ok()
        for host in lab.STAGING:
            same = deployed.answer(host, "/token", "-H", f"X-Token: {deployed.token}")
            assert same == {"same": True}
    finally:
        write_secret(token, deployed.token)
        deployed.deploy("-e", "version=v1").ok()


def test_an_image_that_is_gone_keeps_all_hosts_from_going_back(second: Counter) -> None:
    target = lab.manifest("staging-2", "counter")["previous"]
    path = f"/opt/maestro/counter/releases/{target}/release.json"
    image = json.loads(lab.ssh("staging-2", f"cat {path}"))["services"]["web"]["image"]
    before = [lab.footprint("staging-1", "counter")]
    lab.ssh("staging-2", f"docker image rm {image}")
    rollback(second).failed("staging-2", "not on the host any more", image)
    assert [lab.footprint("staging-1", "counter")] == before
    # A deploy brings the image back.
    second.deploy("-e", "version=v1").ok()


def test_the_status_tells_what_was_changed_by_hand(deployed: Counter) -> None:
    words = ["-e", "stack=counter"]
    clean = lab.playbook("playbooks/status.yml", "-l", "staging", *words).ok()
    assert len(re.findall(r" yes$", clean.out, re.MULTILINE)) == 4
    web = lab.containers("staging-1", "counter")["web"]
    lab.ssh("staging-1", f"docker update --memory 96m --memory-swap 96m {web}")
    redis = lab.containers("staging-2", "counter")["redis"]
    lab.ssh("staging-2", f"docker stop -t 1 {redis}; docker run -d --name stray "
            "--label com.docker.compose.project=counter --label com.docker.compose.service=stray "
            f"$(docker inspect -f {{{{.Image}}}} {redis}) sleep 99")  # fmt: skip
    try:
        run = lab.playbook("playbooks/status.yml", "-l", "staging", *words).ok()
        assert run.changed(*lab.STAGING) == [0, 0]
        assert re.search(r"staging-1 +web .*no: memory limit 96 MiB instead of 64 MiB", run.out)
        assert re.search(r"staging-2 +redis .*no: stopped", run.out)
        assert re.search(r"staging-2 +stray .*no: orphan", run.out)
    finally:
        lab.ssh("staging-1", f"docker update --memory 64m --memory-swap 128m {web}")
        lab.ssh("staging-2", f"docker rm -f stray; docker start {redis}")

"""A host whose Engine gives containers users of their own (`docker_engine_userns_remap`).

The second of the hosts for such tests is provisioned so; every other test there shows that stacks
work as elsewhere. Here is what only such a host does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError

READS = "cat /run/secrets/key /own.conf > /tmp/w/index.html && stat -c %a:%u:%g /run/secrets/key"
SERVICE: dict[str, Any] = {
    "image": IMAGE,
    "init": True,
    "user": "1000:1000",
    "command": ["sh", "-c", f"mkdir /tmp/w && {READS} && exec busybox httpd -f -p 8000 -h /tmp/w"],
    "stop_grace_period": "1s",
    "secrets": ["key"],
    "configs": [{"source": "own", "target": "/own.conf", "mode": 0o400}],
    "healthcheck": {"test": ["CMD", "test", "-s", "/tmp/w/index.html"], "interval": "1s"},
}
# In the host's user namespace: what every container is in elsewhere.
OPEN = {**SERVICE, "userns_mode": "host"}
ALLOW = [{"rule": "userns-host", "service": "open", "reason": "to see what the others do not show"}]


def stack(**services: dict[str, Any]) -> dict[str, Any]:
    return {
        "services": services,
        "secrets": {"key": {"file": "./key"}},
        "configs": {"own": {"file": "./own.conf"}},
        "x-maestro": {
            "routes": [{"service": "web", "host": "users.test", "port": 8000}],
            **({"allow": ALLOW} if "open" in services else {}),
        },
    }


@pytest.fixture
def ann(direct: Direct) -> Iterator[str]:
    """An account of the host with the uid of the services; answers what becomes it."""
    lab.ssh(direct.host, "groupadd -g 1000 ann; useradd -M -u 1000 -g 1000 -s /bin/sh ann")
    yield "setpriv --reuid 1000 --regid 1000 --clear-groups"
    lab.ssh(direct.host, "userdel ann")


def owners(direct: Direct) -> set[str]:
    """Whose the stack's secrets and configs are on the host."""
    paths = "/opt/maestro/users/secrets/*/*/* /opt/maestro/users/configs/*/*"
    return set(lab.ssh(direct.host, f"stat -c %u:%g {paths}").split())


def test_no_account_of_the_host_reads_what_a_service_of_its_uid_reads(
    direct: Direct, ann: str
) -> None:
    engine = lab.ssh(direct.host, "docker info --format '{{.SecurityOptions}}'")
    assert "name=userns" in engine, "provision the host with docker_engine_userns_remap: true"
    first = int(lab.ssh(direct.host, "sed -n 's/^dockremap:\\([0-9]*\\):.*/\\1/p' /etc/subuid"))
    theirs = f"{first + 1000}:{first + 1000}"
    direct.values["key"] = "one\n"
    direct.write("users", stack(web=SERVICE, open=OPEN), own__conf="first\n")
    plan = direct.plan("users")
    assert plan.count("the account ann of the host has the uid 1000") == 1
    assert direct.deploy("users")
    assert not direct.deploy("users")
    assert owners(direct) == {theirs, "1000:1000"}
    served = "curl -sSk --resolve users.test:443:127.0.0.1 https://users.test/"
    assert direct.until(served) == "one\nfirst\n"
    assert "400:1000:1000" in lab.ssh(direct.host, "docker logs users-web-1")

    # The kernel lets nobody look into another user namespace; into one's own it does.
    tried = {
        service: lab.run(
            *("ssh", "-F", ".lab/ssh_config", *lab.SHARED, direct.host),
            f"{ann} cat /proc/{container['State']['Pid']}/root/run/secrets/key "
            f"|| {ann} ls /opt/maestro/users",
        )
        for service in ("web", "open")
        for container in [direct.container("users", service)]
    }
    assert tried["open"].ok().out == "one\n", "this way in is what the test is about"
    assert tried["web"].rc != 0
    assert tried["web"].out.count("Permission denied") == 2

    direct.write("users", stack(web=SERVICE), own__conf="first\n")
    assert "ann" not in direct.plan("users")
    direct.values["key"] = "two\n"
    assert direct.deploy("users")
    assert owners(direct) == {theirs, "1000:1000"}
    assert direct.until(served) == "two\nfirst\n"
    assert direct.rollback("users")
    assert direct.until(served) == "one\nfirst\n"


def test_what_such_an_engine_does_not_start_is_refused_in_the_plan(direct: Direct) -> None:
    direct.values["key"] = "one\n"
    direct.write("users", stack(web={**SERVICE, "pid": "host"}), own__conf="first\n")
    before = owners(direct)
    # A release of before the Engine was switched, which finds other data now.
    current = "/opt/maestro/users/current/release.json"
    lab.ssh(
        direct.host,
        f"cp -p {current} /root/; python3 -c 'import json, pathlib; "
        f'path = pathlib.Path("{current}"); release = json.loads(path.read_text()); '
        'release["userns"] = {}; path.write_text(json.dumps(release))\'',
    )
    direct.environment = "development"
    try:
        with pytest.raises(MaestroError) as refused:
            direct.deploy("users")
    finally:
        direct.environment = "staging"
        lab.ssh(direct.host, f"cp -p /root/release.json $(readlink -f {current})")
    assert "the service web has `pid: host`, which this host's Engine refuses" in str(refused.value)
    assert "was deployed without user namespaces" in str(refused.value)
    assert owners(direct) == before

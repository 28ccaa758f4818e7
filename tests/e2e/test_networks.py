"""Networks, namespaces and addresses of small stacks, on hosts of the tests' own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError

MTU = "com.docker.network.driver.mtu"
NO_BRIDGE = "com.docker.network.bridge.inhibit_ipv4"  # the host itself is not in the network then
PAGE = ["busybox", "httpd", "-f", "-p", "8000", "-h", "/etc"]
SLEEP = {"image": IMAGE, "command": ["sleep", "inf"], "init": True, "stop_grace_period": "1s"}
WEB = SLEEP | {"command": PAGE}
SICK = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 1}}


def network(direct: Direct, name: str) -> dict[str, Any]:
    """`docker network inspect` of one network; empty where there is none."""
    found = lab.ssh(direct.host, f"docker network inspect {name} 2>/dev/null || true")
    inspected: list[dict[str, Any]] = json.loads(found or "[]")
    return inspected[0] if inspected else {}


def stack(definition: dict[str, Any], **services: dict[str, Any]) -> dict[str, Any]:
    web = WEB | {"networks": ["back"]}
    db = SLEEP | {"networks": ["back", "default"]}
    return {
        "services": {"db": db, "web": web, "alone": SLEEP, **services},
        "networks": {"back": definition},
    }


@pytest.mark.both_composes
def test_a_changed_network_is_made_anew_and_goes_back_whole(direct: Direct) -> None:
    direct.write("nets", stack({}))
    assert direct.deploy("nets")
    alone = direct.container("nets", "alone")["Id"]
    assert not network(direct, "nets_back")["Internal"]

    changed = {
        "internal": True,
        "labels": {"a": "b"},
        "driver_opts": {MTU: "1400"},
    }
    direct.write("nets", stack(changed, web=WEB | SICK | {"networks": ["back"]}))
    shown = direct.plan("nets", "v2")
    assert (
        f"network   nets_back is recreated (internal; driver_opts {MTU}; labels a): replaces "
        "db, web"
    ) in shown
    with pytest.raises(MaestroError, match="web"):
        direct.deploy("nets", "v2")
    assert not network(direct, "nets_back")["Internal"]
    direct.write("nets", stack({}))
    assert not direct.deploy("nets")

    # A migration runs on the network as it is, for what serves is still on it.
    direct.write(
        "nets",
        stack(changed, migrate=WEB | {"command": ["true"], "networks": ["back"]})
        | {"x-maestro": {"migrations": [{"service": "migrate"}]}},
    )
    assert direct.deploy("nets", "v2")
    found = network(direct, "nets_back")
    assert found["Internal"]
    assert len(found["Containers"]) == 2
    direct.write("nets", stack(changed))
    direct.deploy("nets", "v2")
    assert not direct.deploy("nets", "v2")
    assert direct.container("nets", "alone")["Id"] == alone

    assert direct.rollback("nets")
    assert not network(direct, "nets_back")["Internal"]
    assert len(network(direct, "nets_back")["Containers"]) == 2


def lent(number: str = "1", **app: Any) -> dict[str, Any]:
    """A tunnel that others live in, and one that wants to be restarted with it."""
    alive = {"test": ["CMD", "busybox", "wget", "-qO-", "http://vpn:8000/hostname"]}
    return {
        "services": {
            "vpn": SLEEP | {"environment": {"NUMBER": number}},
            "app": WEB | {"network_mode": "service:vpn", **app},
            "probe": SLEEP
            | {"network_mode": "service:vpn", "healthcheck": alive | {"interval": "1s"}},
            "debug": SLEEP | {"pid": "service:probe"},
            "watcher": SLEEP
            | {"depends_on": {"vpn": {"condition": "service_started", "restart": True}}},
        },
        "x-maestro": {
            "routes": [{"service": "app", "port": 8000, "path": "/hostname"}],
            "smoke": [{"http": {"service": "app", "port": 8000, "path": "/hostname"}}],
        },
    }


def holds(direct: Direct, name: str, owner: str, service: str, mode: str) -> bool:
    """Whether a service lives in the running container of its owner."""
    mine, theirs = (direct.container(name, item) for item in (service, owner))
    return bool(
        mine["State"]["Running"]
        and mine["HostConfig"][mode] == f"container:{theirs['Id']}"
        and mine["State"]["StartedAt"] > theirs["State"]["StartedAt"]
    )


def whole(direct: Direct, name: str) -> bool:
    return (
        holds(direct, name, "vpn", "app", "NetworkMode")
        and holds(direct, name, "vpn", "probe", "NetworkMode")
        and holds(direct, name, "probe", "debug", "PidMode")
        and bool(lab.ssh(direct.host, "curl -sfk https://127.0.0.1/hostname", check=False))
    )


@pytest.mark.both_composes
def test_who_lives_in_another_container_follows_it(direct: Direct) -> None:
    direct.write("lent", lent())
    assert direct.deploy("lent")
    assert whole(direct, "lent")
    assert not direct.deploy("lent")
    watcher = direct.container("lent", "watcher")

    direct.write("lent", lent("2"))
    shown = direct.plan("lent", "v2")
    assert "replace   app  shares with vpn, which is replaced\n" in shown
    assert "replace   debug  shares with probe, which is replaced\n" in shown
    assert "restart   watcher  with vpn, which is replaced\n" in shown
    assert "warning   requests to app fail while vpn is replaced" in shown
    assert direct.deploy("lent", "v2")
    assert whole(direct, "lent")
    later = direct.container("lent", "watcher")
    assert later["Id"] == watcher["Id"]
    assert later["State"]["StartedAt"] > watcher["State"]["StartedAt"]
    assert not direct.deploy("lent", "v2")

    direct.write("lent", lent("3", **SICK))
    with pytest.raises(MaestroError, match="service app"):
        direct.deploy("lent", "v3")
    assert whole(direct, "lent")

    # What the Engine starts again has another network, and its borrowers the old one: until the
    # host's agent sees it, or a deploy where no agent runs.
    direct.write("lent", lent("2"))
    again = f"docker restart -t 1 {direct.container('lent', 'vpn')['Id']}"
    lab.ssh(direct.host, f"systemctl stop maestro-agent; {again}")
    assert "holds the network vpn had before a restart" in direct.plan("lent", "v2")
    assert direct.deploy("lent", "v2")
    assert whole(direct, "lent")
    lab.ssh(direct.host, f"systemctl start maestro-agent; {again}")
    deadline = time.monotonic() + 20
    while not whole(direct, "lent"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert not direct.deploy("lent", "v2")
    assert direct.rollback("lent")
    assert whole(direct, "lent")


def fixed(name: str, subnet: str = "10.78.0.0/24") -> dict[str, Any]:
    """A service at a fixed address of a network, both called like this."""
    return {
        "services": {name: WEB | {"networks": {name: {"ipv4_address": "10.78.0.9"}}}},
        "networks": {name: {"ipam": {"config": [{"subnet": subnet}]}}},
    }


def test_a_fixed_address_goes_on_to_another_service_and_network(direct: Direct) -> None:
    direct.write("fixed", fixed("one"))
    assert direct.deploy("fixed")
    both = fixed("one")
    both["services"] = {"two": both["services"]["one"]}
    direct.write("fixed", both)
    assert direct.deploy("fixed", "v2")
    direct.write("fixed", fixed("two"))
    assert "fixed_one is removed (fixed_two needs its addresses)" in direct.plan("fixed", "v3")
    assert direct.deploy("fixed", "v3")
    assert not network(direct, "fixed_one")
    assert direct.rollback("fixed")
    assert len(network(direct, "fixed_one")["Containers"]) == 1
    assert not network(direct, "fixed_two")


def refused(direct: Direct, name: str, version: str = "v1") -> str:
    with pytest.raises(MaestroError) as problem:
        direct.decide(name, version)
    return str(problem.value)


def test_what_a_host_lacks_or_has_otherwise_is_told_in_the_plan(direct: Direct) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    mounted = SLEEP | {"volumes": ["data:/data"]}
    direct.write(
        "lacks", {"services": {"it": mounted}, "volumes": {"data": {"driver_opts": options}}}
    )
    assert direct.deploy("lacks")
    assert not direct.deploy("lacks")
    port = {"target": 8000, "published": "8055", "host_ip": "127.0.0.1"}
    direct.write(
        "lacks",
        {
            "services": {
                "it": mounted | {"networks": ["out"]},
                "web": WEB | {"ports": [port, "80:8000", "0.0.0.0:8056:8000", "[::]:8056:8000"]},
            },
            "volumes": {"data": {"driver_opts": options | {"o": "size=2m"}}},
            "networks": {"out": {"external": True, "name": "not-there"}},
        },
    )
    with direct_listener(direct.host, 8055):
        said = refused(direct, "lacks")
    assert "the external network not-there is not there" in said
    assert "docker network create not-there" in said
    assert "the volume lacks_data differs from what the file says now: driver_opts o" in said
    assert "port 127.0.0.1:8055/tcp of service web is taken by a program of the host" in said
    assert "port 80/tcp of service web is taken by the edge of this host" in said
    assert "8056" not in said


@contextlib.contextmanager
def direct_listener(host: str, port: int) -> Iterator[None]:
    """A program of the host that listens at one loopback address."""
    program = (
        "import socket,time; s=socket.create_server(('127.0.0.1', "
        f"{port}"
        ")); "
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        ["ssh", "-F", ".lab/ssh_config", "-tt", host, f'python3 -c "{program}"'],
        cwd=lab.PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stdout.readline().strip() == b"up"
        try:
            yield
        finally:
            running.terminate()


def test_requests_stay_on_the_host_and_a_network_that_answers_is_chosen(direct: Direct) -> None:
    """The first network by the alphabet leads elsewhere, the second has nobody who listens."""
    listen = "python3 -m http.server 8000 --bind $$(hostname -i | tr ' ' '\\n' | grep 10.79.3)"
    web = SLEEP | {"command": ["sh", "-c", f"exec {listen}"], "networks": ["a", "b", "c"]}
    subnets = {name: f"10.79.{number}.0/24" for number, name in enumerate("abc", start=1)}
    networks: dict[str, Any] = {
        name: {"ipam": {"config": [{"subnet": subnet}]}} for name, subnet in subnets.items()
    }
    networks["a"] |= {"driver_opts": {NO_BRIDGE: "true"}}
    networks["b"] |= {"internal": True}
    route = {"service": "web", "port": 8000}
    direct.write(
        "ways", {"services": {"web": web}, "networks": networks, "x-maestro": {"routes": [route]}}
    )
    assert direct.deploy("ways")
    file = lab.ssh(direct.host, "cat /etc/maestro/edge/dynamic/stack-ways.yml")
    assert "http://10.79.3." in file
    assert "10.79.1." not in file
    assert lab.ssh(direct.host, "curl -sfk https://127.0.0.1/etc/hostname")

    named = {"x-maestro": {"routes": [route | {"network": "b"}]}}
    direct.write("ways", {"services": {"web": web}, "networks": networks, **named})
    with pytest.raises(MaestroError, match=r"ways_b: 10\.79\.2"):
        direct.deploy("ways", "v2")
    assert lab.ssh(direct.host, "curl -sfk https://127.0.0.1/etc/hostname")
    named["x-maestro"]["routes"][0]["network"] = "a"
    direct.write("ways", {"services": {"web": web}, "networks": networks, **named})
    with pytest.raises(MaestroError, match="is not reached at ways_a"):
        direct.deploy("ways", "v2")


@pytest.mark.long
def test_how_long_requests_to_a_borrower_fail(direct: Direct) -> None:
    """Only while its owner is exchanged, and for seconds."""
    direct.write("lent", lent())
    direct.deploy("lent")
    direct.write("lent", lent("9"))
    script = (
        "for n in $(seq 3000); do date +%s.%N | tr '\\n' ' '; curl -sk -m 2 -o /dev/null "
        "-w '%{http_code}\\n' https://127.0.0.1/hostname; sleep 0.05; done"
    )
    with subprocess.Popen(
        ["ssh", "-F", ".lab/ssh_config", "-tt", direct.host, script],
        cwd=lab.PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as load:
        direct.deploy("lent", "v2")
        time.sleep(1)
        load.terminate()
        assert load.stdout
        lines = [line.split() for line in load.stdout.read().splitlines()]
        answers = [line for line in lines if len(line) == 2]
    failed = [float(at) for at, status in answers if status != "200"]
    pause = max(failed) - min(failed)
    print(f"{len(answers)} requests, {len(failed)} failed within {pause:.1f} s")
    assert answers[0][1] == answers[-1][1] == "200"
    assert pause < 15
    between = [status for at, status in answers if not min(failed) <= float(at) <= max(failed)]
    assert set(between) == {"200"}

"""Networks, namespaces and addresses of small stacks, on hosts of the tests' own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError

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
        "driver_opts": {"com.docker.network.bridge.name": "br-nets"},
    }
    direct.write("nets", stack(changed, web=WEB | SICK | {"networks": ["back"]}))
    shown = direct.plan("nets", "v2")
    assert (
        "network   nets_back is made anew (internal; driver_opts com.docker.network.bridge.name; "
        "labels a): replaces db, web"
    ) in shown
    with pytest.raises(MaestroError, match="web"):
        direct.deploy("nets", "v2")
    assert not network(direct, "nets_back")["Internal"]
    direct.write("nets", stack({}))
    assert not direct.deploy("nets")

    direct.write("nets", stack(changed))
    assert direct.deploy("nets", "v2")
    found = network(direct, "nets_back")
    assert found["Internal"]
    assert len(found["Containers"]) == 2
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
    assert mine["State"]["Running"]
    return bool(
        mine["HostConfig"][mode] == f"container:{theirs['Id']}"
        and mine["State"]["StartedAt"] > theirs["State"]["StartedAt"]
    )


def whole(direct: Direct, name: str) -> bool:
    return (
        holds(direct, name, "vpn", "app", "NetworkMode")
        and holds(direct, name, "vpn", "probe", "NetworkMode")
        and holds(direct, name, "probe", "debug", "PidMode")
        and bool(lab.ssh(direct.host, "curl -sfk https://127.0.0.1/hostname"))
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
    print(shown)
    assert "replace   app  shares with vpn, which is replaced\n" in shown
    assert "replace   debug  shares with probe, which is replaced\n" in shown
    assert "restart   watcher  with vpn, which is replaced\n" in shown
    assert "warning   requests to app fail while vpn is exchanged" in shown
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

    # What the Engine starts again has another network, and its borrowers the old one.
    direct.write("lent", lent("2"))
    lab.ssh(direct.host, f"docker restart -t 1 {direct.container('lent', 'vpn')['Id']}")
    assert "holds the network vpn had before a restart" in direct.plan("lent", "v2")
    assert direct.deploy("lent", "v2")
    assert whole(direct, "lent")
    assert direct.rollback("lent")
    assert whole(direct, "lent")

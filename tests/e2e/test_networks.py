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

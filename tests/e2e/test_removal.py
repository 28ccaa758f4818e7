"""A stack is removed: everything of it but its data; and what a failed first deploy leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.errors import MaestroError

PORT = 8000


def page(text: str = "hello", **more: Any) -> dict[str, Any]:
    serve = f"echo {text} > /tmp/page; exec busybox httpd -f -p {PORT} -h /tmp"
    return {
        "image": IMAGE,
        "command": ["sh", "-c", serve],
        "init": True,
        "stop_grace_period": "1s",
        "healthcheck": {
            "test": ["CMD", "busybox", "wget", "-qO-", f"http://127.0.0.1:{PORT}/page"],
            "interval": "1s",
            "retries": 3,
        },
        **more,
    }


def shop(name: str, **web: Any) -> dict[str, Any]:
    return {
        "services": {
            "db": page("db", volumes=["data:/data"]),
            "web": page("web", depends_on=["db"], secrets=["key"], configs=["settings"], **web),
        },
        "volumes": {"data": {}},
        "secrets": {"key": {"file": "./key"}},
        "configs": {"settings": {"content": "a: b"}},
        "x-maestro": {"routes": [{"service": "web", "port": PORT, "host": f"{name}.test"}]},
    }


def left(host: str, stack: str) -> dict[str, list[str]]:
    """What a host has of a stack, by kind."""
    label = f"--filter label=com.docker.compose.project={stack}"
    asked = {
        "containers": f"docker ps -aq {label}",
        "networks": f"docker network ls --format '{{{{.Name}}}}' {label}",
        "volumes": f"docker volume ls -q {label}",
        "files": f"ls -A /opt/maestro/{stack} 2>/dev/null",
        "routes": f"ls /etc/maestro/edge/dynamic | grep -x 'stack-{stack}.yml'",
    }
    return {kind: lab.ssh(host, command, check=False).split() for kind, command in asked.items()}


def nothing(**but: list[str]) -> dict[str, list[str]]:
    return {
        **{kind: [] for kind in ("containers", "networks", "volumes", "files", "routes")},
        **but,
    }


def answer(host: str, name: str) -> str:
    return lab.ssh(host, f"curl -sk -H 'Host: {name}.test' https://127.0.0.1/page").strip()


def test_a_removed_stack_leaves_its_data_and_its_history(direct: Direct) -> None:
    direct.values["key"] = "sentinel-of-a-removal"
    direct.write("gone", shop("gone"))
    direct.write("stays", shop("stays"))
    assert direct.deploy("gone")
    assert direct.deploy("stays")
    assert answer(direct.host, "gone") == "web"
    assert direct.take_away("gone")
    assert left(direct.host, "gone") == nothing(volumes=["gone_data"])
    assert answer(direct.host, "stays") == "web"
    assert direct.step("removal", stack="stays")["found"]["services"] == ["db", "web"]
    # The image is the other stack's as well.
    assert "gallery" in lab.ssh(direct.host, "docker images")
    assert not direct.take_away("gone")
    events = direct.step("journal", stack="gone", last=9)["events"]
    assert [(event["what"], event["result"]) for event in events] == [
        ("deploy of v1", "done"),
        ("removal", "done"),
    ]
    assert "sentinel" not in json.dumps(events)
    with pytest.raises(MaestroError, match=r"has no volume gone_dta\n  -> did you mean gone_data"):
        direct.take_away("gone", "gone_dta")
    assert direct.take_away("gone", "gone_data")
    assert left(direct.host, "gone") == nothing()


def test_a_stack_whose_record_is_lost_is_removed_as_well(direct: Direct) -> None:
    direct.values["key"] = "sentinel-of-a-removal"
    direct.write("lost", shop("lost"))
    direct.deploy("lost")
    lab.ssh(direct.host, "rm -rf /opt/maestro/lost")
    assert direct.take_away("lost", "lost_data")
    assert left(direct.host, "lost") == nothing()


def test_what_others_use_is_not_removed(direct: Direct) -> None:
    direct.values["key"] = "sentinel-of-a-removal"
    direct.write("used", shop("used"))
    direct.deploy("used")
    lab.ssh(
        direct.host,
        "docker run -d --name guest --network used_default --entrypoint sleep "
        f"$(docker images -q {IMAGE.rpartition(':')[0]} | head -1) 60",
    )
    try:
        with pytest.raises(MaestroError, match="used_default of the stack used is used by guest"):
            direct.take_away("used")
        assert answer(direct.host, "used") == "web"
    finally:
        lab.ssh(direct.host, "docker rm -f guest")
    assert direct.take_away("used", "used_data")


def test_an_interrupted_removal_is_undone_by_the_host(direct: Direct) -> None:
    """The controller vanished after the containers went: the release serves again."""
    direct.values["key"] = "sentinel-of-a-removal"
    direct.write("torn", shop("torn"))
    direct.deploy("torn")
    release = lab.manifest(direct.host, "torn")["id"]
    state = direct.step("removal", stack="torn")
    claim = {"by": "a test", "purpose": "removal", "release": "", "serves": release, "armed": True}
    claim |= {"limit": 1, "timeout": 30, "token": "torn"}
    expect = {"release": release, "containers": [item["id"] for item in state["containers"]]}
    direct.step("lease", stack="torn", state="acquired", claim=claim, expect=expect)
    label = "--filter label=com.docker.compose.project=torn"
    lab.ssh(direct.host, f"docker ps -aq {label} | xargs docker rm -f; sleep 2")
    # By the next run, or by the host's own timer, which may have begun already.
    direct.step("recover", stack="torn")
    direct.until("! test -e /opt/maestro/torn/lease.json")
    assert answer(direct.host, "torn") == "web"
    assert lab.manifest(direct.host, "torn")["id"] == release


def test_a_failed_first_deploy_leaves_nothing(direct: Direct) -> None:
    direct.values["key"] = "sentinel-of-a-removal"
    broken = {**page()["healthcheck"], "test": ["CMD", "false"]}
    direct.write("first", shop("first", healthcheck=broken))
    lab.ssh(
        direct.host,
        "docker volume create --label com.docker.compose.project=first "
        "--label com.docker.compose.volume=old first_old; sleep 1.1",
    )
    with pytest.raises(MaestroError, match="service web: is unhealthy"):
        direct.deploy("first")
    assert left(direct.host, "first") == nothing(volumes=["first_old"])
    results = [e["result"] for e in direct.step("journal", stack="first", last=9)["events"]]
    assert results == ["failed", "put back"]

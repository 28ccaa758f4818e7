"""Limits of stacks that say nothing, the profile ``hardened``, and the score of both."""

from __future__ import annotations

from typing import Any

from direct import IMAGE, Direct

from maestro.release import hardening
from maestro.report import status

# Writes where a hardened service may, reads its secret below /run, and ends where it may not.
SERVICE: dict[str, Any] = {
    "image": IMAGE,
    "command": ["sh", "-c", "touch /tmp/a /run/b && ! touch /c && sleep 1000"],
    "init": True,
    "stop_grace_period": "1s",
    "secrets": ["key"],
    "healthcheck": {"test": ["CMD", "test", "-s", "/run/secrets/key"], "interval": "1s"},
}
OPEN = SERVICE | {"command": ["sh", "-c", "touch /c && sleep 1000"]}


def stack(**services: dict[str, Any]) -> dict[str, Any]:
    return {"services": services, "secrets": {"key": {"file": "./key"}}}


def test_services_are_limited_without_being_replaced_and_hardened_where_asked(
    direct: Direct,
) -> None:
    direct.values["key"] = "one"
    limits = {"deploy": {"resources": {"limits": {"memory": "64M", "cpus": "0.5"}}}}
    direct.write("limited", stack(plain=OPEN, free=OPEN | {"pids_limit": -1}))
    plan = direct.plan("limited")
    assert plan.count("no memory limit") == 1
    assert "free, plain can use all memory of the host" in plan
    direct.deploy("limited")
    plain = direct.container("limited", "plain")
    assert plain["HostConfig"]["PidsLimit"] == hardening.PIDS
    assert not direct.container("limited", "free")["HostConfig"]["PidsLimit"]
    # A container of before there were limits, beside one that changes: it stays, and is limited.
    direct.until(f"docker update --pids-limit -1 {plain['Id']}")
    assert not direct.deploy("limited")
    closed = SERVICE | limits
    direct.write(
        "limited",
        stack(plain=OPEN, free=OPEN | {"pids_limit": -1}, closed=closed, kept=OPEN | limits)
        | {"x-maestro": {"hardened": ["closed"]}},
    )
    assert "plain can" not in direct.plan("limited")
    direct.deploy("limited")
    there = direct.container("limited", "plain")
    assert there["Id"] == plain["Id"]
    assert there["HostConfig"]["PidsLimit"] == hardening.PIDS
    assert not direct.deploy("limited")

    state = direct.step("overview", stack="limited", security=True)
    shown = status.table("limited", {direct.host: state}, {})
    scores = {line.split()[1]: line.split()[2:] for line in shown.splitlines() if "/26" in line}
    assert scores == {
        "closed": ["26/26", "none"],
        "free": ["22/26", "5.11,", "5.12,", "5.13,", "5.29"],
        "kept": ["25/26", "5.13"],
        "plain": ["23/26", "5.11,", "5.12,", "5.13"],
    }
    kernel = {item["service"]: item["runtime"]["kernel"] for item in state["containers"]}
    assert all(found == {"NoNewPrivs": 1, "Seccomp": 2} for found in kernel.values())
    assert direct.rollback("limited")
    assert direct.container("limited", "plain")["Id"] == plain["Id"]

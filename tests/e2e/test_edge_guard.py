"""On a host: what guards the edge, and what its programs may do. By attempt."""

from __future__ import annotations

import re

import pytest
from direct import Direct
from e2e import lab

from maestro.host import edge_health

LOCKS = "/etc/maestro/edge/.locks"


@pytest.mark.parametrize("unit", ["maestro-agent", "maestro-switch"])
def test_the_units_have_little_more_than_they_need(direct: Direct, unit: str) -> None:
    said = lab.ssh(direct.host, f"systemd-analyze security --no-pager {unit}", check=False)
    (exposure,) = re.findall(r"exposure level for \S+: ([0-9.]+)", said)
    assert float(exposure) < 3.0, said


def test_the_agent_has_no_rights_beside_those_of_its_files(direct: Direct) -> None:
    process = lab.ssh(direct.host, "systemctl show -P MainPID maestro-agent").strip()
    status = lab.ssh(direct.host, f"cat /proc/{process}/status")
    assert re.search(r"CapEff:\s+0+\n", status)
    inside = f"nsenter -t {process} -m sh -c"
    for place in ("/usr/x", "/opt/maestro/x", "/var/lib/x", "/etc/x"):
        assert "Read-only" in lab.ssh(direct.host, f"{inside} 'touch {place}' 2>&1", check=False), (
            place
        )
    lab.ssh(
        direct.host,
        f"{inside} 'touch /etc/maestro/edge/dynamic/x && rm /etc/maestro/edge/dynamic/x'",
    )


def test_a_local_user_holds_no_lock(direct: Direct) -> None:
    lab.ssh(direct.host, "systemctl is-active maestro-agent")
    for path in (LOCKS, f"{LOCKS}/edge", "/opt/maestro/.switch.lock"):
        done = lab.ssh(
            direct.host,
            f"setpriv --reuid 65534 --clear-groups flock -n {path} true 2>&1",
            check=False,
        )
        assert "ermission denied" in done, done


def test_a_local_user_reads_nothing_of_the_edge(direct: Direct) -> None:
    """Neither its API and metrics, nor the files that say what is behind it; root does."""
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    for path in ("api/rawdata", "api/http/routers", "api/version", "metrics"):
        asked = f"curl -sS -o /dev/null -w '%{{http_code}}' http://127.0.0.1:8079/{path}"
        login = '-u "maestro:$(cat /etc/maestro/edge/api-token)"'
        assert lab.ssh(direct.host, f"{nobody} {asked}") == "401", path
        assert lab.ssh(direct.host, f"{asked} {login}") == "200", path
    for path in (
        "api-token",
        "traefik.yml",
        "dynamic/edge.yml",
        "dynamic/edge-api.yml",
        "edge.json",
    ):
        said = lab.ssh(direct.host, f"{nobody} cat /etc/maestro/edge/{path} 2>&1 || true")
        assert "Permission denied" in said, path


def test_a_frozen_edge_is_started_again(direct: Direct) -> None:
    lab.ssh(direct.host, "docker kill -s STOP maestro-edge")
    needed = edge_health.FAILURES * (edge_health.EVERY + edge_health.TIMEOUT)
    direct.until("curl -fsS -m 2 http://127.0.0.1:8079/ping", needed + 30)
    said = lab.ssh(direct.host, "journalctl -u maestro-agent -n 20 -o cat")
    assert "the edge is restarted: no answer" in said
